import numpy as np
import pytest
import torch

from vis.datasets.config import Colours
from vis.datasets.photometric import Photometric, drawn_map, recoloured
from vis.datasets.raw_clip import raw_clip

STILL = Colours(brightness=0, contrast=0, saturation=0, hue=0, channel_shuffle=False)
GREY = torch.full((1, 3, 2, 2), 100, dtype=torch.uint8)


def noise(frames=3):
    pixels = np.random.default_rng(0).integers(0, 256, (frames, 20, 30, 3), np.uint8)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def only(**change) -> Colours:
    values = {name: getattr(STILL, name) for name in vars(STILL)}
    return Colours(**(values | change))


def drawn(colours: Colours, count=60) -> list[np.ndarray]:
    return [drawn_map(colours, np.random.default_rng(seed)) for seed in range(count)]


def test_a_map_is_done_to_every_pixel_rounded_and_clipped():
    frames = noise(2)
    maps = drawn(Colours(), 2)
    done = recoloured(frames, maps).double()
    for frame, out, m in zip(frames.double(), done, maps, strict=True):
        wanted = torch.einsum("ij,jhw->ihw", torch.from_numpy(m[:, :3]), frame)
        wanted = (wanted + torch.from_numpy(m[:, 3])[:, None, None]).clamp(0, 255)
        assert (out - wanted).abs().max() <= 0.5 + 1e-3


def test_bright_stays_bright():
    """Published code wraps: 250 + 32 becomes 26."""
    white = torch.full((1, 3, 2, 2), 250, dtype=torch.uint8)
    up = next(m for m in drawn(only(brightness=32)) if m[0, 3] > 10)
    assert (recoloured(white, [up]) == 255).all()


def test_no_strength_is_no_change():
    for m in drawn(STILL):
        assert torch.equal(recoloured(noise(1), [m]), noise(1))


def test_every_change_keeps_its_bounds_and_is_drawn_half_the_time():
    brighter = [m[0, 3] for m in drawn(only(brightness=32), 200)]
    assert -32 <= min(brighter) < -20 and 20 < max(brighter) <= 32
    assert 60 < brighter.count(0) < 140
    stronger = [m[0, 0] for m in drawn(only(contrast=0.5), 200)]
    assert 0.5 <= min(stronger) < 0.6 and 1.4 < max(stronger) <= 1.5
    exchanged = {tuple(np.argmax(m[:, :3], axis=1)) for m in drawn(only(channel_shuffle=True), 200)}
    assert len(exchanged) == 6


@pytest.mark.parametrize("colours", [only(saturation=0.5), only(hue=18)])
def test_colour_changes_keep_grey_and_brightness(colours):
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    frames = (noise(1) // 3 + 80).contiguous()  # nothing is clipped
    changed = 0
    for m in drawn(colours):
        assert torch.equal(recoloured(GREY, [m]), GREY)
        done = recoloured(frames, [m])
        changed += not torch.equal(done, frames)
        assert ((done[0] - frames[0].float()) * weights).sum(0).abs().max() < 1
    assert changed > 10


def test_frames_of_a_clip_change_alike_unless_each_is_asked_for():
    still = noise(1).expand(4, -1, -1, -1)
    clip = raw_clip(still, [])
    for seed in range(6):
        done = Photometric(Colours())(clip, np.random.default_rng(seed)).frames
        assert (done == done[:1]).all()
    flickering = Photometric(Colours(each_frame=True))(clip, np.random.default_rng(1)).frames
    assert not (flickering == flickering[:1]).all()
    assert torch.equal(clip.frames, still)
