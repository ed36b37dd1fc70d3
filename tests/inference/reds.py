"""Films of red squares on a textured ground, and a model that reads them off the pixels."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

from vis.models import Model
from vis.records import ClipPredictions

HEIGHT, WIDTH, LANES = 96, 160, 4
NAMES = ("cat", "dog", "person")


@dataclass(frozen=True)
class Square:
    """One square in a lane of its own; its score is coded in its blue."""

    lane: int
    first: int
    scores: tuple[float, ...]
    """Of its frames; 0 where it is not seen."""

    def at(self, frame: int) -> float:
        place = frame - self.first
        return self.scores[place] if 0 <= place < len(self.scores) else 0.0


def ground(seed: int, shift: int = 0) -> np.ndarray:
    """`[H W 3]` of blurred chance, without red; another seed is another place."""
    draw = np.random.default_rng(seed)
    coarse = draw.integers(0, 160, (7, 11, 3)).astype(np.uint8)
    picture = np.array(
        Image.fromarray(coarse).resize((WIDTH * 2, HEIGHT), Image.Resampling.BICUBIC)
    )
    return np.roll(picture, -shift, axis=1)[:, :WIDTH].clip(0, 170)


def film(folder: Path, squares: list[Square], shots: list[int], seed: int = 1) -> Path:
    """PNG files; each shot of so many frames has a ground of its own, under the same squares."""
    folder.mkdir(parents=True)
    number = 0
    for shot, length in enumerate(shots):
        for _ in range(length):
            picture = ground(seed + shot, shift=number)
            for one in squares:
                if score := one.at(number):
                    top, left = one.lane * HEIGHT // LANES + 4, 20 + number
                    picture[top : top + 16, left : left + 24] = (235, 10, round(score * 100))
            Image.fromarray(picture).save(folder / f"{number:05d}.png")
            number += 1
    return folder


class Reds(Model):
    """Sees the squares of a clip, one answer a lane."""

    name = "reds"

    def __init__(self, frames: int = 1, stop: int = 0) -> None:
        super().__init__()
        self.frames, self.class_names = frames, NAMES
        self.config = SimpleNamespace(classes=len(NAMES))
        self.left = stop  # clips until Ctrl-C is pressed; 0 for never

    def forward(self, clip):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
        return clip.frames

    def losses(self, output, targets):
        raise NotImplementedError

    def predictions(self, output, clip):
        return [_said(frames) for frames in output]


def _said(frames: torch.Tensor) -> ClipPredictions:
    """Of `[T 3 h w]`."""
    red = (frames[:, 0] > 0.8) & (frames[:, 1] < 0.2)
    lanes = torch.zeros(LANES, *red.shape, dtype=torch.bool)
    for lane in range(LANES):
        rows = slice(lane * red.shape[1] // LANES, (lane + 1) * red.shape[1] // LANES)
        lanes[lane, :, rows] = red[:, rows]
    shown = lanes.flatten(2).any(dim=2)
    blue = (frames[:, 2] * lanes).flatten(1).sum(dim=1) / lanes.flatten(1).sum(dim=1).clamp(min=1)
    scores, seen = (blue * 2.55).clamp(0, 1), shown.any(dim=1)
    labels = torch.arange(LANES) % len(NAMES)
    chances = torch.zeros(LANES, len(NAMES))
    chances[torch.arange(LANES), labels] = scores
    boxes = torch.tensor([0.1, 0.1, 0.2, 0.2]).expand(LANES, len(frames), 4)
    return ClipPredictions(
        scores=scores[seen],
        labels=labels[seen],
        class_scores=chances[seen],
        boxes=boxes[seen],
        masks=lanes.float()[seen],
        presence=shown.float()[seen],
    )
