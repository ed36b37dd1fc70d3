"""What a model detects in all videos of a set, with or without truth, as one results file."""

from __future__ import annotations

import hashlib
import json
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from vis.errors import explain_resume
from vis.evaluation.distributed import DistributedContext
from vis.evaluation.finished_videos import (
    FinishedVideos,
    finished_results,
    forget_videos,
    results_text,
)
from vis.evaluation.predicting import (
    OPTIONS,
    frames_of,
    predict_video,
    select_videos,
    shared_classes,
)
from vis.formats.opening import DataSet, open_set
from vis.formats.ytvis_values import annotations_value
from vis.inference.model_classes import load_model, model_sha256
from vis.storage.staged_outputs import StagedOutputs
from vis.storage.whole_file import write_whole
from vis.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from vis.evaluation.predicting import Shared
    from vis.formats.prefixes import AnyFrames
    from vis.formats.ytvis_records import VideoEntry
    from vis.inference.options import TrackOptions
    from vis.models import Model


@dataclass(frozen=True, slots=True)
class PredictionSummary:
    """What became of a set."""

    videos: int
    resumed: int
    """Videos of them that an earlier run had finished."""
    unknown: tuple[str, ...]
    """Names of categories that are no class of the model: it detects nothing of them."""
    skipped: bool = False
    """Whether the file was there, whole, by the same settings."""


@dataclass(frozen=True, slots=True)
class _Prediction:
    """A model, the videos that it looks at, and how."""

    model: Model[Any]
    data: DataSet
    shared: Shared
    options: TrackOptions
    device: str
    batch: int

    @property
    def videos(self) -> Mapping[int, VideoEntry]:
        """By id, in the order of the file."""
        return self.shared.truth.videos

    def settings(self) -> dict[str, Any]:
        """All on which the results depend."""
        bare = replace(self.shared.truth, tracks={}, track_extra={}, extra={})
        videos = json.dumps(annotations_value(bare), sort_keys=True).encode()
        return {
            "videos": hashlib.sha256(videos).hexdigest(),
            "frames": str(frames_of(self.data).resolve()),
            "model": model_sha256(self.model),
            "category ids": {str(index): id_ for index, id_ in self.shared.ids.items()},
            **self.options.plain(),
            "vis": __version__,
        }


def predict_file(
    model: Model[Any] | str | Path | None,
    data: str | Path | DataSet,
    output: str | Path,
    *,
    videos: Sequence[str] | int | None = None,
    frames: AnyFrames = None,
    key: str = "name",
    renamed: Mapping[str, str] | None = None,
    distributed: DistributedContext | None = None,
    device: str = "auto",
    batch: int = 1,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
    **settings: Any,
) -> PredictionSummary:
    """Write what a model detects in a data set as a YouTube-VIS results file, by the set's ids.

    Until the file is whole, finished videos lie in a hidden folder beside it. Results of a run that
    was broken off and gone on with equal those of an unbroken one, with any number of processes.

    Args:
        model: as for `vis.track`.
        data: a data set with its frames; of a YouTube-VIS file the truth may be missing.
        output: the file to write.
        videos: names or ids of those that are looked at, or how many, spread evenly; None for all.
        frames: the folder of the frames, where it is not found by itself.
        key: which entry of a category names its class: `name`, or another that the file has.
        renamed: what the data set calls a class -> what the model calls it.
        distributed: the processes that share the videos; the first writes the file.
        device: as for `vis.track`.
        batch: as for `vis.track`.
        resume: go on with what an unfinished run left, if there is one.
        overwrite: replace the output and what an unfinished run left.
        progress: show a bar of videos where standard error is a terminal.
        **settings: fields of `TrackOptions` that differ from `vis.evaluation.predicting.OPTIONS`.

    Raises:
        UsageError: a setting is wrong, or not that of the run that is to go on.
        InputError: a file is missing.
        DataError: a file is faulty, or the data set has no class of the model.
        OutputError: the output is there already, or cannot be written.
    """
    network = load_model(model)
    opened = data if isinstance(data, DataSet) else open_set(data, frames, needs_truth=False)
    part = select_videos(opened.annotations, videos)
    where = str(opened.path)
    shared = shared_classes(part, network, key=key, renamed=renamed, where=where)
    options = OPTIONS.updated(settings)
    prediction = _Prediction(network, opened, shared, options, device, batch)
    path = Path(output)
    staged = StagedOutputs(
        path.parent,
        path.name,
        outputs={"json": path.name},
        settings=prediction.settings(),
        overwrite=overwrite,
    )
    run = _Run(prediction, staged, distributed or DistributedContext(), progress)
    resumed = run.write(resume=resume, skip=not overwrite)
    count = len(prediction.videos)
    if resumed is None:
        return PredictionSummary(count, count, shared.unknown, skipped=True)
    return PredictionSummary(count, resumed, shared.unknown)


@dataclass(frozen=True, slots=True)
class _Run:
    """One process's share in writing the file."""

    prediction: _Prediction
    staged: StagedOutputs
    distributed: DistributedContext
    progress: bool

    def write(self, *, resume: bool, skip: bool) -> int | None:
        """Write the file; how many videos an earlier run had finished, or None if all was done."""
        first = self.distributed.is_first
        is_done, is_finished = skip and self.staged.is_done(), resume and self.staged.is_finished
        # nobody changes anything before all have looked
        self.distributed.barrier("looked")
        if is_done:
            if first:
                self.staged.sweep()
            return None
        with self._owned(resume) as goes_on:
            if is_finished:
                if first:
                    self.staged.publish()
                return len(self.prediction.videos)
            if first and not goes_on:
                forget_videos(self.staged.path)
            self.distributed.barrier("owned")
            finished = finished_results(self.staged.path).keys() & self.prediction.videos.keys()
            # the shares are those of what all have read, before anyone adds to it
            self.distributed.barrier("read")
            self._predict([v for id_, v in self.prediction.videos.items() if id_ not in finished])
            self.distributed.barrier("predicted")
            if first:
                self._finish()
            return len(finished)

    def _owned(self, resume: bool) -> AbstractContextManager[bool]:
        """Only the first process has the folder; whether there is something to go on with."""
        return self.staged.owned(resume=resume) if self.distributed.is_first else nullcontext(True)

    def _predict(self, videos: list[VideoEntry]) -> None:
        store = FinishedVideos(self.staged.path, self.distributed.rank)
        one = self.prediction
        settings: dict[str, Any] = {"options": one.options, "device": one.device}
        try:
            with store.opened():
                for video in self._bar(videos):
                    tracks = predict_video(
                        one.model, one.data, video, one.shared, batch=one.batch, **settings
                    )
                    store.add(video, tracks)
        except BaseException as error:
            self._explain(error)
            raise

    def _bar(self, videos: list[VideoEntry]) -> Iterator[VideoEntry]:
        hidden = None if self.progress and self.distributed.is_first else True
        return iter(tqdm(self.distributed.share(videos), "videos", disable=hidden))

    def _finish(self) -> None:
        results = finished_results(self.staged.path)
        [path] = self.staged.outputs
        text = results_text(results, self.prediction.videos)
        write_whole(self.staged.path / path.name, text, overwrite=True)
        self.staged.finish({"count": len(self.prediction.videos)})

    def _explain(self, error: BaseException) -> None:
        """Say in the error what was kept and how to go on."""
        if not finished_results(self.staged.path):
            # others may write there; alone, the corrected command may begin at once
            if self.distributed.world == 1:
                self.staged.discard()
            return
        explain_resume(error, f"The videos so far are kept in {self.staged.path}")
