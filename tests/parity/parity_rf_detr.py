"""RF-DETR with masks beside published outputs, whatever the size of input that a case has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import parity
import torch
from torch.nn.functional import interpolate

from vis.models._query_selection import best_pairs
from vis.records import Clip

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from vis.losses.rf_detr_output import LayerOutput, RFDETROutput
    from vis.models.rf_detr import RFDETR

PARTS = {"enc_logits": 2, "aux0_logits": 2, "states": 2, "projector": 1} | {
    f"backbone_map_{i}": 1 for i in range(4)
}
"""Of which only every n-th channel or class is stored -> their axis."""
TRANSFORMERS_EPS = 1e-5


def compare(case: parity.Case, fill: Any) -> parity.Compared:
    """All that a case has of the trunk, the selected cells, the layers and the predictions.

    Images are `images [B 3 H W]`, normalised; of groups of queries the first is compared.
    """
    clip, _ = parity.detr_clip(case, fill.inputs(case))
    state = fill.state_dict(case)
    settings = _settings(case, state, clip)
    # In double precision: what is left is the rounding of the published run alone, which in these
    # weights comes near the tolerance.
    model: RFDETR = parity.converted(state, "rf_detr", settings).double()
    clip = Clip(clip.frames.double(), clip.sizes)
    outputs = fill.outputs(case)
    found = _parts(model, clip)
    with torch.inference_mode():
        output = model(clip)
        found |= _layers(output) | _predictions(model, output, clip, case["settings"])
    for name, theirs in outputs.items():
        yield name, _as_stored(name, found[name], theirs), theirs


def _settings(case: parity.Case, state: parity.Arrays, clip: Clip) -> dict[str, Any]:
    """What shapes do not tell, or a case has other than the published files."""
    settings: dict[str, Any] = {"repeat_queries": True, "windows": case["settings"]["num_windows"]}
    settings["keep"] = case["settings"]["num_select"]
    settings["input_height"], settings["input_width"] = clip.frames.shape[-2:]
    if "segmentation_bias" in state:
        settings["projector_eps"] = TRANSFORMERS_EPS
    rows = case["settings"]["num_classes"] + 1
    # Named, as the rows that COCO does not teach are compared too.
    return settings | {"class_names": [f"class {row}" for row in range(rows)]}


@torch.no_grad()
def _parts(model: RFDETR, clip: Clip) -> dict[str, Tensor]:
    """What lies on the way, as training sees it: with all layers, the cells and all groups."""
    found: dict[str, Any] = {}
    for name, part in {
        "maps": model.backbone,
        "projector": model.projector,
        "queries": model.queries,
        "cells": model.queries.groups[0].class_head,
    }.items():
        part.register_forward_hook(lambda *said, name=name: found.update({name: said[2]}))
    output = model.train()(clip)
    model.eval()
    count = model.config.queries
    scores = found["cells"].amax(dim=-1)
    parts = {f"backbone_map_{i}": x for i, x in enumerate(found["maps"])} | {
        "projector": found["projector"],
        "proposal_scores": scores,
        "selected": scores.topk(min(count, scores.shape[1]), dim=1).indices,
        "initial_references": found["queries"].references[:, :count],
    }
    assert output.encoder is not None
    for name, layer in {"enc": output.encoder, "aux0": output.layers[0]}.items():
        parts |= {
            f"{name}_logits": layer.logits[:, :count],
            f"{name}_boxes": layer.boxes[:, :count],
            f"{name}_masks": _masks(layer, 16),
        }
    return parts


def _layers(output: RFDETROutput) -> dict[str, Tensor]:
    last = output.layers[-1]
    return {
        "states": output.states,
        "pred_logits": last.logits,
        "pred_boxes": last.boxes,
        "pred_masks": last.masks(),
    }


def _predictions(
    model: RFDETR, output: RFDETROutput, clip: Clip, settings: dict[str, Any]
) -> dict[str, Tensor]:
    """Ranked pairs of query and class, boxes in pixels of the pictures, masks at their size."""
    predictions = model.predictions(output, clip)
    last = output.layers[-1]
    size = tuple(settings["mask_target_size"])
    boxes, queries, masks = [], [], []
    for number, (one, (height, width)) in enumerate(
        zip(predictions, settings["target_sizes"], strict=True)
    ):
        pairs = best_pairs(last.logits[number].sigmoid(), len(one.scores))
        boxes.append(one.boxes[:, 0] * one.boxes.new_tensor((width, height, width, height)))
        queries.append(pairs.queries)
        logits = last.masks()[number, pairs.queries[:16]]
        # What the predictions hold is the same, as probabilities.
        torch.testing.assert_close(one.masks[:16, 0], logits.sigmoid().float())
        masks.append(interpolate(logits[:, None], size, mode="bilinear")[:, 0])
    return {
        "final_scores": torch.stack([one.scores for one in predictions]),
        "final_labels": torch.stack([one.labels for one in predictions]),
        "final_boxes": torch.stack(boxes),
        "final_queries": torch.stack(queries),
        "final_mask_logits": torch.stack(masks),
    }


def _masks(layer: LayerOutput, count: int) -> Tensor:
    """Of the first queries alone: those of all groups would be gigabytes."""
    products = torch.einsum("bnc,bchw->bnhw", layer.mask_queries[:, :count], layer.mask_features)
    return products + layer.mask_bias


def _as_stored(name: str, ours: Tensor, theirs: np.ndarray) -> np.ndarray:
    """Every n-th channel or class of some, the first rows of the others."""
    if name in PARTS:
        axis = PARTS[name]
        step = -(-ours.shape[axis] // theirs.shape[axis])
        ours = ours[:, ::step] if axis == 1 else ours[:, :, ::step]
    return ours[:, : theirs.shape[1]].numpy()
