"""Compare our models with published outputs: `tests/parity/parity.py CASE.json ... [--fill PATH]`.

A case states how to fill a checkpoint in the published names and the outputs that the published
code gave for it. The checkpoint is written as a `.pth`, converted, loaded and run; one row an
output tells the largest absolute difference. The exit code is 1 if one is above the tolerance.
A `.txt` of golden numbers is compared by `parity_ttsrn.py` or `parity_golden_text.py`. An `.npz`
of pictures is what TensorFlow's `ssd_mobilenet_v2_coco` said of them (`parity_ssd.py`), beside what
its weights, of whatever file `vis weights convert ssd_mobilenet_v2` reads, say here:

    tests/parity/parity.py ssd_mobilenet_v2.npz --weights frozen_inference_graph.pb
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vis import weights
from vis.errors import UsageError, VisError
from vis.layers.padding import DEVIATION, MEAN
from vis.losses.masks import padded_area
from vis.losses.matching import VISTR_COST, Matcher
from vis.losses.outputs import LayerOutput, SequenceOutput
from vis.losses.set_loss import SetLoss
from vis.losses.targets import join
from vis.ops.boxes import to_corners
from vis.records import Clip, ClipTargets

TOLERANCE = 1e-4
"""Of float32 outputs; whole numbers must be equal."""
ROUNDED = 2.0**-17
"""Of an output's largest number, 64 steps of float32, where that is more: so far rounding alone,
which changes with the number of threads, takes a deep network from what it is in float64."""

HUB = ("detr", "deformable_detr", "mask2former")
"""Kinds of models whose cases of transformers' folders are compared by `parity_hub.py`."""

Case = dict[str, Any]
Arrays = Mapping[str, np.ndarray]
Row = tuple[str, float, float]
"""Output, largest absolute difference, tolerance."""


