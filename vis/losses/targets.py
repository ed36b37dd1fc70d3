"""The targets of all clips of a batch, end to end in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import pad

from vis.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.losses.outputs import LayerOutput
    from vis.records import ClipTargets

EMPTY = 0
"""The class that VisTR gives an instance in a frame that does not show it."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Boxes and labels of every instance `[M]` of a batch; masks stay with their clips."""

    clips: Tensor
    """`[M]` which clip of the batch."""
    labels: Tensor
    """`[M T]` class index, `EMPTY` where not visible."""
    boxes: Tensor
    """`[M T 4]` corners as fractions of the content, zero where not visible."""
    visible: Tensor
    """`[M T]` bool."""
    counts: tuple[int, ...]
    """Instances of each clip; they sum to M."""
    annotated: Tensor
    """`[B K]` bool; where False, the class is not annotated in the clip."""


def join(targets: Sequence[ClipTargets], layer: LayerOutput, *, background_rows: int = 1) -> Truth:
    """The targets of a batch as one table, in clip order.

    Args:
        targets: one record for each clip of `layer`, on its device.
        layer: any layer of the output that they are to be compared with.
        background_rows: rows of its logits that are no class: 1 where the last is "no object".

    Raises:
        UsageError: the clips, frames or classes of the two are not as many.
    """
    batch, frames = layer.logits.shape[:2]
    classes = layer.logits.shape[-1] - background_rows
    check_targets(targets, batch=batch, frames=frames, classes=classes)
    # Instances end to end without padding: clips have different numbers of them.
    counts = tuple(len(target.labels) for target in targets)
    visible = torch.cat([target.visible for target in targets])
    labels = torch.cat([target.labels for target in targets])[:, None]
    boxes = torch.cat([target.boxes for target in targets])
    clips = [clip for clip, count in enumerate(counts) for _ in range(count)]
    return Truth(
        clips=torch.tensor(clips, dtype=torch.int64, device=visible.device),
        labels=labels.where(visible, EMPTY),
        boxes=boxes.where(visible[..., None], 0.0),
        visible=visible,
        counts=counts,
        annotated=annotated_classes(targets, classes),
    )


def check_targets(targets: Sequence[ClipTargets], *, batch: int, frames: int, classes: int) -> None:
    """Refuse targets that are not of an output of so many clips, frames and classes.

    Raises:
        UsageError: names the clip and the field.
    """
    check_batch(targets, batch)
    for index, target in enumerate(targets):
        _check(target, frames, classes, where=f"targets of clip {index} of the batch")


def check_batch(targets: Sequence[ClipTargets], batch: int) -> None:
    """Refuse targets that are not one for each of a batch of clips.

    Raises:
        UsageError: they are more or fewer.
    """
    if len(targets) != batch:
        raise UsageError(f"{len(targets)} targets for a batch of {batch} clips")


def annotated_classes(targets: Sequence[ClipTargets], classes: int) -> Tensor:
    """`[B K]` bool: which classes are annotated in each clip."""
    return torch.stack([_annotated(target, classes) for target in targets])


def allowed_classes(class_targets: Tensor, annotated: Tensor) -> Tensor:
    """`[B T N K + 1]` bool: what a softmax over K classes and "no object" may say of each query.

    A query with an object has one right answer. One without has "no object", and beside it every
    class whose objects are not annotated: it may well have found one.

    Args:
        class_targets: `[B T N]` class, K where the query shows no object.
        annotated: `[B K]` of the clips.
    """
    classes = annotated.shape[1]
    right = class_targets[..., None] == torch.arange(classes + 1, device=class_targets.device)
    # Only where the target is 'no object': a true class stays the one right answer.
    unknown = ~annotated[:, None, None] & (class_targets == classes)[..., None]
    return right | pad(unknown, (0, 1))


def check_classes(targets: Sequence[ClipTargets], classes: int) -> None:
    """Refuse targets with labels that the model has no row for.

    Raises:
        DataError: a label is outside 0..classes - 1.
    """
    labels = torch.cat([target.labels for target in targets])
    if len(labels):
        # one question for the whole batch: each waits for the device
        lowest, highest = torch.stack(labels.aminmax()).tolist()
        check_labels(lowest, highest, classes)


def check_labels(lowest: int, highest: int, classes: int) -> None:
    """Refuse labels that the model has no row for.

    Raises:
        DataError: a label is outside 0..classes - 1.
    """
    wrong = lowest if lowest < 0 else highest
    if not 0 <= wrong < classes:
        raise DataError(
            f"label {wrong} in the targets of a model of {classes} classes (0..{classes - 1})",
            remedy="Build the model with the classes of this data set.",
        )


def _annotated(target: ClipTargets, classes: int) -> Tensor:
    if target.labelled is None:
        return target.labels.new_ones(classes, dtype=torch.bool)
    return target.labelled


def _check(target: ClipTargets, frames: int, classes: int, *, where: str) -> None:
    instances, pixels = len(target.labels), target.masks.shape[2:]
    shapes = {
        "visible": (instances, frames),
        "boxes": (instances, frames, 4),
        "masks": (instances, frames, *pixels),
    }
    if target.labelled is not None:
        shapes["labelled"] = (classes,)
    for name, shape in shapes.items():
        actual = tuple(getattr(target, name).shape)
        if actual != shape:
            raise UsageError(f"{name} has shape {actual}, expected {shape}", where=where)
