#!/usr/bin/env python3
"""Read randomly damaged copies of videos and count what the reader did not notice.

    python scripts/dev/fuzz_video.py FOLDER --copies 1000 --seed 0

Each copy is read to its end in a process of its own, under limits of time and memory. It may be
refused or reported, by our own errors and warnings only; it may not crash, hang, or raise anything
else. A copy read without a word is compared with the clean file: a frame that is missing is a
silent loss, one that looks different is silently wrong. Exits 1 on a crash, a hang, an undocumented
exception, or a silent loss in more than a tenth of the copies.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np

from vis.errors import DamageWarning, VisError
from vis.video import open_video

MEMORY = 8 * 2**30  # of addresses: the threads of numpy and FFmpeg reserve far more than they use
Seen = dict[Fraction, np.ndarray]


def damage(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    """One random injury to a file, and its name."""
    kind = rng.choice(["cut", "bits", "bytes", "zeros", "delete", "repeat", "header"])
    out = bytearray(data)
    at = rng.randrange(len(data))
    size = min(rng.choice([16, 256, 3000]), max(1, len(data) // 4))
    if kind == "cut":
        return kind, data[: max(1, at)]
    if kind == "bits":
        for _ in range(rng.choice([1, 10, 100])):
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    elif kind == "bytes":
        out[at : at + size] = rng.randbytes(len(out[at : at + size]))
    elif kind == "zeros":
        out[at : at + size] = bytes(len(out[at : at + size]))
    elif kind == "delete":
        del out[at : at + size]
    elif kind == "repeat":
        out[at:at] = out[at : at + size]
    else:
        edge = rng.choice([0, max(0, len(out) - 4000)])
        for _ in range(8):
            out[min(len(out) - 1, edge + rng.randrange(4000))] = rng.randrange(256)
    return kind, bytes(out)


def read(path: Path) -> Seen:
    """Every frame's time and a thumbnail of it."""
    with open_video(path) as reader:
        return {frame.time: thumbnail(frame.pixels) for frame in reader}


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Means of a coarse grid."""
    rows = np.array_split(pixels.mean(axis=2, dtype=np.float32), min(12, len(pixels)))
    return np.array(
        [[block.mean() for block in np.array_split(row, 12, axis=1) if block.size] for row in rows]
    )


def verdict(path: Path, clean: Seen) -> str:
    """What the reader made of a damaged copy."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            seen = read(path)
    except VisError:
        return "refused"
    if any(issubclass(warning.category, DamageWarning) for warning in caught):
        return "reported"
    first = min(seen) - min(clean)  # a damaged header may move the clock as a whole
    moved = {when - first: picture for when, picture in seen.items()}
    if len(moved) < len(clean):
        return "silent loss"
    wrong = sum(
        when not in moved
        or moved[when].shape != picture.shape
        or np.abs(moved[when] - picture).max() > 24
        for when, picture in clean.items()
    )
    return "silently wrong" if wrong else "unharmed"


def case(path: Path, clean: Seen, answer: str) -> None:
    """The child: judge one copy and leave the verdict in a file."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        result = verdict(path, clean)
    except Exception as error:  # noqa: BLE001 - anything else is what is looked for
        result = f"undocumented {type(error).__name__}"
    Path(answer).write_text(result)


def judge(path: Path, clean: Seen, limit: float) -> str:
    """Run one case in a process of its own."""
    answer = path.with_suffix(".answer")
    answer.unlink(missing_ok=True)
    process = multiprocessing.get_context("fork").Process(target=case, args=(path, clean, answer))
    process.start()
    process.join(limit)
    if process.is_alive():
        process.kill()
        process.join()
        return "hang"
    return answer.read_text() if answer.exists() else f"crash {process.exitcode}"


def main() -> int:
    """Damage, read, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--copies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--largest", type=int, default=800_000, help="skip larger files (bytes)")
    options = parser.parse_args()
    clips = sorted(p for p in options.folder.iterdir() if p.stat().st_size <= options.largest)
    counts: Counter[str] = Counter()
    by_kind: Counter[tuple[str, str]] = Counter()
    clean: dict[Path, tuple[Seen, float]] = {}
    for clip in clips:
        began = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DamageWarning)
            clean[clip] = isolated(clip), time.monotonic() - began
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.copies):
            rng = random.Random(f"{options.seed}/{number}")  # noqa: S311 - not a secret
            clip = clips[number % len(clips)]
            kind, data = damage(clip.read_bytes(), rng)
            copy = Path(folder) / f"copy{clip.suffix}"
            copy.write_bytes(data)
            seen, seconds = clean[clip]
            result = judge(copy, seen, 10 + 10 * seconds)
            counts[result] += 1
            by_kind[kind, result] += 1
            if result.startswith(("hang", "crash", "undocumented")):
                print(f"copy {number} of {clip.name}, {kind}: {result}", flush=True)
    report(counts, by_kind)
    bad = sum(n for name, n in counts.items() if name.startswith(("hang", "crash", "undocumented")))
    return int(bad > 0 or counts["silent loss"] > options.copies / 10)


def isolated(clip: Path) -> Seen:
    """The clean reading, in a child: a parent without decoder threads can be forked safely."""
    receive, send = multiprocessing.get_context("fork").Pipe(duplex=False)

    def child() -> None:
        send.send(read(clip))
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    data: Seen = receive.recv()
    process.join()
    return data


def report(counts: Counter[str], by_kind: Counter[tuple[str, str]]) -> None:
    """Print the counts, in all and by kind of damage."""
    results = sorted(counts)
    kinds = sorted({kind for kind, _ in by_kind})
    print(f"{'':<10}" + "".join(f"{result:>16}" for result in results))
    for kind in kinds:
        print(f"{kind:<10}" + "".join(f"{by_kind[kind, result]:>16}" for result in results))
    print(f"{'all':<10}" + "".join(f"{counts[result]:>16}" for result in results))


if __name__ == "__main__":
    sys.exit(main())
