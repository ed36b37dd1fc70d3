"""Mask2Former as transformers writes it: names, and what a config.json says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vis.backbones.swin import SWINS
from vis.errors import DataError
from vis.weights.converters._hub import DETECTRON, check_width, own_resnet, resnet_claim
from vis.weights.hub_form import Claim, HubForm, refuse, stated_by_shapes, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.weights.hub_form import Config, Rows

SIZE = 800
"""Pixels of the short side that the published numbers are of."""
_BOTH = r"(weight|bias)"
_PIXELS = r"model\.pixel_level_module\."
_ENCODER = rf"{_PIXELS}encoder\."
_BLOCK = rf"{_ENCODER}encoder\.layers\.(\d+)\.blocks\.(\d+)\."
_DECODER = rf"{_PIXELS}decoder\."
_LEVELS = rf"{_DECODER}encoder\.layers\.(\d+)\."
_QUERIES = r"model\.transformer_module\."
_LAYER = rf"{_QUERIES}decoder\.layers\.(\d+)\."
_HEAD = "sem_seg_head.pixel_decoder."
_PREDICTOR = "sem_seg_head.predictor."
_PLACES = r"(sampling_offsets|attention_weights|value_proj|output_proj)"

_SWIN: Rows = (
    (
        rf"{_ENCODER}embeddings\.patch_embeddings\.projection\.{_BOTH}",
        r"backbone.patch_embed.proj.\1",
    ),
    (rf"{_ENCODER}embeddings\.norm\.{_BOTH}", r"backbone.patch_embed.norm.\1"),
    *(
        (
            rf"{_BLOCK}attention\.self\.{name}\.{_BOTH}",
            rf"backbone.layers.\1.blocks.\2.attn.qkv.\3 {name[0]}",
        )
        for name in ("query", "key", "value")
    ),
    (
        rf"{_BLOCK}attention\.self\.relative_position_bias_table",
        r"backbone.layers.\1.blocks.\2.attn.relative_position_bias_table",
    ),
    *(
        (rf"{_BLOCK}{there}\.{_BOTH}", rf"backbone.layers.\1.blocks.\2.{here}.\3")
        for there, here in (
            (r"attention\.output\.dense", "attn.proj"),
            (r"intermediate\.dense", "mlp.fc1"),
            (r"output\.dense", "mlp.fc2"),
            ("layernorm_before", "norm1"),
            ("layernorm_after", "norm2"),
        )
    ),
    (
        rf"{_ENCODER}encoder\.layers\.(\d+)\.downsample\.(norm|reduction)\.{_BOTH}",
        r"backbone.layers.\1.downsample.\2.\3",
    ),
    *(
        (
            rf"{_ENCODER}hidden_states_norms\.stage{level + 1}\.{_BOTH}",
            rf"backbone.norm{level}.\1",
        )
        for level in range(4)
    ),
)
_PIXEL_DECODER: Rows = (
    *(
        (rf"{_DECODER}{name}\.{place}\.{_BOTH}", rf"{_HEAD}{name}{norm}.\1")
        for name in ("adapter_1", "layer_1")
        for place, norm in enumerate(("", ".norm"))
    ),
    (
        rf"{_LEVELS}self_attn\.{_PLACES}\.{_BOTH}",
        rf"{_HEAD}transformer.encoder.layers.\1.self_attn.\2.\3",
    ),
    *(
        (rf"{_LEVELS}{there}\.{_BOTH}", rf"{_HEAD}transformer.encoder.layers.\1.{here}.\2")
        for there, here in (
            ("fc1", "linear1"),
            ("fc2", "linear2"),
            ("self_attn_layer_norm", "norm1"),
            ("final_layer_norm", "norm2"),
        )
    ),
    (rf"{_DECODER}input_projections\.(\d)\.([01])\.{_BOTH}", rf"{_HEAD}input_proj.\1.\2.\3"),
    (rf"{_DECODER}level_embed", rf"{_HEAD}transformer.level_embed"),
    (rf"{_DECODER}mask_projection\.{_BOTH}", rf"{_HEAD}mask_features.\1"),
)
_CROSS = rf"{_PREDICTOR}transformer_cross_attention_layers.\1."
_SELF = rf"{_PREDICTOR}transformer_self_attention_layers.\1."
_FFN = rf"{_PREDICTOR}transformer_ffn_layers.\1."
_QUERY_DECODER: Rows = (
    (rf"{_LAYER}cross_attn\.(in_proj_\w+|out_proj\.\w+)", rf"{_CROSS}multihead_attn.\2"),
    (rf"{_LAYER}cross_attn_layer_norm\.{_BOTH}", rf"{_CROSS}norm.\2"),
    (rf"{_LAYER}self_attn\.([qkv])_proj\.{_BOTH}", rf"{_SELF}self_attn.in_proj_\3 \2"),
    (rf"{_LAYER}self_attn\.out_proj\.{_BOTH}", rf"{_SELF}self_attn.out_proj.\2"),
    (rf"{_LAYER}self_attn_layer_norm\.{_BOTH}", rf"{_SELF}norm.\2"),
    (rf"{_LAYER}fc([12])\.{_BOTH}", rf"{_FFN}linear\2.\3"),
    (rf"{_LAYER}final_layer_norm\.{_BOTH}", rf"{_FFN}norm.\2"),
    (rf"{_QUERIES}decoder\.layernorm\.{_BOTH}", rf"{_PREDICTOR}decoder_norm.\1"),
    (
        rf"{_QUERIES}decoder\.mask_predictor\.mask_embedder\.(\d)\.0\.{_BOTH}",
        rf"{_PREDICTOR}mask_embed.layers.\1.\2",
    ),
    (rf"{_QUERIES}level_embed\.weight", rf"{_PREDICTOR}level_embed.weight"),
    (rf"{_QUERIES}queries_embedder\.weight", rf"{_PREDICTOR}query_embed.weight"),
    (rf"{_QUERIES}queries_features\.weight", rf"{_PREDICTOR}query_feat.weight"),
    (rf"class_predictor\.{_BOTH}", rf"{_PREDICTOR}class_embed.\1"),
)


def _claims(config: Config) -> list[Claim]:
    refuse(
        config,
        {
            "activation_function": ("relu",),
            "pre_norm": (False,),
            "enforce_input_projection": (False,),
            "common_stride": (4,),
        },
    )
    check_width(config, "hidden_dim")
    check_width(config, "feature_size")
    heads = whole_number(config, "num_attention_heads", 8)
    layers = whole_number(config, "decoder_layers", 10)
    shapes = {"num_queries": "queries", "hidden_dim": "d_model", "mask_feature_size": "mask_width"}
    shapes |= {"encoder_layers": "pixel_depth", "encoder_feedforward_dim": "pixel_ffn_dim"}
    shapes |= {"dim_feedforward": "ffn_dim"}
    return [
        Claim("num_attention_heads", heads, "num_heads", heads),
        # the first prediction, of the queries before any layer, counts there
        Claim("decoder_layers", layers, "depth", layers - 1),
        *_backbone(config.get("backbone_config")),
        *stated_by_shapes(config, shapes),
    ]


def _backbone(nested: object) -> list[Claim]:
    if nested is None:
        return []
    if not isinstance(nested, dict):
        raise DataError(f"backbone_config is {nested!r:.60}, not a table")
    kind = nested.get("model_type", "swin")
    if kind == "resnet":
        return [resnet_claim(nested)]
    if kind != "swin":
        raise DataError(f"backbone_config.model_type is {kind!r:.60}; swin and resnet are read")
    return [_swin(nested)]


def _swin(nested: Mapping[str, Any]) -> Claim:
    """The Swin that is described; transformers' defaults are the tiny one.

    Raises:
        DataError: no Swin here is so.
    """
    refuse(
        nested,
        {
            "patch_size": (4,),
            "mlp_ratio": (4, 4.0),
            "qkv_bias": (True,),
            "hidden_act": ("gelu",),
            "layer_norm_eps": (1e-5,),
            "use_absolute_embeddings": (False,),
        },
    )
    default = SWINS["swin_tiny"]
    width, window = (
        nested.get("embed_dim", default.width),
        nested.get("window_size", default.window),
    )
    depths, heads = (
        nested.get("depths", list(default.depths)),
        nested.get("num_heads", list(default.num_heads)),
    )
    text = f"embed_dim {width!r:.20}, depths {depths!r:.40}, num_heads {heads!r:.40}"
    stated = f"{text}, window_size {window!r:.20}"
    for name, size in SWINS.items():
        if [width, depths, heads, window] == [
            size.width,
            list(size.depths),
            list(size.num_heads),
            size.window,
        ]:
            return Claim("backbone_config", stated, "backbone", name)
    raise DataError(f"backbone_config describes no Swin that is read here: {stated}")


MASK2FORMER = HubForm(
    model_types=("mask2former",),
    renames=(
        *own_resnet(_ENCODER, "backbone.", DETECTRON),
        *_SWIN,
        *_PIXEL_DECODER,
        *_QUERY_DECODER,
    ),
    claims=_claims,
    size=SIZE,
)
