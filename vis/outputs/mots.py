"""A MOTS folder of text: a line for each object of a frame; no two objects share a pixel."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from vis.errors import VisWarning
from vis.formats.index_pictures import layers
from vis.formats.mots_text import PER_CLASS
from vis.outputs.deferred_labels import DeferredLabels
from vis.storage.append_only_file import AppendOnlyFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vis.outputs.frame_result import FrameResult
    from vis.outputs.sink import SinkContext, State
    from vis.records import Identity


class MotsSink:
    """`NAME.mots/instances_txt/VIDEO.txt` and the names of the classes in `labels.txt`.

    The file holds an object's class and its number within the class, at most 999 of each; those
    that come later are left out, with a warning.

    Args:
        context: where to.
        state: of an earlier sink of this kind, to go on from.
    """

    suffix = ".mots"

    def __init__(self, context: SinkContext, state: State | None = None) -> None:
        self._context = context
        self.path = context.folder / f"{context.name}{self.suffix}"
        self._lines = DeferredLabels(context.folder / "mots-lines.txt", state)

    def write(self, frame_result: FrameResult) -> None:
        """Keep the lines of the frame."""
        if not len(frame_result.tracks):
            return
        # the benchmark refuses files where two masks share a pixel
        for row, mask in layers(frame_result.index_map).items():
            sides = f"{mask.height} {mask.width} ".encode()
            line = f"{frame_result.tracks.index} ".encode() + sides + mask.counts
            self._lines.add(int(frame_result.tracks.ids[row - 1]), line)

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
        names = "".join(f"{' '.join(name.split())}\n" for name in self._context.names.values())
        for name, content in (
            ("labels.txt", iter([names.encode()])),
            (f"{self._context.video_name}.txt", self._numbered()),
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
                # a thousandth object would read as the first of the next class
                if used.get(label, 0) == PER_CLASS - 1:
                    left_out.add(identity)
                else:
                    numbers[identity] = used[label] = used.get(label, 0) + 1
            if identity in left_out:
                continue
            frame, _, mask = rest.partition(b" ")
            category = self._context.category_id(label)
            # ids of the benchmark are class * 1000 + number (Voigtlaender et al., 2019)
            number = category * PER_CLASS + numbers[identity]
            yield b"%s %d %d %s\n" % (frame, number, category, mask)
        if left_out:
            what = f"MOTS counts to {PER_CLASS - 1} in a class; {len(left_out)} are left out"
            warnings.warn(VisWarning(f"{self._context.video_name}: {what}"), stacklevel=3)
