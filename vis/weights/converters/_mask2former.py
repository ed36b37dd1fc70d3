"""What published Mask2Former checkpoints, of pictures and of clips, have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vis.backbones.swin import SWINS
from vis.weights.converters._detectron import resnet
from vis.weights.converters._trunk import count_of, size
from vis.weights.converters._trunk import resnet as nearest_resnet

if TYPE_CHECKING:
    from vis.weights.rename import Rows, Shapes

NO_OBJECT = 1
"""Rows of the class head after the classes."""
_WRAP = r"(?:model\.|module\.|_orig_mod\.)*"
_HEAD = rf"{_WRAP}sem_seg_head\."
_PIXELS = rf"{_HEAD}(?:pixel_decoder\.){{0,2}}"
"""Files of the first form lack the word; the published hook writes it twice into new ones."""
_ENCODER = rf"{_PIXELS}transformer\.encoder\.layers\.(\d+)\."
_QUERIES = rf"{_HEAD}predictor\."
_PACKED = r"(in_proj_weight|in_proj_bias|out_proj\.weight|out_proj\.bias)"
_BOTH = r"(weight|bias)"

RENAMES: Rows = (
    *resnet(rf"{_WRAP}backbone\."),
    (rf"{_WRAP}backbone\.((?:patch_embed|layers|norm[0-3])\..+)", r"backbone.\1"),
    (rf"{_PIXELS}input_proj\.(\d)\.([01])\.{_BOTH}", r"pixel_decoder.inputs.\1.\2.\3"),
    (rf"{_PIXELS}transformer\.level_embed", r"pixel_decoder.level_embed"),
    (rf"{_ENCODER}self_attn\.(\w+)\.{_BOTH}", r"pixel_decoder.layers.\1.attention.\2.\3"),
    (rf"{_ENCODER}(norm[12])\.{_BOTH}", r"pixel_decoder.layers.\1.\2.\3"),
    (rf"{_ENCODER}(linear[12])\.{_BOTH}", r"pixel_decoder.layers.\1.feedforward.\2.\3"),
    (rf"{_PIXELS}mask_features\.{_BOTH}", r"pixel_decoder.mask_feature.\1"),
    (rf"{_PIXELS}adapter_1\.weight", r"pixel_decoder.lateral.0.weight"),
    (rf"{_PIXELS}adapter_1\.norm\.{_BOTH}", r"pixel_decoder.lateral.1.\1"),
    (rf"{_PIXELS}layer_1\.weight", r"pixel_decoder.fuse.0.weight"),
    (rf"{_PIXELS}layer_1\.norm\.{_BOTH}", r"pixel_decoder.fuse.1.\1"),
    (
        rf"{_QUERIES}transformer_cross_attention_layers\.(\d+)\.multihead_attn\.{_PACKED}",
        r"decoder.layers.\1.cross_attention.\2",
    ),
    (
        rf"{_QUERIES}transformer_self_attention_layers\.(\d+)\.self_attn\.{_PACKED}",
        r"decoder.layers.\1.self_attention.\2",
    ),
    (
        rf"{_QUERIES}transformer_ffn_layers\.(\d+)\.(linear[12])\.{_BOTH}",
        r"decoder.layers.\1.feedforward.\2.\3",
    ),
    *(
        (
            rf"{_QUERIES}transformer_{part}_layers\.(\d+)\.norm\.{_BOTH}",
            rf"decoder.layers.\1.norm{number}.\2",
        )
        for number, part in enumerate(("cross_attention", "self_attention", "ffn"), 1)
    ),
    (rf"{_QUERIES}decoder_norm\.{_BOTH}", r"decoder.norm.\1"),
    # the first files of pictures call the learned content static
    (rf"{_QUERIES}(?:query_feat|static_query)\.weight", r"decoder.content.weight"),
    (rf"{_QUERIES}query_embed\.weight", r"decoder.query_positions.weight"),
    (rf"{_QUERIES}level_embed\.weight", r"decoder.level_embed.weight"),
    (rf"{_QUERIES}class_embed\.{_BOTH}", r"class_head.\1"),
    *(
        (rf"{_QUERIES}mask_embed\.layers\.{i}\.{_BOTH}", rf"decoder.mask_head.{2 * i}.\1")
        for i in range(3)
    ),
)

DROPPED: Rows = (
    (r".*\.num_batches_tracked", "counts training steps of a norm that is frozen here"),
    (rf"{_WRAP}criterion\..+", "weights of the loss; our loss has its own"),
    (rf"{_WRAP}pixel_(mean|std)", "pixels are normalised as ours are"),
    (r".*\.relative_position_index", "is computed"),
    (r".*attn_mask_probs", "of another model's training"),
    (
        r"model\.pixel_level_module\.encoder\.(?:swin\.)?layernorm\.(?:weight|bias)",
        "a norm that no level goes through",
    ),
)


def shared_settings(shapes: Shapes) -> dict[str, object]:
    """What the shapes tell of `Config`; the number of heads, 8 in all, they do not.

    Raises:
        DataError: a tensor that has to be there is not.
    """
    return {
        "classes": size(shapes, "class_head.weight", 0) - NO_OBJECT,
        "backbone": backbone_of(shapes),
        "d_model": size(shapes, "decoder.norm.weight", 0),
        "mask_width": size(shapes, "pixel_decoder.mask_feature.weight", 0),
        "queries": size(shapes, "decoder.content.weight", 0),
        "pixel_depth": _depth(shapes, "pixel_decoder"),
        "pixel_ffn_dim": size(shapes, "pixel_decoder.layers.0.feedforward.linear1.weight", 0),
        "depth": _depth(shapes, "decoder"),
        "ffn_dim": size(shapes, "decoder.layers.0.feedforward.linear1.weight", 0),
    }


def backbone_of(shapes: Shapes) -> str:
    """The ResNet or Swin whose tensors `shapes` are most like."""
    first = "backbone.patch_embed.proj.weight"
    if first not in shapes:
        return nearest_resnet(shapes)
    width, depth = size(shapes, first, 0), _depth(shapes, r"backbone\.layers\.2", "blocks")
    alike = {name: (s.width == width) + (s.depths[2] == depth) for name, s in SWINS.items()}
    return max(alike, key=alike.__getitem__)


def _depth(shapes: Shapes, stack: str, layers: str = "layers") -> int:
    return count_of(shapes, rf"{stack}\.{layers}\.(\d+)\.")
