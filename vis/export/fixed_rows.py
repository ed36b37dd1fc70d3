"""The instance queries of a clip in as many rows whatever is in it, as a graph needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from vis.layers.padding import crop_to_valid
from vis.models._selection import STRIDE
from vis.ops.boxes import coverage
from vis.records import ClipPredictions

if TYPE_CHECKING:
    from vis.models._sequence import SequenceModel
    from vis.records import Clip


def sequence_predictions(model: SequenceModel, clip: Clip) -> ClipPredictions:
    """As the model's own `predictions` of one clip; a row with a score of 0 is no object.

    Args:
        model: of instance queries.
        clip: a batch of one.
    """
    output, selection = model(clip), model.selection
    queries = selection.judge(output)
    valid = selection.selected(queries)[0]
    queries = queries.of(0)
    # Those that are selected, in their order, and after them others: no mask of the rest is made.
    count = min(selection.keep, len(valid))
    rows = (~valid).to(torch.uint8).argsort(stable=True)[:count]
    queries, valid = queries.of(rows), valid[rows]
    size = output.sizes.tolist()[0]
    if output.masks is None:
        masks = coverage(queries.boxes, *(-(-pixels // STRIDE) for pixels in size))
    else:
        # the one clip of the batch, and these queries of it
        logits = output.masks.logits_at(torch.stack((torch.zeros_like(rows), rows), dim=1))
        masks = crop_to_valid(logits.float(), output.padded_size, size).sigmoid()
        valid = valid & (masks > 0.5).flatten(1).any(dim=1)
    return ClipPredictions(
        scores=torch.where(valid, queries.scores, torch.zeros_like(queries.scores)),
        labels=queries.labels,
        class_scores=queries.class_scores,
        boxes=queries.boxes,
        masks=masks,
        presence=queries.visibility,
    )
