"""`vis.track` with a model that costs nothing: the rate of each stage, and memory against length.

Run by `python scripts/benchmark.py track` and `python scripts/benchmark.py memory`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Never

import numpy as np
import torch

import vis
from vis.inference.options import TrackOptions
from vis.inference.predictor import Predictor
from vis.inference.session import TrackerSession
from vis.inference.stages import predict
from vis.inference.windows import ResizedFrame, Windows
from vis.jobs.job import Job, RunOptions
from vis.jobs.run import run
from vis.jobs.sources import Source
from vis.models import Model
from vis.outputs.frame_result import FrameResult
from vis.records import ClipPredictions, Frame, VideoInfo
from vis.tracking import Config, Stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torch import Tensor

    from vis.records import Clip, Pixels

WINDOW, STRIDE, OBJECTS, CELLS = 36, 27, 10, (90, 160)
FRAMES = 600
"""Of the film whose stages are timed, at 1280 x 720."""
WAIT = 0.03
"""Seconds a frame that a model waits for its device, where one stage is to be the slowest."""
ROUNDS = 3
LENGTHS = (200, 2000)
"""Of the films whose memory is compared, at 640 x 360."""


class Costless(Model[int]):
    """Finds the same drifting ellipses in every window.

    Args:
        wait: seconds that it sleeps for each new frame, as one on another device would.
    """

    name = "costless"

    def __init__(self, wait: float = 0.0) -> None:
        super().__init__()
        self.wait = wait * STRIDE
        self.frames, self.class_names = WINDOW, ("thing",)
        self.config = SimpleNamespace(classes=1)
        draw = np.random.default_rng(0)
        y, x = (np.arange(cells) / cells for cells in CELLS)
        centres = draw.uniform(0.15, 0.85, (OBJECTS, 2))
        far = np.hypot(y[:, None] - centres[:, :1, None], x[None] - centres[:, 1:, None])
        masks = torch.from_numpy(1 / (1 + np.exp(60 * (far - 0.12)))).float()
        boxes = np.concatenate([centres[:, ::-1] - 0.12, centres[:, ::-1] + 0.12], axis=1)
        ones = torch.ones(OBJECTS)
        self.said = ClipPredictions(
            scores=0.9 * ones,
            labels=torch.zeros(OBJECTS, dtype=torch.int64),
            class_scores=0.9 * ones[:, None],
            boxes=torch.from_numpy(boxes.clip(0, 1)).float()[:, None].repeat(1, WINDOW, 1),
            masks=masks[:, None].repeat(1, WINDOW, 1, 1),
            presence=ones[:, None].repeat(1, WINDOW),
        )

    def forward(self, clip: Clip) -> int:
        """How many clips there are."""
        time.sleep(self.wait)
        return len(clip.frames)

    def losses(self, output: int, targets: object) -> Never:
        """It cannot be trained."""
        raise NotImplementedError

    def predictions(self, output: int, clip: Clip) -> list[ClipPredictions]:
        """The same of each."""
        del clip
        return [self.said] * output


def benchmark_track() -> None:
    """Rates of the stages alone and of all together at 720p."""
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        write_film(film, FRAMES, (1280, 720))
        _print_rates(_best(_stages(film, Path(folder))))


def benchmark_memory() -> None:
    """Peak memory of short and long films."""
    with tempfile.TemporaryDirectory() as folder:
        _print_memory(Path(folder))


def write_film(path: Path, frames: int, size: tuple[int, int]) -> None:
    """A textured picture that pans."""
    width, height = size
    draw = np.random.default_rng(0)
    coarse = draw.integers(0, 256, (height // 8 + 1, width // 4, 3), np.uint8)
    scene = coarse.repeat(8, 0).repeat(8, 1)[:height]
    scene = (scene * 0.9 + draw.integers(0, 26, scene.shape)).astype(np.uint8)
    info = VideoInfo("made", width, height, Fraction(1, 25), Fraction(25))
    with vis.VideoWriter(path, info=info, quality="fast") as writer:
        for n in range(frames):
            left = n * 3 % (scene.shape[1] - width)
            pixels = np.ascontiguousarray(scene[:, left : left + width])
            writer.write(Frame(n, Fraction(n, 25), pixels))


def _best(stages: dict[str, Callable[[], object]]) -> dict[str, tuple[float, float]]:
    """Highest rate and least CPU time of interleaved rounds."""
    best = dict.fromkeys(stages, (0.0, float("inf")))
    for _ in range(ROUNDS):
        for name, work in stages.items():
            rate, cost = _timed(work)
            best[name] = max(best[name][0], rate), min(best[name][1], cost)
    return best


def _print_rates(best: dict[str, tuple[float, float]]) -> None:
    """The last but two is all of them together; the last two have a model that waits."""
    print(f"{'stage, 1280 x 720':30} {'frames/s':>9} {'CPU ms a frame':>15}")
    for name, (rate, cost) in best.items():
        print(f"{name:30} {rate:9.1f} {cost:15.2f}")
    *alone, whole, model, waiting = best
    slowest = min(alone, key=lambda name: best[name][0])
    (rate, cost), total = best[whole], sum(best[name][1] for name in alone)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    able = 1e3 * (cores or 1) / total
    print(f"of the slowest stage alone ({slowest}): {rate / best[slowest][0]:.1%}")
    print(f"of what {cores} processors can at most ({able:.1f} frames/s): {rate / able:.1%}")
    print(f"CPU time against the sum of the stages ({total:.2f} ms): {cost / total:.1%}")
    print(f"of the slowest stage alone ({model}): {best[waiting][0] / best[model][0]:.1%}")


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Frames a second, and CPU milliseconds of all threads a frame."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return FRAMES / wall, 1e3 * cpu / FRAMES


def _stages(film: Path, folder: Path) -> dict[str, Callable[[], object]]:
    """What each does alone with its input at hand, as the command does it."""
    with vis.open_video(film) as reader:
        frames = [frame for frame, _ in zip(reader, range(WINDOW), strict=False)]
    predictor, patient = (
        Predictor(model, length=WINDOW, short=360, longest=640, device=torch.device("cpu"))
        for model in (Costless(), Costless(WAIT))
    )
    small = [predictor.resize(frame.pixels) for frame in frames]
    with vis.track(film, Costless(), max_frames=WINDOW) as tracking:
        tracks = list(tracking)
    info, names = VideoInfo("made", 1280, 720, Fraction(1, 25), Fraction(25)), {0: "thing"}
    shown = [FrameResult(*pair, info, names) for pair in zip(frames, tracks, strict=True)]
    cutouts = [one.cutouts for one in shown]
    drawn = [
        vis.draw(frame, found, names=names) for frame, found in zip(frames, tracks, strict=True)
    ]
    order = [*range(WINDOW), *range(WINDOW - 2, 0, -1)]  # there and back: no cut for the encoder
    places = [order[n % len(order)] for n in range(FRAMES)]

    def measure() -> None:
        for k in places:
            _ = FrameResult(frames[k], tracks[k], info, names).areas

    def paint() -> None:
        for k in places:
            vis.draw(frames[k], tracks[k], names=names, cutouts=cutouts[k])

    return {
        "decode": lambda: _exhaust(vis.open_video(film)),
        "make small": lambda: _exhaust(predictor.resize(frames[k].pixels) for k in places),
        "model, tracker": lambda: _link(predictor, [small[k] for k in places]),
        "place the masks": measure,
        "draw": paint,
        "encode": lambda: _encode(folder / "drawn.mp4", info, [drawn[k].pixels for k in places]),
        "all, to an annotated video": lambda: _all(film, folder / "out", Costless()),
        "a model that waits": lambda: _link(patient, [small[k] for k in places]),
        "all, with a model that waits": lambda: _all(film, folder / "out", Costless(WAIT)),
    }


def _link(predictor: Predictor, small: Sequence[Tensor]) -> None:
    stream = (ResizedFrame(Stamp(n, Fraction(n, 25)), one, None) for n, one in enumerate(small))
    session = TrackerSession(Config(), num_classes=1, threshold=0.3, classes=None)
    for window, predictions, _ in predict(stream, predictor, Windows(WINDOW, STRIDE), 1):
        session.step(window, predictions)


def _encode(path: Path, info: VideoInfo, pictures: Sequence[Pixels]) -> None:
    with vis.VideoWriter(path, info=info, overwrite=True) as writer:
        for n, pixels in enumerate(pictures):
            writer.write(Frame(n, Fraction(n, 25), pixels))


def _all(film: Path, folder: Path, model: Costless) -> None:
    """What the command does."""
    job = Job(Source(str(film), "film"), folder, ("video",), "film")
    run(job, model, "", options=TrackOptions(), run_options=RunOptions(overwrite=True))


def _exhaust(items: Iterable[Any]) -> None:
    for _ in items:
        pass


def _print_memory(folder: Path) -> None:
    """Of a process each."""
    print(f"{'peak memory, MB, 640 x 360':30} " + "".join(f"{n:>6} frames" for n in LENGTHS))
    films = [folder / f"{length}.mp4" for length in LENGTHS]
    for film, length in zip(films, LENGTHS, strict=True):
        write_film(film, length, (640, 360))
    for way in ("plain", "written"):
        peaks = [_peak(f"benchmark_track.{way}({str(film)!r})") for film in films]
        row = "".join(f"{peak:13.1f}" for peak in peaks)
        print(f"{way:30} {row}   {peaks[-1] / peaks[0] - 1:+.2%}", flush=True)


def _peak(code: str) -> float:
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    code = f"import benchmark_track; {code}; benchmark_track.print_peak()"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, env=here, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout)


def plain(film: str) -> None:
    """Track without pixels."""
    _exhaust(vis.track(film, Costless()))


def written(film: str) -> None:
    """Track, draw, write the video and the tables."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Job(Source(film, "film"), Path(folder), ("video", "jsonl", "csv"))
        run(wanted, Costless(), "", options=TrackOptions(), run_options=RunOptions())


def print_peak() -> None:
    """Of this process, in MB; `ru_maxrss` would tell of the one that started it, were it larger."""
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) / 1e3)