def main() -> int:
    """Print the table; 1 if a row is above its tolerance."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="+", type=Path, metavar="CASE")
    parser.add_argument("--fill", type=Path, help="fill.py; the one beside the case if not given")
    parser.add_argument("--weights", type=Path, help="the published weights, of a case of .npz")
    options = parser.parse_args()
    failed = False
    for path in options.cases:
        try:
            for output, difference, tolerance in rows_of(path, options.fill, options.weights):
                bad = not difference <= tolerance
                failed |= bad
                verdict = "ABOVE" if bad else "ok"
                line = f"{path.stem:<22} {output:<28} {difference:10.3e}  <= {tolerance:.0e}"
                print(line, verdict, flush=True)
        except VisError as error:
            print(f"{path.stem:<22} {error}", flush=True)
            failed = True
    return int(failed)


def rows_of(path: Path, fill_path: Path | None, published: Path | None = None) -> Iterator[Row]:
    """The rows of one case; `published` is the file of weights where the case has none."""
    if path.suffix == ".npz":
        if published is None:
            raise UsageError(f"{path.name} has no weights", remedy="Give them: --weights PATH")
        yield from importlib.import_module("parity_ssd").rows_of(path, published)
        return
    if path.suffix == ".txt":
        name = "parity_ttsrn" if path.stem.startswith("ttsrn") else "parity_golden_text"
        yield from importlib.import_module(name).rows_of(path)
        return
    fill = _module(fill_path or path.parent / "fill.py")
    case = fill.load(path.stem, path.parent)
    if "state_dict" in case:
        family = "hub" if _is_of_hub(case) else family_of(case)
        if family in _RUNNERS:
            found = run(case, fill, _RUNNERS[family])
        else:
            found = importlib.import_module(f"parity_{family}").compare(case, fill)
    else:
        found = criterion(case, fill.outputs(case))
    for name, ours, theirs in found:
        theirs = np.asarray(theirs)
        yield name, _difference(ours, theirs), _tolerance(theirs)


def _tolerance(theirs: np.ndarray) -> float:
    """Whole numbers must be equal; halves know a two-thousandth of their size."""
    if not np.issubdtype(theirs.dtype, np.floating):
        return 0.0
    finite = theirs[np.isfinite(theirs)].astype(np.float64)
    largest = float(np.abs(finite).max(initial=0.0))
    if theirs.dtype == np.float16:
        return TOLERANCE + largest / 2048
    return max(TOLERANCE, ROUNDED * largest)


def _is_of_hub(case: Case) -> bool:
    config = case.get("settings", {}).get("config")
    return isinstance(config, dict) and config.get("model_type") in HUB


def family_of(case: Case) -> str:
    """The family whose names the checkpoint has.

    Raises:
        UsageError: none that is known.
    """
    keys = [key for key, *_ in case["state_dict"]]
    if any(key.startswith("vistr.") for key in keys):
        return "vistr"
    # Before DETR, whose box head it calls alike.
    if {"refpoint_embed.weight", "segmentation_bias"} & set(keys):
        return "rf_detr"
    if any(key.removeprefix("detr.").startswith("bbox_embed.layers.") for key in keys):
        return "detr"
    if "transformer.level_embed" in keys:
        return "deformable_detr"
    if any(key.startswith("head.head_series.") for key in keys):
        return "istr"
    if any(key.startswith("cate_head.") for key in keys):
        return "sotr"
    if any("sem_seg_head.predictor." in key for key in keys):
        return "mask2former"
    if "encoder.pos_embed" in keys:
        return "segmenter"
    if any(key.endswith("query_updater.weight") for key in keys):
        return "videomt"
    raise UsageError(f"case {case['name']} is of no known family (first name: {keys[0]!r})")


Compared = Iterator[tuple[str, np.ndarray, np.ndarray]]
Prepare = Callable[[Case, Arrays], tuple[Clip, dict[str, object]]]


def run(case: Case, fill: Any, prepare: Prepare) -> Compared:
    """Outputs of the converted model beside the published ones."""
    clip, settings = prepare(case, fill.inputs(case))
    model = converted(fill.state_dict(case), family_of(case), settings)
    with torch.inference_mode():
        output = model(clip).dense()
    last = output.layers[-1]
    ours = {"pred_logits": last.logits, "pred_boxes": last.boxes, "pred_masks": output.masks}
    for name, theirs in fill.outputs(case).items():
        if name not in ours:
            raise UsageError(f"case {case['name']} has an output {name!r} that is not known")
        yield name, _queries(ours[name], theirs), theirs


def stored(ours: np.ndarray, case: Case, name: str) -> np.ndarray:
    """What a case stores of an output, such as `[:, :12]` or `[:, ::8]`."""
    parts = case.get("stored", {}).get(name, "").strip("[]").split(",")
    numbers = [[int(n) if n.strip() else None for n in x.split(":")] for x in parts if x.strip()]
    return ours[tuple(slice(*one) for one in numbers)]


def converted(state: Arrays, family: str, settings: dict[str, Any]) -> Any:
    """The model of a published checkpoint, by way of the files that a user would have."""
    with tempfile.TemporaryDirectory() as folder:
        source, destination = Path(folder, "source.pth"), Path(folder, "ours.safetensors")
        tensors = {key: torch.from_numpy(np.asarray(value)) for key, value in state.items()}
        torch.save({"model": tensors}, source)
        weights.convert(family, source, destination, **settings)
        return weights.load(destination)


def vistr_clip(case: Case, inputs: Arrays) -> tuple[Clip, dict[str, object]]:
    """Frames `[B*T 3 H W]` of clips of the case's length."""
    T = case["settings"].get("num_frames", len(inputs["frames"]))
    frames = torch.from_numpy(inputs["frames"]).unflatten(0, (-1, T))
    rows = {key: shape[0] for key, shape, _ in case.get("state_dict", ()) if shape}
    # Named classes, so that a case of any number of them is not taken for old weights.
    named = {"class_names": [""] * (rows["vistr.class_embed.weight"] - 2)} if rows else {}
    return _clip(frames, inputs.get("mask")), {"frames": T} | named | _stated(case)


def detr_clip(case: Case, inputs: Arrays) -> tuple[Clip, dict[str, object]]:
    """Images `[B 3 H W]` as clips of one frame."""
    return _clip(torch.from_numpy(inputs["images"])[:, None], inputs.get("mask")), _stated(case)


_RUNNERS: dict[str, Prepare] = {"vistr": vistr_clip, "detr": detr_clip}


