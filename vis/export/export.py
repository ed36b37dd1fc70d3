"""`vis.export.export`: a folder with a model as ONNX, as a program of torch, and its card."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vis.errors import DataError
from vis.export.engine import session_of
from vis.export.graph_files import OPSET, exported, write_onnx, write_program
from vis.export.step import FRAMES, LEAST, MOST, NEXT_QUERIES, QUERIES, Step
from vis.storage.whole_file import refuse_filled, whole_folder
from vis.version import __version__
from vis.weights.classes import numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.models import Model

Runner = Callable[..., "Sequence[Tensor]"]
"""Inputs to outputs, in their order."""
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
    """Height and width of the frames in pixels; of a graph of any size, what it was made with."""
    difference: float
    """The largest between the numbers of any file and the model's, over all fields."""


def export(
    model: Model[Any],
    folder: str | Path,
    *,
    size: tuple[int, int],
    name: str = "model",
    formats: Sequence[str] = ("onnx", "torch"),
    dynamic: bool = False,
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
        dynamic: whether frames of other sizes are taken too; the card states which.

    Raises:
        UsageError: the model's work is no graph, or none of any size.
        OutputExistsError: there is something at `folder`.
        OutputError: it cannot be written.
        DeviceError: onnx, onnxscript or onnxruntime are not installed.
        DataError: the numbers of a file are not the model's.
    """
    folder = Path(folder)
    refuse_filled(folder)
    step = Step(model.eval(), size, any_size=dynamic)
    program, differences = exported(step), []
    with whole_folder(folder) as part:
        if "torch" in formats:
            write_program(program, part / "model.pt2")
            differences.append(_difference(step, part / "model.pt2", _program(part / "model.pt2")))
        if "onnx" in formats:
            write_onnx(program, step, part / "model.onnx")
            runner = _onnx(part / "model.onnx", step.inputs)
            differences.append(_difference(step, part / "model.onnx", runner))
        if QUERIES in step.inputs:
            np.save(part / "queries.npy", step.state[0].numpy())
        card = _card(model, step, name) | {"largest_difference": max(differences)}
        (part / "card.json").write_text(json.dumps(card, indent=1) + "\n")
    return Exported(folder, size, max(differences))


def _program(path: Path) -> Runner:
    return torch.export.load(str(path)).module()


def _onnx(path: Path, names: Sequence[str]) -> Runner:
    session = session_of(path)

    def run(*inputs: Tensor) -> list[Tensor]:
        values = {name: x.numpy() for name, x in zip(names, inputs, strict=True)}
        return [torch.from_numpy(x) for x in session.run(None, values)]

    return run


@torch.no_grad()
def _difference(step: Step, path: Path, runner: Runner) -> float:
    """The largest between the model and the file, over frames that it was not traced with.

    What is carried on from frame to frame is that of either, so that errors may grow. A graph of
    any size is compared at another one too.

    Raises:
        DataError: it is more than `TOLERANCE`, or rows differ.
    """
    worst, generator = 0.0, torch.Generator().manual_seed(1)
    for size in _sizes(step):
        states = [step.state] * 2
        for _ in range(STEPS if step.state else 1):
            frames = torch.rand((step.count, 3, *size), generator=generator)
            expected, actual = step(frames, *states[0]), runner(frames, *states[1])
            for name, a, b in zip(step.names, expected, actual, strict=True):
                if a.shape != b.shape:
                    reason = f"{name} has the shape {tuple(b.shape)}, not {tuple(a.shape)}"
                    raise DataError(reason, where=str(path))
                worst = max(worst, _worst(a, b))
            states = [tuple(x[-1:]) if step.state else () for x in (expected, actual)]
    if worst > TOLERANCE:
        raise DataError(
            f"its numbers differ by {worst:.1e} from the model's",
            where=str(path),
            remedy="Report it, with the versions of torch, onnx and onnxruntime.",
        )
    return worst


def _sizes(step: Step) -> list[tuple[int, int]]:
    """Of the frames that a file is tried with: its own and, of any size, a smaller one."""
    if step.multiple is None:
        return [step.size]
    height, width = (max(LEAST, side // 2) for side in step.size)
    # both sides another share of their own, lest height and width be mixed up unseen
    other = (height, min(MOST, width + LEAST))
    return [step.size, tuple(-(-side // step.multiple) * step.multiple for side in other)]  # type: ignore[list-item]


def _worst(a: Tensor, b: Tensor) -> float:
    # what is no object may be NaN in both; in one alone it is as wrong as can be
    difference = (a.double() - b.double()).abs().nan_to_num(nan=math.inf)
    difference = difference.masked_fill((a == b) | (a.isnan() & b.isnan()), 0.0)
    return float(difference.max()) if difference.numel() else 0.0


@torch.no_grad()
def _card(model: Model[Any], step: Step, name: str) -> dict[str, Any]:
    sides = "{1} x {0}".format(*step.size)
    outputs = [step(*step.example)]
    if step.multiple:
        *_, other = _sizes(step)
        outputs.append(step(torch.rand(step.count, 3, *other), *step.state))
        sides = f"a size that the graph takes, such as {sides}"
    inputs = _records(step.inputs, [step.example])
    if step.multiple:
        limits = {"multiple": step.multiple, "min": LEAST, "max": MOST}
        inputs[0]["dynamic_axes"] = {"2": limits, "3": limits}
    return {
        "name": name,
        "model": model.name,
        "classes": list(model.class_names or numbered(model.config.classes)),
        "resize": f"bilinear with antialias to {sides}, the whole picture",
        "inputs": inputs,
        "outputs": _records(step.names, outputs),
        "opset": OPSET,
        "made_by": f"vis {__version__}, torch {torch.__version__}",
    }


def _records(names: Sequence[str], runs: Sequence[Sequence[Tensor]]) -> list[dict[str, Any]]:
    """Of each value its name and shape, and which axes differ between runs of other sizes."""
    records = []
    for name, *values in zip(names, *runs, strict=True):
        record = {
            "name": name,
            "meaning": MEANINGS[name],
            "shape": list(values[0].shape),
            "type": str(values[0].dtype).removeprefix("torch."),
        }
        shapes = zip(*(value.shape for value in values), strict=True)
        if axes := [str(axis) for axis, lengths in enumerate(shapes) if len(set(lengths)) > 1]:
            record["dynamic_axes"] = axes
        records.append(record)
    return records
