"""Published RF-DETR files with masks, by their own names or by those of transformers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch

from vis.errors import DataError
from vis.weights.classes import COCO, numbered
from vis.weights.converters._hub_rf_detr import RF_DETR
from vis.weights.converters._trunk import count_of, size
from vis.weights.rename import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from vis.weights.rename import Rows, Shapes

NANO_GRID = 26
"""Of the only published model that has one window."""
CROSS_HEADS = 16
"""Of every published model; no shape tells."""
TOKEN_HEADS, QUERY_HEADS = 64, 32
"""Channels of a head of the trunk and among queries, likewise."""
_BOTH = r"(weight|bias)"
_JOINED = re.compile(r"(.+)(qkv\.|in_proj_)(query|key|value)\.(weight|bias)")
"""What becomes one tensor; our names of its parts."""


def settings(shapes: Shapes, arguments: Mapping[str, int]) -> dict[str, object]:
    """All of `Config` that a checkpoint tells; windows that nobody states are those published.

    Raises:
        DataError: a tensor that has to be there is not, or the parts do not belong together.
    """
    patch = size(shapes, "backbone.patch.weight", 2)
    places = size(shapes, "backbone.positions", 1) - 1
    grid = round(max(places, 0) ** 0.5)
    groups = count_of(shapes, r"queries\.groups\.(\d+)\.enter\.")
    rows = size(shapes, "queries.steps", 0)
    if grid**2 != places or not groups or rows % groups:
        raise DataError(f"{places} positions are no square, or {rows} queries no {groups} groups")
    width, d_model = size(shapes, "backbone.positions", 2), size(shapes, "queries.state", 1)
    # An odd grid cannot be cut, whatever it was trained with.
    usual = 1 if grid == NANO_GRID or grid % 2 else 2
    cross_heads = arguments.get("cross_heads", CROSS_HEADS)
    return {
        "classes": size(shapes, "class_head.weight", 0),
        "input_height": patch * grid,
        "input_width": patch * grid,
        "grid": grid,
        # As a user or a config.json states it, else the training script.
        "windows": arguments.get("windows", arguments.get("num_windows", usual)),
        "patch": patch,
        "backbone_width": width,
        "backbone_depth": count_of(shapes, r"backbone\.blocks\.(\d+)\."),
        "backbone_heads": arguments.get("backbone_heads", max(1, width // TOKEN_HEADS)),
        "d_model": d_model,
        # Of the file, as upstream's settings of Large state 200 where it has 300.
        "queries": rows // groups,
        "groups": groups,
        "num_heads": arguments.get("num_heads", max(1, d_model // QUERY_HEADS)),
        "cross_heads": cross_heads,
        "points": size(shapes, "decoder.0.cross_attention.attention_weights.weight", 0)
        // cross_heads,
        "decoder_layers": count_of(shapes, r"decoder\.(\d+)\."),
        "ffn_dim": size(shapes, "decoder.0.feedforward.linear1.weight", 0),
    }


def class_names(count: int) -> tuple[str, ...]:
    """COCO's names by category id, for as many rows as the published models have."""
    return COCO if count == len(COCO) else numbered(count)


