"""A model at work: where memory ends, compiled, and in which precision."""

import functools
import weakref
from fractions import Fraction

import pytest
import torch

from vis import models
from vis.errors import DeviceError, VisWarning
from vis.inference import predictor as predictor_module
from vis.inference.predictor import Predictor
from vis.inference.windows import ResizedFrame, Window
from vis.tracking import Stamp

FRAMES, CHUNK = 3, 8


def build() -> models.Model:
    torch.manual_seed(0)
    return models.build(
        "vistr", classes=3, backbone="resnet18", d_model=128,
        encoder_layers=1, decoder_layers=1, ffn_dim=32, instance_queries=2,
        frames=FRAMES, chunk=CHUNK,
    )  # fmt: skip


def predictor_of(model: models.Model, **settings) -> Predictor:
    cpu = torch.device("cpu")
    return Predictor(model, length=FRAMES, short=32, longest=48, device=cpu, **settings)


def windows(count: int) -> list[Window]:
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (count, FRAMES, 3, 32, 48), generator=generator)
    return [
        Window(
            tuple(ResizedFrame(Stamp(n, Fraction(n)), one, None) for n, one in enumerate(clip)),
            1,
            1,
        )
        for clip in frames.to(torch.uint8)
    ]


class SmallMemory:
    """Ends at more than `most` windows, or at a chunk above `chunk`.

    Every attempt holds an activation; none may be alive, nor a second model, at the next.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, most: int, chunk: int) -> None:
        self.activations: list[weakref.ref[torch.Tensor]] = []
        self.models: weakref.WeakSet[models.Model] = weakref.WeakSet()
        forward = models.vistr.VisTR.forward

        def limited(model, clip):
            self.models.add(model)
            assert all(reference() is None for reference in self.activations)
            activation = torch.ones(10)
            self.activations.append(weakref.ref(activation))
            if len(clip.frames) > most or model.config.chunk > chunk:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return forward(model, clip)

        monkeypatch.setattr(models.vistr.VisTR, "forward", limited)


@pytest.mark.parametrize(("most", "chunk", "attempts"), [(1, 8, 4), (3, 2, 5), (1, 1, 6)])
def test_each_attempt_begins_with_the_memory_of_the_failed_one(
    monkeypatch: pytest.MonkeyPatch, most: int, chunk: int, attempts: int
):
    expected = predictor_of(build()).predict(windows(3))
    memory = SmallMemory(monkeypatch, most=most, chunk=chunk)
    model = build()
    with pytest.warns(VisWarning, match="memory ended"):
        predictions = predictor_of(model).predict(windows(3))
    assert len(memory.activations) == attempts
    assert list(memory.models) == [model]
    for one, other in zip(predictions, expected, strict=True):
        torch.testing.assert_close(one.masks, other.masks, rtol=1e-4, atol=1e-4)


def test_the_error_does_not_hold_the_memory(monkeypatch: pytest.MonkeyPatch):
    memory = SmallMemory(monkeypatch, most=1, chunk=0)
    with pytest.warns(VisWarning), pytest.raises(DeviceError) as caught:
        predictor_of(build()).predict(windows(1))
    assert "2.00 GiB" in str(caught.value.__cause__)
    assert len(memory.activations) == 3
    assert all(reference() is None for reference in memory.activations)


def test_a_compiled_model_says_the_same_and_stays_as_it_was(monkeypatch: pytest.MonkeyPatch):
    expected = predictor_of(build()).predict(windows(1))[0]
    # traced as for a compiler, whose kernels would take a minute
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    model = build()
    compiled = predictor_of(model, compile=True).predict(windows(1))[0]
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] and not model._compiled_call_impl
    torch.testing.assert_close(compiled.scores, expected.scores)
    torch.testing.assert_close(compiled.masks, expected.masks, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("precision", "expected"), [("fp32", "highest"), ("tf32", "high")])
def test_tf32_is_for_the_model_alone(
    monkeypatch: pytest.MonkeyPatch, precision: str, expected: str
):
    model, allowed = build(), []
    model.backbone.register_forward_hook(
        lambda *_: allowed.append(torch.get_float32_matmul_precision())
    )
    predictor_of(model, precision=precision).predict(windows(1))
    assert set(allowed) == {expected}
    assert torch.get_float32_matmul_precision() == "highest"


def test_what_comes_back_is_of_the_model_s_resolution(monkeypatch: pytest.MonkeyPatch):
    """Once a batch, and no mask as large as what the model sees, let alone the frame."""
    trips: list[list[int]] = []
    to_host = predictor_module.to_host

    def counted(tensors):
        trips.append([one[0, 0].numel() for one in tensors if one is not None and one.ndim == 4])
        return to_host(tensors)

    monkeypatch.setattr(predictor_module, "to_host", counted)
    predictor_of(build()).predict(windows(2))
    assert len(trips) == 1
    # a quarter of the sides at most
    assert 0 < max(trips[0]) <= 32 * 48 / 16
