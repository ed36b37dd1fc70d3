"""Clips of different size as one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from vis.errors import UsageError
from vis.records import Clip, ClipTargets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.datasets.sample import Sample


def collate(samples: Sequence[Sample]) -> tuple[Clip, list[ClipTargets]]:
    """One batch of at least one clip, all with as many frames; masks keep their clip's size.

    Raises:
        UsageError: the clips differ in length.
    """
    frames, sizes = stack_frames([sample.frames for sample in samples])
    return Clip(as_fractions(frames), sizes), [sample.targets for sample in samples]


def stack_frames(clips: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Clips `[T 3 H W]` uint8 -> `[B T 3 H W]` uint8, padded bottom right by 0, and sizes `[B 2]`.

    Raises:
        UsageError: the clips differ in length.
    """
    lengths = sorted({len(clip) for clip in clips})
    if len(lengths) != 1:
        raise UsageError(
            f"clips of {' and '.join(map(str, lengths))} frames in one batch",
            remedy="Give the data sets of a mixture one length of clip.",
        )
    sizes = torch.tensor([clip.shape[2:] for clip in clips])
    height, width = sizes.amax(dim=0).tolist()
    # models zero the padding once more after they normalise: here it is only defined
    frames = torch.zeros((len(clips), lengths[0], 3, height, width), dtype=torch.uint8)
    for place, clip in zip(frames, clips, strict=True):
        place[..., : clip.shape[2], : clip.shape[3]] = clip
    return frames, sizes


def as_fractions(frames: Tensor) -> Tensor:
    """uint8 0..255 -> float 0..1; what is float already stays as it is."""
    return frames if frames.is_floating_point() else frames.to(torch.float32).div_(255)
