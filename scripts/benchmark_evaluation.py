"""Speed and memory of evaluation on a made set of OVIS's size, and of the reference's way.

    python scripts/benchmark_evaluation.py [--videos 140] [--frames 500] [--results 100]
    python scripts/benchmark_evaluation.py --width 320 --file     # through a file of results
    python scripts/benchmark_evaluation.py --split                # the split of errors too

Objects wander over a picture of 16 x 9; of the results a third lies near one of the truth, the
others anywhere. Each is shown in a run of half the frames. Without a file, videos are made on
demand, and the time that takes is not counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pycocotools import mask as native

from vis.evaluation.average_precision import evaluate_tracks
from vis.evaluation.error_split import error_split
from vis.evaluation.overlaps import track_iou
from vis.formats.ytvis import read_results
from vis.formats.ytvis_records import AnnotationSet, Category, VideoEntry
from vis.ops import rle
from vis.records import RLE, Track

if TYPE_CHECKING:
    import numpy.typing as npt

CATEGORIES, TRUTHS = 25, 15
SHAPES, VARIANTS, PLACES = 20, 3, 20

Pool = list[list[list[RLE]]]
"""Masks by shape, variant of its contour, and place on its path."""


class Videos(Mapping[int, list[Track]]):
    """Tracks of each video, made when asked for; `seconds` is what that has taken."""

    def __init__(self, pool: Pool, args: argparse.Namespace, tracks: int, seed: int) -> None:
        self.pool, self.args, self.tracks, self.seed = pool, args, tracks, seed
        self.seconds = 0.0

    def __getitem__(self, key: int) -> list[Track]:
        began = time.perf_counter()
        rng = np.random.default_rng([self.seed, key])
        tracks = [self._track(rng, key, place) for place in range(self.tracks)]
        self.seconds += time.perf_counter() - began
        return tracks

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.args.videos))

    def __len__(self) -> int:
        return self.args.videos

    def _track(self, rng: np.random.Generator, video: int, place: int) -> Track:
        """The first results lie near the truth: same shape and path, another contour."""
        nearby = place < 2 * TRUTHS
        own = np.random.default_rng([video, place % TRUTHS]) if nearby else rng
        shape, start, label = own.integers((SHAPES, PLACES, CATEGORIES))
        first = int(own.integers(self.args.frames // 2 + 1))
        path = self.pool[shape][int(rng.integers(VARIANTS))]
        masks = {
            # each mask has its own bytes, as those of a file have
            frame: replace(code, counts=bytes(bytearray(code.counts)))
            for frame in range(first, first + self.args.frames // 2)
            for code in [path[(start + frame // 10) % PLACES]]
        }
        return Track(place + 1, int(label), float(rng.random()), masks)


def make_pool(width: int) -> Pool:
    """Wavy ellipses on paths through the picture."""
    rng = np.random.default_rng(0)
    return [_path(rng, width) for _ in range(SHAPES)]


def _path(rng: np.random.Generator, width: int) -> list[list[RLE]]:
    height = width * 9 // 16
    centre, step = rng.uniform((0, 0), (width, height)), rng.normal(0, width / 100, 2)
    sides, phases = rng.uniform(width / 40, width / 7, 2), rng.uniform(0, 6, VARIANTS)
    places = [centre + step * place for place in range(PLACES)]
    shape = height, width
    return [[rle.encode(_blob(shape, at, sides, phase)) for at in places] for phase in phases]


def _blob(
    shape: tuple[int, int],
    centre: npt.NDArray[np.float64],
    sides: npt.NDArray[np.float64],
    phase: float,
) -> npt.NDArray[np.bool_]:
    mask = np.zeros(shape, np.bool_)
    low = np.clip(centre - 1.2 * sides, 0, shape[::-1]).astype(int)
    high = np.clip(centre + 1.2 * sides, 0, shape[::-1]).astype(int)
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]]
    x, y = (x - centre[0]) / sides[0], (y - centre[1]) / sides[1]
    angle = np.arctan2(y, x)
    radius = 1 + 0.15 * np.sin(7 * angle + phase) + 0.05 * np.sin(31 * angle)
    mask[low[1] : high[1], low[0] : high[0]] = np.hypot(x, y) < radius
    return mask


def make_truth(pool: Pool, args: argparse.Namespace) -> AnnotationSet:
    """The truth is held whole, as `read_annotations` gives it."""
    names = tuple(f"{frame}.jpg" for frame in range(args.frames))
    tracks = Videos(pool, args, TRUTHS, 1)
    return AnnotationSet(
        categories={label: Category(label, str(label)) for label in range(CATEGORIES)},
        videos={
            key: VideoEntry(key, str(key), args.width, args.width * 9 // 16, args.frames, names)
            for key in tracks
        },
        tracks=dict(tracks),
    )


def by_the_pair(results: list[Track], truth: list[Track]) -> npt.NDArray[np.float64]:
    """The reference's rule run as it is written: two merges for each pair in each frame."""
    table = np.zeros((len(results), len(truth)))
    for row, result in enumerate(results):
        for column, true in enumerate(truth):
            table[row, column] = _one_pair(result, true)
    return table


