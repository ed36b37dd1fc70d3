"""The outputs of one source in a hidden folder beside their final names, that one process owns.

OUT/.NAME.part/             run.json (settings), states, and the outputs as far as they are
OUT/.NAME.part.lock         whose folder that is, while somebody has it
OUT/.NAME.done.json         settings and source of what lies beside it, whole
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from vis.errors import OutputError, OutputExistsError, UsageError
from vis.storage.disk_errors import output_errors
from vis.storage.lock import locked
from vis.storage.sync import sync_tree
from vis.storage.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

RUN, FINISHED = "run.json", "finished.json"
_OURS = {".png", ".txt", ".json"}
"""Endings of the files in folders that may be replaced."""


class StagedOutputs:
    """The outputs of one source, from their beginning to their final names.

    Args:
        folder: of the outputs.
        name: that the outputs begin with.
        outputs: kind -> name of the file or folder.
        settings: all on which the outputs depend, as JSON can hold it.
        overwrite: whether what has the final names may be replaced.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        outputs: Mapping[str, str],
        settings: Mapping[str, Any],
        overwrite: bool,
    ) -> None:
        self.folder, self.path = folder, folder / f".{name}.part"
        self._lock = folder / f".{name}.part.lock"
        self._done = folder / f".{name}.done.json"
        self._outputs, self._settings, self._overwrite = outputs, dict(settings), overwrite

    @property
    def outputs(self) -> list[Path]:
        """Their final names."""
        return [self.folder / name for name in self._outputs.values()]

    def is_done(self) -> bool:
        """Whether all outputs are there, made with these very settings of this very source."""
        mark = _read(self._done)
        all_exist = all(path.exists() for path in self.outputs)
        return all_exist and mark is not None and mark.get("settings") == self._settings

    @contextmanager
    def owned(self, *, resume: bool) -> Iterator[bool]:
        """Have the folder alone; tells whether there is something in it to go on with.

        Args:
            resume: whether to go on where an earlier run with the same settings stopped.

        Raises:
            OutputExistsError: outputs, or an unfinished run, are there and may not be replaced.
            UsageError: the unfinished run has other settings.
            OutputError: another process has the folder, or it cannot be made.
        """
        with output_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            unfinished = self._check_unfinished(resume)
            with output_errors(self.path):
                self.path.mkdir(exist_ok=True)
            if unfinished and not resume:
                self._clear()
            goes_on = unfinished and resume and self._check_same()
            if not goes_on:
                write_whole(self.path / RUN, _text(self._settings), overwrite=True)
            yield goes_on

    def _locked(self) -> AbstractContextManager[None]:
        # beside the folder, which goes before the lock does
        return locked(self._lock, where=self.path)

    def _check_unfinished(self, resume: bool) -> bool:
        """Whether an unfinished run is there; refuse what may not be replaced."""
        unfinished = self.path.exists()
        if unfinished and not resume and not self._overwrite:
            raise OutputExistsError(
                "an unfinished run is there already",
                where=str(self.path),
                done="Nothing was changed.",
                remedy="Go on with it (--resume) or begin anew (--overwrite).",
            )
        if not (resume and (self.path / FINISHED).exists()):
            self._check_free()
        return unfinished

    @property
    def is_finished(self) -> bool:
        """Whether all outputs were whole and only some names were missing."""
        return (self.path / FINISHED).exists()

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Say that all outputs in the folder are whole, then give them their final names.

        Args:
            summary: what to keep of the run beside its settings.

        Raises:
            OutputExistsError: a name was taken meanwhile.
            OutputError: the names cannot be given.
        """
        self._check_free()
        content = {**summary, "settings": self._settings, "outputs": list(self._outputs.values())}
        # from here on a kill loses nothing: whoever comes next only gives the names
        write_whole(self.path / FINISHED, _text(content), overwrite=True)
        self.publish()

    def publish(self) -> None:
        """Give the outputs that are still in the folder their final names; the folder goes.

        Raises:
            OutputError: the names cannot be given.
        """
        for final in self.outputs:
            with output_errors(final):
                staged = self.path / final.name
                if not staged.exists():
                    continue
                # the names go last: a power cut must not leave names of empty files
                sync_tree(staged)
                if final.is_dir():
                    # rename replaces files, and of folders only empty ones
                    shutil.rmtree(final)
                staged.replace(final)
        with output_errors(self._done):
            (self.path / FINISHED).replace(self._done)
        self.discard()

    def discard(self) -> None:
        """Delete the folder; the file that makes it known as ours goes last."""
        with output_errors(self.path):
            self._empty()
            shutil.rmtree(self.path)

    def sweep(self) -> None:
        """Delete what a kill left of the folder when all was done, unless somebody has it."""
        if self.path.exists():
            with suppress(OutputError), self._locked():
                self.discard()

    def _check_free(self) -> None:
        for path in self.outputs:
            if not os.path.lexists(path):
                continue
            if not self._overwrite:
                raise OutputExistsError(
                    "there already",
                    where=str(path),
                    done="Nothing was changed.",
                    remedy="Choose another name, or allow overwriting (--overwrite).",
                )
            _check_ours(path)

    def _check_same(self) -> bool:
        """Refuse to go on with other settings; False where the run had not even begun."""
        earlier = _read(self.path / RUN)
        if earlier is None:
            return False
        for key, value in self._settings.items():
            if earlier.get(key) != value:
                raise UsageError(
                    f"{key} is {_short(value)}, but the run that is to go on has"
                    f" {_short(earlier.get(key))}",
                    where=str(self.path),
                    remedy="Give the same settings, or begin anew (--overwrite).",
                )
        return True

    def _clear(self) -> None:
        if not (self.path / RUN).exists() and any(self.path.iterdir()):
            raise OutputError(
                "the folder was not made by a run, so it is not replaced", where=str(self.path)
            )
        with output_errors(self.path):
            self._empty()

    def _empty(self) -> None:
        for entry in self.path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != RUN:
                entry.unlink()


def _check_ours(path: Path) -> None:
    """Refuse to replace anything but a file, or a folder of files such as we write."""
    if path.is_file() or path.is_symlink():
        return
    for entry in path.rglob("*"):
        if entry.is_symlink() or not (entry.is_dir() or entry.suffix in _OURS):
            raise OutputExistsError(
                f"the folder holds {entry.name!r} too, so it is not replaced",
                where=str(path),
                remedy="Choose another name.",
            )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text(value: object) -> bytes:
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
