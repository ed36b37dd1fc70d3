"""Compare Segmenter with published outputs; `parity.py` calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from parity import Case, Compared, converted
from torch.nn.functional import interpolate

from vis.records import Clip

if TYPE_CHECKING:
    from vis.models.segmenter import Segmenter

EVERY = 2
"""Which rows and columns of the scores were stored."""


def compare(case: Case, fill: Any) -> Compared:
    """Scores of all pixels, of pictures that are looked at as a whole."""
    settings = {"window": None, "stride": None}
    if "n_heads" in case["settings"]:
        settings["num_heads"] = case["settings"]["n_heads"]
    model: Segmenter = converted(fill.state_dict(case), "segmenter", settings)
    clip = clip_of(torch.from_numpy(fill.inputs(case)["images"]), model)
    with torch.inference_mode():
        output = model(clip)
        scores = interpolate(output.logits, output.padded_size, mode="bilinear")
    height, width = clip.sizes[0].tolist()
    ours = scores[:, :, :height, :width]
    for name, theirs in fill.outputs(case).items():
        stored = ours if ours.shape == theirs.shape else ours[:, :, ::EVERY, ::EVERY]
        yield name, stored.numpy(), theirs


def clip_of(images: torch.Tensor, model: Segmenter) -> Clip:
    """Normalised pictures `[B 3 H W]` as pixels."""
    mean, deviation = (
        torch.tensor(values, dtype=images.dtype)[:, None, None]
        for values in (model.config.mean, model.config.deviation)
    )
    sizes = torch.tensor([images.shape[2:]] * len(images))
    return Clip((images * deviation + mean)[:, None], sizes)
