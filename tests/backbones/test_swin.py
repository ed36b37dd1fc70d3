"""Swin: sizes that do not fit, and windows against attention over all cells."""

import pytest
import torch

from vis import backbones
from vis.backbones.swin import SWINS, Size, Swin, WindowAttention, our_key

TINY = Size(8, (2, 2, 2, 2), (1, 2, 2, 4), 3)


@pytest.mark.parametrize("size", [(64, 96), (37, 50), (8, 8)])
def test_any_size_gives_four_levels_rounded_up(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    levels = Swin(TINY).eval()(torch.randn(2, 3, *size))
    height, width = (-(-side // 4) for side in size)
    for level, channels in zip(levels, (8, 16, 32, 64), strict=True):
        assert level.shape == (2, channels, height, width)
        height, width = -(-height // 2), -(-width // 2)


def test_a_frame_is_for_itself() -> None:
    torch.manual_seed(0)
    net, frames = Swin(TINY).eval(), torch.randn(3, 3, 40, 28)
    for together, alone in zip(net(frames), net(frames[1:2]), strict=True):
        torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shift", [0, 1])
def test_windows_are_attention_with_everything_else_far_away(shift: int) -> None:
    """A map of 6 x 6 in windows of 3: written out for each pair of cells."""
    torch.manual_seed(0)
    layer = WindowAttention(4, 2, window=3, shift=shift)
    torch.nn.init.normal_(layer.relative_position_bias_table)
    x = torch.randn(1, 6, 6, 4)
    q, k, v = layer.qkv(x.view(36, 4)).view(36, 3, 2, 2).permute(1, 2, 0, 3)
    logits = q @ k.transpose(1, 2) / 2**0.5
    for a in range(36):
        for b in range(36):
            ya, xa, yb, xb = a // 6, a % 6, b // 6, b % 6
            near = all(
                ((one - shift) % 6) // 3 == ((two - shift) % 6) // 3
                and (one < shift) == (two < shift)
                for one, two in ((ya, yb), (xa, xb))
            )
            if near:
                logits[:, a, b] += layer.relative_position_bias_table[
                    (ya - yb + 2) * 5 + xa - xb + 2
                ]
            else:
                logits[:, a, b] = -torch.inf
    mixed = (logits.softmax(-1) @ v).permute(1, 0, 2).reshape(36, 4)
    torch.testing.assert_close(layer(x).view(36, 4), layer.proj(mixed), atol=1e-5, rtol=0)


def test_where_windows_fit_it_is_timms() -> None:
    timm = pytest.importorskip("timm")
    theirs = timm.create_model(
        "swin_tiny_patch4_window7_224",
        img_size=224,
        embed_dim=8,
        depths=(2, 2, 2, 2),
        num_heads=(1, 2, 2, 4),
        features_only=True,
    ).eval()
    torch.manual_seed(0)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    named = {key.replace("layers_", "layers."): x for key, x in theirs.state_dict().items()}
    state = {ours: x for key, x in named.items() if (ours := our_key(key))}
    ours = Swin(Size(8, (2, 2, 2, 2), (1, 2, 2, 4), 7)).eval()
    missing = ours.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys
    assert all(key.startswith("norm") for key in missing.missing_keys)
    ours.norm0 = ours.norm1 = ours.norm2 = ours.norm3 = torch.nn.Identity()
    frames = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        # the last map of 7 x 7 is one window, which timm does not shift
        for one, other in zip(ours(frames)[:3], theirs(frames), strict=False):
            torch.testing.assert_close(one, other.permute(0, 3, 1, 2), atol=1e-3, rtol=1e-3)


def test_blocks_are_left_out_in_training_alone() -> None:
    torch.manual_seed(0)
    net, frames = Swin(TINY), torch.randn(1, 3, 32, 32)
    assert not all(torch.equal(net(frames)[3], net(frames)[3]) for _ in range(8))
    assert torch.equal(net.eval()(frames)[3], net(frames)[3])


def test_it_is_built_by_name() -> None:
    with torch.device("meta"):
        for name, size in SWINS.items():
            net = backbones.build(name)
            assert isinstance(net, Swin) and net.channels[0] == size.width
