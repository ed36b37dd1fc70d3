"""Section I of the golden numbers: ISTR's stages, codecs, matching and losses."""

from __future__ import annotations

import ast
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from parity_numbers import against, drawn, line, listed, normal, numbers, tensor, unequal

from vis import models
from vis.layers.code_heads import CodeInputs
from vis.layers.mask_codes import CosineCodes, PrincipalCodes, slowest, zigzag
from vis.losses.code_loss import CodedStage
from vis.ops.boxes import to_corners
from vis.records import ClipTargets
from vis.weights import converters
from vis.weights.rename import rename

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from parity import Row
    from torch import Tensor

PIXELS, EXACT = 1e-4, 1e-6
"""Tolerances of boxes and of all else."""
HEIGHT, WIDTH, QUERIES = 256, 384, 6
SIDES = tensor([WIDTH, HEIGHT, WIDTH, HEIGHT])
TERMS = {
    "class": "loss_ce",
    "box_giou": "loss_giou",
    "box_l1": "loss_bbox",
    "code": "loss_feat",
    "mask_dice": "loss_dice",
}


class Given(PrincipalCodes):
    """The text's components; all cells are wrong with a probability of 0.02."""

    def __init__(self) -> None:
        super().__init__(28, 60)
        self.double()
        self.components.copy_(torch.linalg.qr(normal(8, 784, 60))[0].T)
        self.mean.copy_(normal(9, 784))
        self.variances.copy_(torch.linspace(400, 10, 60, dtype=torch.float64))

    def encode(self, masks: Tensor) -> Tensor:
        """`[N 28 28]` bool -> `[N 60]`."""
        sure = torch.full((), math.log(0.98 / 0.02), dtype=torch.float64)
        return self.code_of(torch.where(masks.flatten(1), sure, -sure))


def rows(text: str, keys: Path) -> Iterator[Row]:
    """I0 to I6."""
    settings = {"generation": "v1", "codec": "pca", "mask_side": 28, "code": 60}
    first = _model(keys / "istr_v1_r50_keys.tsv", settings)
    second = _model(keys / "istr_v2_ae_r50_keys.tsv", {})
    yield "I0 boxes", against(text, "I0 boxes", _boxes()), EXACT
    yield from stages_of_first(text, first)
    yield from stages_of_second(text, second)
    yield from learned(text, second.codec)
    yield from cosines(text)
    yield from principal(text)
    yield from losses(text, first, second)


def stages_of_first(text: str, model: Any) -> Iterator[Row]:
    """I1: logits, boxes and codes on the way and at the end."""
    found = _refined(model)
    for i in (0, 1, 5):
        seen = CodeInputs(found[i].queries[0], found[i].boxes[0], torch.zeros(QUERIES).long(), [])
        codes = model.code_heads[i](seen).codes
        yield f"I1 logits {i}", against(text, f"I1 v1 stage {i} logits", found[i].logits), EXACT
        yield f"I1 boxes {i}", against(text, f"I1 v1 stage {i} boxes", found[i].boxes), PIXELS
        yield f"I1 codes {i}", against(text, f"I1 v1 stage {i} codes", codes), EXACT


def stages_of_second(text: str, model: Any) -> Iterator[Row]:
    """I2: the mean of the logits; boxes, codes and maps of the last stage."""
    found = _refined(model)
    last = found[-1]
    seen = CodeInputs(last.queries[0], last.boxes[0], torch.zeros(QUERIES).long(), _levels())
    codes, maps = model.code_heads[-1](seen)
    logits = torch.stack([stage.logits for stage in found[-model.selection.averaged :]])
    yield "I2 logits", against(text, "I2 v2-AE logits", logits.mean(dim=0)), EXACT
    yield "I2 boxes", against(text, "I2 v2-AE boxes", last.boxes), PIXELS
    yield "I2 codes", against(text, "I2 v2-AE codes", codes), EXACT
    yield "I2 maps", against(text, "I2 v2-AE roi side", maps), EXACT


def learned(text: str, codec: Any) -> Iterator[Row]:
    """I3: a network there and back."""
    code = codec.encode(_ellipse()[None])
    yield "I3 code", against(text, "I3 AE code", code), EXACT
    yield (
        "I3 mask",
        against(text, "I3 AE decode", codec.decode(code, normal(7, 1, 32, 28, 28))),
        EXACT,
    )


def cosines(text: str) -> Iterator[Row]:
    """I4: order, code and what is left of the mask."""
    order = [int(n) for pair in zip(*zigzag(112, 256), strict=True) for n in pair]
    stated = numbers(line(text, "I4 zigzag").partition(":")[2])
    yield "I4 order", unequal(order[:30] + order[-2:], stated), 0.0
    codec, mask = CosineCodes(112, 256).double(), _ellipse()
    codec.basis.copy_(slowest(112, 256))  # in use they are of single precision
    code = codec.encode(mask[None])
    yield "I4 code", against(text, "I4 DCT code", code), EXACT
    back = codec.decode(code)[0] >= 0.45
    overlap = (back & mask).sum() / (back | mask).sum()
    stated_overlap = numbers(line(text, "I4 DCT round trip").rpartition(":")[2])
    yield "I4 overlap", unequal([overlap.item()], stated_overlap), EXACT


