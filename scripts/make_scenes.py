"""Render many short clips to train on: `python scripts/make_scenes.py --out data/scenes`.

Each seed is another scene by the lake (see `lakeside/`); seed 0 is the sample that ships and is
left out. Frames are JPEG, the truth is one YouTube-VIS file with the sample's eight categories.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lakeside.film import render
from lakeside.plan import CATEGORIES, cast
from PIL import Image
from tqdm import tqdm

from vis.errors import UsageError, VisError
from vis.formats.whole_file import whole_folder
from vis.formats.ytvis import AnnotationSet, Category, VideoEntry, write_annotations
from vis.ops.rle import encode
from vis.records import RLE, Track

TRUTH, FRAMES = "instances.json", "JPEGImages"
LABELS = {name: number for number, name in enumerate(CATEGORIES, start=1)}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("data/scenes"), help="new folder")
    parser.add_argument(
        "--scenes", type=int, default=60, help="how many; their seeds are 1, 2, ..."
    )
    parser.add_argument("--frames", type=int, default=24, help="of each")
    parser.add_argument("--width", type=int, default=448)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--quality", type=int, default=85, help="of the JPEG files")
    given = parser.parse_args(arguments)
    try:
        make(given)
    except VisError as error:
        print(f"make_scenes: {error}", file=sys.stderr)
        return error.exit_code
    print(given.out / TRUTH)
    return 0


def make(given: argparse.Namespace) -> None:
    """Render all scenes into the folder; it is whole or not there.

    Raises:
        UsageError: a number cannot be.
        OutputError: the folder cannot be written, or holds something.
    """
    if min(given.scenes, given.frames) < 1 or min(given.width, given.height) < 72:
        raise UsageError("scenes and frames must be at least 1, both sides at least 72")
    videos, tracks = {}, {}
    with whole_folder(given.out) as folder:
        for seed in tqdm(range(1, given.scenes + 1), "scenes", disable=None):
            name = f"lakeside_{seed:04d}"
            tracks[seed] = scene(seed, folder / FRAMES / name, given)
            names = tuple(f"{name}/{index:05d}.jpg" for index in range(given.frames))
            videos[seed] = VideoEntry(seed, name, given.width, given.height, given.frames, names)
        write_annotations(
            folder / TRUTH,
            AnnotationSet(
                categories={number: Category(number, name) for name, number in LABELS.items()},
                videos=videos,
                tracks=tracks,
                extra={"info": {"description": "Scenes rendered by scripts/make_scenes.py"}},
            ),
        )


def scene(seed: int, folder: Path, given: argparse.Namespace) -> list[Track]:
    """Write the frames of one scene; returns the tracks of what they show."""
    folder.mkdir(parents=True)
    roles = cast(seed)
    masks: dict[int, dict[int, RLE]] = {owner: {} for owner in roles}
    rendered = render(seed, frames=given.frames, width=given.width, height=given.height)
    for index, (pixels, shown) in enumerate(rendered):
        Image.fromarray(pixels).save(folder / f"{index:05d}.jpg", quality=given.quality)
        for owner, mask in shown.items():
            masks[owner][index] = encode(mask)
    return [
        Track(id=1000 * seed + owner, label=LABELS[roles[owner]], score=1.0, masks=found)
        for owner, found in masks.items()
        if found
    ]


if __name__ == "__main__":
    sys.exit(main())
