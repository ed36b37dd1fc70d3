"""What every model of the catalogue must do; a new file there is tested on arrival."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from vis import models
from vis.errors import UsageError
from vis.models._output import Output
from vis.models._pixels import Pixels
from vis.records import Clip, ClipPredictions

OF_A_SIZE = ("box_heads.", "masks.pyramid.smooth.")
"""Parts of a single-shot detector that learn from objects of one size alone, of each map another;
`test_ssd_mask.py` shows it objects of all sizes."""

OWN_COLOURS = ("segmenter", "ssd_mask")
"""Models whose `Config` or paper fixes mean and deviation; transformers has neither."""


def tensors(output: Any, predictions: list[ClipPredictions]) -> list[Tensor]:
    """Everything that a model said."""
    return list(walk(output.dense() if isinstance(output, Output) else output)) + list(
        walk(predictions)
    )


def walk(said: Any) -> Iterator[Tensor]:
    """The tensors in records and lists of them."""
    if isinstance(said, Tensor):
        yield said
    elif isinstance(said, list):
        for one in said:
            yield from walk(one)
    elif dataclasses.is_dataclass(said):
        for field in dataclasses.fields(said):
            yield from walk(getattr(said, field.name))


def say(model: torch.nn.Module, clip: Clip) -> list[Tensor]:
    with torch.inference_mode():
        output = model(clip)
        return tensors(output, model.predictions(output, clip))


def assert_same(found: list[Tensor], expected: list[Tensor], *, tolerance: float = 0.0) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        if tolerance and one.shape == other.shape and one.dim() == 4 and one.eq(one.bool()).all():
            # pixels that were decided: rounding decides those at a tie
            assert (one != other).double().mean() < 1e-3
            continue
        torch.testing.assert_close(one, other, atol=tolerance, rtol=0)


def test_every_model_is_tested_here(small: SimpleNamespace):
    assert {name for name, _ in small.settings.values()} == set(models.names())


def test_predictions_have_their_shapes_and_ranges(small: SimpleNamespace, case: str):
    model = small.make(case)
    clip = small.clip(model)
    T = clip.frames.shape[1]
    with torch.inference_mode():
        predictions = model.predictions(model(clip), clip)
    assert len(predictions) == 2
    for made, size in zip(predictions, clip.sizes.tolist(), strict=True):
        N = len(made.scores)
        assert N > 0
        assert made.labels.shape == (N,) and made.labels.dtype == torch.int64
        assert made.class_scores.shape == (N, small.classes)
        assert made.boxes.shape == (N, T, 4) and made.presence.shape == (N, T)
        assert made.masks.shape[:2] == (N, T)
        stride = round(size[0] / made.masks.shape[2])
        cells = [round(pixels / stride) for pixels in size]
        assert stride in (1, 2, 4)
        assert all(abs(a - b) <= 1 for a, b in zip(made.masks.shape[2:], cells, strict=True))
        assert (made.labels >= 0).all() and (made.labels < small.classes).all()
        if case.startswith(("sotr", "deformable_detr", "ssd_mask")):
            # the score said already how sure it is; said twice, the tracker would hide the rest
            assert made.presence.min() > 0.5
        for values in (made.scores, made.class_scores, made.boxes, made.presence, made.masks):
            assert values.dtype == torch.float32
            assert (values >= 0).all() and (values <= 1).all()


def test_losses_are_finite_and_a_gradient_reaches_every_trainable_parameter(
    small: SimpleNamespace, case: str
):
    model = small.make(case).train()
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or not parameter.any():
            # What starts at zero hides all that lies behind it.
            torch.nn.init.normal_(parameter, std=0.1)
    clip = small.clip(model)
    losses = model.losses(model(clip), small.targets(clip))
    assert losses and all(value.dim() == 0 and value.isfinite() for value in losses.values())
    torch.stack(list(losses.values())).sum().backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            size = parameter.grad.abs().sum().item()
            assert size < float("inf"), name
            assert size > 0 or (case.startswith("ssd_mask") and name.startswith(OF_A_SIZE)), name


def test_what_is_not_annotated_is_not_punished(small: SimpleNamespace, case: str):
    """A clip without objects is less wrong where a class's absence says nothing."""
    model = small.make(case).train()
    if not getattr(model.config, "background", True):
        pytest.skip("where there is no object, nothing is judged")
    clip = small.clip(model)
    output, targets = model(clip), small.targets(clip)

    def total(*labelled: bool) -> float:
        told = torch.tensor(labelled)
        given = [targets[0], dataclasses.replace(targets[1], labelled=told)]
        torch.manual_seed(0)
        return torch.stack(list(model.losses(output, given).values())).sum().item()

    torch.manual_seed(0)  # some losses look at random points
    whole = torch.stack(list(model.losses(output, targets).values())).sum().item()
    assert total(*[True] * small.classes) == whole
    assert total(False, *[True] * (small.classes - 1)) < whole


