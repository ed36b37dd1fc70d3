"""What a model in training sees in a clip, drawn on its frames."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vis.datasets.collate import as_fractions
from vis.records import Clip, Frame, FrameTracks
from vis.video import draw

if TYPE_CHECKING:
    from torch import Tensor

    from vis.models import Model
    from vis.records import ClipPredictions, Pixels

FRAMES = 4
"""The most of a clip that are drawn."""
SUREST = 10
"""The most objects that are drawn."""
SURE = 0.3


@torch.no_grad()
def picture(model: Model[Any], clip: Clip, device: torch.device) -> Pixels:
    """`[H W 3]`: frames of the first clip side by side, with what the model is sure of.

    The model is asked as in use, and left as it was; no random number is drawn.
    """
    was = model.training
    model.eval()
    try:
        one = Clip(as_fractions(clip.frames[:1].to(device)), clip.sizes[:1])
        (predictions,) = model.predictions(model(one), one)
    finally:
        model.train(was)
    height, width = clip.sizes[0].tolist()
    T = clip.frames.shape[1]
    positions = sorted({round(n * (T - 1) / (FRAMES - 1)) for n in range(FRAMES)})
    names = dict(enumerate(model.class_names))
    panels = []
    for t in positions:
        # padding is cut off: the picture is what the file shows
        pixels = as_fractions(clip.frames[0, t, :, :height, :width]) * 255
        pixels = pixels.round().clamp(0, 255)
        frame = Frame(t, Fraction(0), pixels.permute(1, 2, 0).byte().contiguous().numpy())
        panels.append(draw(frame, _tracks(predictions, t), names=names).pixels)
    return np.concatenate(panels, axis=1)


def _tracks(predictions: ClipPredictions, t: int) -> FrameTracks:
    order = predictions.scores.argsort(descending=True)[:SUREST]
    order = order[predictions.scores[order] >= SURE]

    def numbers(values: Tensor) -> Any:
        return values[order].float().cpu().numpy()

    return FrameTracks(
        index=t,
        time=Fraction(0),
        ids=order.cpu().numpy(),
        labels=predictions.labels[order].cpu().numpy(),
        scores=numbers(predictions.scores),
        boxes=numbers(predictions.boxes[:, t]),
        masks=numbers(predictions.masks[:, t]),
    )
