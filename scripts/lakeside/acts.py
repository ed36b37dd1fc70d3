"""The actors: each on its path, drawn where it is at a moment from 0 (first frame) to 1 (last)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from lakeside import animals, people, vehicles
from lakeside.painting import Place, Shape, Sprite, Surface, paint
from lakeside.plan import SHOWS, Plan
from lakeside.setting import Setting, View
from scipy.interpolate import PchipInterpolator

if TYPE_CHECKING:
    from lakeside.landscape import Landscape
    from lakeside.scenery import Spot

FUR = Surface(softness=0.05, grain=0.12, cells=(5, 14))
HIDE = Surface(softness=0.12, grain=0.05, cells=(3, 5))
CLOTH = Surface(softness=0.035, grain=0.04, cells=(14, 14))
METAL = Surface(softness=0.07, gloss=0.5)
TUBES = Surface(softness=0.02, gloss=0.3)
PLUMAGE = Surface(softness=0.03, grain=0.04)
SAILS = Surface(softness=0.25, gloss=0.05, grain=0.02, cells=(1.2, 1.2))
BICYCLE, GULL = (30, 120, 112), ((244, 244, 242), (70, 72, 80))


@dataclass(frozen=True, slots=True)
class Layer:
    """A sprite, how near it is, whose it is, and the row of the ground that it shades."""

    nearness: float
    """Row of its foot: larger is nearer."""
    sprite: Sprite
    owner: int | None = None
    """Object id, None for scenery."""
    foot: float | None = None


Act = Callable[[View, float], list[Layer]]
Figure = Callable[[float, float], list[Shape]]
"""Metres gone and seconds -> the drawing."""


class Path:
    """A smooth way through stops (moment, place) without overshoot."""

    def __init__(self, *stops: tuple[float, float]) -> None:
        moments, places = zip(*stops, strict=True)
        self.at = PchipInterpolator(moments, places)
        self._slope = self.at.derivative()
        self._grid = np.linspace(0, 1, 241)
        steps = np.abs(np.diff(self.at(self._grid)))
        self._lengths = np.concatenate(((0.0,), np.cumsum(steps)))

    def gone(self, moment: float) -> float:
        """Length of the way so far."""
        return float(np.interp(moment, self._grid, self._lengths))

    def speed(self, moment: float) -> float:
        """Change of the place in one moment unit."""
        return float(self._slope(moment))


@dataclass(frozen=True, slots=True)
class Stage:
    """What the actors need to know."""

    setting: Setting
    plan: Plan
    landscape: Landscape
    cover: Spot
    """Where the thing stands behind which one hides."""
    top: float
    """Metres of its height."""

    def way(self, row: float, *stops: tuple[float, float]) -> Path:
        """A path along `row`: stops are shares of the frame's width in the direction of the van."""
        span = self.plan.flow * self.setting.view.width / self.setting.view.scale(row)
        return Path(*((moment, span * (share - 0.5)) for moment, share in stops))

    def paint(self, shapes: list[Shape], place: Place, surface: Surface) -> Sprite | None:
        """The figure in the light of the scene."""
        light, limits = self.setting.light, self.setting.view.size
        return paint(shapes, place, light, surface=surface, limits=limits)


def acts(stage: Stage) -> list[Act]:
    """The acts of a scene, with object ids in the order of `plan.cast`."""
    parts = (_drives, _meets, _sails, _flies, _hides, _grazes, _watches)
    owner, done = 1, []
    for role, part in zip(stage.plan.roles(), parts, strict=False):
        done.append(part(stage, owner, role))
        owner += len(SHOWS[role])
    return done


def _drives(stage: Stage, owner: int, _: str) -> Act:
    """The van crosses the frame on the far lane."""
    row, late = 0.665 * stage.setting.view.height, 0.03 * stage.plan.shift[0]
    way = stage.way(row, (0, -0.22), (0.04 + late, -0.16), (0.86 + late, 1.2), (1, 1.4))
    return _goes(stage, owner, way, row=row, figure=_figure(stage.plan, "van", 0))


