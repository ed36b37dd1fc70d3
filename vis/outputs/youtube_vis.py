"""The YouTube-VIS result list: an entry for each object, added when its identity has ended.

Until then its masks lie in a file of lines `id frame run-lengths`; memory holds their places alone.
"""

from __future__ import annotations

import json
from array import array
from typing import TYPE_CHECKING

from vis.ops.rle import to_coco
from vis.records import RLE
from vis.storage.append_only_file import AppendOnlyFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.outputs.frame_result import FrameResult
    from vis.outputs.sink import SinkContext, State
    from vis.records import Identity

_MANY = 1 << 16
"""Nulls that are written at once."""


class YouTubeVISSink:
    """Results as `vis.formats.ytvis.read_results` takes them, in the order of the identities.

    Args:
        context: where to.
        state: of an earlier sink of this kind, to go on from.
    """

    suffix = ".json"

    def __init__(self, context: SinkContext, state: State | None = None) -> None:
        self._context = context
        self.path = context.folder / f"{context.name}{self.suffix}"
        state = state or {"masks": 0, "entries": 0, "live": []}
        self._masks = AppendOnlyFile(context.folder / "json-masks.txt", state["masks"])
        self._entries = AppendOnlyFile(context.folder / "json-entries.txt", state["entries"])
        self._size = context.info.height, context.info.width
        # an array of 8 bytes a frame; a list of ints would be four times that
        self._places: dict[int, array[int]] = {int(one): array("q") for one in state["live"]}
        """Identity -> places of its masks."""
        if self._places:
            self._restore_places()

    def write(self, frame_result: FrameResult) -> None:
        """Keep the frame's masks."""
        for identity, mask in zip(frame_result.tracks.ids.tolist(), frame_result.rles, strict=True):
            if mask is not None:
                line = f"{identity} {frame_result.tracks.index} ".encode() + mask.counts + b"\n"
                self._places.setdefault(identity, array("q")).append(self._masks.append(line))

    def end(self, identities: Sequence[Identity]) -> None:
        """Add the entries of objects that had a pixel."""
        for one in identities:
            places = self._places.pop(one.id, None)
            if places:
                self._entries.append(self._entry(one, places))

    def state(self) -> State:
        """The sizes of the files, and who is live."""
        return {
            "masks": self._masks.sync(),
            "entries": self._entries.sync(),
            "live": sorted(self._places),
        }

    def finish(self, length: int) -> None:
        """Put the entries in order, with a null for each frame after an object's last."""
        places = self._places_of_entries()
        whole = AppendOnlyFile(self.path)
        try:
            whole.append(b"[")
            # in the order of identities, whenever they ended: so a resumed run writes the same
            # bytes
            for number, identity in enumerate(sorted(places)):
                _, frames, entry = self._entries.line_at(places[identity]).split(b" ", 2)
                whole.append((b",\n" if number else b"\n") + entry)
                # the reference wants as many masks as frames, so absent ones are null
                left = length - int(frames)
                while left > 0:
                    whole.append(b",null" * min(left, _MANY))
                    left -= _MANY
                whole.append(b"]}")
            whole.append(b"\n]\n")
            whole.sync()
        finally:
            whole.close()

    def close(self) -> None:
        """Free the files."""
        self._masks.close()
        self._entries.close()

    def _entry(self, one: Identity, places: array[int]) -> bytes:
        """`id frames {... "segmentations": [...`, open at the end."""
        fields = {
            "video_id": self._context.video_id,
            "category_id": self._context.category_id(one.label),
            "score": float(one.score),
            "id": one.id,
        }
        pieces: list[str] = []
        for place in places:
            _, frame, counts = self._masks.line_at(place).split(b" ", 2)
            # frames without the object, between its masks
            pieces += ["null"] * (int(frame) - len(pieces))
            pieces.append(_compact(to_coco(RLE(*self._size, counts))))
        opened = _compact(fields)[:-1]
        masks = ",".join(pieces)
        return f'{one.id} {len(pieces)} {opened},"segmentations":[{masks}\n'.encode()

    def _restore_places(self) -> None:
        place = 0
        for line in self._masks.lines():
            identity = int(line.partition(b" ")[0])
            if identity in self._places:
                self._places[identity].append(place)
            place += len(line) + 1

    def _places_of_entries(self) -> dict[int, int]:
        places, place = {}, 0
        for line in self._entries.lines():
            places[int(line.partition(b" ")[0])] = place
            place += len(line) + 1
        return places


def _compact(value: object) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
