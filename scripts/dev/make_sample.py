"""Compose the sample: `python scripts/dev/make_sample.py --out data/sample --overwrite`.

The scene is in `sample_scene.py`. After writing, the script decodes the clip, renders the scene a
second time, and compares the two frame by frame and object by object.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from sample_scene import CATEGORIES, DURATION, FRAME_RATE, Masks, Pixels, objects, render

from vis.errors import OutputExistsError, UsageError, VideoError, VisError
from vis.formats.ytvis import (
    AnnotationSet,
    Category,
    VideoEntry,
    read_annotations,
    write_annotations,
)
from vis.ops.rle import encode
from vis.records import RLE, Track

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIP, TRUTH = "clip.mp4", "instances.json"
BT709 = 1
"""Code of that matrix, of its primaries and of its transfer curve in ITU-T H.273."""
LARGEST_ERROR = 16.0
"""Mean absolute difference, 0..255, that compression may make to a frame or an object in it."""
SMALLEST_AREA = 400
"""Pixels; smaller objects are mostly rim, which half the resolution in colour blurs."""


FRAMES = round(DURATION * FRAME_RATE)
"""Length at which the scene has its natural pace."""

RLEMasks = dict[int, RLE]
"""Object id -> its mask in a frame."""


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """Length, size and compression of the clip."""

    frames: int = FRAMES
    width: int = 640
    height: int = 360
    crf: int = 20
    """Quality of H.264, 0 (lossless) to 51."""

    def __post_init__(self) -> None:
        if self.width % 2 or self.height % 2 or self.height < 72 or self.width < self.height:
            raise UsageError(
                f"the size {self.width}x{self.height} cannot be rendered",
                remedy="Both sides must be even, the height at least 72, the width not smaller",
            )
        if self.frames < 1 or not 0 <= self.crf <= 51:
            raise UsageError(
                f"{self.frames} frames at crf {self.crf} cannot be rendered",
                remedy="The frames are 1 or more, the crf is 0 to 51",
            )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("data/sample"), help="folder to write to")
    parser.add_argument(
        "--frames", type=int, default=FRAMES, help=f"length; {FRAMES} is the natural pace"
    )
    parser.add_argument("--size", type=size, default=(640, 360), help="WIDTHxHEIGHT")
    parser.add_argument("--crf", type=int, default=20, help="quality, 0 (lossless) to 51")
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    args = parser.parse_args(arguments)
    try:
        options = RenderOptions(args.frames, *args.size, args.crf)
        make(options, args.out, overwrite=args.overwrite)
    except VisError as error:
        print(f"make_sample: {error}", file=sys.stderr)
        return error.exit_code
    for name in (CLIP, TRUTH):
        print(f"{args.out / name}  {(args.out / name).stat().st_size} bytes")
    return 0


def make(options: RenderOptions, folder: Path, *, overwrite: bool = False) -> None:
    """Render, write and check `clip.mp4` and `instances.json` in `folder`.

    Raises:
        OutputExistsError: one of them is there and `overwrite` is not given.
        VideoError: the clip, decoded again, is not what was rendered; nothing is left in place.
    """
    clip, truth = folder / CLIP, folder / TRUTH
    for path in (clip, truth):
        if path.exists() and not overwrite:
            raise OutputExistsError(
                "it is there already", where=str(path), remedy="Say --overwrite to replace it"
            )
    folder.mkdir(parents=True, exist_ok=True)
    drafts = folder / f".draft-{CLIP}", folder / f".draft-{TRUTH}"
    try:
        visible = _write_clip(options, drafts[0])
        write_annotations(drafts[1], _truth(options, visible), overwrite=True)
        check(options, *drafts)
        drafts[0].replace(clip)
        drafts[1].replace(truth)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)


def check(options: RenderOptions, clip: Path, truth: Path) -> None:
    """Compare a clip and its truth with the scene, rendered again.

    Raises:
        VideoError: number, size or content of the frames, or a mask, is another.
    """
    tracks = read_annotations(truth).tracks[1]
    rendered = _rendered(options)
    count = 0
    with av.open(str(clip)) as container:
        for count, frame in enumerate(container.decode(video=0), start=1):
            where = f"{clip}: frame {count - 1}"
            drawn = next(rendered, None)
            if drawn is None:
                raise VideoError(f"there are more than {options.frames} frames", where=where)
            if frame.time is None or round(frame.time * FRAME_RATE) != count - 1:
                raise VideoError(f"its time is {frame.time} s", where=where)
            decoded = np.asarray(
                frame.to_ndarray(format="rgb24", src_colorspace=Colorspace.ITU709), np.uint8
            )
            _compare(decoded, drawn, where)
            stated = {t.id: t.masks[count - 1] for t in tracks if count - 1 in t.masks}
            _compare_masks(stated, drawn[1], where)
    if count != options.frames:
        raise VideoError(f"{count} frames instead of {options.frames}", where=str(clip))


def _rendered(options: RenderOptions) -> Iterator[tuple[Pixels, Masks]]:
    return render(frames=options.frames, width=options.width, height=options.height)


def size(text: str) -> tuple[int, int]:
    """Width and height of a text such as "640x360"; argparse names this function in its error."""
    width, _, height = text.partition("x")
    return int(width), int(height)


def _write_clip(options: RenderOptions, path: Path) -> list[RLEMasks]:
    """Render and encode; returns the masks, frame by frame."""
    visible: list[RLEMasks] = []
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        settings = {"crf": str(options.crf), "preset": "veryslow", "g": "48"}
        stream = container.add_stream("libx264", rate=FRAME_RATE, options=settings)
        stream.width, stream.height, stream.pix_fmt = options.width, options.height, "yuv420p"
        coder = stream.codec_context
        coder.thread_count, coder.time_base = 1, Fraction(1, FRAME_RATE)
        coder.colorspace = coder.color_primaries = coder.color_trc = BT709
        coder.color_range = ColorRange.MPEG
        scene = _rendered(options)
        for index, (pixels, masks) in enumerate(scene):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
            frame.pts, frame.time_base = index, Fraction(1, FRAME_RATE)
            container.mux(stream.encode(frame))
            visible.append({owner: encode(mask) for owner, mask in masks.items()})
        container.mux(stream.encode(None))
    return visible


def _truth(options: RenderOptions, visible: list[RLEMasks]) -> AnnotationSet:
    """The truth of one video whose frames show these masks; the unseen have no track."""
    tracks = []
    for owner, name in objects().items():
        masks = {frame: codes[owner] for frame, codes in enumerate(visible) if owner in codes}
        if masks:
            tracks.append(Track(id=owner, label=CATEGORIES[name], score=1.0, masks=masks))
    names = tuple(f"clip/{index:05d}.jpg" for index in range(options.frames))
    about = {
        "description": "Cut-outs of photographs, CC0 or in the public domain, composed by "
        "scripts/dev/make_sample.py; their sources are in scripts/dev/sample_photographs/README.md",
        "frame_rate": FRAME_RATE,
    }
    return AnnotationSet(
        categories={number: Category(number, name) for name, number in CATEGORIES.items()},
        videos={1: VideoEntry(1, "clip", options.width, options.height, options.frames, names)},
        tracks={1: tracks},
        track_extra={track.id: {"length": options.frames} for track in tracks},
        extra={"info": about, "licenses": [{"id": 1, "name": "Apache-2.0"}]},
    )


def _compare(decoded: Pixels, drawn: tuple[Pixels, Masks], where: str) -> None:
    """Raise if a decoded frame, or one object in it, does not look as it was drawn."""
    pixels, masks = drawn
    if decoded.shape != pixels.shape:
        raise VideoError(f"its size is {decoded.shape} instead of {pixels.shape}", where=where)
    off = np.abs(decoded.astype(np.int16) - pixels).mean(axis=-1)
    whole = np.ones(off.shape, bool)
    for owner, mask in {0: whole, **masks}.items():
        if mask.sum() >= SMALLEST_AREA and off[mask].mean() > LARGEST_ERROR:
            what = f"object {owner}" if owner else "the picture"
            raise VideoError(
                f"{what} is {off[mask].mean():.1f} of 255 away from what was drawn",
                where=where,
                remedy="Give a smaller --crf",
            )


def _compare_masks(stated: RLEMasks, masks: Masks, where: str) -> None:
    """Raise unless the stated masks of a frame are those that were drawn."""
    if stated.keys() != masks.keys():
        raise VideoError(f"objects {sorted(stated)} instead of {sorted(masks)}", where=where)
    for owner, mask in masks.items():
        if stated[owner] != encode(mask):
            raise VideoError(f"the mask of object {owner} is another", where=where)


if __name__ == "__main__":
    sys.exit(main())
