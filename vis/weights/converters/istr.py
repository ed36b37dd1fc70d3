"""Published ISTR checkpoints of both releases (detectron2's trunks under the recurrent head)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vis.weights.classes import COCO_THINGS, numbered
from vis.weights.converters._detectron import pyramid, resnet
from vis.weights.converters._mask2former import backbone_of
from vis.weights.converters._trunk import HEADS, count_of, size
from vis.weights.rename import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.weights.rename import Rows, Shapes

_STAGE = r"head\.head_series\.(\d+)\."
_PACKED = r"(in_proj_weight|in_proj_bias|out_proj\.weight|out_proj\.bias)"
_BOTH = r"(weight|bias)"
_NORMED = r"(weight|bias|running_mean|running_var|num_batches_tracked)"
SHRUNK = 16
"""Cells of a mask's side to one of the last convolution's."""


def settings(shapes: Shapes, arguments: Mapping[str, int]) -> dict[str, object]:
    """What the shapes tell of `Config`; the number of heads comes from `arguments`, if at all.

    Raises:
        DataError: a tensor that has to be there is not.
    """
    return {
        "classes": size(shapes, "stages.0.class_head.weight", 0),
        "backbone": backbone_of(shapes),
        "d_model": size(shapes, "queries", 1),
        "queries": size(shapes, "queries", 0),
        "stages": count_of(shapes, r"stages\.(\d+)\."),
        "num_heads": arguments.get("nheads", HEADS),
        "ffn_dim": size(shapes, "stages.0.feedforward.linear1.weight", 0),
        "dynamic": size(shapes, "stages.0.interaction.norm1.weight", 0),
        **_codes(shapes),
    }


def _codes(shapes: Shapes) -> dict[str, object]:
    last = "code_heads.0.out.weight"
    if last in shapes:
        return {
            "generation": "v1",
            "codec": "pca",
            "code": size(shapes, last, 0),
            "mask_side": math.isqrt(size(shapes, "codec.mean", 0)),
        }
    last = "code_heads.0.layers.6.weight"
    fitted = {"codec.components": "pca", "codec.last.weight": "ae"}
    return {
        "generation": "v2",
        "codec": next((codec for name, codec in fitted.items() if name in shapes), "dct"),
        "code": size(shapes, last, 0),
        "mask_side": SHRUNK * size(shapes, last, 2),
    }


def class_names(count: int) -> tuple[str, ...]:
    """COCO's names in the order of their ids, for as many classes as the published model has."""
    return COCO_THINGS if count == len(COCO_THINGS) else numbered(count)


_MAPS = tuple(
    (rf"{_STAGE}ret_roi_layer_{k + 1}\.conv\.{i}\.(\w+)", rf"code_heads.\1.maps.{6 * k + i}.\2")
    for k in (0, 1)
    for i in (0, 1, 3, 4)
)
_CODEC: Rows = (
    (r"mask_encoding\.components", "codec.components"),
    (r"mask_encoding\.explained_variances", "codec.variances"),
    (r"mask_encoding\.means", "codec.mean"),
    (rf"mask_E\.encoder\.(\d+)\.{_NORMED}", r"codec.encoder.\1.\2"),
    (rf"mask_D\.decoder\.1\.{_BOTH}", r"codec.first.0.\1"),
    (rf"mask_D\.decoder\.2\.{_NORMED}", r"codec.first.1.\1"),
    *(
        (rf"mask_D\.decoder\.{i + 4}\.up\.{k + 1}\.{_NORMED}", rf"codec.doublings.{i}.{k}.\1")
        for i in range(4)
        for k in (0, 1)
    ),
    (rf"mask_D\.decoder\.8\.{_BOTH}", r"codec.last.\1"),
)

FAMILY = Family(
    model="istr",
    renames=(
        *resnet(r"backbone\.bottom_up\."),
        (r"backbone\.bottom_up\.((?:patch_embed|layers|norm[0-3])\..+)", r"backbone.\1"),
        *pyramid(r"backbone\."),
        (r"pos_embeddings\.weight", "queries"),
        (r"init_proposal_boxes\.weight", "boxes"),
        (rf"{_STAGE}self_attn\.{_PACKED}", r"stages.\1.attention.\2"),
        (rf"{_STAGE}inst_interact\.dynamic_layer\.{_BOTH}", r"stages.\1.interaction.filters.\2"),
        (rf"{_STAGE}inst_interact\.out_layer\.{_BOTH}", r"stages.\1.interaction.out.\2"),
        (rf"{_STAGE}inst_interact\.(norm[123])\.{_BOTH}", r"stages.\1.interaction.\2.\3"),
        (rf"{_STAGE}(linear[12])\.{_BOTH}", r"stages.\1.feedforward.\2.\3"),
        (rf"{_STAGE}(norm[123])\.{_BOTH}", r"stages.\1.\2.\3"),
        (rf"{_STAGE}cls_module\.(\d)\.{_BOTH}", r"stages.\1.class_tower.\2.\3"),
        (rf"{_STAGE}reg_module\.(\d)\.{_BOTH}", r"stages.\1.box_tower.\2.\3"),
        (rf"{_STAGE}class_logits\.{_BOTH}", r"stages.\1.class_head.\2"),
        (rf"{_STAGE}bboxes_delta\.{_BOTH}", r"stages.\1.box_head.\2"),
        (rf"{_STAGE}mask_logits\.{_BOTH}", r"code_heads.\1.out.\2"),
        (rf"{_STAGE}mask_module\.(\d)\.{_NORMED}", r"code_heads.\1.layers.\2.\3"),
        *_MAPS,
        *_CODEC,
    ),
    dropped=(
        (r"pixel_(mean|std)", "pixels are normalised as ours are"),
        (r"backbone\..*\.relative_position_index", "is computed"),
    ),
    settings=settings,
    class_names=class_names,
)
