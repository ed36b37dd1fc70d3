"""What a run saw: of each object its class, first and last time, and share of the screen."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from vis.errors import printable
from vis.records import Identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from vis.outputs.frame_result import FrameResult


@dataclass(slots=True)
class Sighting:
    """One object over all frames so far."""

    id: int
    label: int
    score: float
    first: float
    """Seconds."""
    last: float
    """Seconds."""
    frames: int = 0
    """That show it."""
    share: float = 0.0
    """Sum over these frames of the part of the picture that it covers."""
    over: bool = False
    """Whether its class and score are final."""


class Summary:
    """Sightings by identity; a few numbers each.

    Args:
        state: of an earlier one, to go on from.
    """

    def __init__(self, state: Sequence[dict[str, Any]] = ()) -> None:
        self.sightings = {one["id"]: Sighting(**one) for one in state}

    def add(self, frame_result: FrameResult) -> None:
        """Take in a frame."""
        tracks = frame_result.tracks
        pixels = frame_result.size[0] * frame_result.size[1]
        for row, area in enumerate(frame_result.areas):
            identity, time = int(tracks.ids[row]), float(tracks.time)
            label, score = int(tracks.labels[row]), float(tracks.scores[row])
            one = self.sightings.setdefault(
                identity, Sighting(identity, label, score, first=time, last=time)
            )
            # the last word counts until the end of the object corrects it
            one.label, one.score, one.last = label, score, time
            one.frames += 1
            one.share += area / pixels

    def end(self, identities: Iterable[Identity]) -> None:
        """Take in what is finally known of objects."""
        for identity in identities:
            one = self.sightings.get(identity.id)
            if one is not None:
                one.label, one.score, one.over = identity.label, float(identity.score), True

    def standing(self, classes: int) -> list[Identity]:
        """What is known as of now of the objects that have not ended, for a run that stops."""
        none = np.zeros(classes, np.float32)
        left = [one for one in self.sightings.values() if not one.over]
        return [Identity(one.id, one.label, one.score, none) for one in left]

    def state(self) -> list[dict[str, Any]]:
        """As JSON can hold it."""
        return [asdict(one) for one in self.sightings.values()]


def rows(
    sightings: Iterable[Sighting], names: Mapping[int, str], *, most: int
) -> list[tuple[str, ...]]:
    """A table: a head, then the objects by class and time, `most` of them."""
    ordered = sorted(sightings, key=lambda one: (one.label, one.first, one.id))
    table: list[tuple[str, ...]] = [("class", "id", "score", "first", "last", "frames", "screen")]
    for one in ordered[:most]:
        share = one.share / max(1, one.frames)
        table.append(
            (
                _name(one.label, names),
                str(one.id),
                f"{one.score:.2f}",
                clock(one.first),
                clock(one.last),
                str(one.frames),
                f"{share:.1%}",
            )
        )
    return table


def by_class(sightings: Iterable[Sighting], names: Mapping[int, str]) -> dict[str, int]:
    """Name of each class that was seen -> number of its objects."""
    counts = Counter(one.label for one in sightings)
    return {_name(label, names): counts[label] for label in sorted(counts)}


def clock(seconds: float) -> str:
    """`1:02:03.45`, without the hours where there are none."""
    # as a fraction: 0.145 as a float rounds down
    hundredths = round(Fraction(seconds) * 100)
    minutes, rest = divmod(abs(hundredths), 6000)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes}:{rest // 100:02d}.{rest % 100:02d}"
    if hours:
        text = f"{hours}:{minutes:02d}:{rest // 100:02d}.{rest % 100:02d}"
    return f"-{text}" if hundredths < 0 else text


def _name(label: int, names: Mapping[int, str]) -> str:
    """Short and of one line, whatever the model's file calls it."""
    return printable(names.get(label, f"class {label}"))[:40]
