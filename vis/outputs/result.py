"""`vis.Result`: all tracks of a video, to be saved, shown and given to other tools."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vis.outputs import fiftyone, notebook, replay, supervision
from vis.outputs.tracked_video import TrackedVideo

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True, eq=False)
class Result(TrackedVideo):
    """What was tracked in one video, to be saved, shown and given to other tools."""

    def __len__(self) -> int:
        return len(self.tracks)

    def save(
        self,
        path: str | os.PathLike[str],
        format: str | None = None,  # noqa: A002 - the word of every library that saves
        *,
        ids: Sequence[int] | None = None,
        source: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
    ) -> None:
        """Write the tracks: the same bytes as `vis track --save FORMAT` writes of the same video.

        Args:
            path: of the file, or of the folder for `davis`, `mots` and `frames`.
            format: one of `vis.outputs.sinks.KINDS`; None for that of the ending: .json
                (YouTube-VIS results), .coco.json, .jsonl, .csv, .davis, .mots, .frames and those of
                videos.
            ids: category id of each class index; None for one more than the index.
            source: the video to draw on, where it is not where it was.
            overwrite: whether a file that is there may be replaced; a folder never is.

        Raises:
            UsageError: no format has this suffix or name.
            OutputExistsError: `path` is there and `overwrite` is not set.
            OutputError: it cannot be written.
            InputError, VideoError: the video to draw on cannot be read again.
        """
        replay.save(self, Path(path), format, category_ids=ids, source=source, overwrite=overwrite)

    def to_ytvis(self, video_id: int = 1, ids: Sequence[int] | None = None) -> list[dict[str, Any]]:
        """The list of a YouTube-VIS results file."""
        return list(self._value("json", video_id=video_id, category_ids=ids))

    def to_coco(self, ids: Sequence[int] | None = None) -> dict[str, Any]:
        """The object of a COCO file with videos: a picture a frame, with scores."""
        return dict(self._value("coco", category_ids=ids))

    def _value(self, kind: str, **settings: Any) -> Any:
        """What the file of this kind holds; written once by its sink, and read."""
        with (
            tempfile.TemporaryDirectory() as folder,
            replay.written(self, Path(folder), kind, **settings) as path,
        ):
            return json.loads(path.read_bytes())

    def to_supervision(self) -> Iterator[tuple[int, Any]]:
        """Index of each frame that was looked at and its `supervision.Detections`.

        Raises:
            DeviceError: the library is not installed.
        """
        return supervision.detections(self)

    def to_fiftyone(self, source: str | os.PathLike[str] | None = None) -> Any:
        """The video as a `fiftyone.Sample`, each frame's objects in its field `objects`.

        Args:
            source: the video file, where it is not where it was.

        Raises:
            UsageError: it is a stream or pictures, and no video file is given.
            DeviceError: the library is not installed.
        """
        return fiftyone.sample(self, source)

    def _repr_html_(self) -> str:
        """What a notebook shows: a table of the objects, and some frames where they can be read."""
        return notebook.page(self)
