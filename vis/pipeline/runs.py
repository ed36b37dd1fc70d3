"""Many sources, one after the other, each on its own: done ones are skipped, failed ones listed."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vis.errors import UsageError, VisError
from vis.ops.pictures import SUFFIXES as PICTURES
from vis.pipeline.looking import check_precision, device_of
from vis.pipeline.plan import opened, plan_for
from vis.pipeline.run import Choices, Manner, Outcome, Wanted, run
from vis.pipeline.sinks import KINDS, check_kinds
from vis.pipeline.sources import FILMS as SOURCES
from vis.pipeline.sources import Source, found_sources
from vis.video.writer_file import VIDEO_FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vis.models import Model

IN_FOLDER = ("video", "json", "jsonl")
"""What is saved in a folder where nobody says otherwise."""
_LONE = {".coco.json": "coco", ".json": "json", ".jsonl": "jsonl", ".csv": "csv"}
"""Ending of a lone output that is no video -> its kind."""
_REFUSED = (SOURCES | PICTURES | {".txt", ".xml", ".zip"}) - VIDEO_FORMATS.keys()
"""Endings of files that are not written; who gives one does not mean a folder."""


def planned(
    sources: Sequence[str], output: str | os.PathLike[str], save: Sequence[str] | None = None
) -> list[Wanted]:
    """What is to be made of which source.

    Args:
        sources: files, folders, globs, cameras, URLs; see `found_sources`.
        output: a file name (.mp4 .mov .mkv .webm .gif, or .json .coco.json .jsonl .csv) for one
            source, whose other outputs get the same name with their own endings; else a folder, in
            which outputs have the names of their sources.
        save: kinds of outputs; None for that of the file, or in a folder for `IN_FOLDER`.

    Raises:
        UsageError: there is no source, or several for one file; or an unknown kind or ending.
        InputError: a folder holds no videos.
    """
    found = found_sources(sources)
    if not found:
        raise UsageError("there are no videos", where=", ".join(sources), remedy="Check the names.")
    path = Path(output)
    ending, kind = _meant(os.fspath(output))
    if kind is None:
        kinds = check_kinds(IN_FOLDER if save is None else save)
        return [Wanted(source, path, kinds) for source in found]
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} videos do not go into one file",
            where=os.fspath(output),
            remedy="Name a folder.",
        )
    kinds = check_kinds([kind] if save is None else save)
    if kind not in kinds:
        raise UsageError(
            f"{path.name} is to be written, but {kind} is not among what is saved",
            remedy=f"Add {kind}, or name a folder.",
        )
    film = ending if kind == "video" else ".mp4"
    name = path.name.removesuffix(ending)
    return [Wanted(Source(found[0].place, name), path.parent, kinds, film)]


def track_all(
    wanted: Sequence[Wanted],
    model: Model[Any] | str | os.PathLike[str] | None = None,
    *,
    choices: Choices = Choices(),  # noqa: B008 - frozen
    manner: Manner = Manner(),  # noqa: B008 - frozen
) -> Iterator[Outcome]:
    """Track each source; what became of it, as soon as that is known.

    A source that fails does not stop the others. A live one that the user ends is the last.

    Args:
        wanted: see `planned`.
        model: as `vis.track` takes it; loaded once.
        choices: how they are tracked.
        manner: how the run goes.

    Raises:
        InputError, DataError, UsageError: the model cannot be had.
        UsageError, DeviceError: a choice cannot be.
    """
    seeing = opened(model)
    _check(seeing, choices, manner)
    sha256 = model_sha256(seeing)
    for one in wanted:
        try:
            outcome = run(one, seeing, sha256, choices=choices, manner=manner)
        except VisError as error:
            outcome = Outcome(one.source, error=error)
        yield outcome
        if outcome.stopped:
            return


def shard(wanted: Sequence[Wanted], part: str | None) -> list[Wanted]:
    """The part of a list that is this process's: `i/n`, from 0, or that of its rank.

    Under `torchrun`, each rank takes every n-th source; nothing is sent between them, so that one
    may be done, or gone, long before the others.

    Raises:
        UsageError: `part` is not of that form.
    """
    if part is None:
        index, count = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    else:
        first, slash, second = part.partition("/")
        if not (slash and first.isdecimal() and second.isdecimal()):
            raise UsageError(f"{part!r} is no part of a list", remedy="Write 0/4, 1/4, 2/4, 3/4.")
        index, count = int(first), int(second)
    if not 0 <= index < count:
        raise UsageError(f"there is no part {index} of {count}", remedy="Count from 0.")
    return list(wanted[index::count])


def _meant(output: str) -> tuple[str, str | None]:
    """Ending and kind of a file that is to be written; no kind where a folder is meant."""
    path = Path(output)
    if path.is_dir() or output.endswith(("/", os.sep)):
        return "", None
    kinds = dict.fromkeys(VIDEO_FORMATS, "video") | _LONE
    for ending in sorted(kinds, key=len, reverse=True):
        if path.name.lower().endswith(ending) and len(path.name) > len(ending):
            return path.name[-len(ending) :], kinds[ending]
    if path.suffix.lower() in _REFUSED:
        raise UsageError(
            f"nothing is written as {path.suffix}",
            where=output,
            remedy=f"Take one of {' '.join(kinds)}, or end the name of a folder with /.",
        )
    return "", None


def model_sha256(model: Model[Any]) -> str:
    """A number for weights, classes and settings together; equal where the model is."""
    told = hashlib.sha256(f"{model.name} {model.config} {model.class_names}".encode())
    for name, tensor in sorted(model.state_dict().items()):
        told.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        told.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return told.hexdigest()


def _check(model: Model[Any], choices: Choices, manner: Manner) -> None:
    """Refuse what would fail with every source."""
    check_precision(choices.precision)
    device_of(manner.device)
    asked = asdict(choices)
    most = choices.max_frames
    del asked["precision"], asked["max_frames"]
    plan_for(model, **asked, tracker=None)
    if most is not None and most < 1:
        raise UsageError(f"{most} frames are none", remedy="Leave max_frames out.")


__all__ = ["IN_FOLDER", "KINDS", "model_sha256", "planned", "shard", "track_all"]
