"""Which cells of grids answer for which objects, worked out on the host in one trip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from vis.ops.transfer import to_device

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.records import ClipTargets

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """Which cells of one level of one picture answer for which instances."""

    cells: Tensor
    """`[P]` row by row; a cell may be there more than once."""
    instances: Tensor
    """`[P]`."""
    last: Tensor
    """`[C]` places in the two, of each cell once with the last instance that wants it."""

    def last_of_each(self) -> Assignment:
        """Each cell once, with the last instance that wants it."""
        every = torch.arange(len(self.last), device=self.last.device)
        return Assignment(self.cells[self.last], self.instances[self.last], every)


def assign(
    targets: Sequence[ClipTargets],
    padded_size: tuple[int, int],
    sides: Sequence[int],
    ranges: Sequence[tuple[float, float]],
) -> list[list[Assignment]]:
    """By picture and level the cells up to 0.1 box sides from the centre, and no further than one.

    The centre is the mean place of the mask's pixels.

    Args:
        targets: of the pictures, one frame each.
        padded_size: height and width in pixels that the grids cover.
        sides: cells of each level's grid, across and down.
        ranges: sizes of objects of each level: root of the box area in pixels.
    """
    tables = [
        _cells(objects, padded_size, side=side, sizes=sizes)
        for objects in _objects(targets)
        for side, sizes in zip(sides, ranges, strict=True)
    ]
    parts = [part for table in tables for part in table]
    together = to_device(torch.from_numpy(np.concatenate(parts)), targets[0].masks.device)
    split = iter(torch.split(together, [len(part) for part in parts]))
    every = [Assignment(*levels) for levels in zip(split, split, split, strict=True)]
    return [every[first : first + len(sides)] for first in range(0, len(every), len(sides))]


def _objects(targets: Sequence[ClipTargets]) -> list[Floats]:
    """`[N 5]` of each picture on the host: whether there is a pixel, centre and extent."""
    tables = []
    for target in targets:
        masks = target.masks[:, 0]
        scale = masks.new_tensor((masks.shape[2], masks.shape[1]), dtype=torch.float64)
        boxes = target.boxes[:, 0].double() * scale.repeat(2)
        extents = (boxes[:, 2:] - boxes[:, :2]).flip(1)  # height, width
        counts = masks.sum(dim=(1, 2))[:, None]
        tables.append(torch.cat((counts > 0, _sums(masks) / counts.clamp(min=1), extents), dim=1))
    flat = torch.cat(tables).cpu().numpy()
    return np.split(flat, np.cumsum([len(table) for table in tables])[:-1])


def _sums(masks: Tensor) -> Tensor:
    """`[N H W]` -> `[N 2]` sums of the rows and columns of the pixels."""
    ys, xs = (
        torch.arange(side, dtype=torch.float64, device=masks.device) for side in masks.shape[1:]
    )
    rows, columns = (masks.sum(dim=2) * ys).sum(dim=1), (masks.sum(dim=1) * xs).sum(dim=1)
    return torch.stack((rows, columns), dim=1)


def _cells(
    objects: Floats, padded_size: tuple[int, int], *, side: int, sizes: tuple[float, float]
) -> tuple[Ints, Ints, Ints]:
    """Cells, their instances, and the place of the last instance of each cell."""
    centres, extents = objects[:, 1:3], objects[:, 3:]
    size = np.sqrt(extents[:, 0] * extents[:, 1])
    # Both ends of a level's range count, so an object may be on two levels.
    here = (objects[:, 0] > 0) & (size >= sizes[0]) & (size <= sizes[1])
    middle = _cell_of(centres, padded_size, side)
    first = _cell_of(centres - 0.1 * extents, padded_size, side)
    last = _cell_of(centres + 0.1 * extents, padded_size, side)
    first, last = np.maximum(first, middle - 1).clip(min=0), np.minimum(last, middle + 1)
    axis = np.arange(side)
    inside = (axis >= first[..., None]) & (axis <= last[..., None]) & here[:, None, None]
    instances, rows, columns = np.nonzero(inside[:, 0, :, None] & inside[:, 1, None, :])
    cells = rows * side + columns
    # the first in the reversed order is the last
    _, firsts = np.unique(cells[::-1], return_index=True)
    return cells, instances, len(cells) - 1 - firsts


def _cell_of(points: Floats, padded_size: tuple[int, int], side: int) -> Ints:
    # Released code floors a float division by 1 / side; on a border the two differ by a cell.
    return np.floor(points / np.array(padded_size, np.float64) * side).astype(np.int64)
