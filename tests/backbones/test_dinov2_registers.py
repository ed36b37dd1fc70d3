"""DINOv2 with registers: timm's tokens from timm's weights, also at another patch and grid."""

import torch
from timm.models.vision_transformer import VisionTransformer

from vis.backbones.dinov2_registers import RegisterDINOv2, adapted


def timms(*, patch: int = 16) -> VisionTransformer:
    torch.manual_seed(0)
    net = VisionTransformer(
        img_size=4 * patch, patch_size=patch, embed_dim=32, depth=2, num_heads=2, reg_tokens=4,
        no_embed_class=True, init_values=1.0, num_classes=0, global_pool="",
    )  # fmt: skip
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return net.eval()


def ours(grid: int) -> RegisterDINOv2:
    return RegisterDINOv2(grid, patch=16, width=32, depth=2, num_heads=2, late=0).eval()


@torch.no_grad()
def test_the_tokens_are_timms():
    theirs, net = timms(), ours(4)
    net.load_state_dict(adapted(theirs.state_dict(), net.state_dict()))
    frames = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(net.norm(net(frames)), theirs.forward_features(frames))


@torch.no_grad()
def test_smaller_patches_become_larger_ones_that_say_the_same_of_flat_frames():
    theirs, net = timms(patch=14), ours(6)
    net.load_state_dict(adapted(theirs.state_dict(), net.state_dict()))
    flat = torch.full((1, 3, 56, 56), 0.5)
    before, after = theirs.patch_embed.proj(flat), net.patch(torch.full((1, 3, 64, 64), 0.5))
    torch.testing.assert_close(after, before, atol=0.05, rtol=0.05)
    assert net.positions.shape == (1, 36, 32)
