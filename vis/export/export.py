"""`vis.export.export`: a folder with a model as ONNX, as a program of torch, and its card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vis.errors import DataError
from vis.export.engine import session_of
from vis.export.graph_files import OPSET, exported, write_onnx, write_program
from vis.export.step import FRAMES, NEXT_QUERIES, QUERIES, Traced
from vis.storage.whole_file import refuse_filled, whole_folder
from vis.version import __version__
from vis.weights.classes import numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.models import Model

STEPS = 20
"""Frames over which what is carried on is compared."""
TOLERANCE = 1e-3
"""Largest difference between a score, box or mask of the file and one of the model."""
MEANINGS = {
    FRAMES: "RGB, 0..1, channels first; normalising is inside",
    QUERIES: "what the frame starts from: next_queries of the frame before, queries.npy at first",
    NEXT_QUERIES: "what the next frame starts from; row n is one object in every frame",
    "query_logits": "of each class and of none",
    "scores": "0..1; a row of 0 is no object",
    "labels": "index of the class",
    "class_scores": "probability of each class",
    "boxes": "left, top, right, bottom as fractions of the frame",
    "masks": "probabilities over the frame, at a resolution of their own; inside is above 0.5",
    "presence": "probability that the object is visible in the frame",
    "embeddings": "how it looks, to recognise it again",
    "semantic": "probability of each class of each pixel",
}


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    folder: Path
    size: tuple[int, int]
    """Height and width of the frames in pixels."""
    difference: float
    """The largest between the file's numbers and the model's, over all fields."""


def export(
    model: Model[Any],
    folder: str | Path,
    *,
    size: tuple[int, int],
    name: str = "model",
    formats: Sequence[str] = ("onnx", "torch"),
) -> Exported:
    """Write the work on one clip as files that run without this package, compared with the model.

    `model.onnx`, `model.pt2` (`torch.export.load`) and `card.json`, which states names and shapes
    of input and outputs, the classes, and how frames are brought to size. Frames are RGB in 0..1;
    normalising is inside.

    Args:
        model: is put into eval mode.
        folder: the new folder.
        size: height and width of the frames in pixels.
        name: of the model, for the card.
        formats: any of `onnx` and `torch`.

    Raises:
        UsageError: the model's work is no graph of a fixed shape.
        OutputExistsError: there is something at `folder`.
        OutputError: it cannot be written.
        DeviceError: onnx, onnxscript or onnxruntime are not installed.
        DataError: the file's numbers are not the model's.
    """
    folder = Path(folder)
    refuse_filled(folder)
    traced = Traced(model.eval(), size)
    program = exported(traced)
    difference = 0.0
    with whole_folder(folder) as part:
        if "torch" in formats:
            write_program(program, part / "model.pt2")
        if "onnx" in formats:
            write_onnx(program, traced, part / "model.onnx")
            difference = _difference(traced, part / "model.onnx")
        if QUERIES in traced.inputs:
            np.save(part / "queries.npy", traced.example[1].numpy())
        card = _card(model, traced, name) | {"largest_difference": difference}
        (part / "card.json").write_text(json.dumps(card, indent=1) + "\n")
    return Exported(folder, size, difference)


@torch.no_grad()
def _difference(traced: Traced, path: Path) -> float:
    """The largest between the graph and the file, over frames that it was not traced with.

    What is carried on from frame to frame is that of either, so that errors may grow.

    Raises:
        DataError: it is more than `TOLERANCE`, or rows differ.
    """
    session, generator = session_of(path), torch.Generator().manual_seed(1)
    worst, states = 0.0, [traced.example[1:]] * 2
    for _ in range(STEPS if len(traced.inputs) > 1 else 1):
        frames = torch.rand(traced.example[0].shape, generator=generator)
        expected = traced.graph(frames, *states[0])
        inputs = dict(zip(traced.inputs, (frames, *states[1]), strict=True))
        actual = session.run(None, {name: value.numpy() for name, value in inputs.items()})
        pairs = zip(expected, map(torch.from_numpy, actual), strict=True)
        for name, (a, b) in zip(traced.names, pairs, strict=True):
            if a.shape != b.shape:
                raise DataError(f"{name} has the shape {b.shape}, not {a.shape}", where=str(path))
            worst = max(worst, _worst(a, b))
        states = [expected[-1:], (torch.from_numpy(actual[-1]),)] if states[0] else states
    if worst > TOLERANCE:
        raise DataError(
            f"its numbers differ by {worst:.1e} from the model's",
            where=str(path),
            remedy="Report it, with the versions of torch, onnx and onnxruntime.",
        )
    return worst


def _worst(a: Tensor, b: Tensor) -> float:
    # what is no object may be NaN in both
    difference = (a.double() - b.double()).abs().nan_to_num()
    return float(difference.max()) if difference.numel() else 0.0


def _card(model: Model[Any], traced: Traced, name: str) -> dict[str, Any]:
    height, width = traced.size
    return {
        "name": name,
        "model": model.name,
        "classes": list(model.class_names or numbered(model.config.classes)),
        "resize": f"bilinear with antialias to {width} x {height}, the whole picture",
        "inputs": _records(traced.inputs, traced.example),
        "outputs": _records(traced.names, traced.graph(*traced.example)),
        "opset": OPSET,
        "made_by": f"vis {__version__}, torch {torch.__version__}",
    }


def _records(names: Sequence[str], values: Sequence[Tensor]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "meaning": MEANINGS[name],
            "shape": list(value.shape),
            "type": str(value.dtype).removeprefix("torch."),
        }
        for name, value in zip(names, values, strict=True)
    ]
