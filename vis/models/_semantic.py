"""From the class of every pixel to predictions: each class that is somewhere has one region."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import one_hot

from vis.ops.boxes import boxes_of
from vis.records import ClipPredictions

if TYPE_CHECKING:
    from torch import Tensor

TINY = 1e-9


def by_class(semantic: Tensor, background: Tensor | None = None) -> ClipPredictions:
    """`semantic`, and as a row each class that is the likeliest of a pixel, with its region.

    A row is no object: of two dogs side by side there is one row. Its mask is the class's
    probability over that and the likeliest other's, so above a half where it is the likeliest, and
    still so where it is enlarged. Its score is the mean probability there.

    Args:
        semantic: `[T K h w]` probabilities.
        background: `[T h w]` probability of none of the classes, where the model has one.
    """
    classes = semantic.shape[1]
    rest = semantic.new_zeros(semantic[:, 0].shape) if background is None else background
    # The two likeliest say all: the best of a pixel and what it has to beat.
    values, order = torch.cat((semantic, rest[:, None]), dim=1).topk(2, dim=1)
    (first, second), names = values.unbind(dim=1), order[:, 0]
    labels = torch.unique(names)
    labels = labels[labels < classes]
    argmax_masks = names == labels[:, None, None, None]
    scores = (first * argmax_masks).sum(dim=(1, 2, 3)) / argmax_masks.sum(dim=(1, 2, 3))
    one_hot_labels = one_hot(labels, classes).to(semantic.dtype)
    own = semantic[:, labels].transpose(0, 1)
    masks = own / (own + torch.where(argmax_masks, second, first)).clamp(min=TINY)
    return ClipPredictions(
        scores=scores,
        labels=labels,
        class_scores=one_hot_labels * scores[:, None],
        boxes=boxes_of(argmax_masks),
        masks=masks,
        presence=argmax_masks.flatten(2).any(dim=2).to(semantic.dtype),
        semantic=semantic,
    )
