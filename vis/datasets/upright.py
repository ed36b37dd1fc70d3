"""Clips of pictures that EXIF data turn but whose record speaks of the stored ones: upright."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from vis.formats.paths import inside, video_file_of
from vis.ops.pictures import FORMATS, SIDEWAYS, as_upright, orientation_of
from vis.ops.rle import decode, encode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from vis.datasets.raw_clip import InstanceAnnotation
    from vis.formats.ytvis_records import VideoEntry


def stood_upright(
    frames: Tensor,
    instances: list[InstanceAnnotation],
    folder: Path,
    video: VideoEntry,
    indices: Sequence[int],
) -> tuple[Tensor, list[InstanceAnnotation]]:
    """Frames `[T 3 H W]` as `read_frames` gives them, and their objects, as people see them.

    A model is used on upright pictures: what it learnt on their side, it would not know again.

    Args:
        frames: of the clip.
        instances: with masks of the frames' size.
        folder: of the frames.
        video: their record.
        indices: which frames of it they are.
    """
    orientations = _on_their_side(folder, video, indices)
    if orientations is None:
        return frames, instances
    pages = [
        np.ascontiguousarray(as_upright(frame.permute(1, 2, 0).numpy(), orientation))
        for frame, orientation in zip(frames, orientations, strict=True)
    ]
    turned = [
        replace(
            instance,
            masks={
                t: encode(as_upright(decode(mask), orientations[t]))
                for t, mask in instance.masks.items()
            },
        )
        for instance in instances
    ]
    return torch.from_numpy(np.stack(pages)).permute(0, 3, 1, 2), turned


def _on_their_side(folder: Path, video: VideoEntry, indices: Sequence[int]) -> list[int] | None:
    """The EXIF orientation of each frame; None where not all are stored on their side."""
    # a square says nothing of which of the two its record speaks of; then it is read upright
    if video.width == video.height or video_file_of(folder, video) is not None:
        return None
    orientations = []
    for index in indices:
        path = inside(folder, video.file_names[index])
        with Image.open(path, formats=FORMATS) as picture:
            orientations.append(orientation_of(picture))
            if orientations[-1] not in SIDEWAYS or picture.size != (video.width, video.height):
                return None
    return orientations
