"""The vision transformer: timm's own where the frame has its size, positions of any other size."""

import pytest
import timm
import torch

from vis.backbones.vit import ViT, adapted, published_name, resized


def build(*, distilled: bool = False, image: int = 32) -> ViT:
    torch.manual_seed(0)
    net = ViT(image, patch=8, width=16, depth=2, num_heads=2, distilled=distilled, drop_path=0.0)
    torch.nn.init.normal_(net.net.pos_embed)
    return net.eval()


@pytest.mark.parametrize("distilled", [False, True])
def test_at_its_own_size_it_is_timms(distilled: bool):
    net, x = build(distilled=distilled), torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(net(x), net.net.forward_features(x))
    assert net(x).shape == (2, 17 + distilled, 16)


def test_norms_have_the_published_epsilon():
    eps = {m.eps for m in build().modules() if isinstance(m, torch.nn.LayerNorm)}
    assert eps == {1e-5}


def test_positions_are_resized_in_a_line_and_the_first_tokens_keep_theirs():
    positions = torch.arange(17.0)[None, :, None].repeat(1, 1, 2)
    found = resized(positions, (4, 8), first=1)
    assert found.shape == (1, 33, 2) and found[0, 0, 0] == 0
    row = found[0, 1:9, 0]
    torch.testing.assert_close(row, torch.tensor([1, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4.0]))
    assert resized(positions, (4, 4), first=1) is positions


def test_another_shape_of_as_many_tokens_has_other_positions():
    """The published code keeps the square's for 16 x 64 pixels instead of 32 x 32."""
    positions = torch.randn(1, 17, 2)
    found = resized(positions, (2, 8), first=1)
    assert found.shape == positions.shape and not torch.allclose(found[:, 1:], positions[:, 1:])
    rows = positions[0, 1:].view(2, 2, 4, 2).mean(dim=1)
    torch.testing.assert_close(found[0, 1:].view(2, 8, 2)[:, [0, 7]], rows[:, [0, 3]])


@pytest.mark.parametrize("distilled", [False, True])
def test_timms_weights_fit_whatever_grid_they_were_made_for(distilled: bool):
    source, other = build(distilled=distilled, image=64), build(distilled=distilled, image=32)
    published = {
        (name if not distilled else name.replace("reg_token", "dist_token")): value
        for name, value in source.net.state_dict().items()
    } | {"head.weight": torch.zeros(1000, 16)}
    found = adapted(published, other.state_dict())
    other.load_state_dict(found)
    grid = resized(source.net.pos_embed, (4, 4), first=1 + distilled)
    torch.testing.assert_close(other.net.pos_embed.detach(), grid.detach())


@pytest.mark.parametrize("distilled", [False, True])
@pytest.mark.parametrize(
    ("width", "patch"), [(192, 16), (384, 16), (768, 16), (768, 8), (1024, 32)]
)
def test_timm_publishes_what_the_published_models_begin_with(
    width: int, patch: int, distilled: bool
):
    if distilled and (patch != 16 or width == 1024):
        pytest.skip("there is no such DeiT")
    name = published_name(width=width, patch=patch, distilled=distilled)
    assert timm.models.get_pretrained_cfg(name).hf_hub_id
