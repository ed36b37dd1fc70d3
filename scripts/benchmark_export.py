"""Exported models beside themselves: `python scripts/benchmark_export.py [MODEL ...]`.

Largest difference, size of the file, seconds a frame of PyTorch and of onnxruntime, pair by pair.
Weights are fresh but those of the model that ships: neither speed nor rounding depends on them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import vis
from vis import models
from vis.export.engine import session_of
from vis.export.export import export
from vis.models._contract import OnlineModel
from vis.records import Clip

if TYPE_CHECKING:
    from collections.abc import Callable

PAIRS = 5
CASES: dict[str, tuple[str, dict[str, Any], tuple[int, int]]] = {
    "default": ("default", {}, (360, 640)),
    "rfdetr_seg_nano": ("rf_detr", {"classes": 91}, (312, 312)),
    "videomt_s": ("videomt", {"classes": 40}, (448, 800)),
    "mask2former_r50": ("mask2former", {"classes": 80, "task": "instance"}, (480, 864)),
    "tt_srn": ("tt_srn", {"classes": 40, "frames": 4}, (300, 540)),
}
"""Name -> model, settings beside the published ones, height and width of the frames."""


def main(names: list[str]) -> None:
    """Print a line for each model."""
    heads = f"{'MB':>6} {'difference':>10} {'torch s':>8} {'onnx s':>8} gain"
    print(f"{'model':18} {'frames':>14} {heads}", flush=True)
    for name in names:
        kind, settings, size = CASES[name]
        torch.manual_seed(0)
        model = vis.load(kind) if kind == "default" else models.build(kind, **settings).eval()
        with tempfile.TemporaryDirectory() as folder:
            done = export(model, Path(folder) / "out", size=size, name=name, formats=["onnx"])
            path = Path(folder) / "out/model.onnx"
            times = _pairs(model, path, size)
            megabytes = path.stat().st_size / 1e6
        eager, graph = (statistics.median(part) for part in zip(*times, strict=True))
        gain = statistics.median(a / b for a, b in times)
        print(
            f"{name:18} {f'{model.frames} {size[0]} {size[1]}':>14} {megabytes:6.0f}"
            f" {done.difference:10.1e} {eager:8.2f} {graph:8.2f} {gain:.2f}",
            flush=True,
        )


@torch.inference_mode()
def _pairs(model: Any, path: Path, size: tuple[int, int]) -> list[tuple[float, float]]:
    session, inputs = session_of(path), _inputs(model, size)
    values = {name: value.numpy() for name, value in inputs.items()}
    clip = Clip(inputs["frames"][None], torch.tensor([size]))
    model.lay_out()

    def eager() -> None:
        if isinstance(model, OnlineModel):
            model.query_predictions(model.step(clip, None)[0], clip)
        else:
            model.predictions(model(clip), clip)

    ways: tuple[Callable[[], object], ...] = (eager, lambda: session.run(None, values))
    return [(_seconds(ways[0]), _seconds(ways[1])) for _ in range(PAIRS + 1)][1:]


def _inputs(model: Any, size: tuple[int, int]) -> dict[str, torch.Tensor]:
    frames = 1 if isinstance(model, OnlineModel) else model.frames
    inputs = {"frames": torch.rand(frames, 3, *size)}
    if isinstance(model, OnlineModel):
        inputs["queries"] = model.first_state(1).queries.detach().contiguous()
    return inputs


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(CASES), help=", ".join(CASES))
    main(parser.parse_args().models)
