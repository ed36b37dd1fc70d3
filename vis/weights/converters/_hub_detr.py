"""DETR and Deformable DETR as transformers writes them: names, and what a config.json says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vis.weights.converters._hub import TORCHVISION, check_width, detr_backbone, own_resnet
from vis.weights.hub_form import (
    Claim,
    HubForm,
    equal_pair,
    refuse,
    stated_by_shapes,
    truth,
    whole_number,
)

if TYPE_CHECKING:
    from torch import Tensor

    from vis.weights.hub_form import Config, Rows

SIZE = 800
"""Pixels of the short side that both papers evaluate at."""
HEADS = ("encoder_attention_heads", "decoder_attention_heads")
_DETR = r"(?P<detr>(?:detr\.)?)"
_BODY = r"model\.backbone\.conv_encoder\.model\."
_BOTH = r"(?P<both>weight|bias)"
_PARTS = r"(?P<part>[qkv])_proj\."
_PLACES = r"(?P<rest>(?:sampling_offsets|attention_weights|value_proj|output_proj)\..+)"


def _layers(there: str, here: str, stack: str, norms: dict[str, str]) -> Rows:
    """Rows of the feed-forward part and the norms of one stack."""
    before = rf"{there}model\.{stack}\.layers\.(?P<layer>\d+)\."
    ours = rf"{here}transformer.{stack}.layers.\g<layer>."
    return (
        *((rf"{before}fc{i}\.{_BOTH}", rf"{ours}linear{i}.\g<both>") for i in (1, 2)),
        *((rf"{before}{name}\.{_BOTH}", rf"{ours}{norms[name]}.\g<both>") for name in norms),
    )


def _attention(there: str, here: str, stack: str, names: tuple[str, str]) -> Rows:
    """Rows of an attention whose three projections are split there, stacked here."""
    before = rf"{there}model\.{stack}\.layers\.(?P<layer>\d+)\.{names[0]}\."
    ours = rf"{here}transformer.{stack}.layers.\g<layer>.{names[1]}."
    return (
        (rf"{before}{_PARTS}{_BOTH}", rf"{ours}in_proj_\g<both> \g<part>"),
        (rf"{before}out_proj\.{_BOTH}", rf"{ours}out_proj.\g<both>"),
    )


def _backbone(there: str, here: str) -> Rows:
    return (
        (rf"{there}{_BODY}(?P<rest>(?:conv1|bn1|layer\d)\..+)", rf"{here}backbone.0.body.\g<rest>"),
        *own_resnet(rf"{there}{_BODY}", f"{here}backbone.0.body.", TORCHVISION),
    )


_ENCODER_NORMS = {"self_attn_layer_norm": "norm1", "final_layer_norm": "norm2"}
_HERE = r"\g<detr>"
DETR_RENAMES: Rows = (
    *_backbone(_DETR, _HERE),
    *_layers(_DETR, _HERE, "encoder", _ENCODER_NORMS),
    *_layers(
        _DETR,
        _HERE,
        "decoder",
        {
            "self_attn_layer_norm": "norm1",
            "encoder_attn_layer_norm": "norm2",
            "final_layer_norm": "norm3",
        },
    ),
    *_attention(_DETR, _HERE, "encoder", ("self_attn", "self_attn")),
    *_attention(_DETR, _HERE, "decoder", ("self_attn", "self_attn")),
    *_attention(_DETR, _HERE, "decoder", ("encoder_attn", "multihead_attn")),
    (rf"{_DETR}model\.decoder\.layernorm\.{_BOTH}", rf"{_HERE}transformer.decoder.norm.\g<both>"),
    (rf"{_DETR}model\.input_projection\.{_BOTH}", rf"{_HERE}input_proj.\g<both>"),
    (rf"{_DETR}model\.query_position_embeddings\.weight", rf"{_HERE}query_embed.weight"),
    (rf"{_DETR}class_labels_classifier\.{_BOTH}", rf"{_HERE}class_embed.\g<both>"),
    (rf"{_DETR}bbox_predictor\.(?P<rest>layers\..+)", rf"{_HERE}bbox_embed.\g<rest>"),
)
_OURS = r"backbone\."
_THEIRS = r"model.backbone.conv_encoder.model."
_STACK = r"transformer\.(encoder|decoder)\.(\d+)\."
_LAYER = r"model.\1.layers.\2."
WRITES: Rows = (
    (rf"{_OURS}conv1\.weight", rf"{_THEIRS}conv1.weight"),
    (rf"{_OURS}conv1\.norm\.(\w+)", rf"{_THEIRS}bn1.\1"),
    (rf"{_OURS}(layer\d\.\d+)\.downsample\.0\.norm\.(\w+)", rf"{_THEIRS}\1.downsample.1.\2"),
    (rf"{_OURS}(layer\d\.\d+\.downsample\.0\.weight)", rf"{_THEIRS}\1"),
    (rf"{_OURS}(layer\d\.\d+)\.conv(\d)\.norm\.(\w+)", rf"{_THEIRS}\1.bn\2.\3"),
    (rf"{_OURS}(layer\d\.\d+\.conv\d\.weight)", rf"{_THEIRS}\1"),
    (r"projection\.(\w+)", r"model.input_projection.\1"),
    (r"queries", r"model.query_position_embeddings.weight"),
    (r"class_head\.(\w+)", r"class_labels_classifier.\1"),
    *((rf"box_head\.{2 * i}\.(\w+)", rf"bbox_predictor.layers.{i}.\1") for i in range(3)),
    (rf"{_STACK}self_attention\.in_proj_(\w+)", rf"{_LAYER}self_attn.*_proj.\3"),
    (rf"{_STACK}self_attention\.out_proj\.(\w+)", rf"{_LAYER}self_attn.out_proj.\3"),
    (rf"{_STACK}cross_attention\.in_proj_(\w+)", rf"{_LAYER}encoder_attn.*_proj.\3"),
    (rf"{_STACK}cross_attention\.out_proj\.(\w+)", rf"{_LAYER}encoder_attn.out_proj.\3"),
    (rf"{_STACK}feedforward\.linear(\d)\.(\w+)", rf"{_LAYER}fc\3.\4"),
    (rf"{_STACK}norm1\.(\w+)", rf"{_LAYER}self_attn_layer_norm.\3"),
    (r"transformer\.encoder\.(\d+)\.norm2\.(\w+)", r"model.encoder.layers.\1.final_layer_norm.\2"),
    (rf"{_STACK}norm2\.(\w+)", rf"{_LAYER}encoder_attn_layer_norm.\3"),
    (rf"{_STACK}norm3\.(\w+)", rf"{_LAYER}final_layer_norm.\3"),
    (r"transformer\.norm\.(\w+)", r"model.decoder.layernorm.\1"),
    (r"masks\.attention\.query\.(\w+)", r"bbox_attention.q_linear.\1"),
    (r"masks\.attention\.key\.(\w+)", r"bbox_attention.k_linear.\1"),
    *(
        (rf"masks\.pyramid\.stages\.{i}\.conv\.(\w+)", rf"mask_head.lay{i + 1}.\1")
        for i in range(4)
    ),
    *((rf"masks\.pyramid\.stages\.{i}\.norm\.(\w+)", rf"mask_head.gn{i + 1}.\1") for i in range(4)),
    *(
        (rf"masks\.pyramid\.laterals\.{i}\.(\w+)", rf"mask_head.adapter{i + 1}.\1")
        for i in range(3)
    ),
    (r"masks\.pyramid\.end\.conv\.conv\.(\w+)", r"mask_head.lay5.\1"),
    (r"masks\.pyramid\.end\.conv\.norm\.(\w+)", r"mask_head.gn5.\1"),
    (r"masks\.pyramid\.end\.logit\.(\w+)", r"mask_head.out_lay.\1"),
)
"""Our names of a DETR -> transformers'; a `*` stands where stacked rows are split."""
_ENCODER = r"model\.encoder\.layers\.(?P<layer>\d+)\.self_attn\."
_DECODER = r"model\.decoder\.layers\.(?P<layer>\d+)\.encoder_attn\."
DEFORMABLE_RENAMES: Rows = (
    *_backbone("", ""),
    *_layers("", "", "encoder", _ENCODER_NORMS),
    # the published norms are numbered as they were written: the first follows the cross-attention
    *_layers(
        "",
        "",
        "decoder",
        {
            "self_attn_layer_norm": "norm2",
            "encoder_attn_layer_norm": "norm1",
            "final_layer_norm": "norm3",
        },
    ),
    (rf"{_ENCODER}{_PLACES}", r"transformer.encoder.layers.\g<layer>.self_attn.\g<rest>"),
    (rf"{_DECODER}{_PLACES}", r"transformer.decoder.layers.\g<layer>.cross_attn.\g<rest>"),
    *_attention("", "", "decoder", ("self_attn", "self_attn")),
    (r"model\.(?P<rest>input_proj\.\d+\.[01]\..+)", r"\g<rest>"),
    (r"model\.query_position_embeddings\.weight", r"query_embed.weight"),
    (
        r"model\.(?P<rest>level_embed|(?:reference_points|enc_output|enc_output_norm|pos_trans"
        r"|pos_trans_norm)\..+)",
        r"transformer.\g<rest>",
    ),
    (r"model\.(?P<rest>decoder\.(?:class|bbox)_embed\..+)", r"transformer.\g<rest>"),
)


