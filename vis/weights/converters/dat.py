"""Published DAT++ classifiers: what they name pictures by is dropped, the backbone remains."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import interpolate

from vis import backbones
from vis.backbones.dat import DATS, our_key
from vis.errors import DataError
from vis.weights.converters._trunk import size
from vis.weights.rename import BACKBONE, Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from vis.weights.rename import Shapes

_FIRST = "backbone.stem.3.weight"
_TABLE = r"backbone\.stages\.\d\.\d+\.attention\.table"


def settings(shapes: Shapes, arguments: Mapping[str, int]) -> dict[str, object]:
    """Which of the networks it is.

    Raises:
        DataError: none of them.
    """
    del arguments
    width = size(shapes, _FIRST, 0)
    name = _variant_of(width)
    if name is None:
        variants = ", ".join(f"{name} {variant.width}" for name, variant in DATS.items())
        raise DataError(f"a DAT++ that begins with {width} channels is not known ({variants})")
    return {"classes": 0, "name": name}


def adapt(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tables of larger pictures are brought to the size of ours, as its authors do at a change."""
    first = tensors.get(_FIRST)
    name = _variant_of(first.shape[0]) if first is not None and first.dim() else None
    if name is None:
        return tensors
    with torch.device("meta"):
        state = backbones.build(name).state_dict()
    ours = dict(tensors)
    for key, table in tensors.items():
        own = state.get(key.removeprefix("backbone."))
        if re.fullmatch(_TABLE, key) and own is not None and table.dim() == own.dim():
            sides = own.shape[1:]
            if table.shape[1:] != sides:
                ours[key] = interpolate(table[None].float(), sides, mode="bicubic")[0]
    return ours


def _variant_of(width: int) -> str | None:
    return next((name for name, variant in DATS.items() if variant.width == width), None)


def _ours(key: str) -> str | None:
    name = our_key(key)
    return None if name is None else f"backbone.{name}"


FAMILY = Family(
    model=BACKBONE,
    renames=_ours,
    dropped=((r"cls_head\.(weight|bias)", "names pictures; a backbone only looks at them"),),
    settings=settings,
    class_names=lambda _: (),
    adapt=adapt,
)
