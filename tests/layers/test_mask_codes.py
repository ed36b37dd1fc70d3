"""Masks in few numbers: there and back, fitted in closed form, always the same."""

from collections.abc import Iterator

import pytest
import torch

from vis.errors import DataError
from vis.layers.learned_codes import LearnedCodes
from vis.layers.mask_codes import CosineCodes, PrincipalCodes, slowest, zigzag


def discs(count: int, side: int, *, seed: int = 0) -> torch.Tensor:
    """Ellipses that nearly fill their square, as in their boxes; `[count side side]` bool."""
    draw = torch.Generator().manual_seed(seed)
    middle = side / 2 + side / 50 * torch.randn(count, 2, 1, 1, generator=draw)
    radius = side * (0.4 + 0.1 * torch.rand(count, 2, 1, 1, generator=draw))
    axis = torch.arange(side) + 0.5
    across = (axis - middle[:, 0]) / radius[:, 0]
    down = (axis[:, None] - middle[:, 1]) / radius[:, 1]
    return across.square() + down.square() <= 1


def overlap(a: torch.Tensor, b: torch.Tensor) -> float:
    """Least IoU of pairs of masks."""
    both, either = (a & b).sum(dim=(1, 2)), (a | b).sum(dim=(1, 2))
    return (both / either).min().item()


@pytest.fixture(scope="module")
def fitted() -> PrincipalCodes:
    codec = PrincipalCodes(28, 60)
    masks = discs(3000, 28)
    assert codec.fit(masks.split(700)) > 0.85
    return codec


def test_fitted_to_discs_it_gives_back_discs(fitted: PrincipalCodes) -> None:
    masks = discs(50, 28, seed=1)
    assert overlap(fitted.decode(fitted.encode(masks)) > 0.5, masks) > 0.97


def test_codes_are_white_and_the_same_every_time(fitted: PrincipalCodes) -> None:
    masks = discs(3000, 28)
    codes = fitted.encode(masks)
    assert torch.equal(codes, fitted.encode(masks))
    torch.testing.assert_close(codes.mean(dim=0), torch.zeros(60), atol=2e-3, rtol=0)
    torch.testing.assert_close(codes.T @ codes / 3000, torch.eye(60), atol=2e-3, rtol=0)
    again = PrincipalCodes(28, 60)
    again.fit(iter([masks]))
    torch.testing.assert_close(again.components, fitted.components, atol=1e-4, rtol=0)


def test_the_fit_is_that_of_the_singular_values() -> None:
    masks, codec = discs(200, 8), PrincipalCodes(8, 5)
    codec.fit(iter([masks]))
    logits = 3.7693 * (2 * masks.flatten(1).double() - 1)
    _, values, vectors = torch.linalg.svd(logits - logits.mean(dim=0), full_matrices=False)
    torch.testing.assert_close(codec.variances.double(), values[:5] ** 2 / 200, atol=0, rtol=1e-4)
    along = (codec.components.double() * vectors[:5]).sum(dim=1).abs()
    torch.testing.assert_close(along, torch.ones(5, dtype=torch.float64), atol=1e-4, rtol=0)


def test_masks_are_streamed_and_not_kept() -> None:
    def stream() -> Iterator[torch.Tensor]:
        for _ in range(3):
            masks = discs(10, 8)
            yield masks
            masks.zero_()

    one, other = PrincipalCodes(8, 4), PrincipalCodes(8, 4)
    one.fit(stream())
    other.fit([discs(10, 8)])
    torch.testing.assert_close(one.components, other.components)


def test_masks_that_do_not_differ_are_refused() -> None:
    codec = PrincipalCodes(8, 4)
    with pytest.raises(DataError, match="0 masks"):
        codec.fit([])
    with pytest.raises(DataError, match="3 masks"):
        codec.fit([torch.ones(3, 8, 8, dtype=torch.bool)])


def test_published_noise_is_of_training_alone() -> None:
    codec, masks = PrincipalCodes(28, 60, noisy=True), discs(4, 28)
    torch.manual_seed(0)
    assert not torch.equal(codec.encode(masks), codec.encode(masks))
    codec.eval()
    assert torch.equal(codec.encode(masks), codec.encode(masks))


def test_before_it_is_fitted_masks_are_roughly_kept() -> None:
    codec, masks = PrincipalCodes(28, 60), discs(20, 28)
    assert overlap(codec.decode(codec.encode(masks)) > 0.5, masks) > 0.8


def test_all_cosines_are_the_mask() -> None:
    codec, masks = CosineCodes(8, 64), torch.rand(5, 8, 8) > 0.5
    torch.testing.assert_close(codec.decode(codec.encode(masks)), masks.float(), atol=1e-5, rtol=0)
    assert not codec.state_dict()


def test_few_cosines_keep_a_disc() -> None:
    codec, masks = CosineCodes(112, 256), discs(8, 112)
    assert overlap(codec.decode(codec.encode(masks)) >= 0.45, masks) > 0.97


def test_the_order_of_cosines_is_the_published_one() -> None:
    """Golden numbers I4."""
    order = list(zip(*(axis.tolist() for axis in zigzag(112, 256)), strict=True))
    assert order[:10] == [
        (0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2), (0, 3), (1, 2), (2, 1), (3, 0),
    ]  # fmt: skip
    assert order[-1] == (20, 2)
    assert len(set(zip(*(axis.tolist() for axis in zigzag(5, 25)), strict=True))) == 25
    waves = slowest(6, 36)
    torch.testing.assert_close(waves @ waves.T, torch.eye(36, dtype=torch.float64))


def test_learned_codes_have_a_fixed_encoder_and_a_decoder_that_learns() -> None:
    codec, masks = LearnedCodes(32, 12).train(), discs(4, 32)
    codes = codec.encode(masks)
    assert codes.shape == (4, 12)
    before = {name: value.clone() for name, value in codec.encoder.state_dict().items()}
    sides = torch.randn(4, 32, 8, 8)
    found = codec.decode(codes, sides)
    assert found.shape == (4, 32, 32) and found.min() >= 0 and found.max() <= 1
    assert not torch.equal(found, codec.decode(codes, None))
    found.sum().backward()
    assert all(p.grad is None for p in codec.encoder.parameters())
    assert all(
        p.grad is not None for name, p in codec.named_parameters() if not name.startswith("encoder")
    )
    assert all(torch.equal(value, before[n]) for n, value in codec.encoder.state_dict().items())
