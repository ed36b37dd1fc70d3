"""Clips from single pictures: a camera that moves over each, and instances pasted over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from vis.datasets.cutout import Cutout, warped_mask, warped_pixels
from vis.datasets.motion import camera, paste_path
from vis.datasets.raw_clip import InstanceAnnotation, RawClip, raw_clip
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

MIN_CUTOUT_SIDE = 16
"""Pixels of the shorter side of an object that may be pasted: less would be a blot."""


class PseudoClips:
    """A `ClipSource` of moving clips, with one item for each picture.

    Objects keep their identity while they are visible, hidden by a pasted instance, or outside the
    view. Pasted instances are objects of other pictures of the set (Ghiasi et al., 2021), in front
    of all else.

    Args:
        pictures: clips of one frame; their transforms are done after the motion.
        count: frames of a clip.
        motion: how the camera and pasted instances move.
        factors: how often each picture gives an instance to paste, beside the others; none for
            equally often.

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
        self._donor_probs = None if factors is None else np.asarray(factors) / np.sum(factors)

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
        # the number is drawn first, so that instances too small to paste leave it as it was
        picked = [
            self._cutout(random)
            for _ in range(random.integers(self.motion.copy_paste_instances + 1))
        ]
        cutouts = [cutout for cutout in picked if cutout is not None]
        clip = in_motion(clip, cutouts, self.count, self.motion, random)
        return self.pictures.finished(clip, f"{video.name}, in motion", random)

    def where(self, index: int) -> str:
        """What item `index` is, for messages; touches no file."""
        return self.pictures.where(index)

    def _donor(self, random: np.random.Generator) -> int:
        if self._donor_probs is None:
            return int(random.integers(len(self.pictures)))
        return int(random.choice(len(self.pictures), p=self._donor_probs))

    def _cutout(self, random: np.random.Generator) -> Cutout | None:
        """A random object of a random picture, where that has any that is large enough."""
        _, _, clip = self.pictures.raw(self._donor(random), random)
        large = []
        for instance in clip.instances:
            if 0 in instance.masks:
                mask, box = decode_box(instance.masks[0])
                if min(mask.shape) >= MIN_CUTOUT_SIDE:
                    large.append((instance.label, mask, box))
        if not large:
            return None
        label, mask, (x0, y0, x1, y1) = large[int(random.integers(len(large)))]
        pixels = clip.frames[0, :, y0:y1, x0:x1].permute(1, 2, 0).contiguous().numpy()
        return Cutout(label, pixels, mask)


def in_motion(
    clip: RawClip,
    cutouts: Sequence[Cutout],
    count: int,
    motion: Motion,
    random: np.random.Generator,
) -> RawClip:
    """A clip of one frame, untransformed, as one of `count` frames of the same size."""
    size = clip.size
    picture = clip.frames[0].permute(1, 2, 0).contiguous().numpy()
    # drawn in this order, on which the clips of a seed depend: the camera, then each instance
    views = camera(size, count, motion, random)
    paths = [paste_path(size, cutout.mask.shape, count, motion, random) for cutout in cutouts]
    object_masks = [
        decode_box(instance.masks[0]) for instance in clip.instances if 0 in instance.masks
    ]
    masks_of: list[dict[int, RLE]] = [{} for _ in (*object_masks, *cutouts)]
    frames = np.empty((count, *picture.shape), np.uint8)
    for t, view in enumerate(views):
        pages = [_page(mask, box[:2], view, size) for mask, box in object_masks]
        frames[t] = warped_pixels(picture, (0, 0), view, (slice(0, size[0]), slice(0, size[1])))
        # later ones lie in front: each takes what it hides from all that is behind it
        for cutout, path in zip(cutouts, paths, strict=True):
            pages.append(_paste(cutout, path[t], frames[t], pages))
        for masks, page in zip(masks_of, pages, strict=True):
            if page is not None and page.any():
                masks[t] = encode(page)
    labels = [instance.label for instance in clip.instances if 0 in instance.masks]
    labels += [cutout.label for cutout in cutouts]
    instances = [
        InstanceAnnotation(label, masks) for label, masks in zip(labels, masks_of, strict=True)
    ]
    return raw_clip(torch.from_numpy(frames).permute(0, 3, 1, 2), instances)


def _page(mask: Mask, origin: tuple[int, int], to_mask: Map, size: tuple[int, int]) -> Mask | None:
    """The mask `[H W]` of an object in one frame, None where the frame does not show it."""
    warped = warped_mask(mask, origin, to_mask, size)
    if warped is None:
        return None
    page = np.zeros(size, np.bool_)
    page[warped[1]] = warped[0]
    return page


def _paste(cutout: Cutout, place: Map, frame: Pixels, pages: Sequence[Mask | None]) -> Mask | None:
    """Draw a cutout over a frame and take what it hides from the pages; returns its own page."""
    warped = warped_mask(cutout.mask, (0, 0), place, frame.shape[:2])
    if warped is None:
        return None
    mask, where = warped
    frame[where][mask] = warped_pixels(cutout.pixels, (0, 0), place, where)[mask]
    for page in pages:
        if page is not None:
            page[where] &= ~mask
    own = np.zeros(frame.shape[:2], np.bool_)
    own[where] = mask
    return own
