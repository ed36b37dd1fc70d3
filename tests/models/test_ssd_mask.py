"""SSD with masks: every part learns from objects of its size, and six pictures are learnt."""

from types import SimpleNamespace

import pytest
import torch

from tests.models.six_pictures import overlaps, six_pictures, target
from vis import models
from vis.errors import UsageError
from vis.records import Clip, ClipTargets


def test_objects_of_all_sizes_teach_all_parts() -> None:
    """Six squares, as large as the anchors of the six maps, and one as large as the picture."""
    torch.manual_seed(0)
    model = models.build("ssd_mask", classes=2, mask_width=32, jitter=0.0, rois=20).train()
    sides = (*(round(300 * (0.2 + 0.15 * number)) for number in range(6)), 512)
    masks = torch.zeros(len(sides), 384, 512, dtype=torch.bool)
    for mask, side in zip(masks, sides, strict=True):
        mask[:side, :side] = True
    parts = [target(1, mask) for mask in masks]
    names = ("labels", "boxes", "masks", "visible")
    truth = ClipTargets(*(torch.cat([getattr(one, name) for one in parts]) for name in names))
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    clip = Clip(torch.rand(1, 1, 3, 384, 512), torch.tensor([[384, 512]]))
    torch.stack(list(model.losses(model(clip), [truth]).values())).sum().backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


def test_masks_alone_may_be_learnt(small: SimpleNamespace) -> None:
    model = small.make("ssd_mask", train_detector=False).train()
    clip = small.clip(model)
    losses = model.losses(model(clip), small.targets(clip))
    assert losses.keys() == {"mask_bce", "mask_dice", "mask_coarse"}
    torch.stack(list(losses.values())).sum().backward()
    assert all(
        (parameter.grad is not None) == name.startswith(("masks.", "mask_blocks."))
        for name, parameter in model.named_parameters()
    )


def test_blocks_for_masks_begin_as_the_trunks(small: SimpleNamespace) -> None:
    """What starts from a detector sees its maps at first, and those only change for masks."""
    model = small.make("ssd_mask")
    published = {n: t for n, t in model.state_dict().items() if not n.startswith("mask")}
    model.load_state_dict(model.completed(published), strict=False)
    frames = torch.rand(1, 3, 64, 80)
    with torch.inference_mode():
        own = model.mask_blocks(model.backbone(frames).levels[1])
        for one, other in zip(own, model.backbone(frames).levels[2:4], strict=True):
            assert torch.equal(one, other)
    assert small.make("ssd_mask", mask_blocks=False).completed(published).keys() == published.keys()


def test_the_detector_says_the_same_with_and_without_masks(small: SimpleNamespace) -> None:
    model = small.make("ssd_mask")
    boxes = small.make("ssd_mask", masks=False)
    boxes.load_state_dict({n: t for n, t in model.state_dict().items() if not n.startswith("mask")})
    clip = small.clip(model)
    with torch.inference_mode():
        one, other = model(clip), boxes(clip)
    assert torch.equal(one.logits, other.logits) and torch.equal(one.boxes, other.boxes)


def test_every_anchor_has_a_place_down_to_one_cell(small: SimpleNamespace) -> None:
    for size, aspect in (((64, 80), 4 / 3), ((300, 300), 1.0), ((300, 700), 4 / 3), ((33, 65), 9)):
        model = small.make("ssd_mask", aspect=aspect)
        clip = Clip(torch.rand(1, 1, 3, *size), torch.tensor([size]))
        with torch.inference_mode():
            output = model(clip)
        count = output.anchors.shape[1]
        assert output.logits.shape == (1, count, small.classes)
        assert output.offsets.shape == (1, count, 4) and output.boxes.isfinite().all()
        if size == (300, 300):
            assert count == 1917


def test_half_precision_says_nearly_the_same(small: SimpleNamespace) -> None:
    model = small.make("ssd_mask")
    clip = small.clip(model)
    with torch.no_grad():
        whole = model(clip)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = model(clip)
        assert model.predictions(half, clip)[0].masks.dtype == torch.float32
    torch.testing.assert_close(half.boxes, whole.boxes, atol=0.02, rtol=0)
    losses = model.losses(half, small.targets(clip))
    assert all(v.dtype == torch.float32 and v.isfinite() for v in losses.values())


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"keep": 0}, "keep is 0"),
        ({"mask_width": 48}, "no multiple of 32"),
        ({"overlap": 1.5}, "within 0..1"),
        ({"aspect": 0.5}, "at least 1"),
        ({"masks": False, "train_detector": False}, "neither masks nor the detector"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        models.build("ssd_mask", classes=3, **settings)


def test_six_pictures_are_learnt_from_nothing() -> None:
    """Name, box and outline of each: a rectangle in its place would be 0.79 or 0.5 of the others.

    Fresh weights keep the mean square of what goes through, so that there need be no norms.
    """
    torch.manual_seed(0)
    model = models.build("ssd_mask", classes=3, mask_width=32).train()
    clip, targets = six_pictures()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(45):
        optimiser.zero_grad()
        torch.stack(list(model.losses(model(clip), targets).values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
    assert min(overlaps(model.eval(), clip, targets)) > 0.85
