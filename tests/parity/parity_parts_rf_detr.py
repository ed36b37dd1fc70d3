"""RF-DETR's criterion: losses and assignments of two groups, of all layers and the encoder."""

from __future__ import annotations

import torch
from torch import Tensor

from vis.losses.group_loss import GroupLoss
from vis.losses.outputs import LayerOutput as Boxes
from vis.losses.rf_detr_output import LayerOutput, RFDETROutput
from vis.losses.targets import join
from vis.ops.boxes import to_corners
from vis.records import ClipTargets

LAYERS = ("", "0.", "1.", "enc.")
"""The last one has no word; the order in which random numbers are drawn."""
PUBLISHED = {
    "class": "ce",
    "box_l1": "bbox",
    "box_giou": "giou",
    "mask": "mask_ce",
    "mask_dice": "mask_dice",
}


@torch.no_grad()
def rf_detr_criterion(_: dict[str, Tensor], given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each term, their weighted total, and which query shows which object."""
    main, *earlier, encoder = (_layer(given, prefix) for prefix in LAYERS)
    none = torch.zeros(0)
    output = RFDETROutput([*earlier, main], encoder, int(given["groups"]), none, none)
    targets = [_target(given, f"t{i}_") for i in range(2)]
    loss, seed = GroupLoss(), int(given["seed"])
    torch.manual_seed(seed)
    layers = loss.terms(output, targets)
    found = {
        "_".join(("loss", PUBLISHED[name], *prefix.split(".")[:-1])): value
        for prefix, terms in zip(LAYERS, layers, strict=True)
        for name, value in terms.items()
    }
    torch.manual_seed(seed)
    found["total"] = torch.stack(list(loss(output, targets).values())).sum()
    torch.manual_seed(seed)
    truth = join(targets, Boxes(main.logits[:, None], main.boxes[:, None]), background_rows=0)
    for prefix, pairs in zip(LAYERS, loss.match(output, targets, truth), strict=True):
        for clip in range(2):
            own = pairs.clips == clip
            found[f"{prefix}match{clip}_pred"] = pairs.queries[own]
            found[f"{prefix}match{clip}_gt"] = pairs.instances[own] - sum(truth.counts[:clip])
    return found


def _layer(given: dict[str, Tensor], prefix: str) -> LayerOutput:
    """Of masks as they are: each the product of a unit vector with all of them."""
    logits, boxes, masks = (given[f"{prefix}pred_{name}"] for name in ("logits", "boxes", "masks"))
    unit = torch.eye(masks.shape[1]).expand(len(masks), -1, -1)
    return LayerOutput(logits, boxes, unit, masks, torch.zeros(()))


def _target(given: dict[str, Tensor], prefix: str) -> ClipTargets:
    masks = given[f"{prefix}masks"][:, None]
    return ClipTargets(
        labels=given[f"{prefix}labels"],
        boxes=to_corners(given[f"{prefix}boxes"])[:, None],
        masks=masks,
        visible=torch.ones(masks.shape[:2], dtype=torch.bool),
    )
