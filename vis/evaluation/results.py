"""All numbers of one evaluation: as a table, as JSON, as a report."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vis.errors import UsageError
from vis.evaluation.annotated_frames import without_unknown_frames
from vis.evaluation.error_split import MEANINGS
from vis.evaluation.report import ErrorRow, write_report
from vis.evaluation.report.summary import content_of, or_nan
from vis.formats.json_file import write_json
from vis.formats.ytvis import write_results

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from vis.evaluation.average_precision import AveragePrecision
    from vis.evaluation.bootstrap import Interval
    from vis.evaluation.error_split import ErrorSplit
    from vis.formats.ytvis_records import AnnotationSet
    from vis.records import Track


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Evaluation:
    """What was measured, and what it was measured on."""

    truth: AnnotationSet
    results: Mapping[int, Sequence[Track]]
    """By id of the video; the sound ones."""
    precision: AveragePrecision
    interval: Interval
    """Of the AP."""
    threshold: float
    """Score from which results count for the metrics without scores, and are shown."""
    pictures: Mapping[str, Mapping[str, float]]
    """COCO's numbers of masks (`segm`) and boxes (`bbox`) where the truth is of single pictures."""
    others: Mapping[str, Mapping[str, float]]
    """Numbers of the other metrics, by the metric's name."""
    parts: Mapping[str, Mapping[str, Any]]
    """What those are made of, by the metric's name: of each category, or each object."""
    frames: Path | None
    """The folder of the frames, where it is known."""
    sources: tuple[str, str]
    """Names of truth and results, without their folders."""
    errors: ErrorSplit | None
    """What each kind of error costs, where that was asked for."""
    skipped: Mapping[str, int]
    """Faults that were passed over, by kind."""
    notes: Sequence[str] = ()
    """What a reader must know of the results."""

    def __getitem__(self, name: str) -> Any:
        """A number, or the numbers of a metric, by the keys of `numbers`."""
        return self.numbers[name]

    @property
    def headline(self) -> Mapping[str, float]:
        """The twelve numbers of AP and AR: COCO's of single pictures, else those of tracks."""
        return next(iter(self.pictures.values()), self.precision.numbers)

    @property
    def boxes_alone(self) -> bool:
        """Whether pictures were compared by boxes alone, as truth or results have no masks."""
        return bool(self.pictures) and "segm" not in self.pictures

    @property
    def numbers(self) -> dict[str, Any]:
        """As a JSON file holds them: AP and AR at the top, each other metric below its name."""
        low, high = self.interval.low, self.interval.high
        of_masks = {
            "AP_per_category": {str(label): value for label, value in self._each().items()},
            "AP_interval": {"low": low, "high": high, "level": self.interval.level},
        }
        return {
            **self.headline,
            **({} if self.boxes_alone else of_masks),
            **{name: dict(numbers) for name, numbers in self.pictures.items()},
            **{name: _finite({**n, **self.parts[name]}) for name, n in self.others.items()},
            **({"errors": dict(self.errors.lost)} if self.errors else {}),
            "threshold": self.threshold,
            "skipped": dict(self.skipped),
            "notes": list(self.notes),
        }

    def table(self) -> Iterator[tuple[str, str, str]]:
        """Rows of name, value in percent, and remark."""
        for name, value in self.headline.items():
            yield name, percent(or_nan(value)), self._swing() if name == "AP" else ""
        for name, value in self.pictures.get("bbox", {}).items() if not self.boxes_alone else ():
            yield f"{name} of boxes", percent(or_nan(value)), ""
        for numbers in self.others.values():
            remark = f"results with a score of {self.threshold:.3g} or more"
            for place, (name, value) in enumerate(numbers.items()):
                yield name, percent(value), remark if place == 0 else ""
        for name, value in self.errors.lost.items() if self.errors else ():
            yield f"lost to {name}", percent(value), MEANINGS[name]

    def categories(self) -> Iterator[tuple[str, str, str]]:
        """Rows of category, AP in percent, and number of objects; best first."""
        if self.boxes_alone:
            return
        labels = [t.label for tracks in self.truth.tracks.values() for t in tracks if not t.crowd]
        for label, value in sorted(self._each().items(), key=lambda row: -row[1]):
            name, count = self.truth.categories[label].name, str(labels.count(label))
            yield name, percent(or_nan(value)), count

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write `numbers` as JSON.

        Raises:
            OutputExistsError: `path` is there and `overwrite` is not set.
            OutputError: it cannot be written.
        """
        write_json(str(path), self.numbers, overwrite=overwrite)

    def save_results(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the results as a YouTube-VIS file.

        Raises:
            OutputExistsError: `path` is there and `overwrite` is not set.
            OutputError: it cannot be written.
        """
        lengths = {video_id: video.length for video_id, video in self.truth.videos.items()}
        write_results(str(path), self.results, lengths, overwrite=overwrite)

    def report(
        self, folder: str | Path, *, overwrite: bool = False, progress: bool = False
    ) -> Path:
        """Write a self-contained `report.html` into `folder` and return its path.

        Raises:
            OutputExistsError: there is one and `overwrite` is not set.
            OutputError: it cannot be written.
            UsageError: the results are boxes alone.
        """
        if self.boxes_alone:
            raise UsageError("boxes make no report", remedy="Evaluate with masks.")
        skipped = [f"{count} x skipped: {kind}" for kind, count in self.skipped.items()]
        content = content_of(
            "Evaluation",
            self.truth,
            self.precision,
            interval=(self.interval.low, self.interval.high) if self.interval.draws else None,
            errors=self._error_rows(),
            others={**self.pictures, **self.others},
            details=self.description(),
            notes=[*self.notes, *skipped],
        )
        return write_report(
            folder,
            content,
            self.truth,
            without_unknown_frames(self.truth, self.results),
            threshold=self.threshold,
            frames=self.frames,
            overwrite=overwrite,
            progress=progress,
        )

    def _each(self) -> dict[int, float]:
        """AP by category, nothing where they were not told apart."""
        table = self.truth.categories
        return {k: value for k, value in self.precision.per_category.items() if k in table}

    def _swing(self) -> str:
        if self.boxes_alone:
            return "of boxes"
        if not self.interval.draws:
            return ""
        span = f"{percent(or_nan(self.interval.low))} to {percent(or_nan(self.interval.high))}"
        return f"{span} in {self.interval.level:.0%} of draws of such videos"

    def _error_rows(self) -> list[ErrorRow]:
        lost = self.errors.lost if self.errors else {}
        return [ErrorRow(name, value, MEANINGS[name]) for name, value in lost.items()]

    def description(self) -> dict[str, str]:
        """What was measured, in words."""
        frames = sum(video.length for video in self.truth.videos.values())
        objects, tracks_count = (
            sum(map(len, tracks.values())) for tracks in (self.truth.tracks, self.results)
        )
        videos = "" if self.pictures else f"{len(self.truth.videos)} videos, "
        unit = "pictures" if self.pictures else "frames"
        counts = f"{videos}{frames} {unit}, {objects} objects"
        truth, results = (f"{name}: " if name else "" for name in self.sources)
        classes = f"{len(self.truth.categories)} classes"
        said = "boxes alone" if self.boxes_alone else f"{tracks_count} tracks"
        return {"truth": f"{truth}{counts}, {classes}", "results": f"{results}{said}"}


def percent(value: float) -> str:
    """A share in percent, a count as it is, a dash where there is nothing."""
    if isinstance(value, int):
        return str(value)
    # adding 0 turns -0 into 0
    return "-" if math.isnan(value) else f"{round(100 * value, 1) + 0:.1f}"


def _finite(value: Any) -> Any:
    """JSON has no NaN: a number without anything to take it from is null."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value
