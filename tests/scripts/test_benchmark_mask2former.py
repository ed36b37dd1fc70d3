"""Our order of work says what the published one says."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from vis import models
from vis.records import Clip

SCRIPTS = Path(__file__).parents[2] / "scripts"
SMALL = {
    "backbone": "resnet18",
    "d_model": 32,
    "mask_width": 16,
    "queries": 12,
    "num_heads": 2,
    "pixel_depth": 1,
    "pixel_ffn_dim": 32,
    "depth": 5,
    "ffn_dim": 32,
    "chunk": 1,
}


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return importlib.import_module("benchmark_mask2former")


@pytest.mark.parametrize(("task", "frames"), [("video", 3), ("instance", 1)])
def test_both_orders_agree(benchmark: Any, task: str, frames: int) -> None:
    torch.manual_seed(0)
    model = models.build("mask2former", classes=5, task=task, **SMALL).eval()
    torch.nn.init.normal_(model.class_head.weight)
    clip = Clip(torch.rand(1, frames, 3, 70, 90), torch.tensor([[70, 90]]))
    ours, masks = benchmark.our_order(model, clip)
    published, expected = benchmark.published_order(model, clip)
    assert ours.queries.tolist() == published.queries.tolist()
    assert ours.labels.tolist() == published.labels.tolist()
    torch.testing.assert_close(ours.scores, published.scores, atol=1e-5, rtol=0)
    assert masks.shape == (10, frames, 70, 90)
    torch.testing.assert_close(masks, expected, atol=1e-4, rtol=0)
