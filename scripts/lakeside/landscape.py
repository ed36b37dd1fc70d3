"""The place without its things and actors: drawn once, wider than the frame, then looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from lakeside.ground import ground
from lakeside.horizon import far_shore, sky
from lakeside.painting import Sprite, folded, noise, rgb, shadow
from lakeside.setting import EYE, SHORE, Setting, View
from PIL import Image

if TYPE_CHECKING:
    from lakeside.scenery import Scenery


class Landscape:
    """Sky, far shore, lake and ground.

    Args:
        rng: decides their forms.
        setting: their camera, colours and light.
        reach: metres that the camera may go to either side.
    """

    def __init__(self, rng: np.random.Generator, setting: Setting, *, reach: float) -> None:
        view = setting.view
        self.setting = setting
        self.margin = int(0.06 * view.height + reach * view.scale(view.height)) + 8
        wide = view.width + 2 * self.margin
        self._sky = sky(rng, setting, wide)
        self._far = far_shore(rng, setting, wide)
        self._ground = ground(rng, setting, wide)
        self._ripple = noise(rng, (1024, 1024), cell=72.0)

    def cast(self, thing: Scenery) -> None:
        """Draw the shadow of a still thing on the ground."""
        view = self.setting.view
        shade = shadow(thing.sprite(view), thing.spot.row, self.setting.light)
        down = self._ground.height - view.height
        moved = Sprite(shade.image, shade.x + self.margin, shade.y + down).within(self._ground.size)
        if moved is not None:
            self._ground.alpha_composite(moved.image, (moved.x, moved.y))

    def backdrop(self, view: View) -> Image.Image:
        """What `view` sees of it, RGB."""
        frame = Image.new("RGB", view.size)
        frame.paste(self._shifted(self._sky, view, 0.7 * view.panned - 4 * view.unit * view.time))
        far = self._shifted(self._far, view, view.panned)
        frame.paste(far, (0, 0), far)
        water = self._water(np.asarray(frame), view)
        frame.paste(water, (0, int(view.horizon)))
        near = self._sheared(view)
        frame.paste(near, (0, view.height - near.height), near)
        return frame

    def reflection(self, sprite: Sprite, row: int, view: View) -> Sprite:
        """What the water shows of a `sprite` that floats at `row`."""
        deep = max(int(SHORE * view.height - 3 * view.unit) - row, 1)
        above = np.asarray(sprite.image)[: max(row - sprite.y, 1)][::-1][:deep]
        rows, columns = np.mgrid[: len(above), : above.shape[1]]
        down = rows / view.unit
        wave = np.sin(1.1 * down + 9 * view.time) + 0.7 * np.sin(0.47 * down - 6 * view.time)
        bent = (columns + np.rint(0.03 * wave * rows)).astype(int)
        mirror = above[rows, np.clip(bent, 0, above.shape[1] - 1)].astype(np.float32)
        mirror *= (0.75, 0.75, 0.75, 1.0)
        mirror[..., 3] *= np.linspace(0.66, 0.3, len(above))[:, None]
        return Sprite(Image.fromarray(mirror.astype(np.uint8)), sprite.x, row)

    def _shifted(self, layer: Image.Image, view: View, by: float) -> Image.Image:
        matrix = (1, 0, self.margin + by, 0, 1, 0)
        size = (view.width, layer.height)
        return layer.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)

    def _sheared(self, view: View) -> Image.Image:
        """The ground: a camera that goes sideways shears it."""
        shear = view.moved / EYE
        top = view.height - self._ground.height - view.horizon
        matrix = (1, shear, self.margin + view.panned + shear * top, 0, 1, 0)
        size = (view.width, self._ground.height)
        return self._ground.transform(
            size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC
        )

    def _water(self, above: np.ndarray, view: View) -> Image.Image:
        """The lake: a rippled mirror image of what is `above` it, the clearer the farther away."""
        top, bottom = int(view.horizon), int(SHORE * view.height + 6 * view.unit)
        rows, columns = np.ogrid[: bottom - top, : view.width]
        depth = np.float32(view.height) / (rows + np.float32(0.02 * view.height))
        across = (columns - view.width / 2 + view.panned) * depth / view.height * 72 + 1000
        depth = np.broadcast_to(depth, across.shape)
        wave = folded(self._ripple, 78 * depth + 120 * view.time, across + 27 * view.time)
        wave = wave + folded(
            self._ripple, 600 + 51 * depth - 69 * view.time, 1.6 * across - 51 * view.time
        )
        swell = wave * (0.6 * view.unit + 0.09 * rows)
        source = np.clip(top - 1 - 1.15 * rows - 1.3 * swell, 0, top - 1).astype(int)
        mirror = above[source, np.clip(columns + 0.7 * swell, 0, view.width - 1).astype(int)]
        clear = np.clip(0.86 - 0.42 * rows / rows[-1] + 0.05 * wave, 0.2, 0.95)[..., None]
        water = mirror * clear * rgb((0.92, 0.95, 0.98))
        water += rgb(self.setting.season.water) * (1 - clear)
        water += np.clip(0.27 * wave - 0.6, 0, 0.55)[..., None] * rgb(self.setting.season.low)
        return Image.fromarray(np.clip(water, 0, 255).astype(np.uint8))
