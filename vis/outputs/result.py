"""`vis.Result`: all tracks of a video, to be saved, shown and given to other tools."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vis.errors import UsageError
from vis.outputs import fiftyone, notebook, replay, supervision
from vis.outputs.other_library import other_library
from vis.outputs.tracked_video import TrackedVideo

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence


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
            ids: category id of each class index; None for COCO's of COCO's classes, else one more
                than the index.
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

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` with a row for each object of each frame: the columns of the CSV.

        Raises:
            DeviceError: the library is not installed.
        """
        pandas = other_library("pandas")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "table.csv"
            self.save(path)
            return pandas.read_csv(path)

    def only(
        self, *, classes: Sequence[str] | None = None, ids: Sequence[int] | None = None
    ) -> Result:
        """The same video with some of its objects.

        Args:
            classes: names of those that stay; None for all.
            ids: numbers of those that stay; None for all.

        Raises:
            UsageError: no class of the model has this name, or no object this number.
        """
        _check_among("class", classes, self.names.values())
        _check_among("object", ids, [track.id for track in self.tracks])
        tracks = [
            track
            for track in self.tracks
            if (classes is None or self.names[track.label] in classes)
            and (ids is None or track.id in ids)
        ]
        stay = {track.id for track in tracks}
        return replace(
            self,
            tracks=tracks,
            frames=tuple(frame.only(stay) for frame in self.frames),
            identities={id_: one for id_, one in self.identities.items() if id_ in stay},
        )

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


def _check_among(kind: str, names: Sequence[Any] | None, there: Iterable[Any]) -> None:
    there = list(there)
    for one in names or ():
        if one not in there:
            raise UsageError(
                f"there is no {kind} {one!r}", remedy=f"There are: {', '.join(map(str, there))}."
            )
