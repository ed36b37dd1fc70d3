#!/usr/bin/env python3
"""Damage sound files of every format that is read, read them, and count what is more than refused.

    python scripts/dev/fuzz_files.py --cases 20000 --seed 0 [--formats ytvis cvat] [--first 500]

Case N of a seed is always the same damage. Every case is checked, opened strictly and collecting
faults, and converted; nothing but a `VisError` may come out. A hook of the interpreter sees to it
that nothing is run, imported by name from a file, fetched, or written outside the case's folder.
Each case has 20 seconds and 6 GB of addresses. Exits 1 on any fault; `--first` goes on.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from file_damage import damaged
from sound_files import make_all

from vis.errors import VisError
from vis.formats.checking import check
from vis.formats.coco_results import read_coco_results
from vis.formats.converting import write_set
from vis.formats.opening import open_set
from vis.formats.repair import repair
from vis.formats.submission import read_submission, write_submission
from vis.formats.ytvis import read_annotations, read_results
from vis.training.experiment import read_experiment
from vis.video import probe
from vis.weights.convert import convert
from vis.weights.files import read_weights
from vis.weights.inspection import inspect

MEMORY = 6 * 2**30
SECONDS = 20
WEIGHTS = ("pth", "legacy", "pkl", "safetensors", "vis", "pb")
KINDS = ("ytvis", "coco", "davis", "mots", "cvat", "labelme", "yolo")
RUNS = ("exec", "compile", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "pty")
REACHES = ("subprocess", "socket", "ctypes.dlopen", "pickle.find_class", "urllib", "ftp")
OURS = {"dataclasses", "ast", "inspect", "typing", "collections", "importlib._bootstrap"}
"""Modules that compile our own source: records made at run time, types read from docstrings."""
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "shutil")
SOFTWARE = (sys.prefix, sys.base_prefix, str(Path(__file__).resolve().parents[2]), "/proc", "/dev")


def attempts(kind: str, path: Path, sound: dict[str, Path], out: Path, rng: random.Random) -> None:
    """Everything that reads such a file, each on its own; a refusal of one is no end."""
    if kind in WEIGHTS:
        _try(inspect, path)
        _try(read_weights, path)
        _try(convert, "detr", path, out / "w.safetensors")
    elif kind == "yaml":
        _try(read_experiment, path)
    elif kind == "results":
        truth = read_annotations(sound["ytvis"])
        _try(read_results, path, truth)
        submission = _try(read_submission, path, sound["ytvis"])
        if submission is not None:
            _try(write_submission, out / "s.zip", submission)
    elif kind == "coco results":
        _try(read_coco_results, path, read_annotations(sound["ytvis"]), [])
    else:
        _try(check, path, read_video_file=probe, decode=True)
        _try(repair, path, out / "mended.json")
        _try(open_set, path, None, [])
        data = _try(open_set, path)
        if data is not None:
            to = rng.choice(KINDS)
            place = out / ("set" if to in ("davis", "mots", "labelme", "yolo") else "set.x")
            _try(write_set, place, data.annotations, to=to, frames=data.frames)


def _try(read: Any, *arguments: Any, **named: Any) -> Any:
    try:
        return read(*arguments, **named)
    except VisError as error:
        if len(str(error)) > 3000:  # as long as the file itself
            raise RuntimeError(f"a message of {len(str(error))} characters") from None
        return None


class Watch:
    """The hook: what a case may not do, it has done."""

    def __init__(self, out: Path) -> None:
        self.events: list[str] = []
        self.out, self.active = out.resolve(), False
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note what is forbidden."""
        if not self.active:
            return
        if event.startswith((*RUNS, *REACHES)) and not (event in ("exec", "compile") and _ours()):
            self.events.append(event)
        writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & {*"wax+"}
        below = event.startswith("os.r") and arguments[-1] != -1  # by a handle, as `rmtree` does
        changes = writes or (event.startswith(CHANGES) and not below)
        if (changes or event == "open") and arguments and isinstance(arguments[0], str | bytes):
            place = os.path.realpath(os.fsdecode(arguments[0]))
            allowed = (str(self.out),) if changes else (str(self.out.parent), *SOFTWARE)
            if not place.startswith(allowed):
                self.events.append(f"{event} {place}")


