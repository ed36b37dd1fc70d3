"""Compare models of transformers' folders with transformers' outputs; `parity.py` calls it.

The folder is written as the hub has it, with the case's `config.json`, and loaded as users load it.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import parity
import parity_deformable_detr
import torch
from safetensors.torch import save_file

from vis import weights
from vis.errors import UsageError
from vis.records import Clip


def compare(case: parity.Case, fill: Any) -> parity.Compared:
    """All stored outputs; of some only the part that the case says is stored."""
    model = loaded(case, fill.state_dict(case))
    if model.name not in _OUTPUTS:
        raise UsageError(f"case {case['name']} is a {model.name}, whose outputs are not compared")
    ours = _OUTPUTS[model.name](model, case, fill)
    for name, theirs in fill.outputs(case).items():
        yield name, parity.stored(ours[name], case, name), theirs


def loaded(case: parity.Case, state: parity.Arrays) -> Any:
    """The model, by way of a folder of `config.json` and `model.safetensors`."""
    settings = case["settings"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = settings.get("num_labels")
        labels = {} if count is None else {"id2label": {str(i): f"name {i}" for i in range(count)}}
        (folder / "config.json").write_text(json.dumps(settings["config"] | labels))
        if "preprocessor" in settings:
            (folder / "preprocessor_config.json").write_text(json.dumps(settings["preprocessor"]))
        tensors = {key: torch.from_numpy(np.array(value)) for key, value in state.items()}
        save_file(tensors, folder / "model.safetensors")
        return weights.load(folder)


def _detr(model: Any, case: parity.Case, fill: Any) -> dict[str, np.ndarray]:
    clip, _ = parity.detr_clip(case, fill.inputs(case))
    with torch.inference_mode():
        output = model(clip).dense()
    last = output.layers[-1]
    found = {"pred_logits": last.logits, "pred_boxes": last.boxes}
    found |= {} if output.masks is None else {"pred_masks": output.masks}
    return {name: tensor.flatten(1, 2).numpy() for name, tensor in found.items()}


def _deformable(model: Any, case: parity.Case, fill: Any) -> dict[str, np.ndarray]:
    clip, _ = parity.detr_clip(case, fill.inputs(case))
    with torch.inference_mode():
        return parity_deformable_detr.named(model(clip))


def _mask2former(model: Any, case: parity.Case, fill: Any) -> dict[str, np.ndarray]:
    frames = torch.from_numpy(fill.inputs(case)["frames"]).float()[:, None] / 255
    clip = Clip(frames, torch.tensor([frames.shape[-2:]] * len(frames)))
    first: list[torch.Tensor] = []
    model.decoder.register_forward_hook(lambda *said: first.extend(x[0] for x in said[2]))
    with torch.inference_mode():
        output = model(clip)
        every = torch.ones(output.states.shape[:2], dtype=torch.bool)
        masks = output.masks().logits(every).unflatten(0, every.shape)[:, :, 0]
        aux = torch.einsum("bqd,bdhw->bqhw", first[1], output.queries.mask_features[:, 0])
        found = {"pred_logits": output.queries.logits[-1], "pred_masks": masks}
        found |= {"aux_logits": model.class_head(first[0]), "aux_masks": aux}
    return {name: tensor.numpy() for name, tensor in found.items()}


_OUTPUTS = {"detr": _detr, "deformable_detr": _deformable, "mask2former": _mask2former}