def _one_pair(result: Track, true: Track) -> float:
    shared = union = 0
    for frame in result.masks.keys() | true.masks.keys():
        codes = [_code(t.masks[frame]) for t in (result, true) if frame in t.masks]
        if len(codes) == 2:
            shared += int(native.area(native.merge(codes, True)))
        union += int(native.area(native.merge(codes, False)))
    return shared / union if union else 0.0


def _code(mask: RLE) -> dict[str, object]:
    return {"size": [mask.height, mask.width], "counts": mask.counts}


def peak() -> str:
    """Most memory of this process so far."""
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB"


def compare(truth: AnnotationSet, results: Videos) -> None:
    """Ours against the reference's way on all pairs of one video."""
    ours, theirs = results[0], truth.tracks[0]
    began = time.perf_counter()
    fast = track_iou(ours, theirs)
    middle = time.perf_counter()
    slow = by_the_pair(ours, theirs)
    end = time.perf_counter()
    assert (fast == slow).all()
    print(
        f"overlaps of one video, {fast.size} pairs: {middle - began:.2f} s; pair by pair "
        f"{end - middle:.1f} s, {(end - middle) / (middle - began):.0f} times as long; equal"
    )


def write(results: Videos, path: Path) -> None:
    """A file of results, a record at a time: the whole would not fit into memory."""
    with path.open("w") as file:
        for place, (video, track) in enumerate((v, t) for v in results for t in results[v]):
            frames = (track.masks.get(frame) for frame in range(results.args.frames))
            record = {
                "video_id": video,
                "category_id": track.label,
                "score": track.score,
                "segmentations": [mask and rle.to_coco(mask) for mask in frames],
            }
            file.write(("," if place else "[") + json.dumps(record))
        file.write("]")


def through_a_file(truth: AnnotationSet, results: Videos) -> Mapping[int, list[Track]]:
    """Results as a file gives them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.json"
        write(results, path)
        with timed(f"a file of {path.stat().st_size / 1e6:.0f} MB is read"):
            return read_results(path, truth)


@contextmanager
def timed(what: str, made: Videos | None = None) -> Iterator[None]:
    """Say how long something takes, less the making of videos on demand."""
    began, spent = time.perf_counter(), time.process_time()
    before = made.seconds if made else 0.0
    yield
    aside = made.seconds - before if made else 0.0
    wall, cpu = time.perf_counter() - began - aside, time.process_time() - spent - aside
    print(f"{what}: {wall:.0f} s, {cpu:.0f} s of one core; peak {peak()}")


def main() -> None:
    """Time a whole evaluation, then one video the slow way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (("videos", 140), ("frames", 500), ("results", 100), ("width", 1280)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--file", action="store_true", help="write and read a file of results")
    parser.add_argument("--split", action="store_true", help="time the split of errors too")
    args = parser.parse_args()
    pool = make_pool(args.width)
    size = np.mean([len(mask.counts) for shape in pool for path in shape for mask in path])
    truth, made = make_truth(pool, args), Videos(pool, args, args.results, 2)
    print(
        f"{args.videos} videos, {args.frames} frames, {args.results} results and {TRUTHS} true "
        f"tracks a video, {size:.0f} bytes a mask; with the truth: {peak()}"
    )
    results = through_a_file(truth, made) if args.file else made
    with timed("evaluation", made):
        evaluate_tracks(truth, results, progress=True)
    if args.split:
        with timed("split of errors", made):
            error_split(truth, results, progress=True)
    compare(truth, made)


if __name__ == "__main__":
    main()
