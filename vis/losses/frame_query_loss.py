"""The loss of queries that stay with an object: matched where it first appears, judged in all."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import torch

from vis.losses.assignment import assigned_in_turn
from vis.losses.query_loss import QueryLoss, QueryOutput, check_masks, single_output
from vis.losses.targets import check_targets
from vis.records import ClipTargets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.losses.assignment import Matched


class FrameLayer(NamedTuple):
    """What one layer says of a batch of clips, frame by frame."""

    logits: Tensor
    """`[B T Q K + 1]`; the last row is "no object"."""
    mask_embeddings: Tensor | None
    """`[B T Q D]`; None where no loss is asked for."""
    mask_features: Tensor | None
    """`[B T D h w]`, likewise."""


@dataclass(frozen=True, slots=True)
class FrameQueryLoss:
    """EoMT's for pictures (Kerssies et al., 2025), VidEoMT's for clips (Norouzi et al., 2026).

    An object is matched in the first frame that shows it, among the queries that are still free,
    by that frame alone; in all frames of the clip its query is to name it, and to have an empty
    mask where it is not. The published code reads an object's label off the last frame, and where
    that does not show it teaches the last class; here the label is the object's.
    """

    loss: QueryLoss
    """Of each frame as a clip of its own, after the matching."""

    def __call__(
        self,
        layers: Sequence[FrameLayer],
        padded_size: tuple[int, int],
        targets: Sequence[ClipTargets],
    ) -> dict[str, Tensor]:
        """The weighted terms `class`, `mask` and `mask_dice`, each summed over the layers.

        Args:
            layers: of the output, the last one last.
            padded_size: height and width in pixels that the mask features cover.
            targets: of each clip.

        Raises:
            UsageError: output and targets do not belong together.
        """
        batch, frames, _, rows = layers[-1].logits.shape
        check_targets(targets, batch=batch, frames=frames, classes=rows - 1)
        check_masks(targets, padded_size)
        outputs = [_of_frames(layer, padded_size) for layer in layers]
        of_frames = [_frame(target, t) for target in targets for t in range(frames)]
        matches = self.match(outputs, targets)
        of_layers = [(x, 0, matched) for x, matched in zip(outputs, matches, strict=True)]
        return self.loss.weighted(self.loss.layer_terms(of_layers, of_frames))

    @torch.no_grad()
    def match(
        self, outputs: Sequence[QueryOutput], targets: Sequence[ClipTargets]
    ) -> list[list[Matched]]:
        """The assignment of each layer, repeated for every frame of each clip."""
        frames = targets[0].visible.shape[1]
        beginnings = _beginnings(targets)
        costs = [
            [
                (self._cost(output, clip * frames + t, target, t, rows), rows)
                for t, rows in beginnings[clip]
            ]
            for output in outputs
            for clip, target in enumerate(targets)
        ]
        matched = assigned_in_turn(costs, device=targets[0].labels.device)
        repeated = [pair for pair in matched for _ in range(frames)]
        rows = len(targets) * frames
        return [repeated[i : i + rows] for i in range(0, len(repeated), rows)]

    def _cost(
        self, output: QueryOutput, row: int, target: ClipTargets, t: int, rows: list[int]
    ) -> Tensor:
        """`[Q N]` of the objects that begin in frame `t` of a clip."""
        return self.loss.cost(output, 0, row, target.masks[rows, t : t + 1], target.labels[rows])


def _of_frames(layer: FrameLayer, padded_size: tuple[int, int]) -> QueryOutput:
    """Every frame as a clip of its own, at least single."""
    assert layer.mask_embeddings is not None and layer.mask_features is not None
    output = QueryOutput(
        [layer.logits.flatten(0, 1)],
        [layer.mask_embeddings.flatten(0, 1)],
        layer.mask_features.flatten(0, 1)[:, None],
        padded_size,
    )
    return single_output(output)


def _frame(target: ClipTargets, t: int) -> ClipTargets:
    one = slice(t, t + 1)
    return ClipTargets(
        target.labels,
        target.boxes[:, one],
        target.masks[:, one],
        target.visible[:, one],
        target.labelled,
    )


def _beginnings(targets: Sequence[ClipTargets]) -> list[list[tuple[int, list[int]]]]:
    """Of each clip the frames in which objects are seen first, in order, each with their rows.

    An object that no frame shows (`DataConfig.keep_unseen`) is in none, and is never matched.
    """
    # One copy to the host for the batch: each halts the device.
    visible = iter(torch.cat([target.visible for target in targets]).tolist())
    clips = []
    for target in targets:
        first: dict[int, list[int]] = {}
        for row, frames in enumerate(islice(visible, len(target.labels))):
            if any(frames):
                first.setdefault(frames.index(True), []).append(row)
        clips.append(sorted(first.items()))
    return clips
