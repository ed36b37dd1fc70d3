"""SSD on MobileNetV2 as TensorFlow's Object Detection API published it, trained on COCO."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch

from vis.backbones.mobilenet_v2 import BLOCKS
from vis.errors import DataError
from vis.layers.anchors import COUNTS
from vis.models.ssd_mask import EXTRA
from vis.weights.classes import COCO, COCO_THINGS, numbered
from vis.weights.converters._trunk import size
from vis.weights.rename import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from vis.weights.rename import Rows, Shapes

EPSILON = 1e-3
"""Of the published batch norms."""
NAMED_ROWS = [number for number, name in enumerate(COCO) if name]
"""Published rows of COCO's classes that have a name; 0 is the background."""
NORM = {"beta", "gamma", "moving_mean", "moving_variance"}
_TRUNK = r"FeatureExtractor/MobilenetV2/"
_WEIGHTS = r"(?:depthwise_)?weights"
_NORM = r"BatchNorm/(beta|gamma|moving_mean|moving_variance)"


def _layer(published: str, ours: str) -> Rows:
    return (
        (rf"{_TRUNK}{published}/{_WEIGHTS}", rf"{ours}.weight"),
        (rf"{_TRUNK}{published}/{_NORM}", rf"{ours}.\1"),
    )


def _blocks() -> Rows:
    rows: list[tuple[str, str]] = []
    for number in range(sum(repeats for _, _, repeats, _ in BLOCKS)):
        name = "expanded_conv" + (f"_{number}" if number else "")
        for part in ("expand", "depthwise", "project"):
            rows += _layer(f"{name}/{part}", f"backbone.blocks.{number}.{part}")
    return tuple(rows)


def _extra() -> Rows:
    rows: list[tuple[str, str]] = []
    for number, (hidden, out) in enumerate(EXTRA):
        first, second = f"layer_19_1_Conv2d_{number + 2}_1x1_{hidden}", number + 2
        name = f"layer_19_2_Conv2d_{second}_3x3_s2_{out}"
        for part, published in enumerate((first, f"{name}_depthwise", name)):
            rows += _layer(published, f"extra.{number}.{part}")
    return tuple(rows)


def adapt(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """PyTorch's layout, norms folded into their convolutions, the rows of 80 classes alone.

    Raises:
        DataError: a part of a layer is missing, or of another shape.
    """
    adapted: dict[str, Tensor] = {}
    layers = {name.rpartition(".")[0] for name in tensors}
    for layer in sorted(layers):
        part = {
            name.rpartition(".")[2]: tensor.double()
            for name, tensor in tensors.items()
            if name.rpartition(".")[0] == layer
        }
        is_head = layer.startswith(("class_heads.", "box_heads."))
        _check(part, {"bias"} if is_head else NORM, layer)
        if is_head:
            # TensorFlow stores height, width, inputs, outputs
            part["weight"] = part["weight"].permute(3, 2, 0, 1)
            if layer.startswith("class_heads."):
                part = {name: _of_classes(x, layer) for name, x in part.items()}
        else:
            part = _folded(part, layer)
        adapted |= {f"{layer}.{name}": x.float().contiguous() for name, x in part.items()}
    return adapted


def _check(part: Mapping[str, Tensor], vectors: set[str], layer: str) -> None:
    """A layer has all its parts, as long as its weights have rows."""
    missing = ({"weight"} | vectors) - set(part)
    if missing:
        raise DataError(f"layer {layer} has no {min(missing)}")
    shape = tuple(part["weight"].shape)
    if len(shape) != 4 or not all(shape):
        raise DataError(f"layer {layer} has weights of shape {shape}, not of a convolution")
    rows = shape[2 if _is_depthwise(layer) else 3]
    for name in sorted(vectors):
        if tuple(part[name].shape) != (rows,):
            actual = tuple(part[name].shape)
            raise DataError(f"layer {layer} has {rows} channels, but a {name} of shape {actual}")


def _is_depthwise(layer: str) -> bool:
    return layer.endswith(".depthwise") or re.fullmatch(r"extra\.\d\.1", layer) is not None


def _folded(part: Mapping[str, Tensor], layer: str) -> dict[str, Tensor]:
    # a depthwise kernel is stored as height, width, channels, multiplier (of 1)
    weight, depthwise = part["weight"], _is_depthwise(layer)
    weight = weight.permute(2, 3, 0, 1) if depthwise else weight.permute(3, 2, 0, 1)
    scale = part["gamma"] / (part["moving_variance"] + EPSILON).sqrt()
    return {
        "weight": weight * scale[:, None, None, None],
        "bias": part["beta"] - part["moving_mean"] * scale,
    }


def _of_classes(x: Tensor, layer: str) -> Tensor:
    """Rows of the classes that have a name, anchor by anchor; but for COCO's, all but the first."""
    count = COUNTS[int(layer.split(".")[1])]
    if len(x) % count or len(x) < 2 * count:
        raise DataError(
            f"layer {layer} has {len(x)} rows, not as many for each of its {count} anchors: one of"
            " the background, and of each class"
        )
    rows = x.reshape(count, -1, *x.shape[1:])
    columns = NAMED_ROWS if rows.shape[1] == len(COCO) else list(range(1, rows.shape[1]))
    return rows[:, torch.tensor(columns)].flatten(0, 1)


def settings(shapes: Shapes, arguments: Mapping[str, int]) -> dict[str, object]:
    """All of `Config` that a checkpoint tells; it has no masks.

    Raises:
        DataError: a tensor that has to be there is not.
    """
    del arguments
    return {
        "classes": size(shapes, "class_heads.0.bias", 0) // COUNTS[0],
        "masks": False,
        "aspect": 1.0,
    }


def class_names(count: int) -> tuple[str, ...]:
    """COCO's names in the order of their ids, for as many classes as the published model has."""
    return COCO_THINGS if count == len(COCO_THINGS) else numbered(count)


FAMILY = Family(
    model="ssd_mask",
    renames=(
        *_layer("Conv", "backbone.stem"),
        *_layer("Conv_1", "backbone.last"),
        *_blocks(),
        *_extra(),
        (r"BoxPredictor_([0-5])/ClassPredictor/weights", r"class_heads.\1.weight"),
        (r"BoxPredictor_([0-5])/ClassPredictor/biases", r"class_heads.\1.bias"),
        (r"BoxPredictor_([0-5])/BoxEncodingPredictor/weights", r"box_heads.\1.weight"),
        (r"BoxPredictor_([0-5])/BoxEncodingPredictor/biases", r"box_heads.\1.bias"),
    ),
    dropped=(),
    settings=settings,
    class_names=class_names,
    adapt=adapt,
)