def test_a_step_changes_no_norm_of_the_backbone(small: SimpleNamespace, case: str):
    model = small.make(case).train()
    before = {name: value.clone() for name, value in model.named_buffers()}
    clip = small.clip(model)
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    torch.stack(list(model.losses(model(clip), small.targets(clip)).values())).sum().backward()
    optimiser.step()
    for name, value in model.named_buffers():
        assert not name.startswith("backbone.") or torch.equal(value, before[name]), name


@pytest.mark.parametrize("garbage", [float("nan"), 1e30])
def test_garbage_in_the_padding_changes_nothing(small: SimpleNamespace, case: str, garbage: float):
    model = small.make(case)
    clip = small.clip(model)
    frames = clip.frames.clone()
    frames[1, :, :, 50:] = garbage
    frames[1, :, :, :, 70:] = garbage
    assert_same(say(model, Clip(frames, clip.sizes)), say(model, clip))


def test_it_sees_the_colours_that_its_checkpoint_states(small: SimpleNamespace, case: str):
    """Other mean and deviation are other pixels for every model that a hub may state pixels of."""
    # in double precision: cells and queries that are near ties must not change places
    model = small.make(case).double()
    if model.name in OWN_COLOURS:
        pytest.skip("its colours are its own")
    clip = small.clip(model)
    usual, stated = Pixels(), Pixels(mean=(0.5, 0.4, 0.3), deviation=(0.2, 0.3, 0.4))
    frames = clip.frames.double()
    mean, deviation, own_mean, own_deviation = (
        frames.new_tensor(colour)[:, None, None]
        for colour in (usual.mean, usual.deviation, stated.mean, stated.deviation)
    )
    same = own_mean + (frames - mean) / deviation * own_deviation
    with torch.inference_mode():
        expected = tensors(model(Clip(frames, clip.sizes)), [])
        model.pixels = stated
        assert_same(tensors(model(Clip(same, clip.sizes)), []), expected, tolerance=1e-6)


def test_a_batch_is_each_of_its_clips(small: SimpleNamespace, case: str):
    # in double precision: rounding differs with the size of a batch, and from one CPU to the next
    model = small.make(case).double()
    clip = small.clip(model)
    clip = Clip(clip.frames.double(), clip.sizes)
    with torch.inference_mode():
        together = model(clip)
        batch = model.predictions(together, clip)
        for i in (0, 1):
            alone = Clip(clip.frames[i : i + 1], clip.sizes[i : i + 1])
            output = model(alone)
            found = tensors(output, model.predictions(output, alone))
            of_all = tensors(together, [])
            expected = [
                # what has no axis is the same for all clips
                *(x[i : i + 1] if x.dim() else x for x in of_all),
                *tensors(together, [batch[i]])[len(of_all) :],
            ]
            assert_same(found, expected, tolerance=1e-5)


def test_saved_and_loaded_it_says_the_same(small: SimpleNamespace, case: str, tmp_path: Path):
    model = small.make(case)
    settings = json.loads(json.dumps(dataclasses.asdict(model.config)))
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    torch.manual_seed(9)
    again = models.build(model.name, **settings).eval()
    clip = small.clip(model)
    again.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert again.config == model.config
    assert_same(say(again, clip), say(model, clip))


def test_more_frames_than_it_was_built_for_are_refused(small: SimpleNamespace, case: str):
    model = small.make(case)
    frames = torch.rand(1, model.frames + 1, 3, 64, 64)
    with pytest.raises(UsageError, match=f"at most {model.frames} frame"):
        model(Clip(frames, torch.tensor([[64, 64]])))


def test_an_unknown_model_or_setting_names_the_nearest():
    with pytest.raises(UsageError, match="'tt_srn'"):
        models.build("ttsrn", classes=4)
    with pytest.raises(UsageError, match="'backbone'"):
        models.build("vistr", classes=4, backbon="resnet18")