def principal(text: str) -> Iterator[Row]:
    """I5: components, mean and variances given."""
    y, x = np.mgrid[:28, :28]
    mask = torch.from_numpy(((x - 13) / 10) ** 2 + ((y - 14) / 8) ** 2 <= 1)
    codec = Given()
    code = codec.encode(mask[None])
    yield "I5 code", against(text, "I5 PCA code", code), EXACT
    yield "I5 mask", against(text, "I5 PCA decode", codec.decode(code)), EXACT


def losses(text: str, first: Any, second: Any) -> Iterator[Row]:
    """I6: two pictures; no weights."""
    one, other, targets = _drawn_scene()
    cases = (("v1", first.loss, Given(), one), ("v2-AE", second.loss, second.codec, other))
    for name, loss, codec, stage in cases:
        pairs = loss.match([stage], targets, codec)[0]
        found = [(pair.queries.tolist(), pair.instances.tolist()) for pair in pairs]
        stated = ast.literal_eval(line(text, f"I6 {name} matching").partition("matching ")[2])
        yield f"I6 {name} matching", float(found != stated), 0.0
        terms = loss.terms([stage], targets, codec)[0]
        wanted = line(text, f"I6 {name} unweighted")
        for term, published in TERMS.items():
            value = re.search(rf"'{published}(?:_0)?': ([\d.]+)", wanted)
            assert value is not None
            yield f"I6 {name} {term}", abs(terms[term].item() - float(value[1])), EXACT


def _model(path: Path, settings: dict[str, Any]) -> Any:
    model: Any = models.build("istr", classes=80, **settings)
    tensors = {key: torch.from_numpy(value) for key, value in drawn(listed(path)).items()}
    model.load_state_dict(rename(tensors, replace(converters.get("istr"), adapt=dict))[0])
    return model.double().eval()


def _refined(model: Any) -> Any:
    return model.refine(normal(5, 1, QUERIES, 256), _boxes(), _levels())


def _levels() -> list[Tensor]:
    return [normal(1 + i, 1, 256, HEIGHT // s, WIDTH // s) for i, s in enumerate((4, 8, 16, 32))]


def _boxes() -> Tensor:
    draw = np.random.RandomState(6)
    centres, sides = draw.uniform(0.3, 0.7, (QUERIES, 2)), draw.uniform(0.2, 0.9, (QUERIES, 2))
    boxes = to_corners(tensor(np.concatenate((centres, sides), axis=1))) * SIDES
    boxes[0] = tensor([0, 0, WIDTH, HEIGHT])
    return boxes[None]


def _ellipse() -> Tensor:
    y, x = np.mgrid[:112, :112]
    return torch.from_numpy(((x - 55.5) / 40) ** 2 + ((y - 50) / 30) ** 2 <= 1)


def _drawn_scene() -> tuple[CodedStage, CodedStage, list[ClipTargets]]:
    """The output of either release, and the truth."""
    draw = np.random.RandomState(11)
    logits = tensor(draw.standard_normal((2, 12, 80)) * 1.5 - 3)
    centres, sides = draw.uniform(0.25, 0.75, (2, 12, 2)), draw.uniform(0.1, 0.5, (2, 12, 2))
    boxes = to_corners(tensor(np.concatenate((centres, sides), axis=2)))
    first = tensor(draw.standard_normal((2, 12, 60)))
    second = tensor(draw.standard_normal((2, 12, 256)) * 0.3)
    maps = tensor(draw.standard_normal((2, 12, 25088)) * 0.1).view(2, 1, 12, 32, 28, 28)
    logits, boxes = logits[:, None], boxes[:, None]
    targets = [_target(draw, count) for count in (3, 2)]
    return (
        CodedStage(logits, boxes, first[:, None], None),
        CodedStage(logits, boxes, second[:, None], maps),
        targets,
    )


def _target(draw: np.random.RandomState, count: int) -> ClipTargets:
    """Ellipses inscribed in rounded boxes."""
    centres, sides = draw.uniform(0.3, 0.7, (count, 2)), draw.uniform(0.2, 0.5, (count, 2))
    labels = torch.from_numpy(draw.randint(0, 80, count))
    boxes = (to_corners(tensor(np.concatenate((centres, sides), axis=1))) * SIDES).round()
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    x0, y0, x1, y1 = boxes.numpy().T[:, :, None, None]
    inside = ((x - (x0 + x1) / 2) / ((x1 - x0) / 2)) ** 2
    inside = inside + ((y - (y0 + y1) / 2) / ((y1 - y0) / 2)) ** 2
    masks = torch.from_numpy(inside <= 1)
    visible = torch.ones(count, 1, dtype=torch.bool)
    return ClipTargets(labels, (boxes / SIDES)[:, None], masks[:, None], visible)
