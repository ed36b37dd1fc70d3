"""A batch on its way between processes, in as few tensors as can be.

Each tensor that crosses costs an open file in both processes, of which there may be a thousand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import torch

from vis.datasets.collate import stack_frames
from vis.records import ClipTargets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.datasets.sample import Sample


@dataclass(frozen=True, slots=True, eq=False)
class PackedBatch:
    """A batch of B clips with M objects in all."""

    step: int
    frames: Tensor
    """`[B T 3 H W]` uint8: a quarter of the memory of the fractions that models take."""
    sizes: Tensor
    """`[B 2]`."""
    labels: Tensor
    """`[M]`."""
    boxes: Tensor
    """`[M T 4]`."""
    visible: Tensor
    """`[M T]`."""
    masks: Tensor
    """Bool, flat, end to end: those of a clip have its own size."""
    counts: tuple[int, ...]
    """Objects of each clip; they sum to M."""
    labelled: Tensor | None
    """`[B K]`; None where all classes of all clips are annotated."""
    names: list[str]
    lost: list[str]
    """What could not be read, of all clips."""


def pack(step: int, samples: Sequence[Sample]) -> PackedBatch:
    """The batch of a step, of at least one sample.

    Raises:
        UsageError: the clips differ in length.
    """
    frames, sizes = stack_frames([sample.frames for sample in samples])
    targets = [sample.targets for sample in samples]
    return PackedBatch(
        step=step,
        frames=frames,
        sizes=sizes,
        labels=torch.cat([target.labels for target in targets]),
        boxes=torch.cat([target.boxes for target in targets]),
        visible=torch.cat([target.visible for target in targets]),
        # their sizes differ, so they cannot be stacked; flat, they need no padding either
        masks=torch.cat([target.masks.flatten() for target in targets]),
        counts=tuple(len(target.labels) for target in targets),
        labelled=_stacked([target.labelled for target in targets]),
        names=[sample.name for sample in samples],
        lost=[fault for sample in samples for fault in sample.lost],
    )


def unpack(packed: PackedBatch) -> list[ClipTargets]:
    """The targets of each clip; they share their memory with the parcel."""
    T = packed.frames.shape[1]
    shapes = [
        (count, T, *size) for count, size in zip(packed.counts, packed.sizes.tolist(), strict=True)
    ]
    rows = zip(
        _split(packed.labels, packed.counts),
        _split(packed.boxes, packed.counts),
        _split(packed.masks, [math.prod(shape) for shape in shapes]),
        _split(packed.visible, packed.counts),
        shapes,
        [None] * len(shapes) if packed.labelled is None else packed.labelled.unbind(),
        strict=True,
    )
    return [
        ClipTargets(labels, boxes, flat.view(shape), visible, labelled)
        for labels, boxes, flat, visible, shape, labelled in rows
    ]


def _stacked(labelled: Sequence[Tensor | None]) -> Tensor | None:
    """One row for each clip, all True where it says nothing; None where none says anything."""
    first = next((row for row in labelled if row is not None), None)
    if first is None:
        return None
    # a data set that says nothing annotates every class
    every = torch.ones_like(first)
    return torch.stack([every if row is None else row for row in labelled])


def _split(whole: Tensor, counts: Sequence[int]) -> list[Tensor]:
    """Consecutive rows, as many as counted."""
    ends = list(accumulate(counts, initial=0))
    return [whole[start:end] for start, end in pairwise(ends)]
