"""Made videos of what makes linking hard: objects that cross, hide, leave and return."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from tests.tracking.oracle import Scene

HEIGHT, WIDTH, CLASSES = 54, 96, 4


@dataclass(frozen=True)
class Disc:
    """An ellipse on a straight road; later ones of a list lie in front."""

    label: int
    at: tuple[float, float]
    """Centre y, x in the first frame."""
    speed: tuple[float, float]
    """Cells per frame."""
    size: tuple[float, float] = (6.0, 5.0)
    away: tuple[int, int] | None = None
    """Frames in which it waits outside, then it comes back on the road it left by."""

    def place(self, frame: int) -> tuple[float, float] | None:
        """Centre y, x."""
        if self.away is not None and frame >= self.away[0]:
            if frame < self.away[1]:
                return None
            frame = self.away[0] - (frame - self.away[1])
        return self.at[0] + self.speed[0] * frame, self.at[1] + self.speed[1] * frame

    def mask(self, frame: int) -> np.ndarray:
        place = self.place(frame)
        if place is None:
            return np.zeros((HEIGHT, WIDTH), np.float32)
        ys, xs = np.mgrid[:HEIGHT, :WIDTH] + 0.5
        radius = np.hypot((ys - place[0]) / self.size[0], (xs - place[1]) / self.size[1])
        return ((1 - radius) * min(self.size) + 0.5).clip(0, 1).astype(np.float32)


def scene_of(
    name: str, discs: Sequence[Disc], frames: int, walls: Sequence[tuple[int, int]] = ()
) -> Scene:
    """Discs as one sees them: cut by those in front and by walls (first, last column)."""
    masks = np.zeros((len(discs), frames, HEIGHT, WIDTH), np.float32)
    for frame in range(frames):
        free = np.ones((HEIGHT, WIDTH), np.float32)
        for left, right in walls:
            free[:, left:right] = 0
        for row in reversed(range(len(discs))):
            whole = discs[row].mask(frame)
            masks[row, frame] = whole * free
            free *= 1 - whole
    labels = np.array([disc.label for disc in discs], np.int64)
    return Scene(name=name, classes=CLASSES, labels=labels, masks=masks)


@cache
def crossing(seed: int = 0) -> Scene:
    """Four walk through each other, of one class or of two."""
    draw = np.random.default_rng(seed)
    discs = []
    for n in range(4):
        x = draw.uniform(10, 20) if n % 2 else draw.uniform(76, 86)
        dx = draw.uniform(0.9, 1.8) * (1 if n % 2 else -1)
        at, speed = (draw.uniform(14, 40), x), (draw.uniform(-0.2, 0.2), dx)
        size = (draw.uniform(5, 9), draw.uniform(4, 7))
        discs.append(Disc(n // 2 * (seed % 2), at, speed, size))
    return scene_of(f"crossing {seed}", discs, 45)


@cache
def hiding(seed: int = 0) -> Scene:
    """Three walk behind a wall, some of them against each other, and come out."""
    draw = np.random.default_rng(100 + seed)
    discs = []
    for n in range(3):
        x, side = (12.0, 1) if n != 1 else (84.0, -1)
        speed = (0.0, side * draw.uniform(1.0, 1.9))
        at = (12 + 14.0 * n + draw.uniform(-3, 3), x + draw.uniform(-6, 6))
        discs.append(Disc(n % 2 * (seed % 2), at, speed, (6, 5)))
    width = int(draw.integers(14, 24))
    return scene_of(f"hiding {seed}", discs, 60, [(48 - width // 2, 48 + width // 2)])


@cache
def returning(seed: int = 0) -> Scene:
    """One leaves by the right and one by the left and they come back; a third stays."""
    draw = np.random.default_rng(200 + seed)
    gone = int(draw.integers(15, 50))
    right = Disc(0, (14 + draw.uniform(-3, 3), 70.0), (0.0, 1.5), away=(24, 24 + gone))
    left = Disc(seed % 2, (40 + draw.uniform(-3, 3), 24.0), (0.0, -1.4), away=(24, 30 + gone))
    stays = Disc(0, (27.0, 48.0), (0.05, 0.1), (7, 6))
    return scene_of(f"returning {seed}", [right, left, stays], 54 + gone)


def made(seeds: int = 2) -> list[Scene]:
    """All three kinds."""
    return [make(seed) for make in (crossing, hiding, returning) for seed in range(seeds)]
