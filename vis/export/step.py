"""A model's work on one clip as a graph: frames in, the fields of its predictions out."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

from vis.errors import UsageError
from vis.export.fixed_boxes import FixedBoxes
from vis.export.fixed_rows import sequence_predictions
from vis.models._contract import OnlineModel, State
from vis.models._sequence import SequenceModel
from vis.models.ssd_mask import SSDMask
from vis.records import Clip, ClipPredictions

if TYPE_CHECKING:
    from collections.abc import Callable

    from vis.models import Model

FRAMES, QUERIES, NEXT_QUERIES = "frames", "queries", "next_queries"
"""Names of inputs and outputs."""
NOT_EXPORTABLE = {
    "segmenter": "it looks at windows of the picture, as many as its size asks for",
    "istr": "its boxes are gathered by level, in parts of unknown size",
    "sotr": "how many cells name an object is not known before",
}
"""Name of a model -> why its work is no graph."""
ANY_SIZE = {"mask2former": 32, "rf_detr": 1, "videomt": 32}
"""Name of a model whose graph may be of any size -> what both sides are multiples of."""
ONE_SIZE = {
    "ssd_mask": "it squashes frames to a proportion that it takes from their sides",
    "tt_srn": "Twins fills maps up to whole windows, by a number of cells that the size decides",
}
"""Name of a model -> why its graph is of one size."""
LEAST, MOST = 64, 4096
"""Pixels of the sides that such a graph takes."""


class Step(nn.Module):
    """The work on one clip, as fields in the order of `names`.

    Of an online model, one frame and the queries that it starts from; those that the next frame
    starts from come out last.

    Args:
        model: in eval mode, on the CPU.
        size: height and width of the frames in pixels, or of those that a graph is traced with.
        any_size: whether its graph is to take frames of other sizes too.

    Raises:
        UsageError: the model's work is no graph, or not one of any size.
    """

    def __init__(self, model: Model[Any], size: tuple[int, int], *, any_size: bool = False) -> None:
        super().__init__()
        if model.name in NOT_EXPORTABLE:
            raise refusal(model, NOT_EXPORTABLE[model.name])
        self.multiple = _multiple_of(model, size) if any_size else None
        self.size, self.model, self._predict = size, model, _predict_of(model)
        self.inputs: tuple[str, ...] = (FRAMES,)
        self.state: tuple[Tensor, ...] = ()
        self.count = model.frames
        if isinstance(model, OnlineModel):
            self.inputs, self.count = (FRAMES, QUERIES), 1
            self.state = (model.first_state(1).queries.detach().contiguous(),)
        # no list: what is set in a list while it is traced, the tracer takes back
        self._output = SimpleNamespace(names=[])

    @property
    def names(self) -> list[str]:
        """Of the fields, once it was run or traced."""
        return list(self._output.names)

    @property
    def example(self) -> tuple[Tensor, ...]:
        """Inputs to trace with."""
        return (torch.rand(self.count, 3, *self.size), *self.state)

    @property
    def dynamic_shapes(self) -> dict[str, Any] | None:
        """What `torch.export` is to leave open; None for nothing."""
        if self.multiple is None:
            return None
        first, last = -(-LEAST // self.multiple), MOST // self.multiple
        sides = [Dim(name, min=first, max=last) for name in ("h", "w")]
        open_axes = {axis: self.multiple * side for axis, side in enumerate(sides, start=2)}
        return {"inputs": (open_axes, *[None] * len(self.state))}

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Frames `[T 3 H W]` and what is carried on -> the fields."""
        frames, *state = inputs
        if self.multiple is not None:
            for axis in (2, 3):
                # cut to what it is: so a graph knows that the sides are multiples
                whole = frames.shape[axis] // self.multiple * self.multiple
                frames = frames.narrow(axis, 0, whole)
        sizes = cast("Tensor", WholeSizes([[frames.shape[2], frames.shape[3]]]))
        predictions, *after = self._predict(Clip(frames[None], sizes), *state)
        values = {one.name: getattr(predictions, one.name) for one in fields(ClipPredictions)}
        values = {name: value for name, value in values.items() if value is not None}
        self._output.names = [*values, *([NEXT_QUERIES] * len(after))]
        return (*values.values(), *after)


class WholeSizes:
    """`Clip.sizes` of a clip that is full of content: a graph of any size has them as symbols.

    Args:
        rows: as `tolist` of the tensor `[1 2]`, or of its row, gives them.
    """

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int) -> WholeSizes:
        return WholeSizes(self._rows[row])

    def tolist(self) -> list[Any]:
        """As of a tensor."""
        return self._rows

    def to(self, device: torch.device | None) -> Tensor:
        """The tensor, where they are numbers: a graph of one size may pad its frames."""
        return torch.tensor(self._rows, device=device)


def program_of(step: Step) -> torch.export.ExportedProgram:
    """The program, which `torch.export.load` reads again.

    Raises:
        UsageError: what the model computes depends on numbers that a graph does not know.
    """
    try:
        with torch.no_grad():
            return torch.export.export(
                step, step.example, dynamic_shapes=step.dynamic_shapes, strict=False
            )
    except GuardOnDataDependentSymNode:
        raise refusal(step.model, "how much it computes depends on the picture") from None


def refusal(model: Model[Any], reason: str) -> UsageError:
    """Why it is not exported."""
    return UsageError(
        f"this {model.name} cannot be exported: {reason}", remedy="Track with it as it is."
    )


def takes_any_size(model: Model[Any], size: tuple[int, int]) -> bool:
    """Whether the model has a graph of any size that takes frames of this one."""
    multiple = ANY_SIZE.get(model.name)
    return multiple is not None and all(
        side % multiple == 0 and LEAST <= side <= MOST for side in size
    )


def _multiple_of(model: Model[Any], size: tuple[int, int]) -> int:
    if model.name not in ANY_SIZE:
        reason = f": {ONE_SIZE[model.name]}" if model.name in ONE_SIZE else ""
        raise UsageError(
            f"a graph of {model.name} is of one size{reason}",
            remedy=f"Leave dynamic out; of any size are those of {', '.join(sorted(ANY_SIZE))}.",
        )
    multiple = ANY_SIZE[model.name]
    if not takes_any_size(model, size):
        raise UsageError(
            f"frames of {size[0]}x{size[1]} cannot be what a graph of any size is made with",
            remedy=f"Take sides of {LEAST} to {MOST} pixels, multiples of {multiple}.",
        )
    return multiple


def _predict_of(model: Model[Any]) -> Callable[..., tuple[Any, ...]]:
    if isinstance(model, OnlineModel):
        return lambda clip, queries: _following(model, clip, queries)
    if isinstance(model, SSDMask):
        fixed = FixedBoxes(model).eval()
        return lambda clip: (fixed(clip),)
    if isinstance(model, SequenceModel):
        return lambda clip: (sequence_predictions(model, clip),)
    return lambda clip: (model.predictions(model(clip), clip)[0],)


def _following(
    model: OnlineModel[Any], clip: Clip, queries: Tensor
) -> tuple[ClipPredictions, Tensor]:
    output, after = model.step(clip, State(queries))
    return model.query_predictions(output, clip)[0], after.queries