def adapt(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Query, key and value as the rows of one tensor."""
    ours: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        match = _JOINED.fullmatch(name)
        if match is None:
            ours[name] = tensor
        elif match[3] == "query":
            parts = [f"{match[1]}{match[2]}{part}.{match[4]}" for part in ("query", "key", "value")]
            if missing := [part for part in parts if part not in tensors]:
                raise DataError(f"there is no {missing[0]} beside the query")
            ours[f"{match[1]}{match[2]}{match[4]}"] = torch.cat([tensors[part] for part in parts])
    return ours


def _published(before: str) -> Rows:
    """By the names of the first files."""
    block = rf"{before}backbone\.0\.encoder\.encoder\.encoder\.layer\.(\d+)\."
    layer = rf"{before}transformer\.decoder\.layers\.(\d+)\."
    stage = rf"{before}backbone\.0\.projector\.stages\.0\."
    head = rf"{before}segmentation_head\."
    embeddings = rf"{before}backbone\.0\.encoder\.encoder\.embeddings\."
    return (
        *_trunk(embeddings, block, rf"{before}backbone\.0\.encoder\.encoder\."),
        (
            rf"{block}attention\.attention\.(query|key|value)\.{_BOTH}",
            r"backbone.blocks.\1.attn.qkv.\2.\3",
        ),
        (rf"{block}attention\.output\.dense\.{_BOTH}", r"backbone.blocks.\1.attn.proj.\2"),
        *_projector(rf"{stage}0\.", "cv", "bn", r"m\."),
        (rf"{stage}1\.{_BOTH}", r"projector.norm.\1"),
        *_queries(rf"{before}transformer\.", before, "refpoint_embed"),
        (rf"{before}transformer\.decoder\.norm\.{_BOTH}", r"decoder_norm.\1"),
        (rf"{layer}self_attn\.(in_proj_weight|in_proj_bias)", r"decoder.\1.self_attention.\2"),
        (rf"{layer}self_attn\.out_proj\.{_BOTH}", r"decoder.\1.self_attention.out_proj.\2"),
        (rf"{layer}(linear[12])\.{_BOTH}", r"decoder.\1.feedforward.\2.\3"),
        (rf"{layer}(norm[123])\.{_BOTH}", r"decoder.\1.\2.\3"),
        (rf"{layer}cross_attn\.(\w+)\.{_BOTH}", r"decoder.\1.cross_attention.\2.\3"),
        *_heads(before),
        (rf"{head}bias", r"mask_head.bias"),
        *_masks(head, "dwconv", "norm", "pwconv1", "norm_in", r"layers\.0", r"layers\.2"),
    )


def _transformers() -> Rows:
    """By the names of transformers' modules."""
    before, trunk = r"model\.model\.", r"model\.model\.backbone\.backbone\."
    block, layer = rf"{trunk}encoder\.layer\.(\d+)\.", rf"{before}decoder\.layers\.(\d+)\."
    parts = (("q", "query"), ("k", "key"), ("v", "value"))
    return (
        *_trunk(rf"{trunk}embeddings\.", block, trunk),
        *(
            (rf"{block}attention\.{p}_proj\.{_BOTH}", rf"backbone.blocks.\1.attn.qkv.{part}.\2")
            for p, part in parts
        ),
        (rf"{block}attention\.o_proj\.{_BOTH}", r"backbone.blocks.\1.attn.proj.\2"),
        *_projector(
            rf"{before}backbone\.projector\.projector_layer\.", "conv", "norm", r"bottlenecks\."
        ),
        (rf"{before}backbone\.projector\.layer_norm\.{_BOTH}", r"projector.norm.\1"),
        *_queries(before, before, "reference_point_embed"),
        (rf"{before}decoder\.layernorm\.{_BOTH}", r"decoder_norm.\1"),
        *(
            (
                rf"{layer}self_attn\.{p}_proj\.{_BOTH}",
                rf"decoder.\1.self_attention.in_proj_{part}.\2",
            )
            for p, part in parts
        ),
        (rf"{layer}self_attn\.o_proj\.{_BOTH}", r"decoder.\1.self_attention.out_proj.\2"),
        (rf"{layer}self_attn_layer_norm\.{_BOTH}", r"decoder.\1.norm1.\2"),
        (rf"{layer}cross_attn_layer_norm\.{_BOTH}", r"decoder.\1.norm2.\2"),
        (rf"{layer}layer_norm\.{_BOTH}", r"decoder.\1.norm3.\2"),
        (rf"{layer}mlp\.fc([12])\.{_BOTH}", r"decoder.\1.feedforward.linear\2.\3"),
        (rf"{layer}cross_attn\.(\w+)\.{_BOTH}", r"decoder.\1.cross_attention.\2.\3"),
        *_heads(r"model\."),
        (r"segmentation_bias", r"mask_head.bias"),
        *_masks(
            "", "depthwise_conv", "layernorm", "pointwise_conv", "norm", r"mlp\.fc1", r"mlp\.fc2"
        ),
    )


def _trunk(embeddings: str, block: str, last: str) -> Rows:
    return (
        (rf"{embeddings}cls_token", r"backbone.cls_token"),
        (rf"{embeddings}position_embeddings", r"backbone.positions"),
        (rf"{embeddings}patch_embeddings\.projection\.{_BOTH}", r"backbone.patch.\1"),
        (rf"{block}layer_scale([12])\.lambda1", r"backbone.blocks.\1.ls\2.gamma"),
        (rf"{block}(norm[12]|mlp\.fc[12])\.{_BOTH}", r"backbone.blocks.\1.\2.\3"),
        (rf"{last}layernorm\.{_BOTH}", r"backbone.norm.\1"),
    )


def _projector(before: str, conv: str, norm: str, bottlenecks: str) -> Rows:
    rows: list[tuple[str, str]] = []
    inner = rf"{before}{bottlenecks}(\d+)\."
    for number, ours in ((1, "enter"), (2, "mix")):
        rows += [
            (rf"{before}{conv}{number}\.conv\.weight", rf"projector.{ours}.conv.weight"),
            (rf"{before}{conv}{number}\.{norm}\.{_BOTH}", rf"projector.{ours}.norm.\1"),
        ]
        place = rf"projector.bottlenecks.\1.{number - 1}"
        rows += [
            (rf"{inner}{conv}{number}\.conv\.weight", rf"{place}.conv.weight"),
            (rf"{inner}{conv}{number}\.{norm}\.{_BOTH}", rf"{place}.norm.\2"),
        ]
    return tuple(rows)


def _queries(before: str, tables: str, steps: str) -> Rows:
    return (
        (rf"{tables}{steps}\.weight", r"queries.steps"),
        (rf"{tables}query_feat\.weight", r"queries.state"),
        (rf"{before}decoder\.ref_point_head\.layers\.0\.{_BOTH}", r"queries.place.0.\1"),
        (rf"{before}decoder\.ref_point_head\.layers\.1\.{_BOTH}", r"queries.place.2.\1"),
        (rf"{before}enc_output\.(\d+)\.{_BOTH}", r"queries.groups.\1.enter.\2"),
        (rf"{before}enc_output_norm\.(\d+)\.{_BOTH}", r"queries.groups.\1.enter_norm.\2"),
        (rf"{before}enc_out_class_embed\.(\d+)\.{_BOTH}", r"queries.groups.\1.class_head.\2"),
        *(
            (
                rf"{before}enc_out_bbox_embed\.(\d+)\.layers\.{i}\.{_BOTH}",
                rf"queries.groups.\1.box_head.{2 * i}.\2",
            )
            for i in range(3)
        ),
    )


def _heads(before: str) -> Rows:
    return (
        (rf"{before}class_embed\.{_BOTH}", r"class_head.\1"),
        *(
            (rf"{before}bbox_embed\.layers\.{i}\.{_BOTH}", rf"box_head.{2 * i}.\1")
            for i in range(3)
        ),
    )


def _masks(
    before: str, conv: str, norm: str, mix: str, lift_norm: str, first: str, second: str
) -> Rows:
    lift = rf"{before}query_features_block\."
    return (
        (rf"{before}blocks\.(\d+)\.{conv}\.{_BOTH}", r"mask_head.blocks.\1.conv.\2"),
        (rf"{before}blocks\.(\d+)\.{norm}\.{_BOTH}", r"mask_head.blocks.\1.norm.\2"),
        (rf"{before}blocks\.(\d+)\.{mix}\.{_BOTH}", r"mask_head.blocks.\1.mix.\2"),
        (rf"{before}spatial_features_proj\.{_BOTH}", r"mask_head.cells.\1"),
        (rf"{before}query_features_proj\.{_BOTH}", r"mask_head.queries.\1"),
        (rf"{lift}{lift_norm}\.{_BOTH}", r"mask_head.lift.norm.\1"),
        (rf"{lift}{first}\.{_BOTH}", r"mask_head.lift.linear1.\1"),
        (rf"{lift}{second}\.{_BOTH}", r"mask_head.lift.linear2.\1"),
    )


FAMILY = Family(
    model="rf_detr",
    # Lightning writes `model.` before all names, and torch.compile `_orig_mod.` after that.
    renames=(*_published(r"(?:model\.)?(?:_orig_mod\.)?"), *_transformers()),
    dropped=(
        (r".*\.embeddings\.mask_token", "stands for hidden patches in DINOv2's own training"),
        (r".*_kp_active_mask", "of key points, which the model does not have"),
    ),
    refused=(
        (r".*\.base_model\.model\..*|.*\.lora_.*", "it holds LoRA's parts: merge them first"),
        (r".*(keypoint|cross_attn_projector|register_).*", "it is a model of key points"),
        (r".*\bdecoder\.bbox_embed\..*", "its references move from layer to layer: another model"),
    ),
    settings=settings,
    class_names=class_names,
    adapt=adapt,
    hub=RF_DETR,
)
