"""Vision transformers (Dosovitskiy et al., 2021) and distilled DeiT of timm, for any frame size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

POSITIONS = "net.pos_embed"
WORDS = {192: "tiny", 384: "small", 768: "base", 1024: "large"}
"""Width -> how timm calls the size."""


class ViT(nn.Module):
    """timm's network with the published Segmenter's norms and positions.

    Norms have an epsilon of 1e-5; positions are resized bilinearly, without antialiasing, whenever
    the grid of the frame is not the one that they were made for.

    Args:
        image: side in pixels of the frames that the positions are made for.
        patch: side of a token in pixels.
        width: channels.
        depth: blocks.
        num_heads: of each block.
        distilled: whether there is a second token beside the class token, as in DeiT.
        drop_path: stochastic depth of the last block; it rises to it from 0 in a line.
    """

    def __init__(
        self,
        image: int,
        *,
        patch: int,
        width: int,
        depth: int,
        num_heads: int,
        distilled: bool,
        drop_path: float,
    ) -> None:
        super().__init__()
        self.patch = patch
        self.net = VisionTransformer(
            img_size=image,
            patch_size=patch,
            embed_dim=width,
            depth=depth,
            num_heads=num_heads,
            num_classes=0,
            global_pool="",
            reg_tokens=int(distilled),
            drop_path_rate=drop_path,
            norm_layer=nn.LayerNorm,
        )

    def forward(self, frames: Tensor) -> Tensor:
        """`[M 3 H W]` normalised, whole patches -> tokens `[M 1 + h w C]`, the class token first.

        A distilled network has its second token after that.
        """
        cells = self.net.patch_embed.proj(frames)
        assert self.net.pos_embed is not None
        first = [token for token in (self.net.cls_token, self.net.reg_token) if token is not None]
        grid = (int(cells.shape[2]), int(cells.shape[3]))
        positions = resized(self.net.pos_embed, grid, first=len(first))
        patches = cells.flatten(2).transpose(1, 2)
        tokens = torch.cat([*(token.expand(len(cells), -1, -1) for token in first), patches], dim=1)
        tokens = tokens + positions
        for block in self.net.blocks:
            tokens = block(tokens)
        return self.net.norm(tokens)  # type: ignore[no-any-return]

    def shard_blocks(self) -> Iterator[nn.Module]:
        """Its part of `Model.shard_blocks`: the blocks."""
        yield from self.net.blocks


def block(width: int, num_heads: int, *, dropout: float) -> Block:
    """One layer as the network's own: normed attention, normed perceptron, each added."""
    return Block(
        width,
        num_heads,
        qkv_bias=True,
        proj_drop=dropout,
        attn_drop=dropout,
        norm_layer=nn.LayerNorm,
    )


def resized(positions: Tensor, grid: tuple[int, int], *, first: int) -> Tensor:
    """Positions `[1 first + s s C]` of a square grid -> `[1 first + h w C]` of another."""
    side = round((positions.shape[1] - first) ** 0.5)
    if grid == (side, side):
        return positions
    square = rearrange(positions[:, first:], "one (h w) c -> one c h w", h=side)
    cells = interpolate(square, grid, mode="bilinear", align_corners=False)
    return torch.cat((positions[:, :first], cells.flatten(2).transpose(1, 2)), dim=1)


def adapted(published: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of timm's classifier under the names and with the positions of a `ViT`.

    Args:
        published: of timm's network or DeiT's.
        state: of the `ViT`.
    """
    renamed = {f"net.{name}".replace("dist_token", "reg_token"): x for name, x in published.items()}
    matching = {name: value for name, value in renamed.items() if name in state}
    if POSITIONS in matching:
        first = sum(name.endswith(("cls_token", "reg_token")) for name in state)
        counts = [tensors[POSITIONS].shape[1] - first for tensors in (matching, state)]
        sides = [round(max(count, 0) ** 0.5) for count in counts]
        if sides[0] ** 2 == counts[0] > 0:
            matching[POSITIONS] = resized(matching[POSITIONS], (sides[1], sides[1]), first=first)
    return matching


def published_name(*, width: int, patch: int, distilled: bool) -> str:
    """How timm calls the network that the published Segmenter starts from."""
    size = WORDS.get(width, f"of_{width}")
    if distilled:
        image = 384 if size == "base" else 224
        return f"deit_{size}_distilled_patch{patch}_{image}.fb_in1k"
    if patch == 8:
        return f"vit_{size}_patch8_224.augreg_in21k_ft_in1k"
    source = "orig" if (size, patch) == ("large", 32) else "augreg"
    return f"vit_{size}_patch{patch}_384.{source}_in21k_ft_in1k"
