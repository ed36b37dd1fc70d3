"""Published Segmenter checkpoints (ViT or distilled DeiT, linear or mask decoder)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vis.backbones.vit import POSITIONS
from vis.errors import DataError
from vis.formats.semantic_classes import ADE20K, CITYSCAPES, PASCAL_CONTEXT
from vis.weights.classes import numbered
from vis.weights.converters._trunk import count_of, size
from vis.weights.rename import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.weights.rename import Shapes

HEAD = 64
"""Channels of an attention head of every published model."""
DEIT: dict[str, object] = {
    "mean": tuple(value / 255 for value in (123.68, 116.28, 103.53)),
    "deviation": tuple(value / 255 for value in (58.40, 57.12, 57.38)),
}
"""Of red, green and blue; the released code rounds ImageNet's to hundredths of a step of 255."""
STRIDES = {480: 320, 768: 512}
"""Side of the windows -> pixels from one to the next, where those are fewer: Pascal Context and
Cityscapes."""
_PLACE = "backbone." + POSITIONS
_BLOCK = r"(norm[12]|attn\.(?:qkv|proj)|mlp\.fc[12])\.(weight|bias)"


def settings(shapes: Shapes, arguments: Mapping[str, int]) -> dict[str, object]:
    """All of `Config` that a checkpoint tells; heads have 64 channels where nobody says otherwise.

    Raises:
        DataError: a tensor that has to be there is not, or positions make no square.
    """
    width = size(shapes, _PLACE, 2)
    patch = size(shapes, "backbone.net.patch_embed.proj.weight", 3)
    distilled = "backbone.net.reg_token" in shapes
    heads = max(1, width // HEAD)
    linear = "decoder.head.weight" in shapes
    class_rows, axis = ("decoder.head.weight", 0) if linear else ("decoder.classes", 1)
    image = patch * _side(size(shapes, _PLACE, 1) - 1 - distilled)
    values: dict[str, object] = {
        "classes": size(shapes, class_rows, axis),
        "image": image,
        "patch": patch,
        "d_model": width,
        "depth": _depth(shapes, r"backbone\.net"),
        "num_heads": arguments.get("num_heads", heads),
        "distilled": distilled,
        "decoder": "linear" if linear else "mask",
        "decoder_depth": _depth(shapes, "decoder") or 1,
        "decoder_heads": arguments.get("decoder_heads", heads),
        "window": image,
        "stride": STRIDES.get(image),
    }
    return values | DEIT if distilled else values


def class_names(count: int) -> tuple[str, ...]:
    """Those of ADE20K, Pascal Context and Cityscapes, which their numbers tell apart."""
    by_count = {len(names): names for names in (ADE20K, PASCAL_CONTEXT, CITYSCAPES)}
    return by_count.get(count, numbered(count))


FAMILY = Family(
    model="segmenter",
    renames=(
        (r"encoder\.cls_token", r"backbone.net.cls_token"),
        (r"encoder\.dist_token", r"backbone.net.reg_token"),
        (r"encoder\.pos_embed", _PLACE),
        (r"encoder\.(patch_embed\.proj\.(?:weight|bias))", r"backbone.net.\1"),
        (rf"encoder\.(blocks\.\d+)\.{_BLOCK}", r"backbone.net.\1.\2.\3"),
        (r"encoder\.norm\.(weight|bias)", r"backbone.net.norm.\1"),
        (r"decoder\.head\.(weight|bias)", r"decoder.head.\1"),
        (r"decoder\.cls_emb", r"decoder.classes"),
        (rf"decoder\.(blocks\.\d+)\.{_BLOCK}", r"decoder.\1.\2.\3"),
        (r"decoder\.proj_dec\.(weight|bias)", r"decoder.projection.\1"),
        (r"decoder\.proj_patch", r"decoder.patch_map"),
        (r"decoder\.proj_classes", r"decoder.class_map"),
        (r"decoder\.decoder_norm\.(weight|bias)", r"decoder.norm.\1"),
        (r"decoder\.mask_norm\.(weight|bias)", r"decoder.score_norm.\1"),
    ),
    dropped=((r"encoder\.head(_dist)?\.(weight|bias)", "names pictures; pixels have the decoder"),),
    settings=settings,
    class_names=class_names,
)


def _side(cells: int) -> int:
    side = math.isqrt(max(cells, 0))
    if side < 1 or side * side != cells:
        raise DataError(f"{cells} positions make no square")
    return side


def _depth(shapes: Shapes, stack: str) -> int:
    return count_of(shapes, rf"{stack}\.blocks\.(\d+)\.")
