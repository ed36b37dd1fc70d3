#!/usr/bin/env python3
"""Kill runs at random moments and go on with them; let two runs race for one output.

    python scripts/dev/kill_runs.py --kills 500 --pairs 20 --seed 0 --results cases.jsonl

A case is `vis track` with every sink, or `vis train`, on tiny inputs, in processes forked of this
one. A killed run gets one to three SIGKILLs, each at a moment of chance, and then is gone on with:
what has a final name between them must be whole, and the end must be the bytes of an unbroken run
(of a video: its times and, but for an encoder that began anew, its pictures). Of two processes that
begin together on one output, one must win and the other name it, or find all done. Case N of a
seed always has the same moments; those that the file of results has are not run again. Exits 1
where a promise is broken.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from itertools import islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from fail_writes import SAMPLE, VIDEO, commands, contents, run

from vis.video import VideoWriter, open_video

if TYPE_CHECKING:
    from collections.abc import Callable

Ways = list[list[str]]
FRAMES, STEP = 20, 8
"""Frames of the film, and every how many pixels of the sample's it has."""


def make_film(path: Path) -> None:
    """The sample's first frames, small."""
    with open_video(SAMPLE / "clip.mp4") as reader, VideoWriter(path, info=reader.info) as writer:
        for frame in islice(reader, FRAMES):
            small = np.ascontiguousarray(frame.pixels[::STEP, ::STEP])
            writer.write(type(frame)(**{**_fields(frame), "pixels": small}))


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def begin(ways: Ways, log: Path, ready: int | None = None) -> int:
    """The number of a process that tries the commands until one ends well."""
    return forked(lambda: _go(ways, log, ready))


def _go(ways: Ways, log: Path, ready: int | None) -> int:
    if ready is not None:
        os.read(ready, 1)
    codes = []
    for way in ways:
        code, said = run(way)
        codes.append(code)
        with log.open("a") as file:
            file.write(f"{code}: {said}\n")
        if not code:
            break
    return codes[-1]


def forked(function: Callable[[], int]) -> int:
    """The number of a process whose exit code is what the function returns."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        code = function()
    finally:
        os._exit(code)


def ended(process: int) -> int:
    """Its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def differences(out: Path, whole: Path, *, finished: bool) -> list[str]:
    """What final names hold that an unbroken run does not write; what is missing at the end."""
    now, expected = contents(out), contents(whole)
    names = sorted(now | expected if finished else now)
    wrong = [name for name in names if now.get(name) != expected.get(name)]
    films = (name for name in names if Path(name).suffix in VIDEO and name not in wrong)
    return wrong + [name for name in films if not alike(out / name, whole / name)]


def alike(one: Path, other: Path) -> bool:
    """The same times, and pictures that differ no more than an encoder does that began anew."""
    with open_video(one) as first, open_video(other) as second:
        return all(
            a is not None
            and b is not None
            and a.time == b.time
            and np.abs(a.pixels.astype(int) - b.pixels).mean() < 5
            for a, b in zip_longest(first, second)
        )


def compared(out: Path, whole: Path, log: Path, *, finished: bool) -> list[str]:
    """`differences`, found in a process of its own: the decoder's threads do not survive forks."""

    def compare() -> int:
        log.write_text(json.dumps(differences(out, whole, finished=finished)))
        return 0

    return json.loads(log.read_text()) if not ended(forked(compare)) else ["cannot be read"]


