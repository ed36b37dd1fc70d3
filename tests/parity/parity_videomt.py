"""Compare VidEoMT with published outputs, streamed and as a whole clip; `parity.py` calls it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch
from parity import Case, Compared, converted, stored

from vis.models._query_selection import best_pairs
from vis.records import Clip

if TYPE_CHECKING:
    import numpy as np

    from vis.models.videomt import VidEoMT


def compare(case: Case, fill: Any) -> Compared:
    """What each frame says beside what was stored of it; all frames at once must say the same."""
    settings = case["settings"]
    frames = torch.from_numpy(fill.inputs(case)["frames"]).float()[None] / 255
    given = {"num_heads": settings["nheads"], "frames": settings["num_frames"]}
    given |= {"query_depth": late_blocks(settings)} | names_of(case)
    model = converted(fill.state_dict(case), "videomt", given)
    streamed = outputs(model, [frames[:, t : t + 1] for t in range(frames.shape[1])])
    whole = outputs(model, [frames])
    for name, theirs in fill.outputs(case).items():
        yield name, stored(streamed[name], case, name), theirs
    for name in ("pred_logits", "pred_masks"):
        yield f"{name} (whole)", whole[name], streamed[name]


def late_blocks(settings: dict[str, Any]) -> int:
    """Blocks that see the queries."""
    if isinstance(settings["config"], dict):
        return int(settings["config"]["num_blocks"])
    return len(settings["segmenter_blocks"])


def names_of(case: Case) -> dict[str, object]:
    """Any number of classes may be in a case."""
    rows = next(s[0] for k, s, _ in case["state_dict"] if re.search("class_(head|pred).*bias", k))
    return {"class_names": [f"class {number}" for number in range(rows - 1)]}


@torch.inference_mode()
def outputs(model: VidEoMT, parts: list[torch.Tensor]) -> dict[str, np.ndarray]:
    """Logits, masks and states of all frames, part after part with the state carried on."""
    states: list[torch.Tensor] = []
    queries = model.queries.num_embeddings
    hook = model.backbone.blocks[-1].register_forward_hook(
        lambda *said: states.append(said[2][:, :queries])
    )
    found: dict[str, list[torch.Tensor]] = {"pred_logits": [], "pred_masks": [], "next": []}
    state = None
    for frames in parts:
        clip = Clip(frames, torch.tensor([frames.shape[-2:]]))
        output, state = model.step(clip, state)
        every = torch.ones(1, queries, dtype=torch.bool)
        found["pred_logits"].append(output.layers[-1].logits[0])
        found["pred_masks"].append(output.masks().logits(every).transpose(0, 1))
        found["next"].append(state.queries)
    hook.remove()
    joined = {name: torch.cat(values) for name, values in found.items()}
    pairs = best_pairs(joined["pred_logits"].mean(dim=0).softmax(dim=-1)[:, :-1], 10)
    joined |= {"query_states": torch.cat(states), "next_queries": joined.pop("next")}
    joined |= {f"top_{name}": value for name, value in pairs._asdict().items()}
    return {name: value.numpy() for name, value in joined.items()}
