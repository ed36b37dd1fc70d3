"""What the authors' EoMT and VidEoMT checkpoints have in common."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from vis.errors import DataError
from vis.models._eomt import PATCH
from vis.weights.converters._trunk import count_of, size
from vis.weights.rename import first_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from vis.weights.rename import Rows, Shapes

NO_OBJECT = 1
"""Rows of the class head after the classes."""
HEAD = 64
"""Channels of an attention head of every published model."""
LARGE, LARGE_LATE, LATE = 24, 4, 3
"""Blocks of the large network, and of how many the last see the queries, there and elsewhere."""
DINOV3 = "of DINOv3: "
"""Begins what becomes of a name that only that backbone has."""
_WRAP = r"(?:model\.|module\.|_orig_mod\.)*"
_BOTH = r"(weight|bias)"

_NETWORK: Rows = (
    (r"encoder\.backbone\.cls_token", r"backbone.cls_token"),
    (r"encoder\.backbone\.reg_token", r"backbone.registers"),
    (r"encoder\.backbone\.pos_embed", r"backbone.positions"),
    (rf"encoder\.backbone\.patch_embed\.proj\.{_BOTH}", r"backbone.patch.\1"),
    (
        rf"encoder\.backbone\.(blocks\.\d+\.(?:norm[12]|attn\.(?:qkv|proj)|mlp\.fc[12]))\.{_BOTH}",
        r"backbone.\1.\2",
    ),
    (r"encoder\.backbone\.(blocks\.\d+\.ls[12]\.gamma)", r"backbone.\1"),
    (rf"encoder\.backbone\.norm\.{_BOTH}", r"backbone.norm.\1"),
    (r"q\.weight", r"queries.weight"),
    (rf"class_head\.{_BOTH}", r"class_head.\1"),
    (rf"mask_head\.([024])\.{_BOTH}", r"mask_head.\1.\2"),
    (rf"upscale\.(\d)\.conv1\.{_BOTH}", r"upscale.\1.enlarge.\2"),
    (r"upscale\.(\d)\.conv2\.weight", r"upscale.\1.smooth.weight"),
    (rf"upscale\.(\d)\.norm\.{_BOTH}", r"upscale.\1.norm.\2"),
)
_UPDATER: Rows = ((rf"query_updater\.{_BOTH}", r"query_updater.\1"),)
_OF_DINOV3 = (
    r"(?:(?:backbone|network)\.encoder\.backbone\..*(?:layer_scale|patch_embeddings|o_proj).*"
    r"|.*\.mlp\.(?:up|down|gate)_proj\..*|rope_embeddings\..*)"
)

DROPPED: Rows = (
    (r"(?:.*\.)?attn_mask_probs", "of training: in use no attention is masked"),
    (rf"{_WRAP}criterion\..+", "weights of the loss; our loss has its own"),
    (r".*\.pixel_(mean|std)", "pixels are normalised as ours are"),
    (r"(?:.*\.)?mask_token", "of the backbone's own training"),
)


def name_rule(key: str, *, prefix: str, updater: bool) -> str | None:
    """Our name of an authors' one.

    Args:
        key: of a checkpoint.
        prefix: what the authors' names begin with, a pattern.
        updater: whether queries go from frame to frame.
    """
    if first_of(((_OF_DINOV3, DINOV3),), key):
        return DINOV3 + key
    match = re.fullmatch(rf"{_WRAP}{prefix}\.(.+)", key)
    return first_of(_NETWORK + (_UPDATER if updater else ()), match[1]) if match else None


def adapt(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Positions with an axis before them, which transformers' table lacks.

    Raises:
        DataError: the backbone is DINOv3.
    """
    if any(name.startswith(DINOV3) for name in tensors):
        raise DataError(
            "its backbone is DINOv3, with rotary positions, which is not read here",
            remedy="Take a checkpoint whose backbone is DINOv2.",
        )
    table = tensors.get("backbone.positions")
    if table is None or table.dim() != 2:
        return tensors
    return tensors | {"backbone.positions": table[None]}


def shared_settings(shapes: Shapes, arguments: Mapping[str, int]) -> dict[str, object]:
    """What the shapes tell of `Config`; heads have 64 channels where nobody says otherwise.

    Raises:
        DataError: a tensor that has to be there is not, or the positions make no square.
    """
    width, cells = size(shapes, "backbone.norm.weight", 0), size(shapes, "backbone.positions", 1)
    side = math.isqrt(cells)
    if side < 1 or side * side != cells:
        raise DataError(f"{cells} positions make no square")
    depth = count_of(shapes, r"backbone\.blocks\.(\d+)\.")
    return {
        "classes": size(shapes, "class_head.weight", 0) - NO_OBJECT,
        "image": PATCH * side,
        "d_model": width,
        "depth": depth,
        "num_heads": arguments.get("num_heads", max(1, width // HEAD)),
        "query_depth": arguments.get("query_depth", LARGE_LATE if depth == LARGE else LATE),
        "queries": size(shapes, "queries.weight", 0),
    }
