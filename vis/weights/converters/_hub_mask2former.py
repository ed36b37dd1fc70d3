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

_OURS = r"backbone\."
_THEIRS = "model.pixel_level_module.encoder."
_OUR_BLOCK = rf"{_OURS}layers\.(\d+)\.blocks\.(\d+)\."
_THEIR_BLOCK = rf"{_THEIRS}encoder.layers.\1.blocks.\2."
_PIXEL = r"model.pixel_level_module.decoder."
_OUR_PIXELS, _THEIR_PIXELS = r"pixel_decoder\.layers\.(\d+)\.", rf"{_PIXEL}encoder.layers.\1."
_MODULE = "model.transformer_module."
_OUR_LAYER, _THEIR_LAYER = r"decoder\.layers\.(\d+)\.", rf"{_MODULE}decoder.layers.\1."


def _written_resnet() -> Rows:
    """Rows of transformers' own ResNet, the other way round."""
    rows = [
        (rf"{_OURS}conv1\.weight", rf"{_THEIRS}embedder.embedder.convolution.weight"),
        (rf"{_OURS}conv1\.norm\.(\w+)", rf"{_THEIRS}embedder.embedder.normalization.\1"),
    ]
    for stage in range(4):
        ours = rf"{_OURS}layer{stage + 1}\.(\d+)\."
        parts = {"downsample\\.0": "shortcut"} | {f"conv{i + 1}": f"layer.{i}" for i in range(3)}
        for here, there in parts.items():
            theirs = rf"{_THEIRS}encoder.stages.{stage}.layers.\1.{there}."
            rows += [
                (rf"{ours}{here}\.weight", rf"{theirs}convolution.weight"),
                (rf"{ours}{here}\.norm\.(\w+)", rf"{theirs}normalization.\2"),
            ]
    return tuple(rows)


WRITES: Rows = (
    *_written_resnet(),
    (rf"{_OURS}patch_embed\.proj\.(\w+)", rf"{_THEIRS}embeddings.patch_embeddings.projection.\1"),
    (rf"{_OURS}patch_embed\.norm\.(\w+)", rf"{_THEIRS}embeddings.norm.\1"),
    *(
        (rf"{_OUR_BLOCK}{here}\.(\w+)", rf"{_THEIR_BLOCK}{there}.\3")
        for here, there in (
            (r"attn\.qkv", "attention.self.**"),
            (r"attn\.proj", "attention.output.dense"),
            (r"mlp\.fc1", "intermediate.dense"),
            (r"mlp\.fc2", "output.dense"),
            ("norm1", "layernorm_before"),
            ("norm2", "layernorm_after"),
        )
    ),
    (
        rf"{_OUR_BLOCK}attn\.relative_position_bias_table",
        rf"{_THEIR_BLOCK}attention.self.relative_position_bias_table",
    ),
    (rf"{_OURS}layers\.(\d+)\.downsample\.(.+)", rf"{_THEIRS}encoder.layers.\1.downsample.\2"),
    *(
        (rf"{_OURS}norm{i}\.(\w+)", rf"{_THEIRS}hidden_states_norms.stage{i + 1}.\1")
        for i in range(4)
    ),
    (r"pixel_decoder\.inputs\.(.+)", rf"{_PIXEL}input_projections.\1"),
    (r"pixel_decoder\.level_embed", rf"{_PIXEL}level_embed"),
    (rf"{_OUR_PIXELS}attention\.(.+)", rf"{_THEIR_PIXELS}self_attn.\2"),
    (rf"{_OUR_PIXELS}feedforward\.linear(.+)", rf"{_THEIR_PIXELS}fc\2"),
    (rf"{_OUR_PIXELS}norm1\.(\w+)", rf"{_THEIR_PIXELS}self_attn_layer_norm.\2"),
    (rf"{_OUR_PIXELS}norm2\.(\w+)", rf"{_THEIR_PIXELS}final_layer_norm.\2"),
    (r"pixel_decoder\.lateral\.(.+)", rf"{_PIXEL}adapter_1.\1"),
    (r"pixel_decoder\.fuse\.(.+)", rf"{_PIXEL}layer_1.\1"),
    (r"pixel_decoder\.mask_feature\.(\w+)", rf"{_PIXEL}mask_projection.\1"),
    (rf"{_OUR_LAYER}cross_attention\.(.+)", rf"{_THEIR_LAYER}cross_attn.\2"),
    (rf"{_OUR_LAYER}self_attention\.in_proj_(\w+)", rf"{_THEIR_LAYER}self_attn.*_proj.\2"),
    (rf"{_OUR_LAYER}self_attention\.out_proj\.(\w+)", rf"{_THEIR_LAYER}self_attn.out_proj.\2"),
    (rf"{_OUR_LAYER}feedforward\.linear(.+)", rf"{_THEIR_LAYER}fc\2"),
    (rf"{_OUR_LAYER}norm1\.(\w+)", rf"{_THEIR_LAYER}cross_attn_layer_norm.\2"),
    (rf"{_OUR_LAYER}norm2\.(\w+)", rf"{_THEIR_LAYER}self_attn_layer_norm.\2"),
    (rf"{_OUR_LAYER}norm3\.(\w+)", rf"{_THEIR_LAYER}final_layer_norm.\2"),
    (r"decoder\.norm\.(\w+)", rf"{_MODULE}decoder.layernorm.\1"),
    *(
        (
            rf"decoder\.mask_head\.{2 * i}\.(\w+)",
            rf"{_MODULE}decoder.mask_predictor.mask_embedder.{i}.0.\1",
        )
        for i in range(3)
    ),
    (r"decoder\.content\.weight", f"{_MODULE}queries_features.weight"),
    (r"decoder\.query_positions\.weight", f"{_MODULE}queries_embedder.weight"),
    (r"decoder\.level_embed\.weight", f"{_MODULE}level_embed.weight"),
    (r"class_head\.(\w+)", r"class_predictor.\1"),
)
"""Our names of a Mask2Former -> transformers'; see `vis.weights.hub_form.split`."""
