#!/usr/bin/env python3
"""Let every write of a command fail once; say what it left, and whether it can be gone on with.

    python scripts/dev/fail_writes.py [--commands track train evaluate "convert coco"]

For every n, the n-th write of the command ends in a full disk, a failing drive or half of what was
to be written, and the n-th fsync fails; for video, which FFmpeg writes itself, files may not grow
beyond sizes from nothing to whole. The command must say so in one line that names a place in the
folder of its outputs, leave under final names nothing but what a run without a fault writes, and,
given again, end with the same bytes. Exits 1 where it does not.
"""

from __future__ import annotations

import argparse
import builtins
import contextlib
import errno
import io
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Command = tuple[list[str], list[list[str]]]
"""Arguments of the first run, and those of the ways to go on, the first that goes counts."""
KINDS = ("full", "drive", "short", "fsync")
VIDEO = (".mp4", ".mkv", ".webm")


class Failing:
    """The system's writing below one folder, of which one call fails."""

    def __init__(self, root: Path, kind: str, at: int) -> None:
        self.root, self.kind, self.at, self.calls = os.path.realpath(root), kind, at, 0
        self.failed = False

    def fails(self, kind: str) -> bool:
        """Whether this call, one of the kind, is the one."""
        if (kind == "fsync") != (self.kind == "fsync"):
            return False
        self.calls += 1
        self.failed |= self.calls == self.at
        return self.calls == self.at

    def write(self, content: Any, real: Callable[[Any], int]) -> int:
        """Write, or fail."""
        if not self.fails("write"):
            return real(content)
        view = memoryview(content).cast("B")
        if self.kind == "short" and len(view) > 1:
            return real(view[: len(view) // 2])
        code = errno.EIO if self.kind == "drive" else errno.ENOSPC
        raise OSError(code, os.strerror(code))

    def open(
        self, file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **named: Any
    ) -> Any:
        """Like `open`, but what it opens for writing below the folder asks first."""
        inner = isinstance(file, str | os.PathLike) and os.path.realpath(file).startswith(self.root)
        if not inner or not set(mode) & set("wax+"):
            return _OPEN(file, mode, buffering, *rest, **named)
        raw_mode = mode.replace("b", "").replace("t", "")
        raw = _Raw(file, raw_mode, self)
        if buffering == 0:
            return raw
        buffered: Any = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *rest, **named)


class _Raw(io.FileIO):
    def __init__(self, file: Any, mode: str, failing: Failing) -> None:
        super().__init__(file, mode)
        self.failing = failing

    def write(self, content: Any) -> int:
        return self.failing.write(content, super().write)


_OPEN, _WRITE, _FSYNC = builtins.open, os.write, os.fsync


@contextlib.contextmanager
def failing(root: Path, kind: str, at: int) -> Iterator[Failing]:
    """The block's writing below `root`; the one with the number `at` fails, 0: none."""
    fault = Failing(root, kind, at)

    def fsync(handle: Any) -> None:
        if fault.fails("fsync"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        _FSYNC(handle)

    def write(handle: int, content: Any) -> int:
        return (
            fault.write(content, lambda part: _WRITE(handle, part))
            if handle > 2
            else _WRITE(handle, content)
        )

    builtins.open = io.open = fault.open  # type: ignore[assignment]
    os.write, os.fsync = write, fsync
    try:
        yield fault
    finally:
        builtins.open = io.open = _OPEN
        os.write, os.fsync = _WRITE, _FSYNC


@contextlib.contextmanager
def limited(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes; the system says so to FFmpeg too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def run(arguments: list[str]) -> tuple[int, str]:
    """Exit code and all that a command says."""
    from vis.cli import main

    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
    return code, said.getvalue()


def contents(root: Path) -> dict[str, bytes]:
    """The files under final names: not hidden ones, and of a training not what it is in between."""
    paths = (path for path in root.rglob("*") if path.is_file())
    names = {path.relative_to(root): path for path in paths}
    return {
        str(name): b"" if path.suffix in VIDEO else path.read_bytes()
        for name, path in names.items()
        if not any(part.startswith(".") or ".part" in part for part in name.parts)
        and not {"checkpoints", "log.jsonl"} & {*name.parts}
    }


def problems(ways: list[list[str]], out: Path, whole: dict[str, bytes]) -> list[str]:
    """What is wrong after a run in which something failed, and after going on."""
    wrong = []
    for name, content in contents(out).items():
        if name not in whole:
            wrong.append(f"{name} is there, which no run writes")
        elif content != whole[name]:
            wrong.append(f"{name} is half written")
    for way in ways:
        code, said = run(way)
        if not code:
            break
    if code:
        return [*wrong, f"going on ends with {code}: {said[-300:]}"]
    now = contents(out)
    differ = sorted(name for name in whole | now if now.get(name) != whole.get(name))
    return [*wrong, f"going on differs in {differ}"] if differ else wrong


def begin(arguments: list[str], out: Path) -> None:
    """A run in which nothing fails."""
    out.mkdir()
    code, said = run(arguments)
    if code:
        raise RuntimeError(f"{arguments} ends with {code}: {said}")


def check(
    name: str, command: Command, out: Path, *, sizes: int, seconds: float, first: int
) -> Counter[str]:
    """The faults of one command from `first` on; prints what is wrong; returns the counts."""
    arguments, ways = command
    counts: Counter[str] = Counter()
    shutil.rmtree(out, ignore_errors=True)
    begin(arguments, out)
    whole = contents(out)
    largest = max(path.stat().st_size for path in out.rglob("*") if path.is_file())
    cases: list[tuple[str, int]] = []
    for kind in KINDS:
        shutil.rmtree(out, ignore_errors=True)
        with failing(out, kind, 0) as fault:
            begin(arguments, out)
        cases += [(kind, at) for at in range(1, fault.calls + 1)]
    cases += [("size", largest * at // sizes) for at in range(sizes)]
    random.Random(0).shuffle(cases)  # noqa: S311 - not a secret
    end = time.monotonic() + seconds
    for kind, at in cases[first:]:
        if time.monotonic() > end:
            counts["left out"] += 1
            continue
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        with limited(at) if kind == "size" else failing(out, kind, at) as fault:
            code, said = run(arguments)
        wrong = [] if not code or str(out) in said else [f"it names no place: {said[-300:]}"]
        if code == 70 or "Traceback" in said:
            wrong.append(f"a fault of ours: {said[-600:]}")
        if code == 0 and contents(out) != whole:
            wrong.append("nothing is said")
        if code:
            wrong += problems(ways, out, whole)
        counts[f"{name} {kind}"] += 1
        counts["stopped" if code else "went on"] += 1
        for what in wrong:
            counts["faults"] += 1
            print(f"{name}, {kind} {at}: {what}", flush=True)
    return counts


def commands(root: Path) -> dict[str, Command]:
    """Name -> the command on tiny inputs made below `root`, and how to go on."""
    from vis.formats.opening import open_set
    from vis.formats.ytvis import write_results

    truth = open_set(SAMPLE).annotations
    results, model, recipe = root / "results.json", root / "tiny.safetensors", root / "tiny.yaml"
    lengths = {key: video.length for key, video in truth.videos.items()}
    write_results(results, truth.tracks, lengths)
    save_tiny(model)
    recipe.write_text(RECIPE.format(path=json.dumps(str(SAMPLE / "instances.json"))))
    out = str(root / "out")
    (root / "film").mkdir()
    for number in range(6):
        Image.new("RGB", (96, 64), (40 * number, 90, 0)).save(root / "film" / f"{number}.png")
    track = ["track", str(root / "film"), "-o", f"{out}/", "--model", str(model)]
    track += ["--save", *SAVE, "--size", "64", "--threshold", "0.1", "--checkpoint", "2"]
    track += ["--device", "cpu"]
    train = ["train", "-c", str(recipe), "-o", out]
    evaluate = ["evaluate", "--truth", str(SAMPLE), "--results", str(results), "--report", out]
    table: dict[str, Command] = {
        "track": (track, [[*track, "--resume"]]),
        "train": (train, [["train", "--resume", out], train]),
        "evaluate": (evaluate, [evaluate, [*evaluate, "--overwrite"]]),
    }
    for to in ("ytvis", "coco", "davis", "mots", "cvat", "labelme"):
        place = {"ytvis": "/set.json", "coco": "/set.json", "cvat": "/set.xml"}.get(to, "/set")
        convert = ["data", "convert", str(SAMPLE), out + place, "--to", to]
        table[f"convert {to}"] = (convert, [convert])
    return table


SAMPLE = Path(__file__).parents[2] / "data" / "sample"
SAVE = ("json", "jsonl", "coco", "mots", "davis", "csv", "frames", "video")
RECIPE = """
model: {{name: detr, backbone: pvt_v2_b0, instance_queries: 3, d_model: 32, num_heads: 4,
  encoder_layers: 1, decoder_layers: 1, ffn_dim: 32}}
data:
  sources: [{{path: {path}}}]
  clip_length: 1
  augmentation: {{colours: null, last: null, fixed: [32, 32]}}
optimisation: {{lr: 1e-3}}
training: {{steps: 3, batch: 1, workers: 0, save_every: 1, log_every: 1, device: cpu}}
"""


def save_tiny(path: Path) -> None:
    """A small TT-SRN with weights of chance."""
    import torch

    from vis import models
    from vis.weights import save_model

    torch.manual_seed(3)
    layers = {"encoder_layers": 1, "decoder_layers": 1, "ffn_dim": 64, "num_heads": 8}
    model = models.build(
        "tt_srn",
        classes=3,
        backbone="resnet18",
        frames=4,
        instance_queries=4,
        d_model=128,
        **layers,
    )
    model.class_names = ("cat", "dog", "person")
    save_model(path, model)


def main() -> int:
    """Every fault of every command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commands", nargs="+", help="some of them; all otherwise")
    parser.add_argument("--sizes", type=int, default=20, help="how many sizes no file may exceed")
    parser.add_argument("--seconds", type=float, default=1e9, help="for each command")
    parser.add_argument("--first", type=int, default=0, help="of the cases, whose order is fixed")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        table = commands(Path(folder))
        for name in options.commands or table:
            out = Path(folder) / "out"
            new = check(
                name,
                table[name],
                out,
                sizes=options.sizes,
                seconds=options.seconds,
                first=options.first,
            )
            print(f"{name}: {dict(new)}", flush=True)
            counts += new
    return int(counts["faults"] > 0)


if __name__ == "__main__":
    sys.exit(main())
