"""A model that knows the truth: it reads the number of a frame from the frame's own pixels."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

from tests.conftest import code_of, coded
from vis.models import Model
from vis.records import ClipPredictions

NAMES = ("cat", "dog", "person")
WIDTH, HEIGHT = 160, 96
CELL = 4
"""Pixels of a cell of its masks."""


@dataclass(frozen=True)
class Thing:
    """A rectangle that moves evenly; in cells."""

    label: int
    size: tuple[int, int]
    start: tuple[float, float]
    step: tuple[float, float]
    shown: range = range(256)

    def mask(self, number: int, rows: int, columns: int) -> np.ndarray:
        mask = np.zeros((rows, columns), np.float32)
        if number in self.shown:
            y, x = (round(s + number * d) for s, d in zip(self.start, self.step, strict=True))
            mask[max(y, 0) : max(y + self.size[0], 0), max(x, 0) : max(x + self.size[1], 0)] = 0.98
        return mask


THINGS = (
    Thing(0, (6, 5), (1, 1), (0, 0.5)),
    Thing(1, (5, 6), (10, 30), (0, -0.5)),
    Thing(2, (7, 3), (16, 18), (0, 0), range(3, 11)),
)
"""Two that pass each other at different heights, and one that comes and goes."""


class Knowing(Model):
    """Says what is true of the numbers that it reads; counts what it was asked."""

    name = "knowing"

    def __init__(
        self, frames: int = 6, *, semantic: bool = False, embeddings: bool = False
    ) -> None:
        super().__init__()
        self.frames, self.class_names = frames, NAMES
        self.config = SimpleNamespace(classes=len(NAMES))
        self.semantic, self.embeddings = semantic, embeddings
        self.batches: list[tuple[int, ...]] = []
        self.looked: list[list[int]] = []

    def forward(self, clip):
        self.batches.append(tuple(clip.frames.shape))
        pictures = (clip.frames * 255).permute(0, 1, 3, 4, 2).numpy()
        return [[code_of(picture) for picture in one] for one in pictures]

    def losses(self, output, targets):
        raise NotImplementedError

    def predictions(self, output, clip):
        self.looked += output
        size = [side // CELL for side in clip.frames.shape[-2:]]
        return [self._said(numbers, *size) for numbers in output]

    def _said(self, numbers, rows, columns) -> ClipPredictions:
        masks = np.stack([[t.mask(n, 24, 40) for n in numbers] for t in THINGS])
        masks = torch.nn.functional.interpolate(torch.from_numpy(masks), (rows, columns))
        shown = (masks > 0.5).flatten(2).any(dim=2)
        seen = shown.any(dim=1)
        labels = torch.tensor([t.label for t in THINGS])
        chances = torch.full((len(THINGS), len(NAMES)), 0.02)
        chances[torch.arange(len(THINGS)), labels] = 0.9
        return ClipPredictions(
            scores=chances.amax(dim=1)[seen],
            labels=labels[seen],
            class_scores=chances[seen],
            boxes=_boxes(masks)[seen],
            masks=masks[seen],
            presence=shown.float()[seen] * 0.98,
            embeddings=torch.eye(len(THINGS))[seen] if self.embeddings else None,
            semantic=torch.rand(len(numbers), 3, rows, columns) if self.semantic else None,
        )


def truth(number: int) -> dict[int, np.ndarray]:
    """The pixels of each class that a frame shows."""
    masks = {t.label: t.mask(number, 24, 40) > 0.5 for t in THINGS}
    return {label: mask for label, mask in masks.items() if mask.any()}


def pictures(folder: Path, count: int) -> list[Path]:
    """So many numbered frames as PNG files."""
    paths = [folder / f"{number:05d}.png" for number in range(count)]
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(paths):
        Image.fromarray(coded(number, WIDTH, HEIGHT)).save(path)
    return paths


def _boxes(masks: torch.Tensor) -> torch.Tensor:
    boxes = torch.zeros(*masks.shape[:2], 4)
    rows, columns = masks.shape[2:]
    for n, t in (masks > 0.5).flatten(2).any(dim=2).nonzero().tolist():
        ys, xs = (masks[n, t] > 0.5).nonzero(as_tuple=True)
        boxes[n, t] = torch.tensor(
            [xs.min() / columns, ys.min() / rows, (xs.max() + 1) / columns, (ys.max() + 1) / rows]
        )
    return boxes
