"""Compare ISTR with published outputs; `parity.py` calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from parity import Case, Compared, converted

from vis.layers.code_heads import CodeInputs
from vis.models._code_selection import sides_of
from vis.records import Clip

if TYPE_CHECKING:
    import numpy as np

    from vis.models.istr import ISTR

PIXELS = "pred_boxes"
"""Compared as shares of the picture: single precision drifts by 3e-6 of them over six stages."""


def compare(case: Case, fill: Any) -> Compared:
    """Classes, boxes, codes and the first masks of the last stage."""
    image = torch.from_numpy(fill.inputs(case)["image"]).float() / 255
    given = {"num_heads": case["settings"]["nheads"]}
    model: ISTR = converted(fill.state_dict(case), "istr", given)
    clip = Clip(image[None, None], torch.tensor([image.shape[1:]]))
    theirs = fill.outputs(case)
    with torch.inference_mode():
        found = outputs(model, clip, masks=len(theirs.get("pred_masks", ())))
    for name, values in theirs.items():
        if name == PIXELS:
            values = values / sides_of(clip.sizes, torch.from_numpy(values)).numpy()
        yield name, found[name].reshape(values.shape), values


def outputs(model: ISTR, clip: Clip, *, masks: int) -> dict[str, np.ndarray]:
    """By the published names; the published masks were decoded without the maps of the boxes."""
    output = model(clip)
    states, levels = output.states[-1][:, 0], [level[:, 0] for level in output.levels]
    boxes = output.boxes[-1][:, 0]
    places = (boxes * sides_of(clip.sizes, boxes))[0]
    pictures = torch.zeros(len(places), dtype=torch.int64)
    codes = model.code_heads[-1](CodeInputs(states[0], places, pictures, levels)).codes
    logits = torch.stack(output.logits[-model.selection.averaged :]).mean(dim=0)
    return {
        "pred_logits": logits[:, 0].numpy(),
        PIXELS: boxes.numpy(),
        "pred_embeddings": codes.numpy(),
        "pred_masks": model.codec.decode(codes[:masks], None).numpy(),
    }
