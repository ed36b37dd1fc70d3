"""CocoVID: a COCO file whose pictures are the frames and whose objects have lasting ids."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from vis.ops.rle import area, box, to_coco
from vis.pipeline.sinks.final_labels import FinalLabels
from vis.pipeline.sinks.target import State, Target, category_id
from vis.storage.append_only_file import AppendOnlyFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.pipeline.sinks.shown import Shown
    from vis.records import Identity

_VIDEO = 1


class Coco:
    """Annotations as `vis.formats.coco_video` reads them, with a `score` each.

    Args:
        target: where to.
        state: of an earlier sink of this kind, to go on from.
    """

    suffix = ".coco.json"

    def __init__(self, target: Target, state: State | None = None) -> None:
        self._target = target
        self.path = target.folder / f"{target.name}{self.suffix}"
        self._images = AppendOnlyFile(
            target.folder / "coco-images.txt", 0 if state is None else state["images"]
        )
        self._objects = FinalLabels(
            target.folder / "coco-objects.txt", None if state is None else state["objects"]
        )
        self._count = 0 if state is None else int(state["count"])

    def write(self, shown: Shown) -> None:
        """Keep the frame and its objects."""
        self._count += 1
        width, height = shown.size
        index = shown.tracks.index
        image = {
            "id": self._count,
            "file_name": f"{self._target.name}/{index:06d}.jpg",
            "width": width,
            "height": height,
            "video_id": _VIDEO,
            "frame_id": index,
        }
        self._images.append(_compact(image) + b"\n")
        for row, mask in enumerate(shown.rles):
            edges = None if mask is None else box(mask)
            if mask is None or edges is None:
                continue
            x0, y0, x1, y1 = edges
            found = {
                "image_id": self._count,
                "video_id": _VIDEO,
                "instance_id": int(shown.tracks.ids[row]),
                "iscrowd": 0,
                "score": round(float(shown.tracks.scores[row]), 6),
                "bbox": [float(side) for side in (x0, y0, x1 - x0, y1 - y0)],
                "area": area(mask),
                "segmentation": to_coco(mask),
            }
            self._objects.add(int(shown.tracks.ids[row]), _compact(found))

    def end(self, identities: Sequence[Identity]) -> None:
        """Take the classes of objects that will not come again."""
        self._objects.end(identities)

    def state(self) -> State:
        """What is needed to go on."""
        return {
            "images": self._images.sync(),
            "objects": self._objects.state(),
            "count": self._count,
        }

    def finish(self, length: int) -> None:
        """Put all into one file, each object with the class that it turned out to be of."""
        categories = [
            {"id": category_id(label), "name": name} for label, name in self._target.names.items()
        ]
        info = self._target.info
        video = {"id": _VIDEO, "name": self._target.name, "length": length}
        video |= {"width": info.width, "height": info.height}
        whole = AppendOnlyFile(self.path)
        try:
            head = _compact({"videos": [video], "categories": categories})
            whole.append(head[:-1] + b',\n"images":[')
            for number, line in enumerate(self._images.lines()):
                whole.append((b",\n" if number else b"\n") + line)
            whole.append(b'],\n"annotations":[')
            for number, (_, label, rest) in enumerate(self._objects.labelled()):
                told = b'{"id":%d,"category_id":%d,' % (number + 1, category_id(label))
                whole.append((b",\n" if number else b"\n") + told + rest[1:])
            whole.append(b"]}\n")
            whole.sync()
        finally:
            whole.close()

    def close(self) -> None:
        """Free the files."""
        self._images.close()
        self._objects.close()


def _compact(value: object) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
