"""Clips from single pictures: a camera that moves over each, and guests that wander through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from vis.datasets.cutout import Cutout, warped_mask, warped_pixels
from vis.datasets.footage import Footage, Thing, footage
from vis.datasets.motion import camera, wander
from vis.errors import UsageError
from vis.ops.rle import decode_box, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.datasets.clips import VideoClips
    from vis.datasets.config import Motion
    from vis.datasets.cutout import Mask
    from vis.datasets.motion import Map
    from vis.datasets.sample import Sample
    from vis.records import RLE, Pixels

SMALLEST_GUEST = 16
"""Pixels of the shorter side of an object that may be a guest: less would be a blot."""


class PseudoClips:
    """A `ClipSource` of moving clips, with one item for each picture.

    Objects keep their identity while they are seen, hidden by a guest, or outside the view.
    Guests are objects of other pictures of the set (Ghiasi et al., 2021), in front of all else.

    Args:
        pictures: clips of one frame; their transforms are done after the motion.
        count: frames of a clip.
        motion: how camera and guests move.
        factors: how often each picture lends a guest, beside the others; none for equally often.

    Raises:
        UsageError: there is no frame to make, or a clip of `pictures` has several.
    """

    def __init__(
        self,
        pictures: VideoClips,
        count: int,
        motion: Motion,
        *,
        factors: Sequence[float] | None = None,
    ) -> None:
        if count < 1 or len(pictures.sampling.frames(0, 1, np.random.default_rng(0))) != 1:
            raise UsageError(f"a clip of {count} frames from clips that are none of one frame")
        self.pictures, self.count, self.motion = pictures, count, motion
        self._chances = None if factors is None else np.asarray(factors) / np.sum(factors)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes `0..K - 1`."""
        return self.pictures.names

    def __len__(self) -> int:
        return len(self.pictures)

    def sample(self, index: int, random: np.random.Generator) -> Sample:
        """A clip of picture `index`.

        Raises:
            VisError: a file is missing or wrong; names it.
        """
        video, _, clip = self.pictures.raw(index, random)
        found = [self._guest(random) for _ in range(random.integers(self.motion.guests + 1))]
        guests = [guest for guest in found if guest is not None]
        clip = in_motion(clip, guests, self.count, self.motion, random)
        return self.pictures.finished(clip, f"{video.name}, in motion", random)

    def where(self, index: int) -> str:
        """What item `index` is, for messages; touches no file."""
        return self.pictures.where(index)

    def _lender(self, random: np.random.Generator) -> int:
        if self._chances is None:
            return int(random.integers(len(self.pictures)))
        return int(random.choice(len(self.pictures), p=self._chances))

    def _guest(self, random: np.random.Generator) -> Cutout | None:
        """A random object of a random picture, where that has any that is large enough."""
        _, _, clip = self.pictures.raw(self._lender(random), random)
        large = []
        for thing in clip.things:
            if 0 in thing.masks:
                mask, box = decode_box(thing.masks[0])
                if min(mask.shape) >= SMALLEST_GUEST:
                    large.append((thing.label, mask, box))
        if not large:
            return None
        label, mask, (x0, y0, x1, y1) = large[int(random.integers(len(large)))]
        pixels = clip.frames[0, :, y0:y1, x0:x1].permute(1, 2, 0).contiguous().numpy()
        return Cutout(label, pixels, mask)


def in_motion(
    clip: Footage,
    guests: Sequence[Cutout],
    count: int,
    motion: Motion,
    random: np.random.Generator,
) -> Footage:
    """A clip of one frame, untransformed, as one of `count` frames of the same size."""
    size = clip.size
    picture = clip.frames[0].permute(1, 2, 0).contiguous().numpy()
    views = camera(size, count, motion, random)
    walks = [wander(size, guest.mask.shape, count, motion, random) for guest in guests]
    parts = [decode_box(thing.masks[0]) for thing in clip.things if 0 in thing.masks]
    seen: list[dict[int, RLE]] = [{} for _ in (*parts, *guests)]
    frames = np.empty((count, *picture.shape), np.uint8)
    for t, view in enumerate(views):
        pages = [_page(mask, box[:2], view, size) for mask, box in parts]
        frames[t] = warped_pixels(picture, (0, 0), view, (slice(0, size[0]), slice(0, size[1])))
        for guest, walk in zip(guests, walks, strict=True):
            pages.append(_enter(guest, walk[t], frames[t], pages))
        for masks, page in zip(seen, pages, strict=True):
            if page is not None and page.any():
                masks[t] = encode(page)
    labels = [thing.label for thing in clip.things if 0 in thing.masks]
    labels += [guest.label for guest in guests]
    things = [Thing(label, masks) for label, masks in zip(labels, seen, strict=True)]
    return footage(torch.from_numpy(frames).permute(0, 3, 1, 2), things)


def _page(mask: Mask, origin: tuple[int, int], to_mask: Map, size: tuple[int, int]) -> Mask | None:
    """The mask `[H W]` of an object in one frame, None where the frame does not show it."""
    found = warped_mask(mask, origin, to_mask, size)
    if found is None:
        return None
    page = np.zeros(size, np.bool_)
    page[found[1]] = found[0]
    return page


def _enter(guest: Cutout, place: Map, frame: Pixels, pages: Sequence[Mask | None]) -> Mask | None:
    """Draw a guest over a frame and take what it hides from the pages; returns its own page."""
    found = warped_mask(guest.mask, (0, 0), place, frame.shape[:2])
    if found is None:
        return None
    mask, where = found
    frame[where][mask] = warped_pixels(guest.pixels, (0, 0), place, where)[mask]
    for page in pages:
        if page is not None:
            page[where] &= ~mask
    own = np.zeros(frame.shape[:2], np.bool_)
    own[where] = mask
    return own
