"""Section S of the golden numbers: SOTR's transformer, heads, targets, losses and choice."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from parity_numbers import against, drawn, line, listed, normal, numbers, unequal
from torch.nn.functional import interpolate

from vis import models
from vis.losses.grid import GridLoss, GridOutput, shrunk_masks
from vis.losses.grid_cells import assign
from vis.records import Clip, ClipTargets
from vis.weights import converters
from vis.weights.rename import rename

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from parity import Row
    from torch import Tensor

TOLERANCE = 1e-6
SIDES = (10, 9, 6, 4, 3)
CANVAS, CONTENT, SHOWN = (128, 192), (120, 181), (240, 362)
BOXES = [(10, 10, 90, 100), (30, 20, 100, 95), (120, 60, 140, 75), (0, 0, 180, 119)]
LABELS = [3, 7, 1, 0]


def rows(text: str, keys: Path) -> Iterator[Row]:
    """S1 to S4."""
    model: Any = models.build("sotr", classes=80, backbone="resnet50_msra", grids=SIDES)
    shapes = listed(keys / "sotr_r50_keys.tsv")
    tensors = {key: torch.from_numpy(value) for key, value in drawn(shapes).items()}
    model.load_state_dict(rename(tensors, replace(converters.get("sotr"), adapt=dict))[0])
    model.double().eval()
    yield "S1", against(text, "S1", model.transformer(normal(1, 1, 256, 5, 7))), TOLERANCE
    yield from heads(text, model)
    yield from targets(text)
    yield from chosen(text, model)


def heads(text: str, model: Any) -> Iterator[Row]:
    """Everything after the pyramid, whose levels are given."""
    sizes = [(CANVAS[0] // s, CANVAS[1] // s) for s in (4, 8, 16, 32, 64)]
    levels = [normal(2 + i, 1, 256, *size) for i, size in enumerate(sizes)]
    seen: list[Tensor] = []
    given = model.pyramid.register_forward_hook(lambda *_: levels)
    kept = model.masks.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs[0]))
    output = model(Clip(torch.zeros(1, 1, 3, *CANVAS), torch.tensor([CANVAS])))
    given.remove()
    kept.remove()
    for i in range(len(SIDES)):
        logits, mask_embeddings = output.grids.logits[i], output.grids.mask_embeddings[i]
        yield f"S2 logits {i}", against(text, f"S2 class logits level {i}", logits), TOLERANCE
        yield f"S2 kernels {i}", against(text, f"S2 kernels level {i}", mask_embeddings), TOLERANCE
    yield "S2 p5'", against(text, "S2 p5'", seen[-1]), TOLERANCE
    yield "S2 feature", against(text, "S2 mask feature", output.grids.mask_features), TOLERANCE


def targets(text: str) -> Iterator[Row]:
    """Which cells hold which objects, and both losses."""
    target, ranges = _target(), models.build("sotr", classes=80, depth=1).config.sizes
    areas = shrunk_masks(target.masks[:, 0], (32, 48)).sum(dim=(1, 2))
    for i, found in enumerate(assign([target], CANVAS, SIDES, ranges)[0]):
        cells, _, pixels = re.findall(r"\[.*?\](?=;|$)", line(text, f"S3 level {i}"))
        order = torch.argsort(found.instances * 10_000 + found.cells)
        ours = areas[found.instances[order]]
        yield f"S3 cells {i}", unequal(found.cells[order].tolist(), numbers(cells)), 0.0
        yield f"S3 pixels {i}", unequal(ours.tolist(), numbers(pixels)), 0.0
    output = _grids(logits=[0.5 * normal(20 + i, 1, 80, g, g) - 3 for i, g in enumerate(SIDES)])
    losses = GridLoss(ranges, published=True)(output, [target])
    ours = [losses["mask_dice"].item(), losses["class"].item()]
    stated = re.findall(r": ([\d.]+)", line(text, "S3 losses:"))
    yield "S3 losses", unequal(ours, map(float, stated)), TOLERANCE


def chosen(text: str, model: Any) -> Iterator[Row]:
    """Detections of a picture that does not fill its canvas, at twice its size."""
    logits = [1.5 * normal(40 + i, 1, 80, g, g) - 4 for i, g in enumerate(SIDES)]
    (found,) = model.selection(_grids(logits), torch.tensor([CANVAS]))
    large = interpolate(found.masks, scale_factor=4, mode="bilinear")
    masks = interpolate(large[:, :, : CONTENT[0], : CONTENT[1]], SHOWN, mode="bilinear") > 0.5
    stated = line(text, "S4")
    lists = [numbers(part) for part in re.findall(r"\[(.*?)\]", stated)]
    count, last = (re.search(rf"{word} ([\d.]+)", stated) for word in ("detections", "last score"))
    assert count is not None and last is not None
    top = len(lists[0])
    yield "S4 count", abs(len(found.scores) - int(count[1])), 0.0
    yield "S4 scores", unequal(found.scores[:top].tolist(), lists[0]), TOLERANCE
    yield "S4 last score", abs(found.scores[-1].item() - float(last[1])), TOLERANCE
    yield "S4 labels", unequal(found.labels[:top].tolist(), lists[1]), 0.0
    yield "S4 pixels", unequal(masks[:top].sum(dim=(1, 2, 3)).tolist(), lists[2]), 0.0


def _grids(logits: list[Tensor]) -> GridOutput:
    mask_features = interpolate(normal(9, 1, 256, 4, 6), (32, 48), mode="bilinear")
    mask_embeddings = [0.2 * normal(30 + i, 1, 256, g, g) for i, g in enumerate(SIDES)]
    return GridOutput(logits, mask_embeddings, mask_features)


def _target() -> ClipTargets:
    masks = torch.zeros(len(BOXES), 1, *CONTENT, dtype=torch.bool)
    for mask, (x0, y0, x1, y1) in zip(masks, BOXES, strict=True):
        mask[:, y0:y1, x0:x1] = True
    scale = torch.tensor([CONTENT[1], CONTENT[0]] * 2)
    boxes = torch.tensor(BOXES, dtype=torch.float64) / scale
    visible = torch.ones(len(BOXES), 1, dtype=torch.bool)
    return ClipTargets(torch.tensor(LABELS), boxes[:, None], masks, visible)
