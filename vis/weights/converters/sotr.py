"""Published SOTR checkpoints (detectron2's ResNets and pyramid under the released transformer)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vis.backbones.resnet import DEFORMABLE, MSRA, plain_name
from vis.weights.classes import COCO_THINGS, numbered
from vis.weights.converters._detectron import from_bgr, plain_offsets, pyramid, resnet
from vis.weights.converters._trunk import resnet as nearest_resnet
from vis.weights.converters._trunk import size
from vis.weights.rename import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from vis.weights.rename import Rows, Shapes

FIRST = "backbone.conv1.weight"
DEEPEST = 64
"""Layers that a name may tell of."""
_BLOCKS = r"cate_head\.transformer\.layers\.blocks\."


def settings(shapes: Shapes, arguments: Mapping[str, int]) -> dict[str, object]:
    """All of `Config` that a checkpoint tells.

    Raises:
        DataError: a tensor that has to be there is not.
    """
    del arguments
    name = nearest_resnet(shapes)
    layers = {m[1] for key in shapes if (m := re.match(r"transformer\.layers\.(\d+)\.", key))}
    return {
        "classes": size(shapes, "class_head.weight", 0),
        "d_model": size(shapes, "class_head.weight", 1),
        "mask_width": size(shapes, "masks.mix.conv.weight", 1),
        "depth": len(layers),
        "backbone": name if name.startswith("resnext") else _msra(name),
    }


def class_names(count: int) -> tuple[str, ...]:
    """COCO's names in the order of their ids, for as many classes as the published model has."""
    return COCO_THINGS if count == len(COCO_THINGS) else numbered(count)


def adapt(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same for pixels as ours are, and with offsets in all deformable stages or in none."""
    if FIRST in tensors:
        # ResNeXt's pixels are over ImageNet's deviation already (detectron2's X-101-32x8d)
        first = tensors[FIRST].flip(1) if _grouped(tensors) else from_bgr(tensors[FIRST])
        tensors = tensors | {FIRST: first}
    return tensors | plain_offsets(tensors)


def _grouped(tensors: Mapping[str, Tensor]) -> bool:
    weight = tensors.get("backbone.layer1.0.conv2.weight")
    return weight is not None and weight.dim() == 4 and weight.shape[1] < weight.shape[0]


def _msra(name: str) -> str:
    return plain_name(name) + MSRA + (DEFORMABLE if name.endswith(DEFORMABLE) else "")


def _layer(layer: int) -> Rows:
    """Published block 2k is layer k's attention, block 2k + 1 its convolutions."""
    ours, attention, convs = f"transformer.layers.{layer}.", 2 * layer, 2 * layer + 1
    rows: list[tuple[str, str]] = []
    for i, axis in enumerate(("columns", "rows")):
        there, here = rf"{_BLOCKS}{attention}\.{i}\.fn\.", f"{ours}attention.{axis}."
        rows += [
            (rf"{there}g", f"{ours}attention_gates.{i}"),
            (rf"{there}fn\.to_q\.weight", f"{here}query.weight"),
            (rf"{there}fn\.to_kv\.weight", f"{here}key_value.weight"),
            (rf"{there}fn\.to_out\.(weight|bias)", rf"{here}out.\1"),
            (rf"{_BLOCKS}{convs}\.{i}\.g", f"{ours}conv_gates.{i}"),
            (rf"{_BLOCKS}{convs}\.{i}\.fn\.0\.(weight|bias)", rf"{ours}first.{i}.\1"),
            (rf"{_BLOCKS}{convs}\.{i}\.fn\.2\.(weight|bias)", rf"{ours}second.{i}.\1"),
        ]
    return tuple(rows)


FAMILY = Family(
    model="sotr",
    renames=(
        *resnet(r"backbone\.bottom_up\."),
        *pyramid(r"backbone\."),
        *(row for layer in range(DEEPEST) for row in _layer(layer)),
        (r"cate_head\.cate_pred\.(weight|bias)", r"class_head.\1"),
        (r"cate_head\.kernel_pred\.(weight|bias)", r"kernel_head.\1"),
        (
            r"mask_head\.convs_all_levels\.(\d)\.conv(\d)\.0\.weight",
            r"masks.levels.\1.\2.conv.weight",
        ),
        (
            r"mask_head\.convs_all_levels\.(\d)\.conv(\d)\.1\.(weight|bias)",
            r"masks.levels.\1.\2.norm.\3",
        ),
        (r"mask_head\.conv_pred\.0\.weight", r"masks.mix.conv.weight"),
        (r"mask_head\.conv_pred\.1\.(weight|bias)", r"masks.mix.norm.\1"),
    ),
    dropped=((r"pixel_(mean|std)", "pixels are normalised as ours are; the weights bear it"),),
    settings=settings,
    class_names=class_names,
    adapt=adapt,
)