def _meets(stage: Stage, owner: int, role: str) -> Act:
    """Somebody comes the other way, nearer than the van."""
    if role == "cyclist":
        return _cycles(stage, owner)
    row = (0.712 if role == "car" else 0.765) * stage.setting.view.height
    ends = (1.35, -0.3) if role == "car" else (0.97, 0.55)
    way = stage.way(row, (0, ends[0]), (1, ends[1]))
    return _goes(stage, owner, way, row=row, figure=_figure(stage.plan, role, 1))


def _hides(stage: Stage, owner: int, role: str) -> Act:
    """Somebody goes behind the cover and comes out again, on the same side or on the other."""
    view, flow = stage.setting.view, stage.plan.flow
    row = 0.885 * view.height
    middle = stage.cover.x * view.scale(stage.cover.row) / view.scale(row)
    if stage.plan.returns:
        stops = [(0.0, -3.6), (0.38, -0.3), (0.46, 0.2), (0.56, -0.4), (1.0, -3.8)]
    else:
        stops = [(0.0, -3.6), (0.4, -0.5), (0.55, 0.7), (1.0, 3.3)]
    way = Path(*((moment, middle + flow * metres) for moment, metres in stops))
    figure, size = _figure(stage.plan, role, 0), 1.6 if role == "cat" else 1.0
    return _goes(stage, owner, way, row=row, figure=figure, size=size)


def _grazes(stage: Stage, owner: int, role: str) -> Act:
    """Somebody walks slowly on the far meadow, where the van drives past."""
    row, aside = 0.607 * stage.setting.view.height, 0.06 * stage.plan.shift[1]
    way = stage.way(row, (0, 0.53 + aside), (1, 0.6 + aside))
    return _goes(stage, owner, way, row=row, figure=_figure(stage.plan, role, 1), size=0.95)


def _watches(stage: Stage, owner: int, role: str) -> Act:
    """A cat walks on the wall."""
    cover, flow = stage.cover, stage.plan.flow
    way = Path((0, cover.x + 0.75 * flow), (1, cover.x - 0.45 * flow))
    figure = _figure(stage.plan, role, 0)
    return _goes(stage, owner, way, row=cover.row, figure=figure, size=1.1, rise=stage.top - 0.02)


def _figure(plan: Plan, role: str, which: int) -> tuple[Figure, Surface]:
    """How a role looks, and takes light; `which` tells two of one kind apart."""
    looks, paints = plan.looks[which], plan.paints[which]
    figures: dict[str, tuple[Figure, Surface]] = {
        "van": (lambda gone, _: vehicles.van(gone, paints), METAL),
        "car": (lambda gone, _: vehicles.car(gone, paints), METAL),
        "walker": (lambda gone, _: people.walker(gone, looks), CLOTH),
        "dog": (lambda gone, time: animals.dog(gone, time, plan.dog), FUR),
        "cat": (lambda gone, time: animals.cat(gone, time, plan.cat), FUR),
        "cow": (lambda gone, time: animals.cow(gone, time, plan.cow), HIDE),
    }
    return figures[role]


def _goes(
    stage: Stage,
    owner: int,
    way: Path,
    *,
    row: float,
    figure: tuple[Figure, Surface],
    size: float = 1.0,
    rise: float = 0.0,
) -> Act:
    """Somebody who goes along a row of the ground, `rise` metres above it, `size` times larger."""
    draw, surface = figure

    def act(view: View, moment: float) -> list[Layer]:
        scale = view.scale(row)
        spot = (view.column(float(way.at(moment)), row), row - rise * scale)
        place = Place(*spot, scale * size, mirror=way.speed(moment) < 0)
        sprite = stage.paint(draw(way.gone(moment) / size, view.time), place, surface)
        if sprite is None:
            return []
        return [Layer(row + (0.5 if rise else 0.0), sprite, owner, None if rise else row)]

    return act


