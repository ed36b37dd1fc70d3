"""A MOTS folder of text: a line for each object of a frame; no two objects share a pixel."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from vis.errors import VisWarning
from vis.formats.index_pictures import layers
from vis.formats.mots_text import PER_CLASS
from vis.pipeline.sinks.final_labels import FinalLabels
from vis.pipeline.sinks.target import State, Target, category_id
from vis.storage.append_only_file import AppendOnlyFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vis.pipeline.sinks.shown import Shown
    from vis.records import Identity


class Mots:
    """`NAME.mots/instances_txt/NAME.txt` and the names of the classes in `labels.txt`.

    The file holds an object's class and its number within the class, at most 999 of each; those
    that come later are left out, with a warning.

    Args:
        target: where to.
        state: of an earlier sink of this kind, to go on from.
    """

    suffix = ".mots"

    def __init__(self, target: Target, state: State | None = None) -> None:
        self._target = target
        self.path = target.folder / f"{target.name}{self.suffix}"
        self._lines = FinalLabels(target.folder / "mots-lines.txt", state)

    def write(self, shown: Shown) -> None:
        """Keep the lines of the frame."""
        if not len(shown.tracks):
            return
        for row, mask in layers(shown.painted).items():
            sides = f"{mask.height} {mask.width} ".encode()
            line = f"{shown.tracks.index} ".encode() + sides + mask.counts
            self._lines.add(int(shown.tracks.ids[row - 1]), line)

    def end(self, identities: Sequence[Identity]) -> None:
        """Take the classes of objects that will not come again."""
        self._lines.end(identities)

    def state(self) -> State:
        """What is needed to go on."""
        return self._lines.state()

    def finish(self, length: int) -> None:  # noqa: ARG002 - lines know of no length
        """Number the objects of each class and write the folder."""
        folder = self.path / "instances_txt"
        folder.mkdir(parents=True, exist_ok=True)
        names = "".join(f"{' '.join(name.split())}\n" for name in self._target.names.values())
        for name, content in (
            ("labels.txt", iter([names.encode()])),
            (f"{self._target.name}.txt", self._numbered()),
        ):
            file = AppendOnlyFile(folder / name)
            try:
                for line in content:
                    file.append(line)
                file.sync()
            finally:
                file.close()

    def close(self) -> None:
        """Free the file."""
        self._lines.close()

    def _numbered(self) -> Iterator[bytes]:
        numbers: dict[int, int] = {}
        used: dict[int, int] = {}
        left_out = set()
        for identity, label, rest in self._lines.labelled():
            if identity not in numbers and identity not in left_out:
                if used.get(label, 0) == PER_CLASS - 1:
                    left_out.add(identity)
                else:
                    numbers[identity] = used[label] = used.get(label, 0) + 1
            if identity in left_out:
                continue
            frame, _, mask = rest.partition(b" ")
            category = category_id(label)
            number = category * PER_CLASS + numbers[identity]
            yield b"%s %d %d %s\n" % (frame, number, category, mask)
        if left_out:
            what = f"MOTS counts to {PER_CLASS - 1} in a class; {len(left_out)} are left out"
            warnings.warn(VisWarning(f"{self._target.name}: {what}"), stacklevel=3)
