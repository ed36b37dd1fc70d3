"""The loss of queries with boxes and coded masks: matched by both, compared stage by stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cosine_similarity, mse_loss, smooth_l1_loss

from vis.layers.true_rows import true_rows
from vis.losses.assignment import assigned
from vis.losses.grid import focal_sum
from vis.losses.matching import FORBIDDEN, focal_class_score
from vis.losses.set_loss import mean_over_ranks
from vis.losses.targets import annotated_classes, check_classes, check_targets
from vis.ops.boxes import giou
from vis.ops.crops import cut_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.layers.mask_codes import MaskCodec
    from vis.losses.assignment import Matched
    from vis.records import ClipTargets

# Published; so small that an empty mask has a dice term of 1 unless nothing is predicted.
EPS = 1e-5
"""Below the line of the dice term."""

Distance = Callable[..., "Tensor"]
"""Codes found and wanted, `reduction="sum"` -> one number."""


@dataclass(frozen=True, slots=True, eq=False)
class CodedStage:
    """What one stage says of a batch of clips."""

    logits: Tensor
    """`[B T Q K]`; a sigmoid each."""
    boxes: Tensor
    """`[B T Q 4]` corners as fractions of the content."""
    codes: Tensor
    """`[B T Q E]`."""
    sides: Tensor | None
    """`[B T Q 32 m/4 m/4]` for a decoder that sees a map too."""


@dataclass(frozen=True, slots=True, eq=False)
class VisiblePairs:
    """The frames in which matched instances are visible, clip by clip."""

    clips: Tensor
    """`[P]`."""
    frames: Tensor
    """`[P]`."""
    queries: Tensor
    """`[P]`."""
    rows: list[Tensor]
    """Of each clip: instance times frames plus frame; P in all."""

    def of(self, stage_field: Tensor) -> Tensor:
        """`[B T Q ...]` -> `[P ...]`."""
        return stage_field[self.clips, self.frames, self.queries]


def true_boxes(true: Tensor, predicted: Tensor) -> Tensor:
    """Masks are cut out where they are; published in 2021."""
    del predicted
    return true


def predicted_boxes(true: Tensor, predicted: Tensor) -> Tensor:
    """Masks are cut out where they were found, as they will be put back; published in 2022."""
    del true
    return predicted.detach().clamp(0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeLoss:
    """ISTR's (Hu et al., 2021, 3.3). A clip's instance has one query for all its frames."""

    cut: Callable[[Tensor, Tensor], Tensor]
    """True boxes and those found `[P 4]` -> where the masks to be compared are cut out."""
    distance: Distance
    code: float
    """Weight of the distance of codes."""
    mask_dice: float
    code_cost: float
    """In the matching, of minus the codes' cosine, brought to 0..1."""
    label: float = 2.0
    box_l1: float = 5.0
    box_giou: float = 2.0

    def __call__(
        self, stages: Sequence[CodedStage], targets: Sequence[ClipTargets], codec: MaskCodec
    ) -> dict[str, Tensor]:
        """`class`, `box_l1`, `box_giou`, `code` and `mask_dice`, weighted, over all stages.

        Raises:
            UsageError: output and targets do not belong together.
            DataError: a label is not one of the model's classes.
        """
        weights = {"class": self.label} | {
            name: getattr(self, name) for name in ("box_l1", "box_giou", "code", "mask_dice")
        }
        stage_terms = self.terms(stages, targets, codec)
        return {
            name: weight * torch.stack([terms[name] for terms in stage_terms]).sum()
            for name, weight in weights.items()
        }

    def terms(
        self, stages: Sequence[CodedStage], targets: Sequence[ClipTargets], codec: MaskCodec
    ) -> list[dict[str, Tensor]]:
        """The same without weights, stage by stage."""
        stages = [_single(stage) for stage in stages]
        _check(stages[-1], targets)
        count = sum(target.visible.sum() for target in targets)
        normaliser = mean_over_ranks(count + stages[-1].boxes.new_zeros(()), least=1.0)
        annotated = annotated_classes(targets, stages[-1].logits.shape[-1])
        stage_terms = []
        stage_pairs = visible_pairs_of(targets, self.match(stages, targets, codec))
        for stage, pairs in zip(stages, stage_pairs, strict=True):
            terms = self._visible_terms(stage, targets, pairs, codec)
            terms["class"] = _class_term(stage.logits, targets, pairs, annotated)
            stage_terms.append({name: value / normaliser for name, value in terms.items()})
        return stage_terms

    @torch.no_grad()
    def match(
        self, stages: Sequence[CodedStage], targets: Sequence[ClipTargets], codec: MaskCodec
    ) -> list[list[Matched]]:
        """The pairs of each stage and clip."""
        kind = stages[-1].boxes.dtype
        truth = [(target, target.boxes.to(kind), _codes(target, codec, kind)) for target in targets]
        costs = [
            self._cost(stage, clip, *true) for stage in stages for clip, true in enumerate(truth)
        ]
        # Stage by stage, clip by clip: the order in which the costs were listed.
        pairs = assigned(costs)
        return [pairs[i : i + len(targets)] for i in range(0, len(pairs), len(targets))]

    def _cost(
        self, stage: CodedStage, clip: int, target: ClipTargets, boxes: Tensor, codes: Tensor
    ) -> Tensor:
        """`[Q N]`, the mean over the frames that show the instance."""
        class_score = focal_class_score(stage.logits[clip])[..., target.labels]
        predicted, truth = stage.boxes[clip][:, :, None], boxes.transpose(0, 1)[:, None]
        cosine = cosine_similarity(
            stage.codes[clip][:, :, None], codes.transpose(0, 1)[:, None], dim=-1
        )
        cost = (
            self.box_l1 * (predicted - truth).abs().sum(dim=-1)
            - self.label * class_score
            - self.box_giou * giou(predicted, truth)
            # The cosine of two codes is brought to 0..1, as published, so that the cost has a sign.
            - self.code_cost * (cosine + 1) / 2
        )
        visible = target.visible.T[:, None]
        mean = (cost * visible).sum(dim=0) / visible.sum(dim=0).clamp(min=1)
        # An instance that no frame shows costs all queries the same: it takes what others leave.
        return mean.where(visible.any(dim=0), FORBIDDEN)

    def _visible_terms(
        self,
        stage: CodedStage,
        targets: Sequence[ClipTargets],
        pairs: VisiblePairs,
        codec: MaskCodec,
    ) -> dict[str, Tensor]:
        """Sums over what is shown."""
        boxes, codes = pairs.of(stage.boxes), pairs.of(stage.codes)
        sides = None if stage.sides is None else pairs.of(stage.sides)
        if not len(boxes):  # nothing to compare; the gradient is zero, but it is there
            parts = (boxes, codes, *([] if sides is None else [sides]), *codec.parameters())
            nothing = torch.stack([0 * part.sum() for part in parts]).sum()
            return dict.fromkeys(("box_l1", "box_giou", "code", "mask_dice"), nothing)
        true = [x.boxes.flatten(0, 1)[rows] for x, rows in zip(targets, pairs.rows, strict=True)]
        true_corners = torch.cat(true).to(boxes)
        # Published fault of v1: masks are cut from true boxes, but pasted into predicted ones.
        masks = _cut(targets, pairs.rows, self.cut(true_corners, boxes), codec.side)
        with torch.no_grad():
            # Codes of the truth are targets: no gradient reaches an encoder through them.
            truth = codec.encode(masks)
        return {
            "box_l1": (boxes - true_corners).abs().sum(),
            "box_giou": (1 - giou(boxes, true_corners)).sum(),
            "code": self.distance(codes, truth.to(codes), reduction="sum") / codec.length,
            "mask_dice": dice(codec.decode(codes, sides), masks).sum(),
        }


