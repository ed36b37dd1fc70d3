"""The mask branch's parts against the plain way of computing them, and published numbers."""

import itertools
import re

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.ops import deform_conv2d

from vis.layers.masks import AttentionMaps, DeformableEnd, PlainEnd, Pyramid, volume_head


def relu() -> nn.Module:
    return nn.ReLU(inplace=True)


def pyramid(width: int = 128, end: type[nn.Module] = DeformableEnd) -> Pyramid:
    torch.manual_seed(0)
    head = Pyramid(width, num_heads=8, channels=(5, 6, 7), end=end, activation=relu)
    for value in head.parameters():
        if value.dim() == 1:
            nn.init.normal_(value)
    if end is DeformableEnd:
        nn.init.normal_(head.end.offsets.weight, std=0.1)
    return head


def scenery(width: int = 128) -> tuple[Tensor, list[Tensor]]:
    """Two frames: the map of stride 32 and the three larger ones, of odd sizes."""
    levels = [torch.randn(2, c, h, w) for c, h, w in ((5, 15, 23), (6, 8, 12), (7, 4, 6))]
    return torch.randn(2, width, 2, 3), levels


def plain(head: Pyramid, maps: Tensor, context: Tensor, levels: list[Tensor]) -> Tensor:
    """One frame's maps as the papers draw it: concatenate, convolve, enlarge, add."""
    x = torch.cat((context.expand(len(maps), -1, -1, -1), maps), dim=1)
    x = head.stages[1](head.stages[0](x))
    laterals = zip(head.laterals, reversed(levels), strict=True)
    for stage, (lateral, level) in itertools.zip_longest(head.stages[2:], laterals):
        x = interpolate(x, level.shape[-2:], mode="nearest") + lateral(level)
        x = stage(x) if stage is not None else x
    end = head.end
    if isinstance(end, PlainEnd):
        return end.logit(end.conv(x))
    sampled = deform_conv2d(x, end.offsets(x), end.conv.weight, padding=1)
    return end.norm(sampled).relu()


@pytest.mark.parametrize("end", [DeformableEnd, PlainEnd])
@pytest.mark.parametrize("grad", [False, True])
def test_sharing_a_frames_work_changes_no_result(end: type[nn.Module], grad: bool):
    head = pyramid(end=end)
    context, levels = scenery()
    frames = torch.tensor([0, 1, 1, 0, 0])
    maps = torch.randn(5, 8, 2, 3)
    with torch.set_grad_enabled(grad):
        found = head(maps, frames, head.frame_term(context), head.lateral_maps(levels))
    for frame in (0, 1):
        here = frames == frame
        levels_here = [level[frame : frame + 1] for level in levels]
        expected = plain(head, maps[here], context[frame], levels_here)
        torch.testing.assert_close(found[here], expected, atol=1e-4, rtol=1e-4)


def test_attention_maps_sum_to_one_over_heads_and_cells_and_none_is_on_padding():
    maps = AttentionMaps(32, 4)
    padding = torch.zeros(3, 6, dtype=torch.bool)
    padding[1, 4:] = True
    found = maps(torch.randn(3, 32), maps.keys(torch.randn(3, 32, 2, 3)), padding)
    assert found.shape == (3, 4, 6)
    torch.testing.assert_close(found.sum(dim=(1, 2)), torch.ones(3))
    assert (found[1, :, 4:] == 0).all() and (found[0] > 0).all()
    assert not torch.allclose(found.sum(dim=2), torch.full((3, 4), 0.25))


def published(key: str) -> str:
    """Our parameter's name in the published pyramid."""
    key = re.sub(r"stages\.(\d)\.conv", lambda m: f"lay{int(m[1]) + 1}", key)
    key = re.sub(r"stages\.(\d)\.norm", lambda m: f"gn{int(m[1]) + 1}", key)
    key = re.sub(r"laterals\.(\d)", lambda m: f"adapter{int(m[1]) + 1}", key)
    for ours, theirs in (("end.offsets", "conv_offset"), ("end.conv", "dcn"), ("end.norm", "gn5")):
        key = key.replace(ours, theirs)
    return f"mask_head.{key}"


