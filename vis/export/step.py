"""A model's work on one clip as a graph: frames in, the fields of its predictions out."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from vis.errors import UsageError
from vis.export.fixed_boxes import FixedBoxes
from vis.models.mask2former import Mask2Former
from vis.models.ssd_mask import SSDMask
from vis.records import Clip, ClipPredictions

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor
    from torch.fx import GraphModule

    from vis.models import Model

NOT_EXPORTABLE = {
    "segmenter": "it looks at windows of the picture, as many as its size asks for",
    "istr": "its boxes are gathered by level, in parts of unknown size",
    "sotr": "how many cells name an object is not known before",
}
"""Name of a model -> why its work is no graph of a fixed shape."""


class Traced:
    """The graph of a model for frames of one size, and the names of what comes out.

    Args:
        model: in eval mode, on the CPU.
        size: height and width of the frames in pixels.

    Raises:
        UsageError: the model's work is no graph.
    """

    def __init__(self, model: Model[Any], size: tuple[int, int]) -> None:
        reason = NOT_EXPORTABLE.get(model.name)
        if isinstance(model, Mask2Former) and model.config.task == "panoptic":
            reason = "its segments share the pixels one after the other"
        if reason is not None:
            raise UsageError(
                f"this {model.name} cannot be exported: {reason}",
                remedy="Track with it as it is.",
            )
        self.size = size
        self.example = torch.rand(model.frames, 3, *size)
        # outside of what is traced, so that decisions about it are made once, here
        self._sizes = torch.tensor([size])
        self._predict = _predict_of(model)
        self.names: list[str] = []
        self.graph = self._graph()

    def _fields(self, frames: Tensor) -> tuple[Tensor, ...]:
        predictions = self._predict(Clip(frames[None], self._sizes))
        values = {one.name: getattr(predictions, one.name) for one in fields(ClipPredictions)}
        values = {name: value for name, value in values.items() if value is not None}
        self.names = list(values)
        return tuple(values.values())

    @torch.no_grad()
    def _graph(self) -> GraphModule:
        graph = make_fx(lambda frames: self._fields(frames), tracing_mode="real")(self.example)
        for node in graph.graph.nodes:
            # a view of the strides that were there; the exporter lays numbers out differently
            if node.target is torch.ops.aten.view.default:
                node.target = torch.ops.aten.reshape.default
        graph.recompile()
        return graph


def _predict_of(model: Model[Any]) -> Callable[[Clip], ClipPredictions]:
    if isinstance(model, SSDMask):
        return FixedBoxes(model).eval()
    return lambda clip: model.predictions(model(clip), clip)[0]