def criterion(case: Case, stored: Arrays) -> Compared:
    """Matching and losses of VisTR on stored outputs."""
    T, N, K = (case[name] for name in ("num_frames", "num_instances", "num_targets"))
    arrays = {name: torch.from_numpy(value) for name, value in stored.items()}
    logits, boxes, masks = (arrays[f"pred_{n}"] for n in ("logits", "boxes", "masks"))
    layers = [_layer(0.5 * logits, boxes.flip(0), T), _layer(logits, boxes, T)]
    target = ClipTargets(
        labels=arrays["target_labels"].view(K, T)[:, 0],
        boxes=to_corners(arrays["target_boxes"]).view(K, T, 4),
        masks=arrays["target_masks"].unflatten(0, (K, T)),
        visible=torch.ones(K, T, dtype=torch.bool),
    )
    output = SequenceOutput(layers, masks.unflatten(0, (1, T, N)))
    loss = SetLoss(Matcher(VISTR_COST), eps=VISTR_COST.eps, area=padded_area)
    (pairs,) = loss.matcher(layers[-1:], join([target], layers[-1]))
    yield "matched_query", (pairs.frames * N + pairs.queries).numpy(), stored["matched_query"]
    yield "matched_target", (pairs.instances * T + pairs.frames).numpy(), stored["matched_target"]
    found: dict[str, Tensor] = {}
    for suffix, terms in zip(("_0", ""), loss.terms(output, [target]), strict=True):
        found |= {f"{_PUBLISHED[name]}{suffix}": value for name, value in terms.items()}
    errors = loss.errors(output, [target])
    found |= {"class_error": errors["class_error"], "cardinality_error": errors["count_error"]}
    found["cardinality_error_0"] = loss.errors(SequenceOutput(layers[:1], None), [target])[
        "count_error"
    ]
    for name, value in case["losses"].items():
        yield name, np.asarray(found[name]), np.asarray(value)


_PUBLISHED = {
    "class": "loss_ce",
    "box_l1": "loss_bbox",
    "box_giou": "loss_giou",
    "mask_focal": "loss_mask",
    "mask_dice": "loss_dice",
}


def _layer(logits: Tensor, boxes: Tensor, T: int) -> LayerOutput:
    return LayerOutput(logits.unflatten(0, (1, T, -1)), boxes.unflatten(0, (1, T, -1)))


def _stated(case: Case) -> dict[str, object]:
    """What shapes do not tell: the number of heads, and whether the last stage is dilated."""
    settings = case["settings"]
    stated = {"num_heads": settings["nheads"]} if "nheads" in settings else {}
    if settings.get("dilation"):
        stated["backbone"] = f"{settings['backbone']}_dc5"
    return stated


def _clip(frames: Tensor, mask: np.ndarray | None) -> Clip:
    """Normalised frames `[B T 3 H W]` as pixels; padding `[B*T H W]`, True outside, as sizes."""
    B, T, _, H, W = frames.shape
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
    inside = torch.ones(B, T, H, W, dtype=torch.bool)
    if mask is not None:
        inside = ~torch.from_numpy(np.asarray(mask)).bool().reshape(B, T, H, W)
    heights = inside.any(dim=3).sum(dim=2)
    widths = inside.any(dim=2).sum(dim=2)
    filled = (heights * widths == inside.sum(dim=(2, 3))) & (heights == heights[:, :1])
    if not bool((filled & (widths == widths[:, :1]) & inside[:, :, 0, 0]).all()):
        raise UsageError("the padding is no common margin at the bottom and right of a clip")
    return Clip(frames * deviation + mean, torch.stack((heights[:, 0], widths[:, 0]), dim=1))


def _queries(ours: Tensor | None, theirs: np.ndarray) -> np.ndarray:
    """`[B T N ...]` in the published order, frame by frame; as many queries as were stored."""
    if ours is None:
        raise UsageError("the case has masks, the converted model has none")
    return ours.flatten(1, 2)[:, : theirs.shape[1]].numpy()


def _difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    if ours.shape != theirs.shape:
        raise UsageError(f"our shape {ours.shape} is not the published {theirs.shape}")
    return float(np.abs(ours.astype(np.float64) - theirs.astype(np.float64)).max(initial=0.0))


def _module(path: Path) -> Any:
    if not path.is_file():
        raise UsageError(f"there is no {path}", remedy="Say where fill.py is: --fill PATH")
    spec = importlib.util.spec_from_file_location("fill", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    warnings.simplefilter("error")
    sys.exit(main())
