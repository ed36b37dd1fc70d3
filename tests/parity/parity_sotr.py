"""Compare SOTR with published outputs; `parity.py` calls it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from parity import Case, Compared, converted
from torch.nn.functional import interpolate

from vis.losses.grid import STRIDE
from vis.records import Clip

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.models.sotr import SOTR, Output

RAISED = 4.0
"""Added to the logits before the published code chose, so that something passes its threshold."""
KERNELS, EVERY = 16, 16
"""How many channels of the kernels were stored; every which of the mask feature."""


def compare(case: Case, fill: Any) -> Compared:
    """Grids, mask feature and chosen objects beside the published ones."""
    settings = case["settings"]
    image = torch.from_numpy(fill.inputs(case)["image"]).float().flip(0) / 255
    model: SOTR = converted(fill.state_dict(case), "sotr", {"grids": tuple(settings["num_grids"])})
    clip = Clip(image[None, None], torch.tensor([image.shape[1:]]))
    levels: list[torch.Tensor] = []
    model.masks.register_forward_pre_hook(lambda _, given: levels.extend(given[0]))
    with torch.inference_mode():
        output = model(clip)
        ours = _grids(output, levels[-1]) | _chosen(model, output, clip)
    for name, theirs in fill.outputs(case).items():
        yield name, ours[name][: len(theirs)], theirs


def _grids(output: Output, last: torch.Tensor) -> Mapping[str, np.ndarray]:
    grids = output.grids
    found = {f"cate_{i}": level[0].numpy() for i, level in enumerate(grids.logits)}
    found |= {
        f"kernel_{i}": level[0, :KERNELS].numpy() for i, level in enumerate(grids.mask_embeddings)
    }
    found["mask"] = grids.mask_features[0, ::EVERY].numpy()
    return found | {"mask_extra": last[0, ::EVERY].numpy()}


def _chosen(model: SOTR, output: Output, clip: Clip) -> dict[str, np.ndarray]:
    raised = replace(output.grids, logits=[level + RAISED for level in output.grids.logits])
    (found,) = model.predictions(replace(output, grids=raised), clip)
    masks = interpolate(found.masks, scale_factor=STRIDE, mode="bilinear")[:, 0] > 0.5
    return {
        "result_scores": found.scores.numpy(),
        "result_classes": found.labels.numpy(),
        "result_masks": np.packbits(masks.numpy(), axis=2),
    }
