"""What a config.json of transformers says of an RF-DETR with masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vis.errors import DataError
from vis.weights.hub_form import Claim, HubForm, refuse, stated_by_shapes, whole_number

if TYPE_CHECKING:
    from vis.weights.hub_form import Config

_INNER = "backbone_config."
_MAPS = 4
"""Of the trunk, one after each stage."""


def _claims(config: Config) -> list[Claim]:
    width = whole_number(config, "d_model", 256)
    refuse(
        config,
        {
            "hidden_expansion": (0.5,),
            "c2f_num_blocks": (3,),
            "activation_function": ("silu",),
            "decoder_activation_function": ("relu",),
            "segmentation_head_activation_function": ("gelu",),
            "attention_bias": (True,),
            "num_feature_levels": (1,),
            "mask_downsample_ratio": (4,),
            # default of transformers first, whatever the width
            "intermediate_size": (1024,) if width == 256 else (4 * width,),
        },
    )
    own = whole_number(config, "decoder_self_attention_heads", 8)
    cross = whole_number(config, "decoder_cross_attention_heads", 16)
    eps = config.get("layer_norm_eps", 1e-5)
    if not isinstance(eps, float) or not 0 < eps < 1:
        raise DataError(f"layer_norm_eps is {eps!r:.60}, not a number from 0 to 1")
    shapes = {"d_model": "d_model", "decoder_layers": "decoder_layers"}
    shapes |= {"decoder_ffn_dim": "ffn_dim", "decoder_n_points": "points"}
    shapes |= {"num_queries": "queries", "group_detr": "groups"}
    return [
        Claim("decoder_self_attention_heads", own, "num_heads", own),
        Claim("decoder_cross_attention_heads", cross, "cross_heads", cross),
        # of the projector's inner norms alone, whatever its name
        Claim("layer_norm_eps", eps, "projector_eps", eps),
        *_trunk(config.get("backbone_config")),
        *stated_by_shapes(config, shapes),
    ]


def _trunk(nested: object) -> list[Claim]:
    if not isinstance(nested, dict):
        raise DataError(f"backbone_config is {nested!r:.60}, not a table")
    config = {f"{_INNER}{key}": value for key, value in nested.items()}
    refuse(
        config,
        {
            f"{_INNER}model_type": ("rf_detr_dinov2",),
            f"{_INNER}mlp_ratio": (4,),
            f"{_INNER}hidden_act": ("gelu",),
            f"{_INNER}layer_norm_eps": (1e-6,),
            f"{_INNER}num_channels": (3,),
            f"{_INNER}num_register_tokens": (0,),
            f"{_INNER}qkv_bias": (True,),
            f"{_INNER}use_swiglu_ffn": (False,),
            f"{_INNER}apply_layernorm": (True,),
            f"{_INNER}reshape_hidden_states": (True,),
        },
    )
    heads = whole_number(config, f"{_INNER}num_attention_heads", 12)
    windows = whole_number(config, f"{_INNER}num_windows", 4)
    patch, image = _side(config, "patch_size", 14), _side(config, "image_size", 224)
    _check_maps(config)
    shapes = {"hidden_size": "backbone_width", "num_hidden_layers": "backbone_depth"}
    return [
        Claim(f"{_INNER}num_attention_heads", heads, "backbone_heads", heads),
        Claim(f"{_INNER}num_windows", windows, "windows", windows),
        Claim(f"{_INNER}patch_size", patch, "patch", patch),
        Claim(f"{_INNER}image_size", image, "grid", image // patch),
        *stated_by_shapes(config, {f"{_INNER}{key}": ours for key, ours in shapes.items()}),
    ]


def _side(config: Config, key: str, default: int) -> int:
    """Of a square, which may be stated as a pair."""
    value = config.get(f"{_INNER}{key}", default)
    if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
        value = value[0]
    return whole_number({f"{_INNER}{key}": value}, f"{_INNER}{key}", default)


def _check_maps(config: Config) -> None:
    """Refuse maps of other blocks, and windows in others, than here.

    Raises:
        DataError: it names which.
    """
    depth = whole_number(config, f"{_INNER}num_hidden_layers", 12)
    ends = [(stage + 1) * depth // _MAPS for stage in range(_MAPS)]
    names = config.get(f"{_INNER}out_features")
    indices = config.get(f"{_INNER}out_indices")
    if names is None and indices is None:
        raise DataError(f"{_INNER}out_indices is missing; only {ends} is read")
    refuse(
        config,
        {
            f"{_INNER}out_indices": (ends, None),
            f"{_INNER}out_features": ([f"stage{end}" for end in ends], None),
            # numbered from 0 where the maps are from 1: the block after a map sees all windows
            f"{_INNER}window_block_indexes": ([i for i in range(depth) if i not in ends], None),
        },
    )


RF_DETR = HubForm(
    model_types=("rf_detr",),
    # its modules' names are among the family's own, as its files have them in both
    renames=(),
    claims=_claims,
)
