"""Cost of tracking, evaluation and reading against length, objects and classes, with exponents.

    python scripts/benchmark_scale.py                    # one table a part
    python scripts/benchmark_scale.py --lvvis            # `vis evaluate` on a set of LV-VIS's size

Everything is made, from one seed, with tiny masks: what grows is the number of records, not of
pixels. Seconds are of one core, without making the data; memory is what a process of its own needs
at most beyond the imports, with its data.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from benchmark_scale_data import CLIP, LVVIS, STRIDE, Size, made_clips, made_set

import vis
from vis.formats.ytvis import read_annotations, read_results, write_annotations, write_results
from vis.tracking import Stamp, Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FILES = "truth.json", "results.json"


def track(size: Size, _: Path) -> float:
    """Seconds of the tracker."""
    clips, tracker = made_clips(size), Tracker(classes=size.classes)
    began = time.process_time()
    for first, clip in zip(range(0, size.frames, STRIDE), cycle(clips), strict=False):
        stamps = [Stamp(frame, Fraction(frame, 25)) for frame in range(first, first + CLIP)]
        tracker.step(clip, stamps, STRIDE)
        tracker.ended()
    return time.process_time() - began


def evaluate(metrics: Sequence[str], size: Size, _: Path) -> float:
    """Seconds of `vis.evaluate`."""
    truth, results = made_set(size)
    measured = vis.evaluate  # loads what it needs: no part of the cost
    began = time.process_time()
    measured(truth, results, metrics=metrics, threshold=0.0)
    return time.process_time() - began


def write(size: Size, folder: Path) -> None:
    """Both files of a set."""
    truth, results = made_set(size)
    write_annotations(folder / FILES[0], truth)
    write_results(folder / FILES[1], results, dict.fromkeys(results, size.frames))


def read(_: Size, folder: Path) -> float:
    """Seconds of reading both files."""
    began = time.process_time()
    read_results(folder / FILES[1], read_annotations(folder / FILES[0]))
    return time.process_time() - began


FILM, SET = Size(frames=1000), Size(videos=200, objects=5)
SIZES = {
    "frames": [replace(Size(), frames=frames) for frames in (100, 1000, 10_000)],
    "objects of a set": [replace(SET, videos=videos) for videos in (20, 200, 2000)],
    "objects at once": [Size(objects=objects) for objects in (10, 50, 200)],
    "classes": [replace(SET, classes=classes) for classes in (80, 300, 1200)],
}
FILMS = {
    "frames": [replace(FILM, frames=frames) for frames in (400, 1200, 4000)],
    "objects of a film": [Size(frames=n, lasting=False) for n in (40, 400, 4000)],
    "objects at once": [replace(FILM, frames=200, objects=n) for n in (10, 50, 200)],
    "classes": [replace(FILM, classes=classes) for classes in (80, 300, 1200)],
}
PARTS: dict[str, tuple[Callable[[Size, Path], float], dict[str, list[Size]]]] = {
    "tracking": (track, FILMS),
    "evaluation, AP": (partial(evaluate, ("ap",)), SIZES),
    "evaluation, AP and identity": (partial(evaluate, ("ap", "identity")), SIZES),
    "reading": (read, SIZES),
}
NUMBERS: dict[str, Callable[[Size], int]] = {
    "frames": lambda size: size.frames,
    "objects of a set": lambda size: size.videos * size.objects,
    "objects of a film": lambda size: size.frames // STRIDE * size.objects,
    "objects at once": lambda size: size.objects,
    "classes": lambda size: size.classes,
}


def apart(work: Callable[..., float | None], *arguments: object) -> tuple[float, float]:
    """What work returns in a process of its own, and the MB by which that grew at most."""
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        return pool.submit(_grown, work, *arguments).result()


def _grown(work: Callable[..., float | None], *arguments: object) -> tuple[float, float]:
    torch.set_num_threads(1)
    before = peak()
    return work(*arguments) or 0.0, peak() - before


def peak() -> float:
    """MB that this process needed at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def measure(part: str, size: Size) -> tuple[float, float]:
    """Seconds and MB of one size."""
    work, _ = PARTS[part]
    with tempfile.TemporaryDirectory() as folder:
        if work is read:
            apart(write, size, Path(folder))
        return apart(work, size, Path(folder))


def row(part: str, axis: str, sizes: list[Size]) -> str:
    """One row of a table; the exponent is that of a line through the logarithms."""
    numbers = [NUMBERS[axis](size) for size in sizes]
    seconds, memory = zip(*(measure(part, size) for size in sizes), strict=True)
    sides, costs = np.log(numbers), np.log(seconds)
    fitted, last = (np.polyfit(sides[n:], costs[n:], 1)[0] for n in (0, -2))
    cells = (
        ", ".join(f"{number:,}" for number in numbers),
        ", ".join(f"{second:.2f}" for second in seconds),
        ", ".join(f"{size:.0f}" for size in memory),
        f"{fitted:.2f}",
        f"{last:.2f}",
    )
    return f"| {axis} | {' | '.join(cells)} |"


def tables(parts: Sequence[str]) -> None:
    """Print the table of each part."""
    for part in parts:
        print(f"\n{part}\n\n| axis | sizes | seconds | MB | exponent | of the last step |")
        print("|---|---|---|---|---|---|", flush=True)
        for axis, sizes in PARTS[part][1].items():
            print(row(part, axis, sizes), flush=True)


def lvvis(size: Size = LVVIS) -> None:
    """Print what reading and evaluating a set of LV-VIS's size cost, each in its own process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        apart(write, size, folder)
        megabytes = " and ".join(f"{(folder / file).stat().st_size / 1e6:.0f}" for file in FILES)
        print(f"{size}; files of {megabytes} MB")
        seconds, memory = apart(read, size, folder)
        print(f"reading: {seconds:.1f} s, {memory / 1024:.2f} GB beyond the imports")
        for metrics in ("ap", "ap,identity"):
            seconds, memory = command(folder, metrics)
            print(f"vis evaluate --metrics {metrics}: {seconds:.1f} s of one core", end=", ")
            print(f"peak {memory / 1024:.2f} GB", flush=True)


def command(folder: Path, metrics: str) -> tuple[float, float]:
    """Seconds of one core and MB of `vis evaluate`, start and imports included."""
    files = ["--truth", str(folder / FILES[0]), "--results", str(folder / FILES[1])]
    # of each object one result is right, whatever its score: identities count all of them
    options = ["--metrics", metrics, "--threshold", "0"]
    line = [sys.executable, "-m", "vis", "evaluate", *files, *options]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit("vis evaluate failed; the lines above say why")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**10


def main() -> None:
    """Print the tables, or the cost of a set of LV-VIS's size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(map(repr, PARTS))}; all if none")
    parser.add_argument("--lvvis", action="store_true", help="a set of LV-VIS's size instead")
    args = parser.parse_args()
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"no part {min(unknown)!r}")
    lvvis() if args.lvvis else tables(args.parts or list(PARTS))


if __name__ == "__main__":
    main()
