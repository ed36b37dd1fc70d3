"""DAT's attention for `tests/parity/parity_parts.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange

from vis.backbones.dat import our_key
from vis.layers.dat import DeformedAttention

if TYPE_CHECKING:
    from torch import Tensor

_PLACE = "stages.0.attns.0."


@torch.inference_mode()
def dat_attention(weights: dict[str, Tensor], given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Output and places of one attention."""
    heads, groups, stride, kernel = (
        int(given[name]) for name in ("heads", "groups", "stride", "ksize")
    )
    reach, x = float(given["offset_range_factor"]), given["x"]
    part = DeformedAttention(
        x.shape[1],
        heads,
        groups=groups,
        stride=stride,
        kernel=kernel,
        table=(x.shape[2], x.shape[3]),
        reach=reach if reach >= 0 else None,
    )
    named = {our_key(_PLACE + name): value for name, value in weights.items()}
    part.load_state_dict({str(name).split(".attention.")[-1]: v for name, v in named.items()})
    cells = rearrange(x, "m c h w -> m h w c")
    y = rearrange(part(cells), "m h w c -> m c h w")
    return {"y": y, "pos": part.sampling_points(part.query(x))}
