"""all numbers of one evaluation: as a table, as JSON, as a report."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vis.evaluation.report import write_report
from vis.evaluation.report.summary import content_of, known
from vis.formats.json_file import write_json
from vis.formats.ytvis import write_results

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from vis.evaluation.average_precision import AveragePrecision
    from vis.evaluation.bootstrap import Interval
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
    others: Mapping[str, Mapping[str, float]]
    """Numbers of the other metrics, by the metric's name."""
    frames: Path | None
    """The folder of the frames, where it is known."""
    sources: tuple[str, str]
    """Truth and results as they were named."""
    skipped: Mapping[str, int]
    """Faults that were passed over, by kind."""
    notes: Sequence[str] = ()
    """What a reader must know of the results."""

    def __getitem__(self, name: str) -> Any:
        """A number, or the numbers of a metric, by the keys of `numbers`."""
        return self.numbers[name]

    @property
    def numbers(self) -> dict[str, Any]:
        """As a JSON file holds them: AP and AR at the top, each other metric below its name."""
        low, high = self.interval.low, self.interval.high
        return {
            **self.precision.as_json(),
            "AP_interval": {"low": low, "high": high, "level": self.interval.level},
            **{name: _finite(numbers) for name, numbers in self.others.items()},
            "threshold": self.threshold,
            "skipped": dict(self.skipped),
            "notes": list(self.notes),
        }

    def table(self) -> Iterator[tuple[str, str, str]]:
        """Rows of name, value in percent, and remark."""
        said = f"{percent(self.interval.low)} to {percent(self.interval.high)}"
        level = f"{self.interval.level:.0%} of draws of such videos"
        for name, value in self.precision.numbers.items():
            yield name, percent(known(value)), f"{said} in {level}" if name == "AP" else ""
        for group, numbers in self.others.items():
            remark = f"results with a score of {self.threshold:.3g} or more"
            for place, (name, value) in enumerate(numbers.items()):
                yield name, percent(value), remark if place == 0 and group else ""

    def categories(self) -> Iterator[tuple[str, str, str]]:
        """Rows of category, AP in percent, and number of objects; best first."""
        labels = [t.label for tracks in self.truth.tracks.values() for t in tracks if not t.crowd]
        for label, value in sorted(self.precision.per_category.items(), key=lambda row: -row[1]):
            yield self.truth.categories[label].name, percent(known(value)), str(labels.count(label))

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
        """
        skipped = [f"{count} x skipped: {kind}" for kind, count in self.skipped.items()]
        content = content_of(
            "Evaluation",
            self.truth,
            self.precision,
            interval=(self.interval.low, self.interval.high) if self.interval.draws else None,
            others=self.others,
            facts=self.facts(),
            notes=[*self.notes, *skipped],
        )
        return write_report(
            folder,
            content,
            self.truth,
            self.results,
            threshold=self.threshold,
            frames=self.frames,
            overwrite=overwrite,
            progress=progress,
        )

    def facts(self) -> dict[str, str]:
        """What was measured, in words."""
        frames = sum(video.length for video in self.truth.videos.values())
        objects, found = (
            sum(map(len, tracks.values())) for tracks in (self.truth.tracks, self.results)
        )
        counts = f"{len(self.truth.videos)} videos, {frames} frames, {objects} objects"
        truth, results = (f"{name}: " if name else "" for name in self.sources)
        classes = f"{len(self.truth.categories)} classes"
        return {"truth": f"{truth}{counts}, {classes}", "results": f"{results}{found}"}


def percent(value: float) -> str:
    """A share in percent, a count as it is, a dash where there is nothing."""
    if isinstance(value, int):
        return str(value)
    return "-" if math.isnan(value) else f"{100 * value:.1f}"


def _finite(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no NaN: a number without anything to take it from is null."""
    return {
        name: int(value) if isinstance(value, int) else float(value) if value == value else None
        for name, value in numbers.items()
    }
