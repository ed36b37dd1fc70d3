"""Checkpoints that survive a kill at any moment: a folder is whole, or it is no checkpoint.

    FOLDER/step-00012000/
        MANIFEST.json       size and sha256 of every other file, and the score
        ...                 whatever the caller writes

The files are written into `step-00012000.part`, brought to the disk, listed in the manifest,
and then the folder gets its name: so a folder of that name whose manifest agrees is valid, and
nothing else is. Which one is the newest is told by the number, never by a clock or a link.
Reading executes nothing: the files are JSON and safetensors.
"""

from __future__ import annotations

import errno
import hashlib
import json
import re
import shutil
import warnings
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vis.errors import DataError, OutputError, VisWarning
from vis.storage.disk_errors import WHOLE, output_error
from vis.storage.sync import sync_file, sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from vis.storage.disk_errors import Messages

MANIFEST = "MANIFEST.json"
MAX_MANIFEST = 1_000_000
SPARE = 1.2
"""How much of the last checkpoint's size must be free before the next is begun."""
_NAME = re.compile(r"step-(\d{8,})")
_PART = ".part"
_MESSAGES: Messages = {
    "full": ("the disk is full", "Free some space, then go on with --resume."),
    "other": WHOLE["other"],
}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint whose every byte was verified."""

    path: Path
    step: int
    score: float | None
    """Higher is better; None where nobody measured."""


def save(
    folder: Path,
    step: int,
    files: Mapping[str, Callable[[Path], None]],
    *,
    score: float | None = None,
    keep: int = 3,
    first: bool = True,
    together: Callable[[], AbstractContextManager[None]] = nullcontext,
    shares: Callable[[Path], None] | None = None,
) -> Path:
    """Write one checkpoint, then remove those that are neither the best nor among the last `keep`.

    Args:
        folder: of the checkpoints; made where it is missing. One run owns it, see `lock`.
        step: training steps that are done.
        files: name -> what writes the file of that name to the path that it is given.
        score: higher is better; the best checkpoint is never removed.
        keep: how many of the last stay.
        first: whether this process, of those that save together, writes `files`.
        together: makes a context that all of them leave at the same time, or with an OutputError.
        shares: writes what this process alone holds into the folder that it is given.

    Raises:
        OutputError: the disk is full or refuses; nothing of the checkpoint is left, and those
            that were there before are untouched.
    """
    final = folder / f"step-{step:08d}"
    part = folder / f"{final.name}{_PART}"
    try:
        # three meetings of all processes: the folder is there before anybody writes into it, and
        # all shares are before they are listed
        with together(), _output_errors(final):
            if first:
                _begin(folder, part)
        if shares is not None:
            with together(), _output_errors(final):
                shares(part)
        with together(), _output_errors(final):
            if first:
                _fill(part, files, score)
                _put_in_place(part, final)
                _prune(folder, keep)
    finally:
        if first:
            shutil.rmtree(part, ignore_errors=True)
    return final


def newest(folder: Path) -> Checkpoint | None:
    """The newest valid checkpoint, or None; a damaged one is warned of and passed over."""
    damaged: list[str] = []
    for step, path in reversed(_checkpoints_in(folder)):
        try:
            newest_valid = Checkpoint(path, step, verify(path))
        except DataError as error:
            damaged.append(str(error))
            continue
        for words in damaged:
            warnings.warn(VisWarning(f"{words} Going on from step {step}."), stacklevel=2)
        return newest_valid
    for words in damaged:
        warnings.warn(VisWarning(f"{words} There is no older one."), stacklevel=2)
    return None


def verify(path: Path) -> float | None:
    """Compare every file with the manifest; returns the score.

    Raises:
        DataError: the checkpoint is damaged; names the file.
    """
    try:
        listed, score = _manifest(path)
        for name, (size, digest) in listed.items():
            file = path / name
            if not file.is_file() or file.is_symlink():
                raise DataError(f"the checkpoint is damaged ({name} is missing)")
            if file.stat().st_size != size or _digest(file) != digest:
                raise DataError(f"the checkpoint is damaged (the sha256 of {name} differs)")
        for file in path.glob("*.safetensors"):  # a reader of shares would open it
            if file.name not in listed:
                raise DataError(f"the checkpoint is damaged ({file.name} is not in its list)")
    except DataError as error:
        raise error.at(str(path)) from None
    except OSError as error:
        raise DataError(f"it cannot be read ({error.strerror})", where=str(path)) from None
    return score


def sweep(folder: Path) -> None:
    """Remove what killed saves left; only for the one process that owns the run."""
    for path in folder.glob(f"step-*{_PART}"):
        shutil.rmtree(path, ignore_errors=True)


def _begin(folder: Path, part: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _check_space(folder)
    if part.exists():
        shutil.rmtree(part)
    part.mkdir()


def _fill(part: Path, files: Mapping[str, Callable[[Path], None]], score: float | None) -> None:
    """Write the files and list them, and those that are there already, in the manifest."""
    # a name with a slash would write beside the folder
    for name, write in files.items():
        assert name != MANIFEST and Path(name).name == name
        write(part / name)
    listed = {}
    for path in sorted(part.iterdir()):
        # on the disk before the manifest says so: a power cut could keep the list, not the file
        sync_file(path)
        listed[path.name] = {"size": path.stat().st_size, "sha256": _digest(path)}
    text = json.dumps({"score": score, "files": listed}, indent=1, allow_nan=False)
    (part / MANIFEST).write_text(text)
    sync_file(part / MANIFEST)
    sync_folder(part)


def _put_in_place(part: Path, final: Path) -> None:
    # a folder cannot be renamed onto one that holds files; a kill between the two lines leaves
    # the older checkpoints, which are whole
    if final.exists():
        shutil.rmtree(final)  # damaged, or the same step of a run that went back
    part.rename(final)
    # the name is an entry of the parent folder, which has to reach the disk too
    sync_folder(final.parent)


def _manifest(path: Path) -> tuple[dict[str, tuple[int, str]], float | None]:
    try:
        with (path / MANIFEST).open("rb") as file:
            value = json.loads(file.read(MAX_MANIFEST))
        listed = {
            str(name): (int(entry["size"]), str(entry["sha256"]))
            for name, entry in value["files"].items()
        }
        score = None if value["score"] is None else float(value["score"])
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise DataError(f"the checkpoint has no valid {MANIFEST}") from None
    if not listed or any(Path(name).name != name for name in listed):
        raise DataError(f"the {MANIFEST} names no files, or files elsewhere")
    return listed, score


def _checkpoints_in(folder: Path) -> list[tuple[int, Path]]:
    paths = folder.iterdir() if folder.is_dir() else ()
    steps = ((_NAME.fullmatch(path.name), path) for path in paths)
    return sorted((int(match[1]), path) for match, path in steps if match)


def _prune(folder: Path, keep: int) -> None:
    """What cannot be removed stays: a checkpoint too many harms nobody."""
    there = _checkpoints_in(folder)
    scores = {}
    for step, path in there:
        with suppress(DataError):
            score = _manifest(path)[1]
            if score is not None:
                scores[step] = score
    spared = {step for step, _ in there[-max(1, keep) :]}
    # at equal scores the later one: it has learnt longer
    if scores:
        spared.add(max(scores, key=lambda step: (scores[step], step)))
    for step, path in there:
        if step not in spared:
            shutil.rmtree(path, ignore_errors=True)


def _check_space(folder: Path) -> None:
    there = _checkpoints_in(folder)
    if not there:
        return
    last = sum(file.stat().st_size for file in there[-1][1].iterdir())
    # asked before the write: a disk that fills up half way would take the log with it
    free = shutil.disk_usage(folder).free
    if free < SPARE * last:
        raise OSError(errno.ENOSPC, f"{free} bytes are free, {int(SPARE * last)} are needed")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _output_errors(path: Path) -> Iterator[None]:
    done = "Older checkpoints are untouched."
    try:
        yield
    except OutputError as error:
        raise OutputError(error.what, where=str(path), done=done, remedy=error.remedy) from error
    except OSError as error:
        raise output_error(error, path, _MESSAGES, done=done) from error
