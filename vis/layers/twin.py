"""The twin transformer of SOTR (Guo et al., 2021): every cell sees its column and its row."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

LEAK = 0.01


class AxialAttention(nn.Module):
    """Attention along one axis; no position, no dropout.

    Args:
        d_model: channels.
        num_heads: of the attention.
    """

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(d_model, d_model, bias=False)
        self.key_value = nn.Linear(d_model, 2 * d_model, bias=False)
        self.out = nn.Linear(d_model, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """`[M L C]` -> `[M L C]`."""
        query, key, value = (
            rearrange(part, "m l (n c) -> m n l c", n=self.num_heads)
            for part in (self.query(x), *self.key_value(x).chunk(2, dim=-1))
        )
        # Lines are short: on a CPU the fused kernels take longer, in half precision twice as long.
        shares = (query * query.shape[-1] ** -0.5 @ key.transpose(-1, -2)).softmax(dim=-1)
        mixed = shares @ value
        return self.out(rearrange(mixed, "m n l c -> m l (n c)"))  # type: ignore[no-any-return]


class TwinAttention(nn.Module):
    """Attention along columns and along rows, each with weights of its own.

    Args:
        d_model: channels.
        num_heads: of each attention.
    """

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        self.columns = AxialAttention(d_model, num_heads)
        self.rows = AxialAttention(d_model, num_heads)

    def down(self, x: Tensor) -> Tensor:
        """`[M C h w]` along each column."""
        mixed: Tensor = self.columns(rearrange(x, "m c h w -> (m w) h c"))
        return rearrange(mixed, "(m w) h c -> m c h w", m=len(x))

    def across(self, x: Tensor) -> Tensor:
        """`[M C h w]` along each row."""
        mixed: Tensor = self.rows(rearrange(x, "m c h w -> (m h) w c"))
        return rearrange(mixed, "(m h) w c -> m c h w", m=len(x))


class HybridTwinLayer(nn.Module):
    """Attention, then convolutions, as released: two terms of one input at once, behind gates.

    The gates start at zero, so the layer starts as the identity.

    Args:
        d_model: channels.
        num_heads: of each attention.
    """

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        self.attention = TwinAttention(d_model, num_heads)
        self.attention_gates = nn.ParameterList(torch.zeros(()) for _ in range(2))
        self.first = nn.ModuleList(nn.Conv2d(d_model, d_model, 3, padding=1) for _ in range(2))
        self.second = nn.ModuleList(nn.Conv2d(d_model, d_model, 3, padding=1) for _ in range(2))
        self.conv_gates = nn.ParameterList(torch.zeros(()) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """`[M C h w]` -> `[M C h w]`."""
        column, row = self.attention_gates
        # Both of one input, not one after the other as in the article: so are the released weights.
        x = x + column * self.attention.down(x) + row * self.attention.across(x)
        return x + self._convolved(x)

    def _convolved(self, x: Tensor) -> Tensor:
        """Both branches in one pass: side by side first, their gated sum second."""
        first, second = ([_parts(conv) for conv in convs] for convs in (self.first, self.second))
        weight, bias = (torch.cat(parts) for parts in zip(*first, strict=True))
        x = functional.leaky_relu(functional.conv2d(x, weight, bias, padding=1), LEAK)
        gates = list(self.conv_gates)
        weight = torch.cat([gate * w for gate, (w, _) in zip(gates, second, strict=True)], dim=1)
        biases = torch.stack([gate * b for gate, (_, b) in zip(gates, second, strict=True)])
        return functional.conv2d(x, weight, biases.sum(dim=0), padding=1)


def _parts(conv: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias."""
    assert isinstance(conv, nn.Conv2d) and conv.bias is not None
    return conv.weight, conv.bias


class PureTwinLayer(nn.Module):
    """The article's layer (3.2): normed, along columns, then along rows, then a perceptron.

    Args:
        d_model: channels.
        num_heads: of each attention.
    """

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        self.attention = TwinAttention(d_model, num_heads)
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(3))
        self.perceptron = nn.Sequential(
            nn.Linear(d_model, 4 * d_model), nn.GELU(), nn.Linear(4 * d_model, d_model)
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[M C h w]` -> `[M C h w]`."""
        x = x + self.attention.down(self._normed(x, 0))
        x = x + self.attention.across(self._normed(x, 1))
        cells: Tensor = self.perceptron(rearrange(self._normed(x, 2), "m c h w -> m h w c"))
        return x + rearrange(cells, "m h w c -> m c h w")

    def _normed(self, x: Tensor, which: int) -> Tensor:
        cells: Tensor = self.norms[which](rearrange(x, "m c h w -> m h w c"))
        return rearrange(cells, "m h w c -> m c h w")


class TwinTransformer(nn.Module):
    """Layers over a map of any size; none knows where a cell lies.

    Args:
        layers: such as `HybridTwinLayer`.
        doubled: whether the map is laid beside itself and both halves are averaged at the end, as
            released; the two copies touch, so this changes what lies at the left and right edge.
    """

    def __init__(self, layers: list[nn.Module], *, doubled: bool) -> None:
        super().__init__()
        self.layers, self.doubled = nn.ModuleList(layers), doubled

    def forward(self, x: Tensor) -> Tensor:
        """`[M C h w]` -> `[M C h w]`."""
        if self.doubled:
            # Released: the two copies touch, so cells at one edge see those at the other.
            x = torch.cat((x, x), dim=-1)
        for layer in self.layers:
            x = layer(x)
        return torch.stack(x.chunk(2, dim=-1)).mean(dim=0) if self.doubled else x