def dice(probs: Tensor, masks: Tensor) -> Tensor:
    """`[P]` one minus dice of probabilities and bool masks `[P m m]`, squares below the line."""
    both = (probs * masks).sum(dim=(1, 2))
    either = probs.square().sum(dim=(1, 2)) + masks.sum(dim=(1, 2))
    return 1 - 2 * both / (either + EPS)


def visible_pairs_of(
    targets: Sequence[ClipTargets], matched: Sequence[Sequence[Matched]]
) -> list[VisiblePairs]:
    """What each stage must show."""
    pairs = [pair for stage in matched for pair in zip(targets, stage, strict=True)]
    flat = iter(true_rows([target.visible[pair.instances].flatten() for target, pair in pairs]))
    stage_pairs = []
    for stage in matched:
        parts = []
        for clip, (target, pair) in enumerate(zip(targets, stage, strict=True)):
            number, frames = target.visible.shape[1], next(flat)
            match, frames = frames // number, frames % number
            rows = pair.instances[match] * number + frames
            parts.append((torch.full_like(frames, clip), frames, pair.queries[match], rows))
        clips, frames, queries = (torch.cat([part[k] for part in parts]) for k in range(3))
        stage_pairs.append(VisiblePairs(clips, frames, queries, [part[3] for part in parts]))
    return stage_pairs