def _ours() -> bool:
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_globals.get("__name__") in OURS:
            return True
        frame = frame.f_back
    return False


def work(first: int, last: int, seed: str, kinds: list[str], root: Path, send: Any) -> None:
    """The child: cases one after the other; says which it begins, and how it ended."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    sound, out = make_all(root / "sets"), root / "out"
    pristine = {path: path.read_bytes() for path in (root / "sets").rglob("*") if path.is_file()}
    watch = Watch(root / "out")
    signal.signal(signal.SIGALRM, _too_long)
    for kind in kinds:  # imports what is imported late
        out.mkdir(exist_ok=True)
        attempts(kind, sound[kind], sound, out, random.Random(0))  # noqa: S311
        shutil.rmtree(out)
    for number in range(first, last):
        rng = random.Random(f"{seed}/{number}")  # noqa: S311 - not a secret
        kind = kinds[number % len(kinds)]
        folder = sound[kind].parent if kind in WEIGHTS else root / "sets" / kind
        files = [sound[kind]] if kind in WEIGHTS else [p for p in pristine if folder in p.parents]
        victim = rng.choice(sorted(files))
        victim.write_bytes(damaged(pristine[victim], rng))
        out.mkdir()
        send.send(("begun", number, kind, victim.name))
        begun, watch.active, watch.events = time.monotonic(), True, []
        signal.alarm(SECONDS)
        try:
            attempts(kind, sound[kind], sound, out, rng)
            fault = ""
        except Exception as error:  # noqa: BLE001 - what is looked for
            fault = f"{type(error).__name__}: {error}"[:300] + _place(error)
        signal.alarm(0)
        watch.active = False
        fault = "; ".join([*([fault] if fault else []), *watch.events])
        send.send(("ended", number, fault, time.monotonic() - begun))
        victim.write_bytes(pristine[victim])
        shutil.rmtree(out)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    send.send(("done", last, peak / 2**20, 0))


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    places = []
    while trace is not None:
        places.append(f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " at " + " ".join(places[-5:])


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS} seconds")


def run(first: int, last: int, seed: str, kinds: list[str], batch: int = 500) -> Counter[str]:
    """All cases; prints each fault; returns how many cases there were of which kind and fault."""
    counts: Counter[str] = Counter()
    number, slowest, peak = first, (0.0, ""), 0.0
    while number < last:
        with tempfile.TemporaryDirectory() as folder:
            receive, send = multiprocessing.get_context("fork").Pipe(duplex=False)
            arguments = (number, min(number + batch, last), seed, kinds, Path(folder), send)
            child = multiprocessing.get_context("fork").Process(target=work, args=arguments)
            child.start()
            send.close()
            kind = name = ""
            try:
                while receive.poll(3 * SECONDS + 60):
                    what, number, *more = receive.recv()
                    if what == "begun":
                        kind, name = more
                    elif what == "done":
                        peak = max(peak, more[0])
                        break
                    else:
                        counts[kind] += 1
                        slowest = max(slowest, (more[1], f"case {number} ({kind}, {name})"))
                        if more[0]:
                            counts["faults"] += 1
                            print(f"case {number} ({kind}, {name}): {more[0]}", flush=True)
                else:
                    raise EOFError
            except EOFError:
                child.kill()
                child.join()
                counts["faults"] += 1
                print(f"case {number} ({kind}, {name}): gone or hung, {child.exitcode}", flush=True)
                if not kind:
                    sys.exit("the sound files cannot be made or read")
                number += 1
            child.join()
    print(f"slowest {slowest[0]:.1f} s: {slowest[1]}; peak {peak:.2f} GB")
    return counts


def main() -> int:
    """Damage, read, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--formats", nargs="+", default=[*FORMATS])
    options = parser.parse_args()
    counts = run(options.first, options.first + options.cases, options.seed, options.formats)
    for kind, count in counts.items():
        print(f"{kind:<14}{count:>8}")
    return int(counts["faults"] > 0)


FORMATS = (
    *(*KINDS, "cocovid", "sav", "burst", "vipseg", "voc", "labelstudio", "semantic"),
    "labelstudio min",
    "via",
    *("results", "coco results", "yaml", *WEIGHTS),
)

if __name__ == "__main__":
    sys.exit(main())
