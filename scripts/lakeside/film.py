"""A scene frame by frame: where the camera is, what hides what, and the masks of what is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from lakeside.acts import Act, Layer, Stage, acts
from lakeside.landscape import Landscape
from lakeside.painting import Floats, shadow
from lakeside.plan import plan
from lakeside.scenery import Scenery, Spot, close_flowers, hedge, tree, tuft, wall
from lakeside.setting import Setting, View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

FRAME_RATE = 24
SEEN = 128 / 255
"""Least share of a pixel that makes it an object's: more than half, so that masks never overlap."""
COVER = (2.7, 1.18)
"""Metres, width and height, of the wall or hedge to hide behind."""

Pixels = npt.NDArray[np.uint8]
Masks = dict[int, npt.NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Scene:
    """A place, the things in it, and its actors."""

    landscape: Landscape
    scenery: list[Scenery]
    acts: list[Act]


def render(seed: int, *, frames: int, width: int, height: int) -> Iterator[tuple[Pixels, Masks]]:
    """The film of `seed`: pixels `[H W 3]` and, by object id, masks `[H W]` of what is seen.

    An object that is hidden, or outside the frame, has no mask there. The whole story is told in
    the given number of frames; 96 is its natural pace.
    """
    view = View(width, height)
    scene = build(seed, view)
    rng = np.random.default_rng((seed, 2))
    grain = rng.normal(0, 1.1, (height + 64, width + 64, 1)).astype(np.float32)
    lens, flow = _lens(view), plan(seed).flow
    for index in range(frames):
        moment = index / max(frames - 1, 1)
        now = _camera(view, moment, time=index / FRAME_RATE, flow=flow)
        canvas, masks = _compose(scene, now, moment)
        y, x = rng.integers(0, 64, 2)
        pixels = np.asarray(canvas) * lens + grain[y : y + height, x : x + width]
        yield np.clip(pixels + 0.5, 0, 255).astype(np.uint8), masks


def build(seed: int, view: View) -> Scene:
    """Everything of the scene of `seed` that stays."""
    rng, chosen = np.random.default_rng((seed, 1)), plan(seed)
    setting = Setting(view, chosen.season, chosen.season.light(chosen.sun))
    landscape = Landscape(rng, setting, reach=0.6)
    shift = chosen.shift

    def spot(share: float, row: float) -> Spot:
        x = chosen.flow * (share - 0.5) * view.width / view.scale(row * view.height)
        return Spot(x, row * view.height)

    hidden, shade = spot(0.66 + 0.03 * shift[3], 0.935), spot(0.07 + 0.03 * shift[4], 0.8)
    things = [
        tree(rng, setting, shade, metres=5.6 + 0.5 * shift[5]),
        hedge(rng, setting, spot(0.82, 0.55), size=(3.0, 1.5)),
        hedge(rng, setting, spot(0.3, 0.535), size=(2.0, 1.3)),
        (hedge if chosen.hedge else wall)(rng, setting, hidden, size=COVER),
    ]
    for thing in things:
        landscape.cast(thing)
    places = zip(rng.uniform(-0.1, 1.1, 24), rng.uniform(0.78, 1.0, 24), strict=True)
    grass = [spot(share, row) for share, row in places]
    grass += [Spot(shade.x + x, shade.row + 3 * view.unit) for x in (-0.5, -0.25, 0.0, 0.2, 0.45)]
    grass += [Spot(hidden.x + x, hidden.row + view.unit) for x in (-1.3, -1.0, 0.3, 1.25)]
    things += [tuft(rng, setting, place) for place in grass]
    things += [close_flowers(rng, setting, spot(share, 1.04)) for share in (0.2, 0.9)]
    stage = Stage(setting, chosen, landscape, hidden, COVER[1])
    return Scene(landscape, things, acts(stage))


def _camera(view: View, moment: float, *, time: float, flow: int) -> View:
    """The camera at a moment: it glides after the van, turns a little, and is held by hand."""
    glide = flow * -0.5 * float(np.cos(np.pi * moment))
    moved = 1.1 * glide + 0.008 * float(np.sin(7.3 * time))
    panned = (18 * glide + 0.5 * float(np.sin(5.1 * time))) * view.unit
    return View(view.width, view.height, moved, panned, time)


def _compose(scene: Scene, view: View, moment: float) -> tuple[Image.Image, Masks]:
    """One frame, RGB, and the masks of what is seen in it."""
    layers = [layer for act in scene.acts for layer in act(view, moment)]
    canvas = scene.landscape.backdrop(view)
    for layer in layers:
        if layer.foot is not None:
            shade = shadow(layer.sprite, layer.foot, scene.landscape.setting.light).within(
                view.size
            )
            if shade is not None:
                canvas.paste(shade.image, (shade.x, shade.y), shade.image)
    layers += [Layer(thing.spot.row, thing.sprite(view)) for thing in scene.scenery]
    shares: dict[int, Floats] = {}
    for layer in sorted(layers, key=lambda layer: layer.nearness):
        _lay(canvas, shares, layer)
    masks = {owner: share >= SEEN for owner, share in shares.items()}
    return canvas, {owner: mask for owner, mask in masks.items() if mask.any()}


def _lay(canvas: Image.Image, shares: dict[int, Floats], layer: Layer) -> None:
    """Put a layer on the canvas; it takes its share of each pixel from those behind it."""
    sprite = layer.sprite.within(canvas.size)
    if sprite is None:
        return
    image = sprite.image
    canvas.paste(image, (sprite.x, sprite.y), image)
    cover = np.asarray(image.getchannel("A"), np.float32) / 255
    window = (slice(sprite.y, sprite.y + image.height), slice(sprite.x, sprite.x + image.width))
    for share in shares.values():
        share[window] *= 1 - cover
    if layer.owner is not None:
        share = shares.setdefault(layer.owner, np.zeros(canvas.size[::-1], np.float32))
        share[window] += cover


def _lens(view: View) -> Floats:
    """Brightness `[H W 1]` of a lens that darkens the corners."""
    y, x = np.ogrid[: view.height, : view.width]
    away = (x / view.width - 0.5) ** 2 + (y / view.height - 0.5) ** 2
    return (1.02 - 0.28 * away)[..., None].astype(np.float32)
