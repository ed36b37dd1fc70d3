"""Lines of objects, written frame by frame; they get their class when it is known for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vis.storage.append_only_file import AppendOnlyFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from vis.outputs.sink import State
    from vis.records import Identity


class DeferredLabels:
    """Lines `identity rest`, and the class of each identity once it has ended.

    Args:
        path: of the file.
        state: of an earlier one, to go on from.
    """

    def __init__(self, path: Path, state: State | None = None) -> None:
        self._file = AppendOnlyFile(path, 0 if state is None else state["size"])
        self._labels: dict[int, int] = dict(state["labels"]) if state else {}

    def add(self, identity: int, rest: bytes) -> None:
        """A line of an object; `rest` holds no end of line."""
        self._file.append(b"%d %s\n" % (identity, rest))

    def end(self, identities: Sequence[Identity]) -> None:
        """Take the classes of objects that will not come again."""
        self._labels |= {one.id: one.label for one in identities}

    def state(self) -> State:
        """What is needed to go on."""
        return {"size": self._file.sync(), "labels": sorted(self._labels.items())}

    def labelled(self) -> Iterator[tuple[int, int, bytes]]:
        """Identity, class index and rest of each line; who has no final class is left out."""
        for line in self._file.lines():
            identity, _, rest = line.partition(b" ")
            label = self._labels.get(int(identity))
            if label is not None:
                yield int(identity), label, rest

    def close(self) -> None:
        """Free the file."""
        self._file.close()