class Case:
    """One command, with its unbroken run and how long that took."""

    def __init__(self, root: Path, ways: Ways) -> None:
        self.out, self.whole, self.ways = root / "out", root / "whole", ways
        self.log, self.answer = root / "log", root / "answer"
        started = time.monotonic()
        if ended(begin(ways[:1], self.log)):
            raise RuntimeError(self.log.read_text())
        self.seconds = time.monotonic() - started
        self.out.rename(self.whole)

    def killed(self, rng: random.Random) -> dict[str, Any]:
        """A run that is killed and gone on with."""
        self._clear()
        ways, moments, wrong = self.ways[:1], [], []
        for _ in range(1 + rng.randrange(3)):
            process = begin(ways, self.log)
            moments.append(rng.uniform(0.0, 1.1 * self.seconds))
            time.sleep(moments[-1])
            os.kill(process, signal.SIGKILL)
            ended(process)
            wrong += self._differences(finished=False)
            ways = self.ways[1:]
        code = ended(begin(self.ways[1:], self.log))
        wrong += [f"ends with {code}"] if code else self._differences(finished=True)
        return self._row(wrong, kills=len(moments))

    def raced(self, rng: random.Random) -> dict[str, Any]:
        """Two processes that begin together, or a little apart."""
        self._clear()
        logs = [self.log.with_suffix(f".{number}") for number in range(2)]
        pairs = []
        for log in logs:
            log.unlink(missing_ok=True)
            receive, send = os.pipe()
            pairs.append((begin(self.ways[:1], log, receive), receive, send))
        gap = rng.choice((0.0, 0.0, rng.uniform(0.0, 0.2), rng.uniform(0.0, self.seconds)))
        for (_, _, send), pause in zip(pairs, (gap, 0.0), strict=True):
            os.write(send, b"0")
            time.sleep(pause)
        codes = [ended(process) for process, *_ in pairs]
        for _, *handles in pairs:
            for handle in handles:
                os.close(handle)
        said = [log.read_text() for log in logs]
        loser = next((text for code, text in zip(codes, said, strict=True) if code), None)
        wrong = [] if 0 in codes else ["nobody wins"]
        if loser is not None and str(self.out) not in loser:
            wrong.append("the loser names no place")
        if all("wrote " in text for text in said):
            wrong.append("both write")
        if any("Traceback" in text for text in said):
            wrong.append("a traceback")
        wrong += self._differences(finished=True)
        return self._row(wrong, codes=codes, said=loser)

    def _clear(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        self.log.unlink(missing_ok=True)

    def _differences(self, *, finished: bool) -> list[str]:
        if not self.out.exists():
            return []
        return compared(self.out, self.whole, self.answer, finished=finished)

    def _row(self, wrong: list[str], **more: Any) -> dict[str, Any]:
        log = {"log": self.log.read_text()[-1500:]} if wrong and self.log.exists() else {}
        return {"wrong": wrong, **more, **log}


def prepare(root: Path, name: str) -> Ways:
    """The tiny inputs of a command, made in a process of its own; the command and how to go on."""
    table = commands(root)
    film = root / "film.mp4"
    make_film(film)
    replaced = {str(root / "film"): str(film), "64": "32"}  # a film, and a smaller view of it
    first, ways = table[name]
    return [[replaced.get(part, part) for part in way] for way in (first, *ways)]


def main() -> int:
    """Kill, race, compare, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--command", choices=("track", "train"), default="track")
    parser.add_argument("--kills", type=int, default=50, help="runs that are killed")
    parser.add_argument("--pairs", type=int, default=4, help="of processes that race")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=Path("kill_runs.jsonl"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    done = {(row["kind"], row["case"]) for row in rows(options.results)}
    cases = [("killed", number) for number in range(options.kills)]
    cases += [("raced", number) for number in range(options.pairs)]
    with tempfile.TemporaryDirectory() as name, options.results.open("a") as results:
        root = Path(name)
        plan = root / "plan.json"

        def write_plan() -> int:
            ways = prepare(root, options.command)
            run(ways[0])
            shutil.rmtree(root / "out")
            plan.write_text(json.dumps({"ways": ways, "modules": [*sys.modules]}))
            return 0

        if ended(forked(write_plan)):
            sys.exit("the inputs cannot be made")
        made = json.loads(plan.read_text())
        for module in made["modules"]:  # once here, not again in every process
            if module.startswith(("vis.", "torchvision", "timm", "PIL", "av.", "scipy")):
                with suppress(ImportError):
                    importlib.import_module(module)
        case = Case(root, made["ways"])
        for kind, number in cases:
            if (kind, number) not in done:
                rng = random.Random(f"{options.seed}/{kind}/{number}")  # noqa: S311 - not a secret
                row = {"kind": kind, "case": number, **getattr(case, kind)(rng)}
                print(json.dumps(row), file=results, flush=True)
    return report(rows(options.results))


def rows(path: Path) -> list[dict[str, Any]]:
    """The cases that have been run, now or before."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def report(cases: list[dict[str, Any]]) -> int:
    """Print what is wrong, and the counts; 1 where anything is."""
    for row in cases:
        if row["wrong"]:
            print(row)
    counts = Counter(row["kind"] for row in cases)
    kills = sum(row.get("kills", 0) for row in cases)
    wrong = sum(bool(row["wrong"]) for row in cases)
    print(f"{dict(counts)}, {kills} kills: {wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
