"""No forward waits for the device: it asks for no number, so all its work is queued at once.

The device "meta" has shapes alone. Whoever asks it for a number, as `item`, `nonzero` or an `if` of
a tensor do, fails there; on a GPU each of these would wait until all that is queued is done.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from vis.layers.padding import normalize
from vis.losses.targets import check_classes
from vis.models import Model
from vis.records import Clip, ClipTargets

WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal", "is_nonzero"}
"""Operations whose numbers, or whose number of numbers, the host asks for."""
MASK_GATHERED = {"index": 1, "index_put": 1, "nonzero": 1}
"""VisTR's family computes the masks of matched queries alone, and gathers them by a mask."""
STEP_WAITS: dict[str, dict[str, int]] = {
    "detr with masks": MASK_GATHERED,
    "tt_srn": MASK_GATHERED,
    "tt_srn with linear heads": MASK_GATHERED,
    "vistr": MASK_GATHERED,
    # the anchors of all objects
    "ssd_mask": {"nonzero": 1},
    "ssd_mask of boxes": {"nonzero": 1},
}
"""The most waits of a step, beside its copies; none where a model is not listed."""
COPIES = 2
"""To the host a step: labels to be checked, costs to be matched."""
MORE_COPIES = {
    # which box belongs to which level, of each stage and of its decoder; visible frames
    "istr": 5,
    "istr of the first release": 3,
    "istr through a clip": 4,
    # which objects are visible and detected, and which box belongs to which picture and level
    "ssd_mask": 3,
    # the first stage is matched before the second's
    "deformable_detr in two stages": 1,
    # in which frames an object is visible
    "videomt": 1,
    "videomt of objects": 1,
    "videomt of segments": 1,
}


class Waits(TorchDispatchMode):
    """Counts what would wait for a GPU, whatever the device."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.removeprefix("aten::")
        by_mask = name.startswith(("index", "_index_put")) and any(
            isinstance(x, torch.Tensor) and x.dtype == torch.bool
            for x in (args[1] if len(args) > 1 and isinstance(args[1], list | tuple) else ())
        )
        self.counts[name] += by_mask or name in WAITING
        return func(*args, **(kwargs or {}))


@contextmanager
def counted_copies(monkeypatch: pytest.MonkeyPatch, sizes: torch.Tensor) -> Iterator[list[str]]:
    """Calls of `cpu` and `tolist`, which no dispatch of a tensor on the CPU shows.

    The sizes of a clip stay on the CPU, so whoever reads those waits for nothing.
    """
    calls: list[str] = []

    def counting(name: str) -> Any:
        method = getattr(torch.Tensor, name)

        def call(x: torch.Tensor) -> Any:
            if x.untyped_storage().data_ptr() != sizes.untyped_storage().data_ptr():
                calls.append(name)
            return method(x)

        return call

    with monkeypatch.context() as patch:
        for name in ("cpu", "tolist"):
            patch.setattr(torch.Tensor, name, counting(name))
        yield calls


def step(model: Model[Any], clip: Clip, targets: list[ClipTargets]) -> None:
    """Losses and gradients."""
    losses = model.losses(model(clip), targets)
    torch.stack(list(losses.values())).sum().backward()


def test_a_forward_asks_for_no_number(small: SimpleNamespace, case: str, monkeypatch):
    if case.startswith("istr"):
        pytest.skip("the boxes of each level are gathered, as torchvision's RoIAlign does too")
    # "meta" knows no autocast
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    model = small.make(case)
    clip = small.clip(model)
    model.to("meta")
    with torch.no_grad():
        model(Clip(clip.frames.to("meta"), clip.sizes))


def test_a_step_of_training_waits_no_more_than_stated(
    small: SimpleNamespace, case: str, monkeypatch: pytest.MonkeyPatch
):
    model = small.make(case).train()
    clip = small.clip(model)
    with counted_copies(monkeypatch, clip.sizes) as copies, Waits() as waits:
        step(model, clip, small.targets(clip))
    assert {name: n for name, n in waits.counts.items() if n} == STEP_WAITS.get(case, {})
    assert len(copies) <= COPIES + MORE_COPIES.get(case, 0), copies


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", ["segmenter", "segmenter with a linear head"])
def test_a_step_without_matching_waits_for_the_labels_alone(
    small: SimpleNamespace, name: str, monkeypatch: pytest.MonkeyPatch
):
    model = small.make(name).train().cuda()
    clip = small.clip(model)
    targets = [
        ClipTargets(target.labels.cuda(), target.boxes.cuda(), target.masks.cuda(), seen.cuda())
        for target in small.targets(clip)
        for seen in [target.visible]
    ]
    clip = Clip(clip.frames.cuda(), clip.sizes)
    # the one question of a step, which `check_classes` asks
    monkeypatch.setattr("vis.models.segmenter.check_classes", lambda *_: None)
    step(model, clip, targets)
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(model, clip, targets)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_labels_of_a_batch_are_checked_by_one_question(monkeypatch):
    questions = []
    ask = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda x: questions.append(x) or ask(x))
    monkeypatch.setattr(torch.Tensor, "__int__", lambda x: questions.append(x) or ask(x))
    none = torch.zeros(0)
    check_classes(
        [ClipTargets(torch.tensor(labels), none, none, none) for labels in ([0, 3], [1], [2, 2])], 4
    )
    assert len(questions) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_constants_are_made_where_the_frames_are():
    frames = torch.rand(2, 3, 8, 8, device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        there = normalize(frames, None, torch.float32)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    here = normalize(frames.cpu(), None, torch.float32)
    torch.testing.assert_close(there.cpu(), here)
