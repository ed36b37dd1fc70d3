"""Speed of single parts: `python scripts/benchmark.py draw forward`."""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vis.ops.colours import colour
from vis.records import Frame, FrameTracks
from vis.video.drawing import draw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vis.datasets.config import Augmentation

HEIGHT, WIDTH, OBJECTS, FRAMES = 720, 1280, 10, 60


def benchmark_draw() -> None:
    """Drawing of 10 moving objects that cover a third of a 1280 x 720 picture."""
    frames = [_frame(n) for n in range(FRAMES)]
    solid = [_tracks(n, _depths(n, HEIGHT, WIDTH) > 0) for n in range(FRAMES)]
    soft = [_tracks(n, (0.5 + _depths(n, 90, 160)).clip(0, 1)) for n in range(FRAMES)]
    covered = float(np.mean([tracks.masks.any(axis=0).mean() for tracks in solid]))
    summed = float(np.mean([tracks.masks.mean() for tracks in solid])) * OBJECTS
    print(f"{OBJECTS} objects, masks sum to {summed:.0%} and cover {covered:.0%} of the picture")
    table(
        [
            ("whole-picture blend, masks only", _times(_blend, frames[:9], solid)),
            ("draw, 720 x 1280 bool", _times(draw, frames, solid)),
            ("draw, 90 x 160 probabilities", _times(draw, frames, soft)),
        ]
    )


def benchmark_forward() -> None:
    """Masks and all of one clip of 36 frames of 300 x 540, a process each."""
    print(f"{'model':24} {'seconds':>8} {'peak GB':>8}   (published VisTR: 137 s and 4.3 GB)")
    for model, chunk in (("vistr", 12), ("vistr", 4), ("tt_srn", 12), ("tt_srn", 4)):
        code = f"import benchmark; benchmark.forward({model!r}, {chunk})"
        here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
        subprocess.run([sys.executable, "-c", code], check=True, env=here)


def forward(model: str, chunk: int) -> None:
    """Time the second of two passes of a fresh model, all of its slots kept."""
    import torch

    from vis import models
    from vis.records import Clip

    torch.manual_seed(0)
    network = models.build(model, classes=40, chunk=chunk).eval()
    clip = Clip(torch.rand(1, 36, 3, 300, 540), torch.tensor([[300, 540]]))
    seconds = 0.0
    with torch.inference_mode():
        for _ in range(2):
            start = time.perf_counter()
            network(clip).dense()
            seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{f'{model}, chunk {chunk}':24} {seconds:8.1f} {peak:8.2f}", flush=True)


def benchmark_loader() -> None:
    """Clips of 12 frames of 640 x 360 JPEG, read, changed and collated; CPU time of one frame."""
    from PIL import Image

    from vis.datasets.config import Augmentation, Colours, Resize, Window
    from vis.video import open_video

    sample = Path(__file__).parent.parent / "data" / "sample"
    window = Window(at=Resize(short=(400, 500, 600), longest=None), lowest=384, highest=600)
    cases = {
        "read and collated": Augmentation(flip=0, colours=None, last=None),
        "+ flip, colours": Augmentation(last=None),
        "+ window, 360 px": Augmentation(window=window),
        "the same, colours by frame": Augmentation(window=window, colours=Colours(each_frame=True)),
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "clip").mkdir()
        with open_video(sample / "clip.mp4") as reader:
            for frame in reader:
                picture = Image.fromarray(frame.pixels)
                picture.save(Path(folder) / "clip" / f"{frame.index:05d}.jpg", quality=90)
        annotations = sample / "instances.json"
        table([(name, _clip_times(annotations, folder, a)) for name, a in cases.items()])


def benchmark_track() -> None:
    """The stages of tracking with a model that costs nothing, alone and together."""
    import benchmark_track

    benchmark_track.benchmark_track()


def benchmark_memory() -> None:
    """Peak memory of tracking against the length of the video."""
    import benchmark_track

    benchmark_track.benchmark_memory()


BENCHMARKS = {
    "draw": benchmark_draw,
    "forward": benchmark_forward,
    "loader": benchmark_loader,
    "track": benchmark_track,
    "memory": benchmark_memory,
}


