"""Section G of the golden numbers: Segmenter's encoders, decoders, windows and schedule."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch
from parity import converted
from parity_numbers import against, drawn, line, listed, normal, numbers, unequal

from vis.models._windows import ScaledPicture, Tiling, averaged, enlarged, window_corners
from vis.training.schedules import Schedule, factor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from parity import Row
    from parity_numbers import Shapes

TOLERANCE = 1e-6
SMALLER = {768: 192, 3072: 768, 2304: 576, 1025: 17, 1026: 18, 150: 7}
"""Sizes of the listed network -> of the one that the numbers are of."""
LAYERS = 2
RATE, LEAST = 1e-3, 1e-5


def rows(text: str, keys: Path) -> Iterator[Row]:
    """G1 to G5."""
    names = {
        "ViT": "segmenter_b16_mask_ade_keys.tsv",
        "DeiT": "segmenter_bdeit16_mask_ade_keys.tsv",
    }
    shapes = {name: _smaller(listed(keys / file)) for name, file in names.items()}
    whole, cut = normal(1, 1, 3, 64, 64), normal(2, 1, 3, 75, 120)
    for name in names:
        model = _model(shapes[name])
        tokens, scores = model.backbone(whole), model.look(whole)
        yield f"G1 {name} tokens", against(text, f"G1 {name} tokens", tokens), TOLERANCE
        yield f"G1 {name} logits", against(text, f"G1 {name} mask", scores), TOLERANCE
        yield f"G2 {name}", against(text, f"G2 {name}", model.look(cut)), TOLERANCE
    encoder = {key: s for key, s in shapes["ViT"].items() if key.startswith("encoder.")}
    head = {"decoder.head.weight": (7, 192), "decoder.head.bias": (7,)}
    yield "G3", against(text, "G3", _model(encoder | head).look(cut)), TOLERANCE
    yield from windows(text, _model(shapes["ViT"]))
    yield from schedule(text)


def windows(text: str, model: Any) -> Iterator[Row]:
    """Two sizes of a picture, each mirrored too."""
    pictures = [normal(3, 3, 50, 70), normal(4, 3, 90, 126)]
    views = [
        ScaledPicture(picture.flip(-1) if mirrored else picture, mirrored)
        for picture in pictures
        for mirrored in (False, True)
    ]
    found = averaged(model.look, views, Tiling(64, 40, 8), (100, 140))
    yield "G4 probabilities", against(text, "G4 averaged", found), TOLERANCE
    counts = torch.bincount(found.argmax(dim=0).flatten(), minlength=7).tolist()
    yield "G4 argmax", unequal(counts, numbers(line(text, "G4 argmax")[3:])), 0.0
    first, second = line(text, "G4 resized").split(": ", 1)[1].split(";")
    size = enlarged((50, 70), 64)
    ours = [*size, *(n for place in window_corners(size, 64, 40) for n in place)]
    yield "G4 size and corners", unequal(ours, numbers(first)), 0.0
    ours = [n for place in window_corners((90, 126), 64, 40) for n in place]
    yield "G4 corners", unequal(ours, numbers(second.split("anchors")[1])), 0.0


def schedule(text: str) -> Iterator[Row]:
    """Rates at some steps; after the last one there is no more step, only the floor."""
    poly = Schedule(kind="poly", power=0.9, floor=LEAST / RATE)
    stated = re.findall(r"\((\d+), ([-\d.e]+)\)", line(text, "G5"))
    for step, rate in stated:
        at = int(step)
        ours = RATE * (factor(poly, at, 1000) if at < 1000 else poly.floor)
        yield f"G5 step {at}", abs(ours - float(rate)) / RATE, TOLERANCE


def _model(shapes: Shapes) -> Any:
    settings = {"window": None, "stride": None}
    return converted(drawn(shapes), "segmenter", settings).double()


def _smaller(shapes: Shapes) -> Shapes:
    return {
        key: tuple(SMALLER.get(side, side) for side in shape)
        for key, shape in shapes.items()
        if not (match := re.match(r"encoder\.blocks\.(\d+)\.", key)) or int(match[1]) < LAYERS
    }
