"""Points: bilinear truth, doubtful places, and costs against their definitions."""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, pad

from vis.losses.points import (
    point_costs,
    point_terms,
    sample_points,
    sample_truth,
    uncertain_points,
    uniform,
)


def test_truth_is_sampled_as_floats_on_the_canvas_would_be() -> None:
    torch.manual_seed(0)
    masks, padded_size = torch.rand(3, 9, 13) < 0.5, (12, 20)
    points = torch.rand(3, 200, 2) * 1.2 - 0.1
    whole = pad(masks.double(), (0, 7, 0, 3))[:, None]
    expected = sample_points(whole, points.double())[:, 0]
    found = sample_truth(masks, points.double(), padded_size)
    torch.testing.assert_close(found, expected)
    assert sample_truth(masks[:0], points[:0], padded_size).shape == (0, 200)


def test_three_quarters_of_the_places_are_the_least_sure() -> None:
    torch.manual_seed(0)
    logits = torch.linspace(-1, 1, 64).expand(2, 64, 64).contiguous()
    points = uncertain_points(logits, 400, uniform)
    assert points.shape == (2, 400, 2)
    off = (points[..., 0] - 0.5).abs()
    assert off[:, :300].max() < 0.3 and off[:, 300:].max() > 0.4
    assert ((points >= 0) & (points <= 1)).all()


def test_numbers_come_from_the_given_stream() -> None:
    drawn = []

    def draw(shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
        drawn.append(shape)
        return torch.full(shape, 0.5, device=device)

    assert (uncertain_points(torch.randn(3, 4, 4), 10, draw) == 0.5).all()
    assert drawn == [(3, 30, 2), (3, 3, 2)]


def test_costs_are_the_terms_of_every_pair() -> None:
    torch.manual_seed(0)
    logits, truth = 3 * torch.randn(4, 50).double(), torch.rand(3, 50).double()
    entropy, dice = point_costs(logits, truth)
    for q in range(4):
        for n in range(3):
            one = binary_cross_entropy_with_logits(logits[q], truth[n])
            torch.testing.assert_close(entropy[q, n], one)
            found, terms = point_terms(logits[q : q + 1], truth[n : n + 1])
            torch.testing.assert_close(entropy[q, n], found[0])
            torch.testing.assert_close(dice[q, n], terms[0])
