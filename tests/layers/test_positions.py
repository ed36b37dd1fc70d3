"""Sine positions against the formula cell by cell, and against published numbers."""

import math

import numpy as np
import pytest
import torch

from vis.layers.positions import AddedPlace, AddedSinePositions3D, SinePositions2D, SinePositions3D


def whole(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.bool)


def channel(position: int, count: int, index: int, width: int) -> float:
    """One number of the code of cell `position`, from 1, of `count`, straight from the formula."""
    angle = 2 * math.pi * position / (count + 1e-6)
    phase = angle / 10000 ** (2 * (index // 2) / width)
    return math.cos(phase) if index % 2 else math.sin(phase)


@pytest.mark.parametrize("width", range(96, 514, 2))
def test_every_even_width_splits_into_codes_of_frame_row_and_column(width: int):
    T, h, w = 3, 2, 4
    code = SinePositions3D(width)(whole(1, T, h, w))
    assert code.shape == (1, T, h, w, width)
    space = 2 * math.ceil(width / 6)
    time = width - 2 * space
    assert time > 0 and time % 2 == 0
    t, y, x = 1, 1, 2
    expected = (
        [channel(t + 1, T, i, time) for i in range(time)]
        + [channel(y + 1, h, i, space) for i in range(space)]
        + [channel(x + 1, w, i, space) for i in range(space)]
    )
    torch.testing.assert_close(code[0, t, y, x], torch.tensor(expected), atol=2e-6, rtol=0)


@pytest.mark.parametrize("width", [6, 32, 98, 100, 256])
def test_every_even_width_splits_into_codes_of_row_and_column(width: int):
    code = SinePositions2D(width)(whole(1, 1, 3, 5))[0, 0]
    assert code.shape == (3, 5, width)
    columns = 2 * math.ceil(width / 4)
    assert code[2, 1, 0].item() == pytest.approx(channel(3, 3, 0, width - columns), abs=2e-6)
    first = code[2, 1, width - columns].item()
    assert first == pytest.approx(channel(2, 5, 0, columns), abs=2e-6)


def test_width_384_has_the_published_values():
    code = SinePositions3D(384)(whole(1, 36, 10, 17))[0]
    assert code.double().mean().item() == pytest.approx(0.49327158, abs=1e-6)
    assert code.double().std(correction=0).item() == pytest.approx(0.50663908, abs=1e-6)
    for place, value in {
        (0, 0, 0, 0): 0.1736482,
        (0, 0, 0, 1): 0.9848077,
        (35, 0, 0, 2): -0.7460901,
        (17, 3, 5, 128): 0.5877854,
        (17, 3, 5, 131): -0.5692632,
        (17, 3, 5, 256): 0.7980173,
        (35, 9, 16, 383): 0.9999998,
    }.items():
        assert code[place].item() == pytest.approx(value, abs=1e-5), place


def test_only_content_counts():
    padding = whole(1, 2, 4, 6)
    padding[..., 3:, :] = True
    padding[..., 4:] = True
    inside = SinePositions3D(96)(padding)[:, :, :3, :4]
    alone = SinePositions3D(96)(whole(1, 2, 3, 4))
    assert torch.equal(inside, alone)


def test_published_codes_of_image_and_video(shared):
    numbers = np.load(shared / "golden" / "parts" / "position.npz")
    T, h, w = numbers["in.shape_thw"]
    padding = whole(1, int(T), int(h), int(w))
    for module, name in ((SinePositions2D, "sine2d"), (AddedSinePositions3D, "sine3d")):
        code = module(32)(padding).permute(0, 1, 4, 2, 3).numpy()
        expected = numbers[f"out.{name}_c32"]
        code = code[:, 0] if name == "sine2d" else code
        np.testing.assert_allclose(code, expected, atol=1e-5)


def test_an_added_place_is_its_waves_times_their_weights():
    torch.manual_seed(0)
    layer = AddedPlace(6)
    x = torch.randn(2, 6, 5, 7)
    at = [(row + 0.5) / 5 for row in range(5)], [(column + 0.5) / 7 for column in range(7)]
    waves = [[math.pi * k * place for k in range(1, 5)] for place in (at[0][3], at[1][2])]
    wanted = torch.tensor([f(a) for turn in waves for f in (math.sin, math.cos) for a in turn])
    torch.testing.assert_close(layer(x)[1, :, 3, 2], x[1, :, 3, 2] + layer.mix.weight @ wanted)