def _class_term(
    logits: Tensor, targets: Sequence[ClipTargets], pairs: VisiblePairs, annotated: Tensor
) -> Tensor:
    """Focal loss of all queries and frames; absence of what is not annotated says nothing."""
    labels = [
        target.labels[rows // target.visible.shape[1]]
        for target, rows in zip(targets, pairs.rows, strict=True)
    ]
    class_targets = torch.zeros_like(logits)
    class_targets[pairs.clips, pairs.frames, pairs.queries, torch.cat(labels)] = 1
    # A true class is always judged, even where its class is not annotated throughout.
    counted = (class_targets > 0) | annotated[:, None, None]
    return focal_sum(logits, class_targets, counted.to(logits.dtype))


def _codes(target: ClipTargets, codec: MaskCodec, kind: torch.dtype) -> Tensor:
    """`[N T E]` of the instances, cut out where they are; of no mask where they are not seen."""
    rows = torch.arange(target.visible.numel(), device=target.visible.device)
    boxes = target.boxes.flatten(0, 1).to(kind)
    codes = codec.encode(cut_out(target.masks.flatten(0, 1), rows, boxes, codec.side))
    return codes.to(kind).view(*target.visible.shape, codec.length)


def _cut(
    targets: Sequence[ClipTargets], rows: Sequence[Tensor], boxes: Tensor, side: int
) -> Tensor:
    """`[P m m]` what each of the boxes `[P 4]` shows of its instance."""
    box_parts = torch.split(boxes, [len(part) for part in rows])
    parts = zip(targets, rows, box_parts, strict=True)
    return torch.cat(
        [
            cut_out(target.masks.flatten(0, 1), part, part_boxes, side)
            for target, part, part_boxes in parts
        ]
    )


def _single(stage: CodedStage) -> CodedStage:
    """At least single precision: the sums lose too much in half."""
    kind = torch.promote_types(stage.logits.dtype, torch.float32)
    sides = None if stage.sides is None else stage.sides.to(kind)
    return CodedStage(stage.logits.to(kind), stage.boxes.to(kind), stage.codes.to(kind), sides)


def _check(stage: CodedStage, targets: Sequence[ClipTargets]) -> None:
    batch, frames, _, classes = stage.logits.shape
    check_targets(targets, batch=batch, frames=frames, classes=classes)
    check_classes(targets, classes)


V1 = CodeLoss(cut=true_boxes, distance=mse_loss, code=2.0, mask_dice=2.0, code_cost=2.0)
V2 = CodeLoss(cut=predicted_boxes, distance=smooth_l1_loss, code=1.0, mask_dice=5.0, code_cost=1.0)
