"""A model that knows the truth of an annotated video, spoiled by as much noise as one asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch.nn.functional import adaptive_avg_pool2d

from tests.tracking.windows import in_windows
from vis.formats.opening import open_set
from vis.ops import rle
from vis.records import ClipPredictions, FrameTracks
from vis.tracking import Config, Stamp, Tracker

STRIDE = 4
"""Pixels of a cell of the model's masks."""
CHANNELS = 32
"""Of an embedding."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The truth of one video at the resolution of the model."""

    name: str
    classes: int
    labels: np.ndarray
    """`[N]` class index."""
    masks: np.ndarray
    """`[N L h w]` float32 share of each cell that the object covers."""

    @property
    def length(self) -> int:
        return self.masks.shape[1]

    @property
    def inside(self) -> np.ndarray:
        """`[N L h w]` bool."""
        return self.masks > 0.5


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How wrong the oracle is; each kind apart, all drawn anew for each window."""

    dropped: float = 0.0
    """Chance that an object is missed in a whole window."""
    hidden: float = 0.0
    """Chance that an object is missed in one frame of a window."""
    jitter: float = 0.0
    """Standard deviation of a mask's displacement in a frame, as a share of its object's size."""
    wrong: float = 0.0
    """Chance that a window names another class."""
    embedding: float | None = 0.0
    """Standard deviation of each channel around the object's own, which is of unit variance; None:
    the model has no embeddings."""
    doubled: float = 0.0
    """Chance that a second slot answers for the same object."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Oracle:
    """Predictions of any window; they depend on the frames of the window alone."""

    scene: Scene
    noise: Noise = Noise()

    def __call__(self, frames: Sequence[int]) -> ClipPredictions:
        """What it says of these frames; the last may be repeated as padding."""
        draw = np.random.default_rng((self.noise.seed, len(frames), frames[0], frames[-1]))
        rows = [int(row) for row in draw.permutation(self._chosen(frames, draw))]
        slots = [self._slot(row, frames, draw) for row in rows]
        masks = torch.stack([mask for mask, _, _ in slots]) if slots else self._none(len(frames))
        chances = torch.stack([chance for _, chance, _ in slots]) if slots else torch.zeros(
            0, self.scene.classes
        )  # fmt: skip
        shown = (masks > 0.5).flatten(2).any(dim=2)
        scores, labels = chances.max(dim=1)
        embeddings = None
        if self.noise.embedding is not None:
            empty = torch.zeros(0, CHANNELS)
            embeddings = torch.stack([vector for _, _, vector in slots]) if slots else empty
        return ClipPredictions(
            scores=scores,
            labels=labels,
            class_scores=chances,
            boxes=boxes_of(masks),
            masks=masks,
            presence=shown.float() * 0.98,
            embeddings=embeddings,
        )

    def _chosen(self, frames: Sequence[int], draw: np.random.Generator) -> list[int]:
        seen = self.scene.inside[:, list(frames)].any(axis=(1, 2, 3))
        kept = draw.random(len(seen)) >= self.noise.dropped
        twice = draw.random(len(seen)) < self.noise.doubled
        rows = np.flatnonzero(seen & kept)
        return [*rows.tolist(), *np.flatnonzero(seen & kept & twice).tolist()]

    def _slot(
        self, row: int, frames: Sequence[int], draw: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """`[T h w]` masks, `[K]` class probabilities and `[C]` embedding of an object."""
        masks = [self._mask(row, frame, draw) for frame in frames]
        label, classes = int(self.scene.labels[row]), self.scene.classes
        if draw.random() < self.noise.wrong:
            label = int(draw.integers(classes))
        chances = np.full(classes, 0.1 / classes)
        chances[label] += 0.6 + 0.3 * draw.random()
        own = np.random.default_rng((7, row)).normal(size=CHANNELS)
        vector = own + draw.normal(size=CHANNELS) * (self.noise.embedding or 0.0)
        return (
            torch.from_numpy(np.stack(masks)),
            torch.from_numpy(chances).float(),
            torch.from_numpy(vector).float(),
        )

    def _mask(self, row: int, frame: int, draw: np.random.Generator) -> np.ndarray:
        mask = self.scene.masks[row, frame]
        dx, dy = draw.normal(size=2) * self.noise.jitter * np.sqrt(max(mask.sum(), 1.0))
        if draw.random() < self.noise.hidden:
            return np.zeros_like(mask)
        return moved(mask, round(float(dy)), round(float(dx)))

    def _none(self, frames: int) -> torch.Tensor:
        return torch.zeros(0, frames, *self.scene.masks.shape[2:])


def moved(mask: np.ndarray, dy: int, dx: int) -> np.ndarray:
    """The mask displaced by whole cells; what leaves the picture is lost."""
    height, width = mask.shape
    out = np.zeros_like(mask)
    source = mask[max(-dy, 0) : max(height - dy, 0), max(-dx, 0) : max(width - dx, 0)]
    top, left = max(dy, 0), max(dx, 0)
    out[top : top + source.shape[0], left : left + source.shape[1]] = source
    return out


def boxes_of(masks: torch.Tensor) -> torch.Tensor:
    """`[N T h w]` -> corner boxes `[N T 4]` as fractions, zero where a mask is empty."""
    inside = (masks > 0.5).numpy()
    boxes = np.zeros((*inside.shape[:2], 4), np.float32)
    height, width = inside.shape[2:]
    for n, t in zip(*inside.any(axis=(2, 3)).nonzero(), strict=True):
        ys, xs = inside[n, t].nonzero()
        boxes[n, t] = (
            xs.min() / width,
            ys.min() / height,
            (xs.max() + 1) / width,
            (ys.max() + 1) / height,
        )
    return torch.from_numpy(boxes)


def scenes_of(path: Path) -> list[Scene]:
    """The videos of an annotated set; class indices are the ranks of its category ids."""
    annotations = open_set(path).annotations
    ranks = {category: rank for rank, category in enumerate(sorted(annotations.categories))}
    scenes = []
    for video in annotations.videos.values():
        size = (video.height // STRIDE, video.width // STRIDE)
        tracks = [track for track in annotations.tracks[video.id] if not track.crowd]
        masks = np.zeros((len(tracks), video.length, *size), np.float32)
        for row, track in enumerate(tracks):
            for frame, code in track.masks.items():
                whole = torch.from_numpy(rle.decode(code).copy()).float()[None]
                masks[row, frame] = adaptive_avg_pool2d(whole, size)[0].numpy()
        labels = np.array([ranks[track.label] for track in tracks], np.int64)
        scenes.append(Scene(name=video.name, classes=len(ranks), labels=labels, masks=masks))
    return scenes


def follow(
    oracle: Oracle, *, window: int, stride: int, config: Config | None = None
) -> list[FrameTracks]:
    """The whole road but the pixels: windows, oracle, tracker."""
    tracker = Tracker(config or Config(), classes=oracle.scene.classes)
    frames: list[FrameTracks] = []
    for part in in_windows(range(oracle.scene.length), window=window, stride=stride):
        stamps = [Stamp(index, Fraction(index, 25)) for index in part.items]
        padded = [*part.items, *[part.items[-1]] * (window - len(part.items))]
        frames += tracker.step(oracle(padded), stamps, part.settled)
    return frames


def identity_f1(scene: Scene, frames: Sequence[FrameTracks]) -> float:
    """IDF1 of one video on masks (Ristani et al., 2016), a pair agreeing at IoU >= 0.5."""
    return f1(*identity_counts(scene, frames))


def identity_counts(scene: Scene, frames: Sequence[FrameTracks]) -> tuple[int, int, int]:
    """Frames of agreeing identities, of the truth, and of the output; they add up over videos."""
    ids = sorted({int(i) for frame in frames for i in frame.ids})
    agreeing = np.zeros((len(scene.labels), len(ids)), np.int64)
    shown = 0
    for frame in frames:
        answers = frame.masks > 0.5
        shown += len(answers)
        for row, truth in enumerate(scene.inside[:, frame.index]):
            for identity, answer in zip(frame.ids, answers, strict=True):
                both = (truth & answer).sum()
                if both and both >= 0.5 * (truth | answer).sum():
                    agreeing[row, ids.index(int(identity))] += 1
    pairs = linear_sum_assignment(agreeing, maximize=True)
    true = int(scene.inside.any(axis=(2, 3)).sum())
    return int(agreeing[pairs].sum()), true, shown


def f1(agreeing: int, true: int, shown: int) -> float:
    """2 TP / (truth + output), 1 where there is neither."""
    return 2 * agreeing / (true + shown) if true + shown else 1.0
