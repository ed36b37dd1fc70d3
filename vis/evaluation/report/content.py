"""What a report says: the numbers of an evaluation, and how each video went."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Headline:
    """A number that stands at the top."""

    name: str
    value: float
    """0..1."""
    meaning: str
    interval: tuple[float, float] | None = None
    """Where the number lies for other videos of the same kind, 95 of 100 times."""


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """How well one class was found."""

    name: str
    value: float | None
    """AP, 0..1; None where the truth has no object of it."""
    objects: int


@dataclass(frozen=True, slots=True)
class Curve:
    """Precision over recall at one overlap, the mean of all classes."""

    overlap: float
    """IoU from which a result counts as found."""
    precision: Sequence[float]
    """At recall 0, 0.01 ... 1."""


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One kind of error."""

    name: str
    lost: float
    """AP that would be gained if it alone were repaired, 0..1."""
    meaning: str


@dataclass(frozen=True, slots=True)
class Content:
    """All numbers of a report; empty parts are left out of the page."""

    title: str
    details: Mapping[str, str] = field(default_factory=dict)
    """What was measured: files, counts, date."""
    notes: Sequence[str] = ()
    """What the reader must know to trust the numbers, such as records that were skipped."""
    headlines: Sequence[Headline] = ()
    categories: Sequence[CategoryRow] = ()
    overlaps: Mapping[float, float] = field(default_factory=dict)
    """IoU threshold -> AP there."""
    curves: Sequence[Curve] = ()
    errors: Sequence[ErrorRow] = ()
    numbers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Every number, by the metric that it belongs to."""
