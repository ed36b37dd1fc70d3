"""A model's work on one clip as a graph: frames in, the fields of its predictions out."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from vis.errors import UsageError
from vis.export.fixed_boxes import FixedBoxes
from vis.models._contract import OnlineModel, State
from vis.models.ssd_mask import SSDMask
from vis.records import Clip, ClipPredictions

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor
    from torch.fx import GraphModule

    from vis.models import Model

FRAMES, QUERIES, NEXT_QUERIES = "frames", "queries", "next_queries"
"""Names of inputs and outputs."""
DEPENDS_ON_DATA = "data-dependent control flow"
"""What the tracer says of a step that looks at numbers to choose what it does next."""
NOT_EXPORTABLE = {
    "segmenter": "it looks at windows of the picture, as many as its size asks for",
    "istr": "its boxes are gathered by level, in parts of unknown size",
    "sotr": "how many cells name an object is not known before",
}
"""Name of a model -> why its work is no graph of a fixed shape."""


class Traced:
    """The graph of a model for frames of one size, and the names of what goes in and comes out.

    Of an online model, one frame and the queries that it starts from; those that the next frame
    starts from come out last.

    Args:
        model: in eval mode, on the CPU.
        size: height and width of the frames in pixels.

    Raises:
        UsageError: the model's work is no graph.
    """

    def __init__(self, model: Model[Any], size: tuple[int, int]) -> None:
        if model.name in NOT_EXPORTABLE:
            raise _refusal(model, NOT_EXPORTABLE[model.name])
        self.size = size
        self.inputs: tuple[str, ...] = (FRAMES,)
        self.example: tuple[Tensor, ...] = (torch.rand(model.frames, 3, *size),)
        if isinstance(model, OnlineModel):
            self.inputs += (QUERIES,)
            self.example = (torch.rand(1, 3, *size), model.first_state(1).queries.detach())
        # outside of what is traced, so that decisions about it are made once, here
        self._sizes = torch.tensor([size])
        self._predict = _predict_of(model)
        self.names: list[str] = []
        try:
            self.graph = self._graph()
        except RuntimeError as error:
            if DEPENDS_ON_DATA not in str(error):
                raise
            raise _refusal(model, "how much it computes depends on the picture") from None

    def _fields(self, frames: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        predictions, *after = self._predict(Clip(frames[None], self._sizes), *state)
        values = {one.name: getattr(predictions, one.name) for one in fields(ClipPredictions)}
        values = {name: value for name, value in values.items() if value is not None}
        self.names = [*values, *([NEXT_QUERIES] * len(after))]
        return (*values.values(), *after)

    @torch.no_grad()
    def _graph(self) -> GraphModule:
        graph = make_fx(lambda *inputs: self._fields(*inputs), tracing_mode="real")(*self.example)
        for node in graph.graph.nodes:
            # a view of the strides that were there; the exporter lays numbers out differently
            if node.target is torch.ops.aten.view.default:
                node.target = torch.ops.aten.reshape.default
        graph.recompile()
        return graph


def _refusal(model: Model[Any], reason: str) -> UsageError:
    return UsageError(
        f"this {model.name} cannot be exported: {reason}", remedy="Track with it as it is."
    )


def _predict_of(model: Model[Any]) -> Callable[..., tuple[Any, ...]]:
    if isinstance(model, OnlineModel):
        return lambda clip, queries: _following(model, clip, queries)
    if isinstance(model, SSDMask):
        fixed = FixedBoxes(model).eval()
        return lambda clip: (fixed(clip),)
    return lambda clip: (model.predictions(model(clip), clip)[0],)


def _following(
    model: OnlineModel[Any], clip: Clip, queries: Tensor
) -> tuple[ClipPredictions, Tensor]:
    output, after = model.step(clip, State(queries))
    return model.query_predictions(output, clip)[0], after.queries
