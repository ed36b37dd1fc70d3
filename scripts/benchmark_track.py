"""`vis.track` with a model that costs nothing: the rate of each stage, and memory against length.

Run by `python scripts/benchmark.py track`.
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
from vis.models import Model
from vis.records import ClipPredictions, Frame, VideoInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vis.records import Clip, FrameTracks

WINDOW, OBJECTS, CELLS = 36, 10, (90, 160)
FRAMES = 300
"""Of the film whose stages are timed, at 1280 x 720."""
LENGTHS = (200, 2000)
"""Of the films whose memory is compared, at 640 x 360."""


class Costless(Model[int]):
    """Finds the same drifting ellipses in every window."""

    name = "costless"

    def __init__(self) -> None:
        super().__init__()
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
        return len(clip.frames)

    def losses(self, output: int, targets: object) -> Never:
        """It cannot be trained."""
        raise NotImplementedError

    def predictions(self, output: int, clip: Clip) -> list[ClipPredictions]:
        """The same of each."""
        del clip
        return [self.said] * output


def benchmark_track() -> None:
    """Rates of the stages alone and together at 720p, then peak memory of short and long films."""
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        write_film(film, FRAMES, (1280, 720))
        _print_rates(film, Path(folder))
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


def _print_rates(film: Path, folder: Path) -> None:
    with vis.open_video(film) as reader:
        frames = [frame for frame, _ in zip(reader, range(WINDOW), strict=False)]
    with vis.track(film, Costless(), max_frames=WINDOW) as tracking:
        tracks = list(tracking)
    drawn = [
        vis.draw(frame, found, names={0: "thing"})
        for frame, found in zip(frames, tracks, strict=True)
    ]
    stages: dict[str, Callable[[], object]] = {
        "decode": lambda: _exhaust(vis.open_video(film)),
        "decode, make small": lambda: _exhaust(_seen(film)),
        "the same, model, tracker": lambda: _exhaust(vis.track(film, Costless())),
        "draw": lambda: _exhaust(_drawn(frames, tracks)),
        "encode what is drawn": lambda: _encode(folder / "drawn.mp4", _many(drawn)),
        "all, to an annotated video": lambda: _all(film, folder / "out"),
    }
    print(f"{'stage, 1280 x 720':30} {'frames/s':>9} {'CPU ms a frame':>15}")
    for name, work in stages.items():
        rate, cost = max(_timed(work) for _ in range(3))
        print(f"{name:30} {rate:9.1f} {cost:15.2f}", flush=True)


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Frames a second, and CPU milliseconds of all threads a frame."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return FRAMES / wall, 1e3 * cpu / FRAMES


def _seen(film: Path) -> Iterator[object]:
    from vis.pipeline.looking import Looker
    from vis.pipeline.stages import see

    looker = Looker(Costless(), length=WINDOW, short=360, longest=640, device=torch.device("cpu"))
    return see(vis.open_video(film), looker, pixels=False)


def _many(frames: list[Frame]) -> Iterator[Frame]:
    """There and back again, so that no cut costs the encoder anything."""
    there_and_back = [*frames, *frames[-2:0:-1]]
    for n in range(FRAMES):
        pixels = there_and_back[n % len(there_and_back)].pixels
        yield Frame(n, Fraction(n, 25), pixels)


def _drawn(frames: list[Frame], tracks: list[FrameTracks]) -> Iterator[Frame]:
    for frame in _many(frames):
        yield vis.draw(frame, tracks[frame.index % len(tracks)], names={0: "thing"})


def _encode(path: Path, frames: Iterable[Frame]) -> None:
    info = VideoInfo("made", 1280, 720, Fraction(1, 25), Fraction(25))
    with vis.VideoWriter(path, info=info, overwrite=True) as writer:
        for frame in frames:
            writer.write(frame)


def _all(film: Path, folder: Path) -> None:
    """What the command does."""
    from vis.pipeline.run import Choices, Manner, Wanted, run
    from vis.pipeline.sources import Source

    wanted = Wanted(Source(str(film), "film"), folder, ("video",))
    run(wanted, Costless(), "", choices=Choices(), manner=Manner(overwrite=True))


def _exhaust(items: Iterable[Any]) -> None:
    for _ in items:
        pass


def _print_memory(folder: Path) -> None:
    """Of a process each."""
    print(f"\n{'peak memory, MB, 640 x 360':30} " + "".join(f"{n:>6} frames" for n in LENGTHS))
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
    from vis.pipeline.run import Choices, Manner, Wanted, run
    from vis.pipeline.sources import Source

    with tempfile.TemporaryDirectory() as folder:
        wanted = Wanted(Source(film, "film"), Path(folder), ("video", "jsonl", "csv"))
        run(wanted, Costless(), "", choices=Choices(), manner=Manner())


def print_peak() -> None:
    """Of this process, in MB; `ru_maxrss` would tell of the one that started it, were it larger."""
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) / 1e3)