def test_published_maps_of_vistr(draw, normal):
    attention = AttentionMaps(384, 8).double()
    for name, value in attention.named_parameters():
        part, kind = name.split(".")
        value.data = draw(f"bbox_attention.{part[0]}_linear.{kind}", value.shape)
    head = Pyramid(
        384, num_heads=8, channels=(256, 512, 1024), end=DeformableEnd, activation=relu
    ).double()
    for name, value in head.named_parameters():
        value.data = draw(published(name), value.shape)
    queries, memory = normal(1, 1, 10, 384)[0], normal(2, 1, 384, 4, 6)
    levels = [normal(5, 1, 256, 16, 24), normal(4, 1, 512, 8, 12), normal(3, 1, 1024, 4, 6)]
    padding = torch.zeros(10, 4, 6, dtype=torch.bool)
    padding[..., -1] = True
    first = torch.zeros(10, dtype=torch.int64)
    with torch.no_grad():
        maps = attention(queries, attention.keys(memory)[first], padding.flatten(1))
        maps = maps.view(10, 8, 4, 6)
        found = head(maps, first, head.frame_term(memory), head.lateral_maps(levels))
    assert maps.std(correction=0).item() == pytest.approx(0.06154633, abs=1e-5)
    assert maps[9, 6, 1, 3].item() == pytest.approx(0.99834182, abs=1e-5)
    assert found.mean().item() == pytest.approx(0.40139538, abs=1e-5)
    assert found.std(correction=0).item() == pytest.approx(0.60642859, abs=1e-5)
    assert found[0, 10, 5, 5].item() == pytest.approx(0.4797084, abs=1e-5)
    assert found[9, 23, 15, 23].item() == pytest.approx(1.0748089, abs=1e-5)


def test_published_head_over_time(draw, normal):
    head = volume_head(24, relu).double()
    for name, value in head.named_parameters():
        value.data = draw(f"insmask_head.{name}", value.shape)
    with torch.no_grad():
        found = head(normal(6, 1, 24, 5, 7, 9))
    assert found.shape == (1, 1, 5, 7, 9)
    assert found.mean().item() == pytest.approx(-0.69827545, abs=1e-5)
    assert found[0, 0, 2, 3, 4].item() == pytest.approx(-0.4546146, abs=1e-5)


def test_published_pyramid_of_detr(shared):
    numbers = np.load(shared / "golden" / "parts" / "detr_transformer_segm.npz")
    values = {key: torch.from_numpy(numbers[key]) for key in numbers.files}
    head = Pyramid(32, num_heads=8, channels=(12, 16, 20), end=PlainEnd, activation=relu, inner=128)
    for name, value in head.named_parameters():
        key = published(name).replace("dcn.conv", "lay5").replace("dcn.norm", "gn5")
        value.data = values[f"w.{key.replace('end.logit', 'out_lay')}"]
    levels = [values["in.fpn2"], values["in.fpn1"], values["in.fpn0"]]
    rows = torch.arange(2).repeat_interleave(5)
    term, laterals = head.frame_term(values["in.src"]), head.lateral_maps(levels)
    found = head(values["out.bbox_mask"].flatten(0, 1), rows, term, laterals)
    torch.testing.assert_close(found, values["out.seg_masks"], atol=1e-4, rtol=0)


def test_a_fresh_volume_head_gives_its_prior_on_average():
    torch.manual_seed(0)
    x = torch.randn(4, 16, 3, 8, 8)
    logits = volume_head(16, nn.GELU, prior=0.1)(x)
    unbiased = volume_head(16, nn.GELU, prior=0.5)
    assert unbiased[-1].bias.item() == 0
    assert abs(logits.mean().item() + 2.197) < 0.5