def _cycles(stage: Stage, owner: int) -> Act:
    """A cyclist and the bicycle: the far leg behind it, the rest before it."""
    row = 0.712 * stage.setting.view.height
    way = stage.way(row, (0, 1.06), (1, 0.02))
    looks = stage.plan.looks[1]

    def act(view: View, moment: float) -> list[Layer]:
        place = Place(
            view.column(float(way.at(moment)), row),
            row,
            view.scale(row),
            mirror=way.speed(moment) < 0,
        )
        gone = way.gone(moment)
        far, near = people.rider(gone, looks)
        parts = (
            (far, owner, CLOTH),
            (vehicles.bicycle(gone, BICYCLE), owner + 1, TUBES),
            (near, owner, CLOTH),
        )
        layers = []
        for number, (shapes, whose, surface) in enumerate(parts):
            sprite = stage.paint(shapes, place, surface)
            if sprite is not None:
                layers.append(Layer(row + number / 10, sprite, whose, row if number else None))
        return layers

    return act


def _sails(stage: Stage, owner: int, _: str) -> Act:
    """A boat goes about on the lake and comes nearer."""
    H, flow, aside = stage.setting.view.height, stage.plan.flow, 0.05 * stage.plan.shift[2]
    way = stage.way(0.445 * H, (0, 0.23 + aside), (0.5, 0.44 + aside), (1, 0.33 + aside))
    near = Path((0, 0.435 * H), (0.5, 0.445 * H), (1, 0.47 * H))
    yaws = Path((0, 0.25), (0.4, 0.35), (0.68, np.pi - 0.3), (1, np.pi - 0.2))

    def act(view: View, moment: float) -> list[Layer]:
        row, yaw = float(near.at(moment)), float(yaws.at(moment))
        yaw = yaw if flow > 0 else np.pi - yaw
        heel = 0.05 * float(np.sin(2.1 * view.time)) - 0.07 * float(np.cos(yaw))
        bob = 0.6 * view.unit * float(np.sin(3 * view.time))
        x = view.column(float(way.at(moment)), 0.445 * H)
        place = Place(x, row + bob, 1.15 * view.scale(row), turn=heel)
        shapes = vehicles.boat(yaw, view.time, stage.plan.hull)
        sprite = stage.paint(shapes, place, SAILS)
        if sprite is None:
            return []
        mirror = stage.landscape.reflection(sprite, round(row), view)
        return [Layer(row - 1, mirror), Layer(row, sprite, owner)]

    return act


def _flies(stage: Stage, owner: int, _: str) -> Act:
    """A bird flies out of the frame, and comes back nearer and the other way."""
    W, H, flow = *stage.setting.view.size, stage.plan.flow
    across = Path((0, 0.3), (0.34, 1.1), (0.42, 1.16), (0.5, 1.1), (1, 0.16))
    down = Path((0, 0.17), (0.18, 0.27), (0.34, 0.12), (0.5, 0.2), (0.76, 0.33), (1, 0.17))
    sizes = Path((0, 27), (0.34, 33), (0.5, 42), (1, 52))

    def act(view: View, moment: float) -> list[Layer]:
        share = float(across.at(moment))
        x = (share if flow > 0 else 1 - share) * W - view.panned
        ahead, sink = across.speed(moment) * flow * W, down.speed(moment) * H
        climb = float(np.clip(np.arctan2(-sink, abs(ahead)), -0.5, 0.5))
        left, back = ahead < 0, moment > 0.42
        shapes = animals.bird(2.3 * view.time, -0.4 if back else 0.35, GULL)
        scale, turn = float(sizes.at(moment)) * view.unit, -climb if left else climb
        place = Place(x, float(down.at(moment)) * H, scale, turn=turn, mirror=left)
        sprite = stage.paint(shapes, place, PLUMAGE)
        # Going, it is beyond the near shore; coming back, just behind the tree.
        return [Layer((0.79 if back else 0.5) * H, sprite, owner)] if sprite else []

    return act
