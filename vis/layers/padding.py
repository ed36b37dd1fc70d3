"""The padded size at which frames of different size lie, and what of it is padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.fx.experimental.symbolic_shapes import statically_known_true
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


def normalize(
    frames: Tensor,
    padding: Tensor | None,
    dtype: torch.dtype,
    *,
    mean: tuple[float, ...] = MEAN,
    deviation: tuple[float, ...] = DEVIATION,
) -> Tensor:
    """Less the mean, over the deviation (ImageNet's), then zero outside the content.

    Args:
        frames: `[M 3 H W]` RGB 0..1.
        padding: `[M H' W']` bool, at least as large; None where there is none.
        dtype: of the result.
        mean: of red, green and blue.
        deviation: likewise.
    """
    # Filled on the device: numbers copied there from a list would wait for all that is queued.
    middle, spread = (
        torch.cat([frames.new_full((1, 1, 1), value, dtype=dtype) for value in values])
        for values in (mean, deviation)
    )
    x = (frames.to(dtype) - middle) / spread
    if padding is None:
        return x
    # A fill, not a product: the padding may hold NaN.
    return _extended(x, padding.shape[-2:]).masked_fill(padding[:, None], 0.0)


def padded_size_of(frames: Tensor, multiple: int) -> tuple[int, int]:
    """Height and width of `[... H W]`, each rounded up to a multiple."""
    height, width = frames.shape[-2:]
    # Python's modulo of a negative number is what is missing to the next multiple.
    return height + -height % multiple, width + -width % multiple


def same_size(a: Sequence[int], b: Sequence[int]) -> bool:
    """Whether two sizes are equal, whatever numbers a graph of any size is run with.

    To compare such numbers plainly would narrow the graph to sizes with that result.
    """
    return all(statically_known_true(x == y) for x, y in zip(a, b, strict=True))


def padding_mask(
    sizes: Tensor, padded_size: tuple[int, int], device: torch.device | None = None
) -> Tensor | None:
    """Content sizes `[B 2]` -> `[B H W]` bool, True outside the content; None if nothing is.

    Args:
        sizes: in the host's memory, as a `Clip` has them, so that no device is waited for.
        padded_size: height and width that all contents are padded to.
        device: of the mask; None for that of the sizes.
    """
    # Without padding attention needs no mask, and its fastest kernels stay open.
    if all(same_size(size, padded_size) for size in sizes.tolist()):
        return None
    sizes = sizes.to(device)
    rows = torch.arange(padded_size[0], device=sizes.device) >= sizes[:, :1]
    columns = torch.arange(padded_size[1], device=sizes.device) >= sizes[:, 1:]
    return rows[:, :, None] | columns[:, None, :]


def downsample_padding(padding: Tensor, size: torch.Size) -> Tensor:
    """`[B H W]` bool -> `[B h w]`, the nearest pixel of each cell; the first is always content."""
    return functional.interpolate(padding[:, None].float(), size, mode="nearest")[:, 0].bool()


def crop_to_valid(maps: Tensor, padded_size: tuple[int, int], content: tuple[int, int]) -> Tensor:
    """`[N T h w]` over the padded frame -> over the content alone, with cells as close to as large.

    Where the content ends between two cells, the maps are sampled anew, bilinearly.
    """
    if same_size(content, padded_size):
        return maps
    spans = [
        cells * part / whole
        for cells, part, whole in zip(maps.shape[-2:], content, padded_size, strict=True)
    ]
    # A frame of less than half a cell still has one.
    height, width = (max(1, round(span)) for span in spans)
    # A valid size of whole cells is a plain cut, exact and without resampling.
    if [height, width] == spans:
        return maps[..., :height, :width]
    y, x = (
        2 * (torch.arange(cells, device=maps.device) + 0.5) / cells * part / whole - 1
        for cells, part, whole in zip((height, width), content, padded_size, strict=True)
    )
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).to(maps.dtype)
    grid = grid.expand(len(maps), -1, -1, -1)
    return functional.grid_sample(maps, grid, padding_mode="border", align_corners=False)


def squash(frames: Tensor, sizes: Tensor, aspect: float) -> Tensor:
    """`[B 3 h w]` the content of each picture, the long side at most `aspect` times the short.

    All of a batch come to the size that the largest content would have, so that there is no
    padding that a convolution could see.

    Args:
        frames: `[B 3 H W]`, padded at the bottom right.
        sizes: `[B 2]` pixels of the content.
        aspect: at least 1.
    """
    height, width = frames.shape[-2:]
    longest = round(aspect * min(height, width))
    # With antialias, as a picture that shrinks would else shimmer from frame to frame.
    return squash_to(frames, sizes, (min(height, longest), min(width, longest)), antialias=True)


def squash_to(frames: Tensor, sizes: Tensor, size: tuple[int, int], *, antialias: bool) -> Tensor:
    """`[B 3 h w]` the content of each picture at one size, whatever its own aspect.

    Args:
        frames: `[B 3 H W]`, padded at the bottom right.
        sizes: `[B 2]` pixels of the content.
        size: height and width in pixels.
        antialias: whether a content that shrinks is filtered.
    """
    pictures = []
    for picture, (rows, columns) in zip(frames, sizes.tolist(), strict=True):
        content = picture[None, :, :rows, :columns]
        if not same_size((rows, columns), size):
            content = functional.interpolate(content, size, mode="bilinear", antialias=antialias)
        pictures.append(content)
    return torch.cat(pictures)


def rescaled(frames: Tensor, step: int, most: int) -> Tensor:
    """`[B 3 H W]`, both sides made smaller or larger by a random number of steps, one for all.

    Args:
        frames: to be resized, never filtered (RF-DETR's training on many scales).
        step: in pixels; a side has at least two of them.
        most: steps, either way.
    """
    # Drawn on the host, so that no device is waited for.
    offset = int(torch.randint(-most, most + 1, ()))
    size = [step * max(2, side // step + offset) for side in frames.shape[-2:]]
    return functional.interpolate(frames, size, mode="bilinear")


def _extended(x: Tensor, size: torch.Size) -> Tensor:
    return functional.pad(x, (0, size[1] - x.shape[-1], 0, size[0] - x.shape[-2]))
