"""No forward waits for the device: it asks for no number, so all its work is queued at once.

The device "meta" has shapes alone. Whoever asks it for a number, as `item`, `nonzero` or an `if` of
a tensor do, fails there; on a GPU each of these would wait until all that is queued is done.
"""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from vis.layers.padding import normalize
from vis.losses.targets import check_classes
from vis.records import Clip, ClipTargets


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
