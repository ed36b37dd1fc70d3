"""What a seed decides: the season, who takes part, in which colours, and where the sun stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from lakeside.people import Looks
from lakeside.setting import AUTUMN, EVENING, SUMMER, Season

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakeside.painting import Pair

CATEGORIES = ("person", "two-wheeler", "vehicle", "boat", "bird", "dog", "cat", "large-animal")
"""Names of the categories; the id of a category is its place in this list, from 1."""

SHOWS = {
    "van": ("vehicle",),
    "car": ("vehicle",),
    "cyclist": ("person", "two-wheeler"),
    "walker": ("person",),
    "boat": ("boat",),
    "bird": ("bird",),
    "dog": ("dog",),
    "cat": ("cat",),
    "cow": ("large-animal",),
}
"""Role -> categories of the objects that play it."""

PAINTS: tuple[Pair, ...] = (
    ((184, 42, 34), (240, 228, 200)),
    ((36, 112, 152), (238, 234, 222)),
    ((66, 128, 84), (240, 232, 206)),
    ((226, 150, 40), (244, 238, 224)),
)
DOGS: tuple[Pair, ...] = (
    ((196, 140, 84), (104, 62, 36)),
    ((226, 208, 178), (150, 104, 62)),
    ((92, 76, 66), (38, 32, 30)),
    ((236, 230, 220), (60, 52, 50)),
)
CATS: tuple[Pair, ...] = (
    ((214, 150, 86), (150, 84, 40)),
    ((156, 146, 134), (72, 64, 58)),
    ((226, 220, 212), (120, 110, 100)),
)
COWS: tuple[Pair, ...] = (
    ((242, 236, 226), (74, 48, 38)),
    ((238, 234, 228), (36, 34, 36)),
    ((176, 116, 70), (120, 74, 44)),
)
HULLS: tuple[Pair, ...] = (
    ((240, 240, 236), (250, 246, 236)),
    ((44, 74, 120), (248, 244, 232)),
    ((238, 236, 228), (206, 96, 64)),
)
LOOKS = (
    Looks((104, 84, 168), (52, 60, 92), (222, 172, 138)),
    Looks((226, 128, 40), (60, 62, 66), (170, 116, 84)),
    Looks((200, 56, 66), (70, 80, 110), (112, 74, 54)),
    Looks((64, 132, 176), (120, 104, 80), (228, 184, 150)),
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """The choices for one scene."""

    season: Season
    sun: float
    """-1: the sun stands to the left; 1: to the right."""
    flow: int
    """1: the van drives to the right; -1: everything is the other way round."""
    passer: str
    """Role of the one who meets the van."""
    hider: str
    """Role of the one who goes behind the cover, and comes back."""
    returns: bool
    """Whether the hider turns round there."""
    grazer: str
    """Role of the one whom the van hides."""
    hedge: bool
    """Whether the cover is a hedge; otherwise it is a wall with a cat on it."""
    paints: tuple[Pair, Pair]
    dog: Pair
    cat: Pair
    cow: Pair
    hull: Pair
    looks: tuple[Looks, Looks]
    shift: tuple[float, ...]
    """Six numbers from -1 to 1 that move places and times a little."""

    def roles(self) -> list[str]:
        """Who acts, in the order of their object ids."""
        watcher = [] if self.hedge else ["cat"]
        return ["van", self.passer, "boat", "bird", self.hider, self.grazer, *watcher]


def plan(seed: int) -> Plan:
    """The choices of `seed`; those of seed 0, the sample that ships, are the first of each list."""
    rng = np.random.default_rng((seed, 0))

    def pick(options: Sequence[T]) -> T:
        return options[int(rng.integers(len(options))) if seed else 0]

    hedge = pick((False, True))
    return Plan(
        season=pick((SUMMER, EVENING, AUTUMN)),
        sun=pick((-1.0, 1.0)),
        flow=pick((1, -1)),
        passer=pick(("cyclist", "cyclist", "car", "walker")),
        hider=pick(("dog", "dog", "cat")),
        returns=pick((False, True)),
        grazer=pick(("cow", "cow", "walker")),
        hedge=hedge,
        paints=(pick(PAINTS), pick(PAINTS[::-1])),
        dog=pick(DOGS),
        cat=pick(CATS),
        cow=pick(COWS),
        hull=pick(HULLS),
        looks=(pick(LOOKS), pick(LOOKS[::-1])),
        shift=tuple(float(number) for number in rng.uniform(-1, 1, 6) * bool(seed)),
    )


def cast(seed: int) -> dict[int, str]:
    """Object id -> name of its category, for the scene of `seed`."""
    names = [name for role in plan(seed).roles() for name in SHOWS[role]]
    return dict(enumerate(names, start=1))
