"""Deformable DETR beside published outputs, by the names that cases of `parity.py` use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import parity
import torch

if TYPE_CHECKING:
    import numpy as np

    from vis.models.deformable_detr import Output

NAMES = {"with_box_refine": "refine", "two_stage": "two_stage", "nheads": "num_heads"}
"""What a case may state -> what the shapes do not tell."""


def compare(case: parity.Case, fill: Any) -> parity.Compared:
    """Outputs of the converted model beside the published ones.

    Images are `images [B 3 H W]`, normalised, and perhaps `mask [B H W]`, True outside.
    """
    clip, settings = parity.detr_clip(case, fill.inputs(case))
    settings |= {
        ours: case["settings"][name] for name, ours in NAMES.items() if name in case["settings"]
    }
    outputs = fill.outputs(case)
    if case["settings"].get("two_stage"):
        settings["queries"] = outputs["pred_logits"].shape[1]
    model = parity.converted(fill.state_dict(case), "deformable_detr", settings)
    with torch.inference_mode():
        found = named(model(clip))
    for name, theirs in outputs.items():
        yield name, found[name], theirs


def named(output: Output) -> dict[str, np.ndarray]:
    """Our outputs by the published names; earlier layers are numbered from 0."""
    found: dict[str, np.ndarray] = {}
    for index, layer in enumerate(output.layers):
        suffix = "" if layer is output.layers[-1] else f"_{index}"
        found[f"pred_logits{suffix}"] = layer.logits[:, 0].numpy()
        found[f"pred_boxes{suffix}"] = layer.boxes[:, 0].numpy()
    if output.proposals is not None:
        found["enc_logits"] = output.proposals.logits[:, 0].numpy()
        found["enc_boxes"] = output.proposals.boxes[:, 0].numpy()
    return found
