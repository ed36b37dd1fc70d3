"""Published Deformable DETR checkpoints: plain, with refined boxes, in two stages, of one level.

The first files (before December 2020) took height for width in the decoder's references; nothing
in them tells, and they are read as the later ones.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch

from vis.errors import DataError
from vis.weights.classes import COCO, numbered
from vis.weights.converters._hub_detr import DEFORMABLE_DETR
from vis.weights.converters._trunk import BACKBONE, DROPPED, count_of, heads_of, size
from vis.weights.converters._trunk import resnet as nearest_resnet
from vis.weights.rename import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from vis.weights.rename import Rows, Shapes

QUERIES = 300
"""Of every published model; one of two stages does not tell."""
_COPY = "copy."
"""Begins the name of the decoder's second name of a head, which only refining models have."""
_HEAD = r"(class|box)_heads\.(\d+)\.(.+)"
_BOTH = r"(weight|bias)"
_PACKED = r"(in_proj_weight|in_proj_bias|out_proj\.weight|out_proj\.bias)"
_PLACES = r"((?:sampling_offsets|attention_weights|value_proj|output_proj)\.(?:weight|bias))"
_ENCODER = r"transformer\.encoder\.layers\.(\d+)\."
_DECODER = r"transformer\.decoder\.layers\.(\d+)\."


def settings(shapes: Shapes, arguments: Mapping[str, int]) -> dict[str, object]:
    """All of `Config` that a checkpoint tells.

    Raises:
        DataError: a tensor that has to be there is not.
    """
    two_stage = "queries.enter.weight" in shapes
    queries = arguments.get("queries", QUERIES)
    heads = heads_of(arguments)
    levels = count_of(shapes, r"entry\.convs\.(\d+)\.")
    looks = size(shapes, "encoder.layers.0.attention.attention_weights.weight", 0)
    return {
        "classes": size(shapes, "class_heads.0.weight", 0),
        "backbone": nearest_resnet(shapes),
        "d_model": size(shapes, "encoder.level_embed", 1),
        "queries": queries if two_stage else size(shapes, "queries.embedding.weight", 0),
        "levels": levels,
        "points": looks // (heads * levels),
        "num_heads": heads,
        "encoder_layers": count_of(shapes, r"encoder\.layers\.(\d+)\."),
        "decoder_layers": count_of(shapes, r"decoder\.(\d+)\."),
        "ffn_dim": size(shapes, "encoder.layers.0.feedforward.linear1.weight", 0),
        "refine": two_stage or count_of(shapes, r"class_heads\.(\d+)\.") > 1,
        "two_stage": two_stage,
    }


def class_names(count: int) -> tuple[str, ...]:
    """COCO's names by category id, for as many classes as the published model has."""
    return COCO if count == len(COCO) else numbered(count)


def adapt(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """One head where all layers share it; the head after the last layer's is the proposals'.

    Raises:
        DataError: a head has two names, and under each other numbers.
    """
    depth = count_of(tensors, r"decoder\.(\d+)\.")
    copies = {n.removeprefix(_COPY): t for n, t in tensors.items() if n.startswith(_COPY)}
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(_COPY)}
    for name, tensor in copies.items():
        if not torch.equal(tensors.setdefault(name, tensor), tensor):
            raise DataError(f"{name} and its copy in the decoder hold other numbers")
    heads = {name: m for name in tensors if (m := re.fullmatch(_HEAD, name))}
    refining = bool(copies) or any(
        # where they are one head, a file may repeat it for each layer
        not torch.equal(tensors[name], tensors[f"{match[1]}_heads.0.{match[3]}"])
        for name, match in heads.items()
        if int(match[2]) < depth and f"{match[1]}_heads.0.{match[3]}" in tensors
    )
    ours = {name: tensor for name, tensor in tensors.items() if name not in heads}
    for name, match in heads.items():
        if int(match[2]) == depth:
            ours[f"queries.{match[1]}_head.{match[3]}"] = tensors[name]
        elif refining or match[2] == "0":
            ours[name] = tensors[name]
    return ours


def _heads(there: str, here: str) -> Rows:
    layers = [(rf"{there}bbox_embed\.(\d+)\.layers\.{i}\.{_BOTH}", 2 * i) for i in range(3)]
    return (
        (rf"{there}class_embed\.(\d+)\.{_BOTH}", rf"{here}class_heads.\1.\2"),
        *((pattern, rf"{here}box_heads.\1.{place}.\2") for pattern, place in layers),
    )


FAMILY = Family(
    model="deformable_detr",
    renames=(
        *BACKBONE,
        (rf"input_proj\.(\d+)\.([01])\.{_BOTH}", r"entry.convs.\1.\2.\3"),
        (r"query_embed\.weight", r"queries.embedding.weight"),
        (rf"transformer\.reference_points\.{_BOTH}", r"queries.reference.\1"),
        (rf"transformer\.enc_output\.{_BOTH}", r"queries.enter.\1"),
        (rf"transformer\.enc_output_norm\.{_BOTH}", r"queries.enter_norm.\1"),
        (rf"transformer\.pos_trans\.{_BOTH}", r"queries.lift.\1"),
        (rf"transformer\.pos_trans_norm\.{_BOTH}", r"queries.lift_norm.\1"),
        (r"transformer\.level_embed", r"encoder.level_embed"),
        (rf"{_ENCODER}self_attn\.{_PLACES}", r"encoder.layers.\1.attention.\2"),
        (rf"{_ENCODER}(linear[12])\.{_BOTH}", r"encoder.layers.\1.feedforward.\2.\3"),
        (rf"{_ENCODER}(norm[12])\.{_BOTH}", r"encoder.layers.\1.\2.\3"),
        (rf"{_DECODER}cross_attn\.{_PLACES}", r"decoder.\1.cross_attention.\2"),
        (rf"{_DECODER}self_attn\.{_PACKED}", r"decoder.\1.self_attention.\2"),
        (rf"{_DECODER}(linear[12])\.{_BOTH}", r"decoder.\1.feedforward.\2.\3"),
        # the published norms are numbered as they were written, ours as they are used
        (rf"{_DECODER}norm1\.{_BOTH}", r"decoder.\1.norm2.\2"),
        (rf"{_DECODER}norm2\.{_BOTH}", r"decoder.\1.norm1.\2"),
        (rf"{_DECODER}norm3\.{_BOTH}", r"decoder.\1.norm3.\2"),
        *_heads("", ""),
        *_heads(r"transformer\.decoder\.", _COPY),
    ),
    dropped=DROPPED,
    settings=settings,
    class_names=class_names,
    adapt=adapt,
    hub=DEFORMABLE_DETR,
)
