"""Colours: bound to the number, far apart for neighbours, readable under text."""

import subprocess
import sys

import numpy as np
import pytest

from vis.ops.colours import BLACK, NEIGHBOURS, PALETTE, WHITE, colour, oklab, readable


def test_neighbouring_identities_are_far_apart():
    """0.02 is about the least difference that can be seen side by side."""
    lab = oklab([colour(n) for n in range(2 * PALETTE)])
    distances = np.linalg.norm(lab[:, None] - lab, axis=-1)
    apart = np.abs(np.subtract.outer(np.arange(len(lab)), np.arange(len(lab))))
    assert distances[(apart > 0) & (apart < NEIGHBOURS)].min() > 0.1
    assert distances[apart % PALETTE > 0].min() > 0.05


def test_colours_repeat_and_take_any_number():
    assert [colour(n) for n in range(-PALETTE, 0)] == [colour(n) for n in range(PALETTE)]
    assert colour(10**30 * PALETTE + 5) == colour(5)
    assert colour(np.int64(7)) == colour(7)  # type: ignore[arg-type]
    assert all(type(part) is int and 0 <= part <= 255 for part in colour(3))


def test_another_process_sees_the_same_colours():
    code = "from vis.ops.colours import colour; print([colour(n) for n in (35, 2, 17)])"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == str([colour(n) for n in (35, 2, 17)])


def test_the_palette_is_vivid():
    lab = oklab([colour(n) for n in range(PALETTE)])
    assert lab[:, 0].min() > 0.6 and lab[:, 0].max() < 0.9
    assert np.hypot(lab[:, 1], lab[:, 2]).min() > 0.1


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (1.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((255, 0, 0), (0.62796, 0.22486, 0.12585)),
        ((0, 0, 255), (0.45201, -0.03246, -0.31153)),
    ],
)
def test_oklab_agrees_with_published_values(rgb, lab):
    assert oklab(rgb) == pytest.approx(lab, abs=1e-4)


def test_text_has_the_better_contrast():
    assert readable(WHITE) == BLACK and readable(BLACK) == WHITE
    assert readable((255, 255, 0)) == BLACK and readable((0, 0, 160)) == WHITE

    def luminance(rgb):
        unit = np.array(rgb) / 255
        linear = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
        return linear @ (0.2126, 0.7152, 0.0722)

    for n in range(PALETTE):
        dark, light = sorted([luminance(colour(n)), luminance(readable(colour(n)))])
        assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.2, level AA