def _detr_claims(config: Config) -> list[Claim]:
    refuse(
        config,
        {
            "activation_function": ("relu",),
            "position_embedding_type": ("sine",),
            "num_channels": (3,),
        },
    )
    heads = equal_pair(config, *HEADS, "num_heads", 8)
    shapes = {"d_model": "d_model", "num_queries": "instance_queries"}
    shapes |= {"encoder_layers": "encoder_layers", "decoder_layers": "decoder_layers"}
    shapes |= {"encoder_ffn_dim": "ffn_dim", "decoder_ffn_dim": "ffn_dim"}
    return [
        heads,
        *detr_backbone(config),
        *stated_by_shapes(config, shapes),
    ]


def _deformable_claims(config: Config) -> list[Claim]:
    refuse(
        config,
        {
            "activation_function": ("relu",),
            "position_embedding_type": ("sine",),
            "num_channels": (3,),
        },
    )
    check_width(config, "d_model")
    heads = equal_pair(config, *HEADS, "num_heads", 8)
    points = equal_pair(config, "encoder_n_points", "decoder_n_points", "points", 4)
    refine, two_stage = truth(config, "with_box_refine"), truth(config, "two_stage")
    shapes = {"d_model": "d_model", "num_feature_levels": "levels"}
    shapes |= {"encoder_layers": "encoder_layers", "decoder_layers": "decoder_layers"}
    shapes |= {"encoder_ffn_dim": "ffn_dim", "decoder_ffn_dim": "ffn_dim"}
    queries = "two_stage_num_proposals" if two_stage else "num_queries"
    count = whole_number(config, queries, 300)
    return [
        heads,
        points,
        Claim("with_box_refine", refine, "refine", refine),
        Claim("two_stage", two_stage, "two_stage", two_stage),
        *([Claim(queries, count, "queries", count)] if queries in config or two_stage else []),
        *detr_backbone(config),
        *stated_by_shapes(config, shapes),
    ]


