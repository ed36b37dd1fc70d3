"""Compare Mask2Former with published outputs; `parity.py` calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from parity import Case, Compared, converted

from vis.records import Clip

if TYPE_CHECKING:
    import numpy as np

    from vis.models.mask2former import Mask2Former


def compare(case: Case, fill: Any) -> Compared:
    """Logits and masks of the last prediction and of the first, beside the published ones."""
    settings = case["settings"]
    frames = torch.from_numpy(fill.inputs(case)["frames"]).float() / 255
    frames = frames.unflatten(0, (-1, settings["num_frames"]))
    family = family_of(case)
    given = {"frames": settings["num_frames"]} if family == "mask2former_video" else {}
    model: Mask2Former = converted(fill.state_dict(case), family, given)
    clip = Clip(frames, torch.tensor([frames.shape[-2:]] * len(frames)))
    first: list[torch.Tensor] = []
    model.decoder.register_forward_hook(lambda *said: first.extend(x[0] for x in said[2]))
    with torch.inference_mode():
        output = model(clip)
        every = torch.ones(output.states.shape[:2], dtype=torch.bool)
        masks = output.masks().logits(every).unflatten(0, every.shape)
        aux = torch.einsum("bqd,btdhw->bqthw", first[1], output.queries.mask_features)
        found = {
            "pred_logits": output.queries.logits[-1],
            "pred_masks": masks,
            "aux_logits": model.class_head(first[0]),
            "aux_masks": aux,
        }
    for name, theirs in fill.outputs(case).items():
        yield name, _as_stored(found[name].numpy(), theirs), theirs


def family_of(case: Case) -> str:
    """Clips or pictures: the names of the tensors are the same."""
    config = case["settings"].get("config", "")
    video = "video" in config or "ytvis" in config or case["settings"]["num_frames"] > 1
    return "mask2former_video" if video else "mask2former"


def _as_stored(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """As many queries as were stored; of a picture, without the axis of frames if so stored."""
    if ours.ndim > theirs.ndim:
        ours = ours[:, :, 0]
    return ours[:, : theirs.shape[1]]