def table(rows: Sequence[tuple[str, Sequence[float]]]) -> None:
    """Print cases with the CPU seconds of their repetitions, and ratios to the first case."""
    base = statistics.median(rows[0][1])
    print(f"{'case':34} {'median ms':>10} {'worst ms':>10} {'per second':>11} {'ratio':>7}")
    for name, seconds in rows:
        median, worst = statistics.median(seconds), max(seconds)
        numbers = f"{1e3 * median:10.2f} {1e3 * worst:10.2f} {1 / median:11.1f}"
        print(f"{name:34} {numbers} {base / median:6.2f}x")


def main() -> None:
    """Run the benchmarks that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names or list(BENCHMARKS)
    for name in names:
        if name not in BENCHMARKS:
            parser.error(f"no benchmark {name!r}; there are: {', '.join(BENCHMARKS)}")
        print(f"\n{name}")
        BENCHMARKS[name]()


def _clip_times(annotations: Path, frames: str, augmentation: Augmentation) -> list[float]:
    """CPU seconds of a frame, batch by batch, in this process; the first batch warms up."""
    import torch

    from vis.datasets.config import DataConfig, Source
    from vis.datasets.loader import batches
    from vis.datasets.open import open_dataset

    torch.set_num_threads(1)
    source = Source(path=str(annotations), frames=frames)
    settings = DataConfig(
        sources=(source,), clip_length=12, sampling="cyclic", augmentation=augmentation
    )
    seconds, start = [], time.process_time()
    for batch in batches(open_dataset(settings), size=2, seed=0, stop=13):
        count = batch.clip.frames.shape[0] * batch.clip.frames.shape[1]
        seconds.append((time.process_time() - start) / count)
        start = time.process_time()
    return seconds[1:]


def _times(
    work: Callable[[Frame, FrameTracks], Frame],
    frames: Sequence[Frame],
    tracks: Sequence[FrameTracks],
) -> list[float]:
    work(frames[0], tracks[0])  # fonts and tables are made once
    seconds = []
    for frame, objects in zip(frames, tracks, strict=False):
        start = time.process_time()
        work(frame, objects)
        seconds.append(time.process_time() - start)
    return seconds


def _blend(frame: Frame, tracks: FrameTracks) -> Frame:
    """The obvious way: every mask over the whole picture."""
    pixels = frame.pixels.astype(np.float32)
    for identity, mask in zip(tracks.ids, tracks.masks, strict=True):
        ink = np.array(colour(int(identity)), np.float32)
        pixels = np.where(mask[..., None], 0.55 * pixels + 0.45 * ink, pixels)
    return replace(frame, pixels=pixels.astype(np.uint8))


def _frame(n: int) -> Frame:
    pixels = np.random.default_rng(n).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return Frame(n, Fraction(n, 25), pixels)


def _ellipses(n: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Centres and radii `[N 2]`, y and x as fractions, of ellipses that drift with `n`."""
    random = np.random.default_rng(0)
    starts, steps = random.random((OBJECTS, 2)), random.uniform(-0.004, 0.004, (OBJECTS, 2))
    radii = random.uniform(0.1, 0.152, (OBJECTS, 2))
    return 0.15 + 0.7 * np.abs((starts + n * steps) % 2 - 1), radii


def _depths(n: int, height: int, width: int) -> npt.NDArray[np.float32]:
    """`[N h w]`: 1 at the centre of an ellipse, 0 on its edge, negative outside."""
    centres, radii = _ellipses(n)
    y = ((np.arange(height) + 0.5) / height - centres[:, :1]) / radii[:, :1]
    x = ((np.arange(width) + 0.5) / width - centres[:, 1:]) / radii[:, 1:]
    return (1 - np.hypot(y[:, :, None], x[:, None, :])).astype(np.float32)


def _tracks(n: int, masks: npt.NDArray[np.bool_] | npt.NDArray[np.float32]) -> FrameTracks:
    """Scores flicker from frame to frame."""
    centres, radii = _ellipses(n)
    boxes = np.concatenate([centres - radii, centres + radii], axis=1)[:, [1, 0, 3, 2]]
    ids, scores = np.arange(OBJECTS), np.random.default_rng(n).random(OBJECTS, np.float32)
    return FrameTracks(n, Fraction(n, 25), ids, ids % 4, scores, boxes.astype(np.float32), masks)


if __name__ == "__main__":
    main()
