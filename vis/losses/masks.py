"""How far mask logits are from the masks that they must show: focal and dice terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import interpolate, logsigmoid, pad
from torch.utils.checkpoint import checkpoint

from vis.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.losses.matching import Pairs
    from vis.losses.outputs import SequenceOutput
    from vis.records import ClipTargets

Area = Callable[["Tensor", tuple[int, int]], "Tensor"]
"""Valid sizes `[B 2]` and padded size -> height and width `[B 2]` that the mask terms look at."""

FOREGROUND = 0.25
"""Weight of the object's pixels in the focal term; the rest weighs 1 minus it."""
AT_ONCE = 1 << 21
"""Pixels that are compared at once; what they need is made again for the gradient, not kept."""


def valid_area(sizes: Tensor, padded_size: tuple[int, int]) -> Tensor:
    """Only the content: what the model says of the padding is nobody's concern."""
    del padded_size
    return sizes


def padded_area(sizes: Tensor, padded_size: tuple[int, int]) -> Tensor:
    """The whole padded frame, padding as background: published by DETR and VisTR."""
    return sizes.new_tensor(padded_size).expand_as(sizes)


def mask_terms(
    output: SequenceOutput, targets: Sequence[ClipTargets], pairs: Pairs, *, area: Area
) -> tuple[Tensor, Tensor]:
    """Focal and dice terms, each summed over the pairs; zero, with a gradient, if there are none.

    The logits are enlarged to the padded size, bilinearly, and compared there in the pixels of
    `area` (focal: Lin et al., 2017, equation 5, gamma 2; dice: Milletari et al., 2016, smoothed
    by 1).

    Raises:
        UsageError: a target mask is larger than the padded size.
    """
    assert output.masks is not None
    padded_size = output.padded_size or _largest(targets)
    truth = torch.cat([_place(target.masks, padded_size) for target in targets])
    sizes = _sizes(targets, truth) if output.sizes is None else output.sizes
    extents = area(sizes, padded_size)[pairs.clips]
    cells = output.masks[pairs.clips, pairs.frames, pairs.queries]
    cells = cells.to(torch.promote_types(cells.dtype, torch.float32))
    at_once = max(1, AT_ONCE // (padded_size[0] * padded_size[1]))
    total = torch.stack((cells[:0].sum(), cells[:0].sum()))
    for start in range(0, len(cells), at_once):
        part = slice(start, start + at_once)
        where = (truth, pairs.instances[part], pairs.frames[part])
        # Pixels of a whole batch at full size would be the largest tensors of training.
        terms = checkpoint(
            _compare,
            cells[part],
            where,
            extents[part],
            use_reentrant=False,
            preserve_rng_state=False,
        )
        total = total + terms
    focal, dice = total.unbind()
    return focal, dice


def focal_term(logits: Tensor, truth: Tensor, inside: Tensor) -> Tensor:
    """`[P]` mean focal loss over the pixels `inside` of `[P H W]` logits and bool truth."""
    wrong = torch.where(truth, -logits, logits)  # the logit of the wrong answer
    balance = torch.where(truth, FOREGROUND, 1 - FOREGROUND)
    losses = balance * wrong.sigmoid().square() * -logsigmoid(-wrong)
    return _sum(losses, inside) / inside.sum(dim=(1, 2)).clamp(min=1)


def dice_term(logits: Tensor, truth: Tensor, inside: Tensor) -> Tensor:
    """`[P]` one minus the smoothed dice of the pixels `inside`, 0..1."""
    probabilities = logits.sigmoid()
    both = _sum(probabilities, truth & inside)
    either = _sum(probabilities, inside) + (truth & inside).sum(dim=(1, 2))
    # Plus 1 above and below: an empty mask that is predicted empty costs nothing.
    return 1 - (2 * both + 1) / (either + 1)


def _compare(cells: Tensor, where: tuple[Tensor, Tensor, Tensor], extents: Tensor) -> Tensor:
    """`[2]` focal and dice of `[P h w]` cells, summed."""
    masks, instances, frames = where
    truth = masks[instances, frames]
    height, width = truth.shape[1:]
    # Enlarging mixes neighbours: cells of the padding may hold NaN and must not reach the edge.
    clean = _repeat_edge(cells, extents, (height, width))
    logits = interpolate(clean[:, None], size=(height, width), mode="bilinear")[:, 0]
    inside = _inside(extents, height, axis=0)[:, :, None] & _inside(extents, width, axis=1)[:, None]
    return torch.stack(
        (focal_term(logits, truth, inside).sum(), dice_term(logits, truth, inside).sum())
    )


def _repeat_edge(cells: Tensor, extents: Tensor, padded_size: tuple[int, int]) -> Tensor:
    """`[P h w]` with every cell of the padding replaced by the content's nearest."""
    rows = _nearest(extents[:, 0], count=cells.shape[1], pixels=padded_size[0])
    columns = _nearest(extents[:, 1], count=cells.shape[2], pixels=padded_size[1])
    images = torch.arange(len(cells), device=cells.device)
    return cells[images[:, None, None], rows[:, :, None], columns[:, None]]


def _nearest(extents: Tensor, *, count: int, pixels: int) -> Tensor:
    """`[P count]` for each cell of an axis the nearest that holds content."""
    # Rounded up: a cell that holds any content counts as content.
    last = (extents * count + pixels - 1) // pixels - 1
    return torch.arange(count, device=extents.device).minimum(last[:, None])


def _inside(extents: Tensor, count: int, *, axis: int) -> Tensor:
    return torch.arange(count, device=extents.device) < extents[:, axis, None]


def _sum(values: Tensor, inside: Tensor) -> Tensor:
    return values.where(inside, 0.0).sum(dim=(1, 2))


def _largest(targets: Sequence[ClipTargets]) -> tuple[int, int]:
    heights, widths = zip(*(target.masks.shape[-2:] for target in targets), strict=True)
    return max(heights), max(widths)


def _sizes(targets: Sequence[ClipTargets], like: Tensor) -> Tensor:
    return torch.tensor([target.masks.shape[-2:] for target in targets], device=like.device)


def _place(masks: Tensor, padded_size: tuple[int, int]) -> Tensor:
    """`[N T H W]` masks at the top left of the padded frame."""
    below, right = padded_size[0] - masks.shape[-2], padded_size[1] - masks.shape[-1]
    if below < 0 or right < 0:
        raise UsageError(
            f"target masks of {masks.shape[-2]} x {masks.shape[-1]} pixels"
            f" for a model's padded size of {padded_size[0]} x {padded_size[1]}",
            remedy="Give the masks the size of the clip's frames.",
        )
    return pad(masks, (0, right, 0, below))
