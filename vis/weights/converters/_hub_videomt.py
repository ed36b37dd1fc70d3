"""EoMT and VidEoMT as transformers writes them: names, and what a config.json says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vis.weights.hub_form import Claim, HubForm, refuse, stated_by_shapes, whole_number

if TYPE_CHECKING:
    from vis.weights.hub_form import Config, Rows

SIZE = 448
"""Pixels of the short side that VidEoMT's published numbers are of, on YouTube-VIS."""
_BOTH = r"(weight|bias)"
_NAMES: Rows = (
    (r"embeddings\.cls_token", r"encoder.backbone.cls_token"),
    (r"embeddings\.register_tokens", r"encoder.backbone.reg_token"),
    (
        rf"embeddings\.patch_embeddings\.projection\.{_BOTH}",
        r"encoder.backbone.patch_embed.proj.\1",
    ),
    (r"embeddings\.position_embeddings\.weight", r"encoder.backbone.pos_embed"),
    (rf"layernorm\.{_BOTH}", r"encoder.backbone.norm.\1"),
    (r"query\.weight", r"q.weight"),
    (
        rf"layers\.(\d+)\.attention\.([qkv])_proj\.{_BOTH}",
        r"encoder.backbone.blocks.\1.attn.qkv.\3 \2",
    ),
    (rf"layers\.(\d+)\.attention\.out_proj\.{_BOTH}", r"encoder.backbone.blocks.\1.attn.proj.\2"),
    (r"layers\.(\d+)\.layer_scale([12])\.lambda1", r"encoder.backbone.blocks.\1.ls\2.gamma"),
    (rf"layers\.(\d+)\.(norm[12]|mlp\.fc[12])\.{_BOTH}", r"encoder.backbone.blocks.\1.\2.\3"),
    (rf"upscale_block\.block\.(\d)\.(conv[12])\.{_BOTH}", r"upscale.\1.\2.\3"),
    (rf"upscale_block\.block\.(\d)\.layernorm2d\.{_BOTH}", r"upscale.\1.norm.\2"),
    *((rf"mask_head\.fc{i + 1}\.{_BOTH}", rf"mask_head.{2 * i}.\1") for i in range(3)),
    (rf"class_predictor\.{_BOTH}", r"class_head.\1"),
    (rf"(query_updater)\.{_BOTH}", r"\1.\2"),
)
"""Transformers' names -> the authors', without what those begin with."""


def hub_form(model_type: str, prefix: str, *, size: int | None) -> HubForm:
    """How transformers writes one of the two.

    Args:
        model_type: of its `config.json`.
        prefix: what the authors' names begin with.
        size: pixels of the short side that the published numbers are of.
    """
    renames = tuple((pattern, f"{prefix}.{name}") for pattern, name in _NAMES)
    return HubForm(model_types=(model_type,), renames=renames, claims=_claims, size=size)


def _claims(config: Config) -> list[Claim]:
    refuse(
        config,
        {
            "patch_size": (16,),
            "num_register_tokens": (4,),
            "num_upscale_blocks": (2,),
            "hidden_act": ("gelu",),
            "layer_norm_eps": (1e-6,),
            "mlp_ratio": (4, 4.0),
        },
    )
    # transformers' defaults are the large one's
    num_heads = whole_number(config, "num_attention_heads", 16)
    late = whole_number(config, "num_blocks", 4)
    shapes = {"hidden_size": "d_model", "num_hidden_layers": "depth", "image_size": "image"}
    return [
        Claim("num_attention_heads", num_heads, "num_heads", num_heads),
        Claim("num_blocks", late, "query_depth", late),
        *stated_by_shapes(config, shapes | {"num_queries": "queries"}),
    ]
