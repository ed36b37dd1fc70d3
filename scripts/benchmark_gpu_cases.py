"""What `benchmark_gpu.py` measures: published models at published sizes; and how it takes time."""

from __future__ import annotations

import gc
import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from vis import models
from vis.records import Clip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vis.models import Model

Row = dict[str, Any]
"""`case`, and its numbers."""
GIB = 2**30
ROUNDS, ENOUGH = 5, 6.0
"""Repetitions after the first one, which warms up, and seconds after which no other begins."""
PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Case:
    """A model and what it looks at."""

    name: str
    model: str
    frames: int
    size: tuple[int, int]
    """Height and width in pixels."""
    settings: dict[str, Any] = field(default_factory=dict)


VISTR = Case("VisTR R50", "vistr", 36, (300, 540))
TT_SRN = Case("TT-SRN", "tt_srn", 36, (300, 540))
MASK2FORMER_R50 = Case("Mask2Former R50", "mask2former", 36, (360, 640))
MASK2FORMER_SWIN_LARGE = Case(
    "Mask2Former Swin-L", "mask2former", 36, (480, 864), {"backbone": "swin_large", "queries": 200}
)
VIDEOMT = [
    Case(
        f"VidEoMT {name}",
        "videomt",
        36,
        (448, 800),
        {"d_model": width, "depth": depth, "num_heads": heads, "query_depth": last},
    )
    for name, width, depth, heads, last in (
        ("S", 384, 12, 6, 3),
        ("B", 768, 12, 12, 3),
        ("L", 1024, 24, 16, 4),
    )
]
RF_DETR = [
    Case(
        f"RF-DETR-Seg {name}",
        "rf_detr",
        1,
        (side, side),
        {
            "input_height": side,
            "input_width": side,
            "grid": side // 12,
            "windows": windows,
            "decoder_layers": layers,
            "queries": queries,
        },
    )
    for name, side, windows, layers, queries in (
        ("Nano", 312, 1, 4, 100),
        ("Small", 384, 2, 4, 100),
        ("Medium", 432, 2, 5, 200),
        ("Large", 504, 2, 5, 300),
        ("XLarge", 624, 2, 6, 300),
        ("2XLarge", 768, 2, 6, 300),
    )
]
_SEQUENCE = {
    "backbone": "resnet18",
    "d_model": 128,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "ffn_dim": 32,
    "instance_queries": 2,
    "chunk": 2,
}
SMALL: dict[str, dict[str, Any]] = {
    "vistr": _SEQUENCE,
    "tt_srn": _SEQUENCE,
    "mask2former": {
        "backbone": "resnet18",
        "d_model": 32,
        "mask_width": 16,
        "queries": 12,
        "num_heads": 2,
        "pixel_depth": 1,
        "depth": 4,
        "ffn_dim": 32,
    },
    "videomt": {
        "d_model": 32,
        "depth": 2,
        "num_heads": 2,
        "query_depth": 1,
        "queries": 6,
        "image": 64,
    },
    "rf_detr": {
        "input_height": 48,
        "input_width": 48,
        "grid": 4,
        "windows": 1,
        "backbone_width": 32,
        "backbone_depth": 4,
        "backbone_heads": 2,
        "d_model": 32,
        "queries": 6,
        "groups": 2,
        "num_heads": 2,
        "cross_heads": 4,
        "decoder_layers": 1,
        "ffn_dim": 32,
    },
}
"""Settings of toy models."""
SMALL_FRAMES, SMALL_SIZE = 2, (64, 96)


@dataclass
class Setup:
    """Where and at which size is measured; only one model is held."""

    device: torch.device
    small: bool

    def compile(self, model: Model[Any]) -> None:
        """For its shapes, when it is called first; toy models are not worth the time."""
        if not self.small:
            model.compile(dynamic=False)

    def cases(self, *cases: Case) -> list[Case]:
        """Those whose model there is, as toys where asked for."""
        there = [case for case in cases if case.model in models.names()]
        if not self.small:
            return there
        # one toy of a family is all of them
        return list({case.model: _small(case) for case in there}.values())

    def model(self, case: Case) -> Model[Any]:
        """With random weights, in eval mode."""
        self.clear()
        torch.manual_seed(0)
        frames = {} if case.frames == 1 else {"frames": case.frames}
        model = models.build(case.model, classes=40, **frames, **case.settings)
        model = model.eval().to(self.device)
        model.lay_out()
        return model

    def clip(self, case: Case, frames: int | None = None) -> Clip:
        """Noise: zeros would be faster than anything real."""
        height, width = case.size
        shape = (1, frames or case.frames, 3, height, width)
        return Clip(torch.rand(shape, device=self.device), torch.tensor([case.size]))

    @contextmanager
    def precision(self, name: str) -> Iterator[None]:
        """`fp32`, `tf32`, or one of `PRECISIONS` by autocast; nothing learns."""
        allowed = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high" if name != "fp32" else "highest")
        cudnn, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, name != "fp32"
        dtype = PRECISIONS.get(name)
        try:
            with (
                torch.inference_mode(),
                torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not None),
            ):
                yield
        finally:
            torch.set_float32_matmul_precision(allowed)
            torch.backends.cudnn.allow_tf32 = cudnn

    def wait(self) -> None:
        """Until the device has done all that is queued."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def clear(self) -> None:
        """Give memory back, so that one measurement does not stand in another's."""
        gc.collect()
        torch.compiler.reset()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def measured(setup: Setup, name: str, work: Callable[[], object], frames: int) -> Row:
    """Median seconds, frames a second, and on a GPU the most memory beside what was there."""
    cuda, seconds = setup.device.type == "cuda", []
    before = torch.cuda.memory_allocated(setup.device) if cuda else 0
    begun = time.perf_counter()
    work()
    setup.wait()
    first = time.perf_counter() - begun
    if cuda:
        torch.cuda.reset_peak_memory_stats(setup.device)
    while not setup.small and len(seconds) < ROUNDS and sum(seconds) < ENOUGH:
        start = time.perf_counter()
        work()
        setup.wait()
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds or [first])
    row: Row = {
        "case": name,
        "seconds": median,
        "frames_per_second": frames / median,
        "first_seconds": first,
    }
    if cuda:
        peak = torch.cuda.max_memory_allocated(setup.device)
        row |= {"GiB": (peak - before) / GIB, "GiB_with_weights": peak / GIB}
    return row


def _small(case: Case) -> Case:
    return replace(
        case,
        frames=min(case.frames, SMALL_FRAMES),
        size=SMALL_SIZE,
        settings={**case.settings, **SMALL[case.model]},
    )
