"""Masks at a model's resolution to run lengths at a video's, each encoded once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vis.ops import rle
from vis.video.cutouts import cut

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vis.records import RLE, FrameTracks, VideoInfo
    from vis.video.cutouts import Cutout


def encoded(tracks: FrameTracks, info: VideoInfo) -> list[RLE | None]:
    """The mask of each object over the upright frame, as it is drawn; None where it is empty."""
    width, height = info.width, info.height
    return run_lengths((cut(mask, width, height) for mask in tracks.masks), width, height)


def run_lengths(cutouts: Iterable[Cutout | None], width: int, height: int) -> list[RLE | None]:
    """The mask of each cutout over the whole frame; None where there is none."""
    # one page for all masks, cleared where each was: a new one costs more than the encoding
    page = np.zeros((height, width), np.bool_)
    masks: list[RLE | None] = []
    for cutout in cutouts:
        if cutout is None:
            masks.append(None)
            continue
        # COCO's run lengths go column by column over the whole frame, so the crop is set into it
        x0, y0, x1, y1 = cutout.box
        page[y0:y1, x0:x1] = cutout.inside
        masks.append(rle.encode(page))
        page[y0:y1, x0:x1] = False
    return masks