def _untied(config: Config, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """All heads of a refining model under both of their names; files keep one name of tied ones."""
    if not truth(config, "with_box_refine"):
        return tensors
    inner = "transformer.decoder."
    kinds = ("class_embed.", "bbox_embed.") if truth(config, "two_stage") else ("bbox_embed.",)
    names = {n.removeprefix(inner) for n in tensors if n.removeprefix(inner).startswith(kinds)}
    for name in names:
        for one, other in ((name, inner + name), (inner + name, name)):
            if one not in tensors:
                tensors = tensors | {one: tensors[other]}
    shared = {n: t for n, t in tensors.items() if n.startswith("class_embed.0.")}
    if not any(name.startswith("class_embed.1.") for name in tensors):
        # transformers 5 ties the class heads of a model that refines in one stage
        layers = whole_number(config, "decoder_layers", 6)
        for layer in range(1, layers):
            tensors |= {n.replace(".0.", f".{layer}.", 1): t for n, t in shared.items()}
    return tensors


DETR = HubForm(model_types=("detr",), renames=DETR_RENAMES, claims=_detr_claims, size=SIZE)
DEFORMABLE_DETR = HubForm(
    model_types=("deformable_detr",),
    renames=DEFORMABLE_RENAMES,
    claims=_deformable_claims,
    no_object_rows=0,
    size=SIZE,
    completed=_untied,
)
