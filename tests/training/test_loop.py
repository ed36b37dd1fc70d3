"""What the loop promises of steps, of batches that cannot be learnt from, and of its log."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vis.errors import DataError, DeviceError, OutputError, UsageError, VisWarning
from vis.records import ClipPredictions
from vis.training import checkpoint
from vis.training.assemble import checkpoint_activations
from vis.training.config import Optimisation, Training
from vis.training.log import duration
from vis.training.parser import parse
from vis.training.pictures import picture
from vis.training.state import averaged
from vis.weights import load

SHORT = Training(steps=2, log_every=1)
PLAIN = Optimisation(
    kind="sgd", lr=0.1, backbone_lr=0.1, momentum=0, weight_decay=0, max_grad_norm=0
)


def lines(folder: Path, name: str = "log.jsonl") -> list[dict]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def parameters(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def once(squares, number: int = 0):
    """A feed that shows one batch again and again."""
    return lambda start, stop: (batch for _ in range(start, stop) for batch in squares(0, 1))


def test_a_small_model_learns_one_batch(squares, tmp_path: Path):
    training = Training(steps=40, log_every=10, save_every=100)
    run = squares.loop(
        tmp_path, training, feed=once(squares.squares), model=squares.small(dropout=0.0)
    )
    run()
    losses = [line["loss"] for line in lines(tmp_path)]
    assert losses[-1] < 0.75 * losses[0], losses
    assert [line["step"] for line in lines(tmp_path)] == [10, 20, 30, 40]


def test_the_gradients_of_several_batches_are_averaged(squares, tmp_path: Path):
    """The same batch twice a step teaches what it teaches once a step."""
    found = []
    for accumulate in (1, 2):
        model = squares.small(dropout=0.0, sine_dropout=0.0)
        training = replace(SHORT, grad_accum_steps=accumulate)
        feed = once(squares.squares)
        run = squares.loop(
            tmp_path / str(accumulate), training, feed=feed, model=model, optimisation=PLAIN
        )
        run()
        found.append(parameters(model))
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-6)


def test_a_clipped_gradient_moves_no_further_than_told(squares, tmp_path: Path):
    model = squares.small()
    before = parameters(model)
    optimisation = replace(PLAIN, lr=0.5, backbone_lr=0.5, max_grad_norm=0.01)
    squares.loop(tmp_path, replace(SHORT, steps=1), model=model, optimisation=optimisation)()
    moved = float((parameters(model) - before).norm())
    assert moved == pytest.approx(0.5 * 0.01, rel=0.01)
    assert lines(tmp_path)[0]["norm"] > 0.01


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_learns_and_keeps_whole_parameters(squares, tmp_path: Path, precision: str):
    model = squares.small()
    before = parameters(model)
    run = squares.loop(tmp_path, replace(SHORT, precision=precision), model=model)
    run()
    assert all(p.dtype == torch.float32 for p in model.parameters())
    assert all(math.isfinite(line["loss"]) for line in lines(tmp_path))
    assert run.state.scaler.is_enabled() == (precision == "fp16")
    if precision == "fp16":  # the scale begins too high: where it does, it falls and nothing moves
        scale = run.state.scaler.get_scale()
        assert scale < 65536 or not torch.equal(parameters(model), before)
    else:
        assert not torch.equal(parameters(model), before)


def test_computing_again_gives_the_same_gradients(squares):
    """With dropout, whose draws must be the same the second time."""
    (batch,) = squares.squares(0, 1)
    found = []
    for again in (False, True):
        model = squares.small().train()
        if again:
            checkpoint_activations(model)
        torch.manual_seed(3)
        losses = model.losses(model(batch.clip), batch.targets)
        torch.stack(list(losses.values())).sum().backward()
        found.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, msg=name)


def test_the_average_is_that_of_the_steps(squares, tmp_path: Path):
    training = Training(steps=3, save_every=1, keep=9, ema_decay=0.5)
    run = squares.loop(tmp_path, training)
    run()
    expected = None
    for step in (1, 2, 3):
        path = tmp_path / "checkpoints" / f"step-{step:08d}"
        now = parameters(load(path / "model.safetensors"))
        expected = now if expected is None else 0.5 * expected + 0.5 * now
        torch.testing.assert_close(parameters(load(path / "average.safetensors")), expected)
    torch.testing.assert_close(parameters(run.state.best), expected)


def test_the_average_forgets_its_start_while_its_decay_rises():
    model = torch.nn.Linear(1, 1)
    ema = averaged(model, 0.9, ema_warmup=2)
    assert ema is not None
    values = []
    for step in (1, 2, 3):
        torch.nn.init.constant_(model.weight, step)
        ema.update_parameters(model)
        values.append(float(ema.module.weight))
    second, third = (0.9 * (1 - math.exp(-step / 2)) for step in (2, 3))
    assert values[0] == 1
    assert values[1] == pytest.approx(second * 1 + (1 - second) * 2)
    assert values[2] == pytest.approx(third * values[1] + (1 - third) * 3)


def spoiled(squares, *bad: int):
    """A feed whose batches of these numbers hold a pixel that is no number."""

    def feed(start, stop):
        for batch in squares(start, stop):
            if batch.step in bad:
                batch.clip.frames[0, 0, 0, 5, 5] = math.nan
            yield batch

    return feed


def test_a_loss_that_is_not_finite_names_step_and_videos_and_changes_nothing(squares, tmp_path):
    model = squares.small()
    training = Training(steps=5, save_every=1)
    run = squares.loop(tmp_path, training, model=model, feed=spoiled(squares.squares, 2))
    with pytest.raises(
        DataError, match=r"step 3, square 0, square 1: the loss .*class.* not finite"
    ):
        run()
    saved = checkpoint.newest(tmp_path / "checkpoints")
    assert saved is not None and saved.step == 2
    assert torch.equal(parameters(load(saved.path / "model.safetensors")), parameters(model))
    (record,) = lines(tmp_path, "bad_batches.jsonl")
    assert record["step"] == 3 and record["names"] == ["square 0", "square 1"]
    assert record["terms"]["class"] is None


def test_told_to_skip_it_goes_on_but_not_after_three_in_a_row(squares, tmp_path: Path):
    training = Training(steps=4, non_finite="skip", log_every=4)
    run = squares.loop(tmp_path / "a", training, feed=spoiled(squares.squares, 0, 2))
    with pytest.warns(VisWarning, match="The step was left out") as warned:
        run()
    assert len(warned) == 2
    assert lines(tmp_path / "a")[-1]["skipped"] == 2
    assert math.isfinite(lines(tmp_path / "a")[-1]["loss"])
    run = squares.loop(tmp_path / "b", training, feed=spoiled(squares.squares, 1, 2, 3))
    with pytest.warns(VisWarning), pytest.raises(DataError, match="step 4"):
        run()


class Full(torch.nn.Module):
    def forward(self, clip, targets):
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_used_up_memory_says_what_to_lower(squares, tmp_path: Path):
    run = squares.loop(tmp_path, SHORT)
    run.network = Full()
    with pytest.raises(DeviceError) as raised:
        run()
    words = str(raised.value)
    for part in (
        "step 1",
        "square 0",
        "[2, 2, 3, 32, 32]",
        "training.batch (1)",
        "microbatch",
        "activation_checkpointing",
    ):
        assert part in words


class Narrow(torch.nn.Module):
    """Has memory for one clip alone."""

    def __init__(self, loss_module: torch.nn.Module) -> None:
        super().__init__()
        self.loss_module = loss_module

    def forward(self, clip, targets):
        if len(targets) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.loss_module(clip, targets)


def test_told_so_it_repeats_the_step_with_fewer_clips_at_once(squares, tmp_path: Path):
    """What it learns is what the same clips teach one by one, whatever is drawn at random."""
    training = replace(SHORT, batch=2, on_oom="microbatch")
    run = squares.loop(tmp_path / "a", training)
    run.network = Narrow(run.network)
    with pytest.warns(VisWarning, match="used up .* batches are cut into 2") as warned:
        run()
    assert len(warned) == 1
    alone = replace(SHORT, grad_accum_steps=2)
    other = squares.loop(
        tmp_path / "b", alone, feed=lambda start, stop: squares.squares(start, stop, size=1)
    )
    other()
    assert squares.digest(run.state.model) == squares.digest(other.state.model)
    assert [line["loss"] for line in lines(tmp_path / "a")] == [
        line["loss"] for line in lines(tmp_path / "b")
    ]


def test_memory_for_not_even_one_clip_stops(squares, tmp_path: Path):
    run = squares.loop(tmp_path, replace(SHORT, batch=2, on_oom="microbatch"))
    run.network = Full()
    with pytest.warns(VisWarning, match="cut into 2"), pytest.raises(DeviceError, match="used up"):
        run()
    assert run.state.step == 0


def test_a_step_that_began_to_change_parameters_is_not_repeated(squares, tmp_path: Path):
    run = squares.loop(tmp_path, replace(SHORT, batch=2, on_oom="microbatch"))

    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    run.state.optimiser.step = full
    with pytest.raises(DeviceError, match="used up"):
        run()


def test_a_gradient_that_is_not_finite_names_the_parameter(squares, tmp_path: Path):
    model = squares.small()
    name, parameter = list(model.named_parameters())[-1]
    parameter.register_hook(lambda gradient: gradient * math.nan)
    with pytest.raises(DataError, match=f"the gradient of {name} is not finite"):
        squares.loop(tmp_path, SHORT, model=model)()


def test_a_full_disk_is_borne_twice_but_not_at_the_end(squares, tmp_path: Path, monkeypatch):
    def full(*_, **__):
        raise OutputError("the disk is full")

    monkeypatch.setattr(checkpoint, "save", full)
    run = squares.loop(tmp_path / "a", Training(steps=9, save_every=1))
    with pytest.warns(VisWarning, match="goes on") as warned, pytest.raises(OutputError):
        run()
    assert run.state.step == 3 and len(warned) == 2
    with pytest.raises(OutputError, match="disk is full"):
        squares.loop(tmp_path / "b", SHORT)()


def test_the_log_of_a_run_that_went_on_has_every_step_once(squares, tmp_path: Path):
    squares.loop(tmp_path, SHORT)()
    log = tmp_path / "log.jsonl"
    text = log.read_text()
    log.write_text(text + text.splitlines()[0].replace('"step": 1', '"step": 3') + "\n" + '{"ste')
    squares.loop(tmp_path, replace(SHORT, steps=4))()
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4]
    assert lines(tmp_path)[0].keys() >= {"loss", "terms", "norm", "rate", "seconds", "wait"}


def test_tensorboard_holds_the_same_numbers(squares, tmp_path: Path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    squares.loop(tmp_path, replace(SHORT, tensorboard=True))()
    found = events.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    values = [event.value for event in found.Scalars("loss/class")]
    assert values == pytest.approx([line["terms"]["class"] for line in lines(tmp_path)], rel=1e-5)
    (shown,) = found.Images("predictions")
    assert (shown.step, shown.width, shown.height) == (2, 2 * squares.SIDE, squares.SIDE)


def test_a_picture_shows_what_the_model_is_sure_of_and_changes_nothing(squares):
    """The frames alone where nothing is sure; the drawn object where something is."""
    (batch,) = squares.squares(0, 1)
    model = squares.small().train()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    T, side = squares.T, squares.SIDE

    def predictions(output, clip):
        scores = torch.tensor([0.1, sure])
        masks = torch.zeros(2, T, 8, 8)
        masks[1, :, :4] = 1
        boxes = torch.zeros(2, T, 4)
        whole = ClipPredictions(
            scores=scores, labels=torch.tensor([0, 1]), class_scores=torch.zeros(2, 2),
            boxes=boxes, masks=masks, presence=torch.ones(2, T),
        )  # fmt: skip
        return [whole]

    model.predictions = predictions
    frames = batch.clip.frames[0].mul(255).round().byte()
    plain = torch.cat(list(frames.permute(0, 2, 3, 1)), dim=1).numpy()
    for sure in (0.2, 0.9):
        made = picture(model, batch.clip, torch.device("cpu"))
        assert made.shape == (side, T * side, 3)
        assert (made != plain).any() == (sure > 0.5)
        assert (made[side // 2 + 8 :] == plain[side // 2 + 8 :]).all()
    assert model.training and torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.6, "1:00"), (3600, "1:00:00"), (90061, "1 d 01:01:01")],
)
def test_durations_read_like_clocks(seconds: float, text: str):
    assert duration(seconds) == text


@pytest.mark.parametrize("name", ["steps", "batch", "grad_accum_steps", "save_every", "workers"])
def test_impossible_settings_are_refused(name: str):
    with pytest.raises(UsageError, match=name):
        parse(Training, {name: -1})
