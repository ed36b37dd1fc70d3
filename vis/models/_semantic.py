"""From the class of every pixel to predictions: each class that is somewhere has one region."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn.functional import one_hot

from vis.ops.boxes import boxes_of
from vis.records import ClipPredictions

if TYPE_CHECKING:
    from torch import Tensor


def by_class(semantic: Tensor, background: Tensor | None = None) -> ClipPredictions:
    """`semantic`, and as a row each class that is the likeliest of a pixel, with its region.

    A row is no object: of two dogs side by side there is one row. Its mask is 1 where the class is
    the likeliest, its score is the mean probability there, its embedding names the class, so that
    a tracker goes on with it as the same.

    Args:
        semantic: `[T K h w]` probabilities.
        background: `[T h w]` probability of none of the classes, where the model has one.
    """
    classes = semantic.shape[1]
    sure, names = semantic.max(dim=1)
    if background is not None:
        names = names.where(sure > background, classes)
    labels = names.unique()
    labels = labels[labels < classes]
    regions = names == labels[:, None, None, None]
    scores = (sure * regions).sum(dim=(1, 2, 3)) / regions.sum(dim=(1, 2, 3))
    named = one_hot(labels, classes).to(semantic.dtype)
    return ClipPredictions(
        scores=scores,
        labels=labels,
        class_scores=named * scores[:, None],
        boxes=boxes_of(regions),
        masks=regions.to(semantic.dtype),
        presence=regions.flatten(2).any(dim=2).to(semantic.dtype),
        embeddings=named,
        semantic=semantic,
    )
