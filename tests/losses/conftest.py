"""Random outputs and targets that the tests of the losses share."""

from collections.abc import Callable, Sequence

import pytest
import torch

from vis.losses.outputs import LayerOutput, SequenceOutput
from vis.ops.boxes import to_corners
from vis.records import ClipTargets

Scene = tuple[SequenceOutput, list[ClipTargets]]

CELL = 4


@pytest.fixture
def scene() -> Callable[..., Scene]:
    """Makes an output of some layers, and targets with some frames invisible."""
    return make_scene


def make_scene(
    seed: int,
    *,
    instances: Sequence[int] = (3,),
    sizes: Sequence[tuple[int, int]] = ((16, 24),),
    frames: int = 3,
    queries: int = 5,
    classes: int = 6,
    layers: int = 2,
) -> Scene:
    draw = torch.Generator().manual_seed(seed)
    batch = len(instances)
    padded_size = (max(height for height, _ in sizes), max(width for _, width in sizes))
    shape = (batch, frames, queries)
    decoded = [
        LayerOutput(
            logits=torch.randn(*shape, classes + 1, generator=draw, dtype=torch.float64),
            boxes=0.2 + 0.4 * torch.rand(*shape, 4, generator=draw, dtype=torch.float64),
        )
        for _ in range(layers)
    ]
    cells = (padded_size[0] // CELL, padded_size[1] // CELL)
    masks = torch.randn(*shape, *cells, generator=draw, dtype=torch.float64)
    targets = [
        _targets(draw, count, frames=frames, size=size, classes=classes)
        for count, size in zip(instances, sizes, strict=True)
    ]
    output = SequenceOutput(
        decoded, masks, padded_size=padded_size, sizes=torch.tensor(list(sizes))
    )
    return output, targets


def _targets(
    draw: torch.Generator, count: int, *, frames: int, size: tuple[int, int], classes: int
) -> ClipTargets:
    visible = torch.rand(count, frames, generator=draw) < 0.7
    boxes = to_corners(0.2 + 0.4 * torch.rand(count, frames, 4, generator=draw))
    masks = torch.rand(count, frames, *size, generator=draw) < 0.4
    return ClipTargets(
        labels=torch.randint(1, classes, (count,), generator=draw),
        boxes=boxes * visible[..., None],
        masks=masks & visible[..., None, None],
        visible=visible,
    )
