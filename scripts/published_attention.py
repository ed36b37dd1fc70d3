"""Attention in the published order of work: torch's own, with the weights that nobody asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn.functional import multi_head_attention_forward

if TYPE_CHECKING:
    from torch import Tensor

    from vis.layers.transformer import Attention


def attended(
    part: Attention,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    padding: Tensor | None = None,
    blocked: Tensor | None = None,
) -> Tensor:
    """What our attention says, with its parameters; the weights are written out.

    Args:
        part: whose parameters they are.
        query: `[B N C]`.
        key: `[B S C]`.
        value: `[B S C]`.
        padding: `[B S]`, True where nobody looks.
        blocked: True where a query does not look, as torch's `attn_mask`.
    """
    mixed, _ = multi_head_attention_forward(
        *(x.transpose(0, 1) for x in (query, key, value)),
        embed_dim_to_check=query.shape[-1],
        num_heads=part.num_heads,
        in_proj_weight=part.in_proj_weight,
        in_proj_bias=part.in_proj_bias,
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=part.out_proj.weight,
        out_proj_bias=part.out_proj.bias,
        training=False,
        key_padding_mask=padding,
        need_weights=True,
        attn_mask=blocked,
    )
    return mixed.transpose(0, 1)
