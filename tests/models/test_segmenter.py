"""Segmenter: windows, sizes and mirrors against slow references; regions of classes; real sizes."""

from typing import Any

import pytest
import torch
from torch.nn.functional import interpolate

from vis import models
from vis.errors import UsageError
from vis.models._semantic import by_class
from vis.models._windows import ScaledPicture, Tiling, averaged, enlarged, slid, window_corners
from vis.records import Clip, ClipTargets

SMALL: dict[str, Any] = {
    "classes": 3,
    "image": 32,
    "patch": 8,
    "d_model": 16,
    "depth": 1,
    "num_heads": 2,
    "decoder_heads": 2,
}


def build(**settings: Any) -> Any:
    torch.manual_seed(0)
    return models.build("segmenter", **(SMALL | settings)).eval()


def clip(height: int, width: int) -> Clip:
    generator = torch.Generator().manual_seed(1)
    frames = torch.rand((1, 1, 3, height, width), generator=generator)
    return Clip(frames, torch.tensor([[height, width]]))


def semantic(model: Any, seen: Clip) -> torch.Tensor:
    with torch.inference_mode():
        (found,) = model.predictions(model(seen), seen)
    return found.semantic[0]


def colours(pictures: torch.Tensor) -> torch.Tensor:
    """A network that says what a pixel's colours are, and how far it is from its window's left."""
    place = torch.arange(pictures.shape[3]).expand_as(pictures[:, :1]).to(pictures)
    return torch.cat((pictures, place), dim=1)


@pytest.mark.parametrize("decoder", ["mask", "linear"])
def test_one_window_is_the_plain_forward(decoder: str):
    whole, windowed = build(decoder=decoder), build(decoder=decoder, window=32)
    seen = clip(32, 32)
    torch.testing.assert_close(semantic(windowed, seen), semantic(whole, seen))


def test_windows_end_where_the_picture_does():
    assert window_corners((512, 683), 512, 512) == [(0, 0), (0, 171)]
    assert len(window_corners((1024, 2048), 768, 512)) == 8
    assert enlarged((50, 70), 64) == (64, 89)
    assert enlarged((90, 126), 64) == (90, 126)


@pytest.mark.parametrize("chunk", [1, 4])
def test_a_pixel_is_the_mean_of_all_windows_that_show_it(chunk: int):
    picture = torch.rand(3, 20, 31, dtype=torch.float64)
    found = slid(colours, picture, Tiling(window=16, stride=10, chunk=chunk))
    torch.testing.assert_close(found[:3], picture)
    for x in range(31):
        lefts = [left for left in (0, 10, 15) if left <= x < left + 16]
        assert found[3, 0, x] == pytest.approx(sum(x - left for left in lefts) / len(lefts))


def test_views_are_averaged_as_probabilities_at_the_size_that_is_asked_for():
    picture = torch.rand(3, 16, 24, dtype=torch.float64)
    views = [ScaledPicture(picture, mirrored=False), ScaledPicture(picture.flip(-1), mirrored=True)]
    one = slid(colours, picture, Tiling(16, 8, 2))
    other = slid(colours, picture.flip(-1), Tiling(16, 8, 2))
    parts = [interpolate(x[None], (32, 40), mode="bilinear")[0] for x in (one, other)]
    expected = (parts[0].softmax(dim=0) + parts[1].flip(-1).softmax(dim=0)) / 2
    found = averaged(colours, views, Tiling(16, 8, 2), (32, 40))
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found.sum(dim=0), torch.ones(32, 40, dtype=torch.float64))


def test_a_mirrored_picture_has_the_mirrored_classes():
    model = build(window=32, stride=16, mirrored=True, scales=(1.0, 0.5))
    seen = clip(32, 48)
    other = Clip(seen.frames.flip(-1), seen.sizes)
    torch.testing.assert_close(semantic(model, other), semantic(model, seen).flip(-1))


def test_every_pixel_belongs_to_the_region_of_its_likeliest_class():
    class_probs = torch.rand(1, 5, 6, 7, generator=torch.Generator().manual_seed(0))
    class_probs = class_probs / class_probs.sum(dim=1, keepdim=True)
    class_probs[:, 3] = 0
    found = by_class(class_probs)
    assert 3 not in found.labels
    names = class_probs.argmax(dim=1)
    for label, mask, score in zip(found.labels, found.masks, found.scores, strict=True):
        assert torch.equal(mask > 0.5, names == label)
        inside = class_probs[:, label][names == label]
        assert score.item() == pytest.approx(inside.mean().item())


def test_pixels_of_the_background_belong_to_no_region():
    class_probs = torch.tensor([[0.5, 0.2], [0.1, 0.3]])[None, :, :, None]
    found = by_class(class_probs, background=torch.tensor([[0.4, 0.5]])[..., None])
    assert found.labels.tolist() == [0]
    assert (found.masks[0, 0, :, 0] > 0.5).tolist() == [True, False]


def test_pixels_that_are_not_judged_teach_nothing():
    model = build().train()
    seen = clip(32, 32)
    nothing = ClipTargets(
        labels=torch.zeros(0, dtype=torch.int64),
        boxes=torch.zeros(0, 1, 4),
        masks=torch.zeros(0, 1, 32, 32, dtype=torch.bool),
        visible=torch.zeros(0, 1, dtype=torch.bool),
    )
    (loss,) = model.losses(model(seen), [nothing]).values()
    loss.backward()
    assert loss.item() == 0
    assert all(not parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize(
    "wrong",
    [
        {"decoder": "linea"},
        {"image": 30},
        {"num_heads": 3},
        {"drop_path": 1.0},
        {"mirrored": True},
        {"window": 32, "stride": 40},
        {"window": 32, "scales": ()},
        {"deviation": (1.0, 1.0, 0.0)},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]):
    with pytest.raises(UsageError):
        build(**wrong)


@pytest.mark.parametrize(
    ("settings", "millions"),
    [
        ({"d_model": 192, "num_heads": 3}, 5.9),
        ({}, 22.4),
        ({"d_model": 768, "num_heads": 12}, 87.2),
        ({"d_model": 1024, "depth": 24, "num_heads": 16}, 305.8),
    ],
)
def test_the_published_sizes(settings: dict[str, Any], millions: float):
    """Parameters of the encoders, as the article lists them (with the classifier of ImageNet)."""
    given = {"decoder": "linear", "decoder_heads": 1, **settings}
    with torch.device("meta"):
        model = models.build("segmenter", classes=150, **given)
    width = model.config.d_model
    count = sum(x.numel() for x in model.backbone.parameters()) + 1001 * width
    assert count / 1e6 == pytest.approx(millions, abs=0.8)
