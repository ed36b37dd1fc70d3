"""COCO run-length masks: the one place where they are checked, made, decoded and compared.

Malformed codes make native decoders crash, hang or return foreign memory, so everything that comes
from outside passes `parse_rle` first; all other functions take only the `RLE` records made here.
A code lists the lengths of runs of 0 and 1 in turn, column by column, beginning with 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pycocotools import mask as native

from vis.errors import MaskError
from vis.ops.rle_checks import (
    MOST_PIXELS,
    as_bytes,
    check_runs,
    check_size,
    checked_code,
    fault,
    fields,
    listed_runs,
)
from vis.ops.runs import Runs, is_shortest, number_ends, pack, unpack
from vis.records import RLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Box = tuple[int, int, int, int]

_GROUP = 32
"""Frames that are parsed together: enough to be fast, few enough to bound the memory."""
_START = np.zeros(1, np.int64)


def parse_rle(value: object, size: tuple[int, int] | None = None) -> RLE:
    """The canonical record of a COCO run-length mask from outside.

    Args:
        value: `{"size": [height, width], "counts": text, bytes or list of runs}`.
        size: (height, width) that the mask must have, where known.

    Raises:
        MaskError: which check failed, with the numbers.
    """
    height, width, counts = fields(value)
    check_size(height, width)
    if size is not None and (height, width) != tuple(size):
        expected = f"{size[0]} x {size[1]}"
        turned = ", the two sides are swapped" if (width, height) == tuple(size) else ""
        raise fault(f"size is {height} x {width} but the picture is {expected}{turned}")
    if isinstance(counts, list):
        return _record(height, width, listed_runs(counts, height * width))
    code = checked_code(as_bytes(counts), height * width)
    ends = number_ends(code)
    runs = unpack(code, ends, _START)
    check_runs(runs, height * width)
    if runs[1:].all() and is_shortest(code, ends):
        return RLE(height, width, as_bytes(counts))
    return _record(height, width, runs)


def parse_rles(values: Mapping[int, object], size: tuple[int, int]) -> dict[int, RLE]:
    """`parse_rle(value, size)` of each frame's value; several times faster than one by one.

    Raises:
        MaskError: placed at the first frame whose mask is malformed.
    """
    masks: dict[int, RLE] = {}
    items = list(values.items())
    for first in range(0, len(items), _GROUP):
        group = dict(items[first : first + _GROUP])
        masks |= _parse_together(group, size) or _parse_apart(group, size)
    return masks


def encode(mask: npt.NDArray[np.bool_]) -> RLE:
    """Encode a mask `[H W]` bool.

    Raises:
        MaskError: not a two-dimensional bool array, or of a size that no mask may have.
    """
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise MaskError(
            f"a mask is bool [H W], not {mask.dtype} {list(mask.shape)}",
            remedy="Compare with a threshold first.",
        )
    height, width = mask.shape
    check_size(height, width)
    columns = np.flatnonzero(mask.any(axis=0))
    if not len(columns):
        return _record(height, width, np.array([mask.size]))
    # only the columns of the object are turned, which is the slow part
    flat = mask[:, columns[0] : columns[-1] + 1].ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=False, append=False)) + columns[0] * height
    return _record(height, width, np.diff(edges, prepend=0, append=mask.size))


def decode(rle: RLE) -> npt.NDArray[np.bool_]:
    """The mask `[H W]` bool, column-major in memory."""
    return _repeat(_runs(rle)).reshape(rle.width, rle.height).T


def decode_box(rle: RLE) -> tuple[npt.NDArray[np.bool_], Box]:
    """The part `[h w]` bool of the mask inside its tight box, and the box; both empty if it is."""
    tight = box(rle)
    if tight is None:
        return np.zeros((0, 0), np.bool_), (0, 0, 0, 0)
    x0, y0, x1, y1 = tight
    edges = np.cumsum(_runs(rle))
    # where it begins, ends, begins ...; a last edge without partner is the end of the picture
    edges = edges[: len(edges) // 2 * 2] - x0 * rle.height
    runs = np.diff(edges, prepend=0, append=(x1 - x0) * rle.height)
    columns = _repeat(runs).reshape(x1 - x0, rle.height)
    return np.ascontiguousarray(columns[:, y0:y1].T), tight


def area(rle: RLE) -> int:
    """Number of pixels of the mask."""
    return int(native.area(_native(rle)))


def areas(rles: Sequence[RLE]) -> npt.NDArray[np.int64]:
    """Number of pixels of each mask `[N]`; several times faster than one by one."""
    # native code counts its masks in 8 bits
    groups = [rles[first : first + 255] for first in range(0, len(rles), 255)]
    counts = [native.area([_native(rle) for rle in group]) for group in groups]
    return np.concatenate([np.empty(0, np.int64), *counts]).astype(np.int64)


def box(rle: RLE) -> Box | None:
    """The tight box (x0, y0, x1, y1) in pixel edges, or None of an empty mask."""
    x, y, width, height = native.toBbox(_native(rle)).astype(int).tolist()
    return (x, y, x + width, y + height) if width else None


def to_coco(rle: RLE) -> dict[str, list[int] | str]:
    """The mask as COCO files hold it: `{"size": [height, width], "counts": text}`."""
    return {"size": [rle.height, rle.width], "counts": rle.counts.decode("ascii")}


def iou(
    a: Sequence[RLE], b: Sequence[RLE], crowd: Sequence[bool] | None = None
) -> npt.NDArray[np.float64]:
    """Intersection over union of each of `a` with each of `b`, `[A B]`.

    Where `crowd[j]` is set, the union is the area of `a[i]` alone, as COCO matches crowd regions.

    Raises:
        MaskError: masks of different sizes.
    """
    if not a or not b:
        return np.zeros((len(a), len(b)))
    _check_one_size([*a, *b])
    flags = [0] * len(b) if crowd is None else [int(flag) for flag in crowd]
    assert len(flags) == len(b), "one crowd flag for each of b"
    overlaps = native.iou([_native(rle) for rle in a], [_native(rle) for rle in b], flags)
    return np.asarray(overlaps, np.float64).reshape(len(a), len(b))


def merge(rles: Sequence[RLE]) -> RLE:
    """The union of at least one mask.

    Raises:
        MaskError: no mask, or masks of different sizes.
    """
    if not rles:
        raise MaskError("there is no mask to merge")
    if len(rles) == 1:
        return rles[0]
    _check_one_size(rles)
    return parse_rle(native.merge([_native(rle) for rle in rles]))


def _parse_together(values: Mapping[int, object], size: tuple[int, int]) -> dict[int, RLE] | None:
    """The masks if each is a canonical text of this size, else None: then look at each."""
    pixels = size[0] * size[1]
    try:
        parts = [fields(value) for value in values.values()]
        texts = [as_bytes(counts) for _, _, counts in parts if not isinstance(counts, list)]
        sized = all(part[:2] == size for part in parts)
        # 80 and above: the number goes on, so a joint would hide the end
        if len(texts) < len(values) or not sized or not all(t and t[-1] < 80 for t in texts):
            return None
        check_size(*size)
        code = checked_code(b"".join(texts), min(pixels * len(texts), MOST_PIXELS))
    except MaskError:
        return None
    ends = number_ends(code)
    firsts = np.searchsorted(ends, np.cumsum([0, *map(len, texts[:-1])]))
    runs = unpack(code, ends, firsts)
    legal = (runs > 0) & (runs <= pixels)
    legal[firsts] |= runs[firsts] == 0
    full = np.add.reduceat(runs, firsts) == pixels
    if not (legal.all() and full.all() and is_shortest(code, ends)):
        return None
    return {frame: RLE(*size, text) for frame, text in zip(values, texts, strict=True)}


def _parse_apart(values: Mapping[int, object], size: tuple[int, int]) -> dict[int, RLE]:
    masks = {}
    for frame, value in values.items():
        try:
            masks[frame] = parse_rle(value, size)
        except MaskError as error:
            raise error.at(f"frame {frame}") from None
    return masks


def _runs(rle: RLE) -> Runs:
    code = np.frombuffer(rle.counts, np.uint8) - np.uint8(48)
    return unpack(code, number_ends(code), _START)


def _repeat(runs: Runs) -> npt.NDArray[np.bool_]:
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs)


def _record(height: int, width: int, runs: Runs) -> RLE:
    """The canonical code of runs that cover the picture: empty runs join their neighbours."""
    filled = np.flatnonzero(runs)
    odd = filled % 2 == 1
    turns = np.flatnonzero(np.diff(odd, prepend=not odd[0]))
    merged = np.add.reduceat(runs[filled], turns)
    return RLE(height, width, pack(np.insert(merged, 0, 0) if odd[0] else merged))


def _native(rle: RLE) -> dict[str, object]:
    return {"size": [rle.height, rle.width], "counts": rle.counts}


def _check_one_size(rles: Sequence[RLE]) -> None:
    sizes = {(rle.height, rle.width) for rle in rles}
    if len(sizes) > 1:
        listed = ", ".join(f"{height} x {width}" for height, width in sorted(sizes))
        raise MaskError(f"masks of different sizes ({listed}) cannot be put together")
