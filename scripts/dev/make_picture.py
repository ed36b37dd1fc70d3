"""The moving picture of the README: what `vis track` writes of the sample, as an animated WebP."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from PIL import Image

import vis

ROOT = Path(__file__).parents[2]
LARGEST = 2_000_000
"""Bytes; a page loads it at once."""


def make_picture(out: Path, *, width: int, every: int, quality: int) -> None:
    """Track the sample, and keep every n-th annotated frame."""
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "tracked.mp4"
        vis.track(ROOT / "data/sample/clip.mp4").collect().save(film)
        frames, times = [], []
        with vis.open_video(film) as reader:
            for frame in reader:
                if frame.index % every == 0:
                    height = round(width * frame.pixels.shape[0] / frame.pixels.shape[1])
                    picture = Image.fromarray(frame.pixels)
                    frames.append(picture.resize((width, height), Image.Resampling.LANCZOS))
                    times.append(float(frame.time))
    step = round(1000 * (times[-1] - times[0]) / (len(times) - 1))
    frames[0].save(
        out, save_all=True, append_images=frames[1:], duration=step, loop=0,
        quality=quality, method=6,
    )  # fmt: skip
    print(f"wrote {out}: {len(frames)} frames of {width} pixels, {out.stat().st_size} bytes")
    assert out.stat().st_size < LARGEST, "take a smaller width or quality"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "data/picture.webp")
    parser.add_argument("--width", type=int, default=480)
    parser.add_argument("--every", type=int, default=2)
    parser.add_argument("--quality", type=int, default=45)
    args = parser.parse_args()
    make_picture(args.out, width=args.width, every=args.every, quality=args.quality)
