#!/usr/bin/env python3
"""Read randomly damaged copies of videos and count what the reader did not notice.

    python scripts/dev/fuzz_video.py FOLDER --copies 20000 --seed 0 --results cases.jsonl

The clips are those of the folder and the films that the tests make. Each copy is read to its end in
a process of its own, forked of this one, under limits of time and memory. It may be refused or
reported, by our own errors and warnings only; it may not crash, hang, or raise anything else. A
copy read without a word is compared with the clean file: a frame that is missing is a silent loss,
one that looks different is silently wrong. Copy N of a seed is always the same damage; those that
the file of results has already are not read again. Exits 1 on a crash, a hang, an undocumented
exception, a silent loss in more than 1 of 200 copies, or silently wrong pictures in more than 1 of
50.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
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
from typing import TYPE_CHECKING, Any

import numpy as np

from vis.errors import DamageWarning, VisError
from vis.video import open_video

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY = 8 * 2**30  # of addresses: the threads of numpy and FFmpeg reserve far more than they use
Seen = dict[Fraction, np.ndarray]


def damage(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    """One random injury to a file, and its name."""
    kind = rng.choice(["cut", "bits", "bytes", "zeros", "delete", "repeat", "swap", "header"])
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
    elif kind == "swap":
        to = rng.randrange(len(data) - size)
        one, other = bytes(out[at : at + size]), bytes(out[to : to + size])
        out[at : at + len(one)], out[to : to + size] = other[: len(one)], one.ljust(size, b"\0")
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
    height, width, _ = pixels.shape
    rows, columns = (np.unique(np.arange(12) * side // 12) for side in (height, width))
    sums = np.add.reduceat(pixels.sum(axis=2, dtype=np.uint32), columns, axis=1)
    sums = np.add.reduceat(sums, rows, axis=0)
    areas = np.outer(np.diff(rows, append=height), np.diff(columns, append=width))
    return sums / (3 * areas)


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


def clean_copies(clips: list[Path]) -> dict[Path, tuple[Seen, float]]:
    """What each clip shows when whole, and how long it takes."""
    clean = {}
    for clip in clips:
        began = time.monotonic()
        clean[clip] = isolated(read, clip), time.monotonic() - began
    return clean


def isolated(function: Callable[..., Any], *arguments: Any) -> Any:
    """The call in a child: a parent that never had threads can be forked safely."""
    receive, send = multiprocessing.get_context("fork").Pipe(duplex=False)

    def child() -> None:
        warnings.simplefilter("ignore", DamageWarning)
        send.send(function(*arguments))
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    send.close()
    data = receive.recv()
    process.join()
    return data


def make_films(folder: Path) -> None:
    """The films that the tests make, of every container and codec."""
    place = Path(__file__).parents[2] / "tests" / "conftest.py"
    spec = importlib.util.spec_from_file_location("films", place)
    assert spec is not None and spec.loader is not None
    films = importlib.util.module_from_spec(spec)
    sys.modules["films"] = films  # dataclasses look their module up
    spec.loader.exec_module(films)
    for name, kind in films.KINDS.items():
        films.write_film(folder / f"{name}{kind.suffix}", kind)


def main() -> int:
    """Damage, read, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--copies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--largest", type=float, default=800, help="skip larger files (kB)")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after so long")
    parser.add_argument("--results", type=Path, default=Path("fuzz_video.jsonl"))
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "films").mkdir()
        isolated(make_films, folder / "films")
        clips = [*options.folder.iterdir(), *(folder / "films").iterdir()]
        clips = sorted(path for path in clips if path.stat().st_size <= options.largest * 1000)
        clips.sort(key=lambda path: path.name)  # the folder of the films has a name of chance
        clean = clean_copies(clips)
        done = {row["copy"] for row in rows(options.results)}
        with options.results.open("a") as results:
            for number in sorted({*range(options.copies)} - done):
                if time.monotonic() > end:
                    break
                rng = random.Random(f"{options.seed}/{number}")  # noqa: S311 - not a secret
                clip = clips[number % len(clips)]
                kind, data = damage(clip.read_bytes(), rng)
                copy = folder / f"copy{clip.suffix}"
                copy.write_bytes(data)
                seen, seconds = clean[clip]
                result = judge(copy, seen, 10 + 10 * seconds)
                row = {"copy": number, "clip": clip.name, "kind": kind, "result": result}
                print(json.dumps(row), file=results, flush=True)
    return report(rows(options.results))


def rows(path: Path) -> list[dict[str, Any]]:
    """The cases that have been read, of this run and of those before it."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def report(cases: list[dict[str, Any]]) -> int:
    """Print the counts, in all and by kind of damage; 1 where they are beyond what is promised."""
    counts = Counter(row["result"] for row in cases)
    by_kind = Counter((row["kind"], row["result"]) for row in cases)
    results = sorted(counts)
    print(f"{'':<10}" + "".join(f"{result:>16}" for result in results))
    for kind in sorted({kind for kind, _ in by_kind}):
        print(f"{kind:<10}" + "".join(f"{by_kind[kind, result]:>16}" for result in results))
    print(f"{'all':<10}" + "".join(f"{counts[result]:>16}" for result in results))
    faults = [r for r in cases if r["result"].startswith(("hang", "crash", "undocumented"))]
    for row in faults:
        print(row)
    lost, wrong = counts["silent loss"], counts["silently wrong"]
    return int(bool(faults) or 200 * lost > len(cases) or 50 * wrong > len(cases))


if __name__ == "__main__":
    sys.exit(main())
