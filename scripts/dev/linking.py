"""How well identities last as predictions get worse, against two obvious ways of linking.

    python scripts/dev/linking.py [--sets SET ...] [--seeds N]

An oracle that knows the truth of made and annotated videos is spoiled more and more; the table is
the identity F1 (IDF1 on masks) of our tracker, of linking by the overlap of one frame, and of
linking by embeddings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.tracking.made import made
from tests.tracking.oracle import Noise, Oracle, Scene, f1, follow, identity_counts, scenes_of
from tests.tracking.windows import in_windows
from vis.records import ClipPredictions, FrameTracks

PLANS = ((1, 1), (5, 3), (8, 8), (18, 9))
"""Windows and strides."""
LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
FULL = Noise(dropped=0.3, hidden=0.2, jitter=0.12, wrong=0.4, embedding=1.5, doubled=0.2)
"""The noise of level 1."""
LEAST = 0.3
"""Overlap or cosine that the obvious ways ask for."""

Link = Callable[[Oracle, int, int], Sequence[FrameTracks]]


def ours(oracle: Oracle, window: int, stride: int) -> Sequence[FrameTracks]:
    """The tracker with its defaults."""
    return follow(oracle, window=window, stride=stride)


def by_last_frame(oracle: Oracle, window: int, stride: int) -> Sequence[FrameTracks]:
    """A slot goes on with the object whose last mask it overlaps most."""

    def masks(predictions: ClipPredictions, place: int) -> np.ndarray:
        return predictions.masks[:, place].numpy() > 0.5

    return _linked(oracle, window, stride, masks, _iou)


def by_embedding(oracle: Oracle, window: int, stride: int) -> Sequence[FrameTracks]:
    """A slot goes on with the object whose last embedding is most alike."""

    def vectors(predictions: ClipPredictions, _: int) -> np.ndarray:
        assert predictions.embeddings is not None
        return predictions.embeddings.numpy()

    return _linked(oracle, window, stride, vectors, _cosine)


def _linked(
    oracle: Oracle,
    window: int,
    stride: int,
    looks: Callable[[ClipPredictions, int], np.ndarray],
    alike: Callable[[np.ndarray, np.ndarray], float],
) -> list[FrameTracks]:
    """Hungarian assignment to the last look of all objects so far; the newest window is shown."""
    memory: list[np.ndarray] = []
    frames: dict[int, FrameTracks] = {}
    for part in in_windows(range(oracle.scene.length), window=window, stride=stride):
        count = len(part.items)
        predictions = oracle([*part.items, *[part.items[-1]] * (window - count)])
        # the last frame of the window before, where this one shows it too
        here = looks(predictions, max(window - stride - 1, 0))
        matrix = np.array([[alike(old, new) for new in here] for old in memory])
        ids = np.full(len(here), -1)
        if matrix.size:
            for i, j in zip(*linear_sum_assignment(matrix, maximize=True), strict=True):
                ids[j] = i if matrix[i, j] >= LEAST else -1
        for row, look in enumerate(looks(predictions, count - 1)):
            if ids[row] < 0:
                ids[row] = len(memory)
                memory.append(look)
            memory[ids[row]] = look
        for place, index in enumerate(part.items):
            frames[index] = _frame(index, ids, predictions, place)
    return list(frames.values())


def _frame(index: int, ids: np.ndarray, predictions: ClipPredictions, place: int) -> FrameTracks:
    masks = predictions.masks[:, place].numpy()
    shown = (masks > 0.5).any(axis=(1, 2))
    return FrameTracks(
        index=index,
        time=Fraction(index, 25),
        ids=ids[shown],
        labels=predictions.labels.numpy()[shown],
        scores=predictions.scores.numpy()[shown],
        boxes=predictions.boxes[:, place].numpy()[shown],
        masks=masks[shown],
    )


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def noise(level: float, seed: int, *, embeddings: bool) -> Noise:
    """A share of the full noise."""
    return Noise(
        dropped=FULL.dropped * level,
        hidden=FULL.hidden * level,
        jitter=FULL.jitter * level,
        wrong=FULL.wrong * level,
        embedding=(FULL.embedding or 0.0) * level if embeddings else None,
        doubled=FULL.doubled * level,
        seed=seed,
    )


def score(
    link: Link, scenes: Sequence[Scene], plan: tuple[int, int], noises: Sequence[Noise]
) -> float:
    """Identity F1 over all videos and seeds together."""
    total = np.zeros(3, np.int64)
    for scene in scenes:
        for spoiled in noises:
            total += identity_counts(scene, link(Oracle(scene=scene, noise=spoiled), *plan))
    return f1(*total.tolist())


def table(name: str, scenes: Sequence[Scene], seeds: int) -> None:
    """Print one set's table: a line for each plan and way of linking."""
    print(f"\n{name}: {len(scenes)} videos, {seeds} seeds; identity F1 by level of noise")
    print(f"{'window stride':14} {'linking':24}" + "".join(f"{level:8}" for level in LEVELS))
    ways = (
        ("ours", ours, True),
        ("embeddings only", by_embedding, True),
        ("ours, no embeddings", ours, False),
        ("last-frame IoU only", by_last_frame, False),
    )
    for plan in PLANS:
        for way, link, embeddings in ways:
            levels = [
                [noise(level, seed, embeddings=embeddings) for seed in range(seeds)]
                for level in LEVELS
            ]
            numbers = [score(link, scenes, plan, noises) for noises in levels]
            print(f"{plan[0]:6} {plan[1]:6}  {way:24}" + "".join(f"{n:8.3f}" for n in numbers))


def main() -> None:
    """Read the arguments, print a table for each set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sets", nargs="*", default=[], type=Path, help="annotated data sets")
    parser.add_argument("--seeds", type=int, default=3, help="draws of the noise")
    arguments = parser.parse_args()
    table("made", made(4), arguments.seeds)
    for path in arguments.sets:
        table(path.name, scenes_of(path), arguments.seeds)


if __name__ == "__main__":
    main()
