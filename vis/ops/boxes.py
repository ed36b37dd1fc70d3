"""Boxes: the two ways of writing them, and how much two of them overlap."""

from __future__ import annotations

import torch
from torch import Tensor

TINY = 1e-9
"""Below this area (in fractions of the content) a division by it means nothing."""


def to_corners(boxes: Tensor) -> Tensor:
    """`[... 4]` centre x, centre y, width, height -> left, top, right, bottom."""
    centre, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat((centre - size / 2, centre + size / 2), dim=-1)


def to_centres(boxes: Tensor) -> Tensor:
    """`[... 4]` left, top, right, bottom -> centre x, centre y, width, height."""
    start, end = boxes[..., :2], boxes[..., 2:]
    return torch.cat(((start + end) / 2, end - start), dim=-1)


def boxes_of(inside: Tensor) -> Tensor:
    """`[N T h w]` bool -> corners `[N T 4]` as fractions, zero where nothing is inside."""
    ends = []
    for line in (inside.any(dim=-2), inside.any(dim=-1)):
        count, there = line.shape[-1], line.to(torch.uint8)
        first = there.argmax(dim=-1) / count
        last = 1 - there.flip(-1).argmax(dim=-1) / count
        ends.append(torch.stack((first, last), dim=-1) * line.any(dim=-1, keepdim=True))
    return torch.stack((ends[0], ends[1]), dim=-1).flatten(-2)


def area(boxes: Tensor) -> Tensor:
    """`[...]` area of `[... 4]` corner boxes; one that is inside out has none."""
    return _span(boxes[..., :2], boxes[..., 2:])


def iou(a: Tensor, b: Tensor, *, eps: float = 0.0) -> Tensor:
    """Intersection over union, 0..1, of corner boxes `[... 4]` that broadcast against each other.

    Args:
        a: corner boxes.
        b: corner boxes.
        eps: added to intersection and union, so that two boxes without area agree fully;
            with 0 they do not agree at all.
    """
    intersection, union = _overlap(a, b)
    return _ratio(intersection, union, eps)


def giou(a: Tensor, b: Tensor, *, eps: float = 0.0) -> Tensor:
    """Generalised IoU, -1..1, of corner boxes `[... 4]` that broadcast against each other.

    Below the IoU by the empty part of the box around both (Rezatofighi et al., 2019, algorithm 1).

    Args:
        a: corner boxes.
        b: corner boxes.
        eps: added to both terms of both fractions.
    """
    intersection, union = _overlap(a, b)
    start = torch.minimum(a[..., :2], b[..., :2])
    end = torch.maximum(a[..., 2:], b[..., 2:])
    around = _span(start, end)
    return _ratio(intersection, union, eps) - _ratio(around - union, around, eps)


def coverage(boxes: Tensor, height: int, width: int) -> Tensor:
    """The share of each cell that a box covers, 0..1: `[... 4]` corners -> `[... h w]`.

    Args:
        boxes: corner boxes as fractions of the content.
        height: rows of cells over the content.
        width: columns of cells over the content.
    """
    left, top, right, bottom = boxes.unbind(dim=-1)
    return _cover(top, bottom, height)[..., :, None] * _cover(left, right, width)[..., None, :]


def _cover(start: Tensor, end: Tensor, cells: int) -> Tensor:
    """`[...]` fractions of an axis -> `[... cells]` the covered share of each of its cells."""
    first = torch.arange(cells, device=start.device, dtype=start.dtype)
    low = torch.maximum(start[..., None] * cells, first)
    high = torch.minimum(end[..., None] * cells, first + 1)
    return (high - low).clamp(min=0)


def _overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    start = torch.maximum(a[..., :2], b[..., :2])
    end = torch.minimum(a[..., 2:], b[..., 2:])
    intersection = _span(start, end)
    return intersection, area(a) + area(b) - intersection


def _span(start: Tensor, end: Tensor) -> Tensor:
    width, height = (end - start).clamp(min=0).unbind(dim=-1)
    return width * height


def _ratio(part: Tensor, whole: Tensor, eps: float) -> Tensor:
    return (part + eps) / (whole + eps).clamp(min=TINY)
