"""CocoVID: a COCO file whose pictures are the frames and whose objects have lasting ids."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from vis.ops.rle import area, box, to_coco
from vis.outputs.deferred_labels import DeferredLabels
from vis.storage.append_only_file import AppendOnlyFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.outputs.frame_result import FrameResult
    from vis.outputs.sink import SinkContext, State
    from vis.records import Identity


class CocoSink:
    """Annotations as `vis.formats.coco_video` reads them, with a `score` each.

    Args:
        context: where to.
        state: of an earlier sink of this kind, to go on from.
    """

    suffix = ".coco.json"

    def __init__(self, context: SinkContext, state: State | None = None) -> None:
        self._context = context
        self.path = context.folder / f"{context.name}{self.suffix}"
        self._images = AppendOnlyFile(
            context.folder / "coco-images.txt", 0 if state is None else state["images"]
        )
        self._objects = DeferredLabels(
            context.folder / "coco-objects.txt", None if state is None else state["objects"]
        )
        self._count = 0 if state is None else int(state["count"])

    def write(self, frame_result: FrameResult) -> None:
        """Keep the frame and its objects."""
        self._count += 1
        width, height = frame_result.size
        index = frame_result.tracks.index
        image = {
            "id": self._count,
            "file_name": f"{self._context.video_name}/{index:06d}.jpg",
            "width": width,
            "height": height,
            "video_id": self._context.video_id,
            "frame_id": index,
        }
        self._images.append(_compact(image) + b"\n")
        for row, mask in enumerate(frame_result.rles):
            edges = None if mask is None else box(mask)
            if mask is None or edges is None:
                continue
            x0, y0, x1, y1 = edges
            annotation = {
                "image_id": self._count,
                "video_id": self._context.video_id,
                "instance_id": int(frame_result.tracks.ids[row]),
                # pycocotools asks every annotation for it
                "iscrowd": 0,
                "score": round(float(frame_result.tracks.scores[row]), 6),
                "bbox": [float(side) for side in (x0, y0, x1 - x0, y1 - y0)],
                "area": area(mask),
                "segmentation": to_coco(mask),
            }
            self._objects.add(int(frame_result.tracks.ids[row]), _compact(annotation))

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
            {"id": self._context.category_id(label), "name": name}
            for label, name in self._context.names.items()
            # Rows of COCO's ids that COCO has no category for: readers refuse an empty name.
            if name
        ]
        info = self._context.info
        video = {"id": self._context.video_id, "name": self._context.video_name}
        video |= {"length": length, "width": info.width, "height": info.height}
        whole = AppendOnlyFile(self.path)
        try:
            head = _compact({"videos": [video], "categories": categories})
            whole.append(head[:-1] + b',\n"images":[')
            # line by line, for a film of an hour has more objects than memory
            for number, line in enumerate(self._images.lines()):
                whole.append((b",\n" if number else b"\n") + line)
            whole.append(b'],\n"annotations":[')
            # ids count from 1: pycocotools takes an annotation of id 0 for unmatched
            for number, (_, label, rest) in enumerate(self._objects.labelled()):
                head_fields = b'{"id":%d,"category_id":%d,' % (
                    number + 1,
                    self._context.category_id(label),
                )
                whole.append((b",\n" if number else b"\n") + head_fields + rest[1:])
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
