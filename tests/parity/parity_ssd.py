"""SSD on MobileNetV2 beside what TensorFlow's graph said; `parity.py` calls it.

A case holds, of each picture i: `input_i` `[300 300 3]` within -1..1, `class_logits_i` `[1917 91]`,
`box_encodings_i` `[1917 4]`, and the graph's own answers, the surest first and zeros after them:
`scores_i`, `classes_i` (ids of COCO) and `boxes_yxyx_i`; and `anchors_yxyx` `[1917 4]` once.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torchvision.ops import batched_nms, box_iou

from vis import weights
from vis.errors import UsageError
from vis.ops.boxes import to_corners
from vis.records import Clip
from vis.weights.convert import read_foreign
from vis.weights.converters.ssd_mobilenet_v2 import NAMED_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

MIN_SCORE, OVERLAP, KEEP = 0.3, 0.6, 100
"""The graph's own: answers of a higher score, suppressed within a class, and the most of these."""
WHOLE = {"logits": 1e-3, "offsets": 1e-3, "scores": 1e-3, "boxes": 1e-3}
"""Tolerances of the graph's own float32 numbers; 6.5e-5 was measured."""
HALF = {"logits": 0.5, "offsets": 0.3, "scores": 0.01, "boxes": 0.005}
"""The same where matrices are stored in float16, which keeps 11 bits of each number: over 24
photographs the rounding moved logits by up to 0.35 (where a class is out of the question), offsets
by 0.16, scores by 0.0033, and boxes of objects by 0.0018 of the picture."""
ANCHORS = 1e-4


class Answers(NamedTuple):
    """Objects of one picture, the surest first."""

    scores: Tensor
    """`[N]`."""
    classes: Tensor
    """`[N]` ids of COCO."""
    boxes: Tensor
    """`[N 4]` corners as fractions, inside the picture."""


def rows_of(path: Path, source: Path) -> Iterator[tuple[str, float, float]]:
    """Output, largest difference and tolerance, of a case and the published weights.

    Raises:
        UsageError: the case has no pictures of this form.
        DataError: the weights are not of this family.
    """
    with np.load(path) as stored:
        case = {n: torch.from_numpy(stored[n]) for n in stored.files if n != "pictures"}
    count = sum(name.startswith("input_") for name in case)
    if not count or "anchors_yxyx" not in case:
        raise UsageError(f"{path.name} has no input_0 or no anchors_yxyx")
    model, tolerances = loaded(source)
    for number in range(count):
        with torch.inference_mode():
            output = model(clip_of(case[f"input_{number}"]))
        if not number:
            found = to_corners(output.anchors[0])[:, [1, 0, 3, 2]]
            yield "anchors_yxyx", _largest(found - case["anchors_yxyx"]), ANCHORS
        logits = output.logits[0] - case[f"class_logits_{number}"][:, NAMED_ROWS]
        offsets = output.offsets[0] - case[f"box_encodings_{number}"]
        yield f"class_logits_{number}", _largest(logits), tolerances["logits"]
        yield f"box_encodings_{number}", _largest(offsets), tolerances["offsets"]
        # one that only just is an answer may be none after rounding, or the other way round
        close = tolerances["scores"]
        ours = answers(output, MIN_SCORE - close)
        for name, difference in compared(ours, stated(case, number), close):
            yield f"{name}_{number}", difference, {**tolerances, "order": 2 * close}.get(name, 0.0)


def loaded(source: Path) -> tuple[Any, dict[str, float]]:
    """The model, by way of the file that a user would have, and what its precision allows."""
    types = {tensor.dtype for tensor in read_foreign(source).tensors.values()}
    with tempfile.TemporaryDirectory() as folder:
        destination = Path(folder, "ours.safetensors")
        weights.convert("ssd_mobilenet_v2", source, destination)
        return weights.load(destination), HALF if torch.float16 in types else WHOLE


def clip_of(picture: Tensor) -> Clip:
    """`[300 300 3]` within -1..1 as a clip of one frame."""
    frames = (picture.permute(2, 0, 1)[None, None] + 1) / 2
    return Clip(frames, torch.tensor([picture.shape[:2]]))


def answers(output: Any, min_score: float) -> Answers:
    """What the graph makes of these logits and boxes: suppressed within each class."""
    scores, boxes = output.logits[0].sigmoid(), output.boxes[0]
    rows, columns = (scores > min_score).nonzero(as_tuple=True)
    kept = batched_nms(boxes[rows], scores[rows, columns], columns, OVERLAP)[:KEEP]
    rows, columns = rows[kept], columns[kept]
    labels = torch.tensor(NAMED_ROWS)[columns]
    return Answers(scores[rows, columns], labels, boxes[rows].clamp(0, 1))


def stated(case: dict[str, Tensor], number: int) -> Answers:
    """The graph's own answers."""
    scores = case[f"scores_{number}"]
    real = scores > 0
    boxes = case[f"boxes_yxyx_{number}"][real][:, [1, 0, 3, 2]]
    return Answers(scores[real], case[f"classes_{number}"][real].long(), boxes)


def compared(ours: Answers, theirs: Answers, close: float) -> Iterator[tuple[str, float]]:
    """How many answers one side lacks, and how far scores, boxes and order of the others differ.

    The order is as far off as a later one of theirs is surer, here, than an earlier one.
    """
    alike = (theirs.classes[:, None] == ours.classes) * box_iou(theirs.boxes, ours.boxes)
    pairs: list[tuple[int, int]] = []
    for their in range(len(theirs.scores)):
        free = alike[their].clone()
        free[[our for _, our in pairs]] = 0
        if len(free) and free.max() > 0.5:
            pairs.append((their, int(free.argmax())))
    left, right = (torch.tensor(side, dtype=torch.int64) for side in _sides(pairs))
    yield "answers", float(_lacking(theirs, left, close) + _lacking(ours, right, close))
    yield "scores", _largest(theirs.scores[left] - ours.scores[right])
    yield "boxes", _largest(theirs.boxes[left] - ours.boxes[right])
    later = ours.scores[right]
    behind = [_largest((later[i:] - later[i]).clamp(min=0)) for i in range(len(later))]
    yield "order", max(behind, default=0.0)


def _sides(pairs: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [their for their, _ in pairs], [our for _, our in pairs]


def _lacking(side: Answers, matched: Tensor, close: float) -> int:
    alone = torch.ones(len(side.scores), dtype=torch.bool)
    alone[matched] = False
    return int((alone & (side.scores > MIN_SCORE + close)).sum())


def _largest(difference: Tensor) -> float:
    return float(difference.abs().max()) if difference.numel() else 0.0
