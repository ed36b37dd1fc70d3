"""The published VidEoMT, tiny, on frames that are no square; `parity_parts.py` calls it."""

from __future__ import annotations

import torch
from torch import Tensor

from vis import models
from vis.models.videomt import VidEoMT
from vis.records import Clip
from vis.weights import converters
from vis.weights.rename import rename

Tensors = dict[str, Tensor]


@torch.inference_mode()
def tiny_clip(weights: Tensors, given: Tensors) -> Tensors:
    """Logits, masks and the queries after the last of a few frames."""
    late = len(given["segmenter_blocks"])
    named = {f"backbone.{name}": value for name, value in weights.items()}
    tensors, _ = rename(named, converters.get("videomt"))
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    stated = {"num_heads": int(given["num_heads"]), "query_depth": late}
    settings = converters.get("videomt").settings(shapes, stated)
    model = models.build("videomt", **settings).eval()
    assert isinstance(model, VidEoMT)
    model.load_state_dict(tensors)
    # the stored frames are normalised and no multiple of 32, so the parts are run by hand
    size = given["frames"].shape[-2:]
    frames, queries, learned = [], model.queries.weight[None], model.queries.weight
    for tokens in model.backbone(given["frames"]):
        states, parts = model._frame(queries, tokens[None], size)
        queries = model.query_updater(states) + learned
        frames.append(parts)
    output = model._output(frames, size, Clip(given["frames"][None], torch.tensor([list(size)])))
    every = torch.ones(1, len(learned), dtype=torch.bool)
    return {
        "pred_logits": output.layers[-1].logits,
        "pred_masks": output.masks().logits(every)[None],
        "next_queries": queries,
    }
