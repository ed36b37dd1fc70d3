"""The model in training on videos with truth, every now and then; its numbers tell the best."""

from __future__ import annotations

import difflib
import math
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

from vis.errors import DeviceError, InputError, UsageError
from vis.evaluation.distributed import DistributedContext
from vis.evaluation.evaluate import evaluate, evaluate_model
from vis.evaluation.predicting import select_videos, shared_classes
from vis.formats.opening import open_set
from vis.formats.paths import inside, video_file_of
from vis.formats.prefixes import Frames

if TYPE_CHECKING:
    from pathlib import Path

    from vis.formats.opening import DataSet
    from vis.formats.ytvis_records import AnnotationSet
    from vis.models import Model
    from vis.training.config import Evaluation
    from vis.training.ranks import Ranks

PASSING = "evaluation.part"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluator:
    """Called with a model, it tells numbers; all processes call it at the same step.

    It draws no random number and leaves the model as it was.
    """

    settings: Evaluation
    data: DataSet
    team: DistributedContext
    precision: Literal["fp32", "tf32", "bf16", "fp16"]

    def __call__(self, model: Model[Any]) -> dict[str, float]:
        """Numbers by name.

        Raises:
            InputError, DataError: a video cannot be looked at; names it.
            DeviceError: the memory is used up; says what to lower.
            OutputError: the processes cannot exchange their results.
        """
        settings, passing = self.settings, self.team.folder
        if passing is not None:
            # every process makes it: whoever comes first must not wait for the first process
            passing.mkdir(exist_ok=True)
        try:
            return evaluate_model(
                model,
                self.data,
                videos=_videos(settings),
                metrics=settings.metrics,
                distributed=self.team,
                precision=self.precision,
                **_same(settings),
                window=settings.window,
                stride=settings.stride,
                size=settings.size,
                batch=settings.batch,
            )
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                "the memory is used up in an evaluation",
                remedy="Lower evaluation.batch, evaluation.size or evaluation.window.",
            ) from error
        finally:
            if passing is not None and self.team.is_first:  # all have read what is in it
                shutil.rmtree(passing, ignore_errors=True)

    def score(self, numbers: dict[str, float]) -> float | None:
        """What decides which checkpoint is the best; None where it has no value."""
        value = numbers[self.settings.best]
        return value if math.isfinite(value) else None


def evaluator_of(
    settings: Evaluation, model: Model[Any], *, precision: Any, folder: Path, ranks: Ranks
) -> Evaluator:
    """An evaluator of this data; what could fail at its first call fails here.

    Args:
        settings: which data, and what is asked.
        model: its class names.
        precision: of what the model computes.
        folder: of the run; the processes exchange their results through it.
        ranks: the processes that share the videos.

    Raises:
        UsageError: no data is named, or no number is called as the one that tells the best.
        InputError, DataError: the data cannot be read, or has no class of the model.
    """
    if settings.data is None:
        raise UsageError(
            "evaluation.data is not set",
            remedy="Name a data set with truth, or set training.evaluate_every to 0.",
        )
    data = open_set(settings.data, Frames(settings.frames, settings.frames_prefix))
    part = select_videos(data.annotations, _videos(settings))
    truth = shared_classes(part, model, **_same(settings)).truth
    _check_frames(data, truth)
    # nothing found: costs little, and gives every name that a real evaluation will have
    empty = evaluate(truth, {video: [] for video in truth.videos}, metrics=settings.metrics)
    numbers = [*empty.precision.numbers, *(n for other in empty.others.values() for n in other)]
    if settings.best not in numbers:
        near = difflib.get_close_matches(settings.best, numbers, n=1)
        remedy = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(numbers)}."
        raise UsageError(f"evaluation.best is {settings.best!r}", remedy=remedy)
    team = DistributedContext()
    if ranks.world > 1:
        team = DistributedContext(ranks.rank, ranks.world, folder / PASSING, ranks.barrier)
    return Evaluator(settings=settings, data=data, team=team, precision=precision)


def _check_frames(data: DataSet, truth: AnnotationSet) -> None:
    """Each video is there as a film, or its first picture is."""
    for video in truth.videos.values():
        if data.frames is None or not (
            video_file_of(data.frames, video) or inside(data.frames, video.file_names[0]).is_file()
        ):
            raise InputError(
                f"the frames of video {video.id} ({video.name}) were not found",
                where=str(data.path),
                remedy="Give the folder that the file names are relative to: evaluation.frames.",
            )


def _same(settings: Evaluation) -> dict[str, Any]:
    return {"key": settings.key, "renamed": settings.renamed}


def _videos(settings: Evaluation) -> list[str] | int | None:
    videos = settings.videos
    return list(videos) if isinstance(videos, tuple) else videos
