"""What the published DETR and VisTR share: names of ResNet, transformer, heads and mask branch."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

import torch

from vis import backbones
from vis.backbones.resnet import RESNETS
from vis.errors import DataError
from vis.layers.masks import GROUPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vis.weights.rename import Rows, Shapes

HEADS = 8
"""Of every published model; a model without masks does not tell."""
MAX_SIZE = 1 << 20
"""Of any axis; an empty tensor may claim more than a model could be built of."""


def trunk(prefix: str) -> Rows:
    """Rows of everything but the mask branch, whose names begin with `prefix`, a pattern."""
    rows = (
        *BACKBONE,
        (r"input_proj\.(weight|bias)", r"projection.\1"),
        (r"query_embed\.weight", r"queries"),
        (r"class_embed\.(weight|bias)", r"class_head.\1"),
        (r"bbox_embed\.layers\.0\.(weight|bias)", r"box_head.0.\1"),
        (r"bbox_embed\.layers\.1\.(weight|bias)", r"box_head.2.\1"),
        (r"bbox_embed\.layers\.2\.(weight|bias)", r"box_head.4.\1"),
        (rf"{_LAYER}\.self_attn\.{_PACKED}", r"transformer.\1.\2.self_attention.\3"),
        (rf"{_LAYER}\.multihead_attn\.{_PACKED}", r"transformer.\1.\2.cross_attention.\3"),
        (rf"{_LAYER}\.(linear[12]\.(?:weight|bias))", r"transformer.\1.\2.feedforward.\3"),
        (rf"{_LAYER}\.(norm[123]\.(?:weight|bias))", r"transformer.\1.\2.\3"),
        (r"transformer\.decoder\.norm\.(weight|bias)", r"transformer.norm.\1"),
    )
    return tuple((prefix + pattern, replacement) for pattern, replacement in rows)


_LAYER = r"transformer\.(encoder|decoder)\.layers\.(\d+)"
_PACKED = r"(in_proj_weight|in_proj_bias|out_proj\.weight|out_proj\.bias)"
_NORM = r"(weight|bias|running_mean|running_var)"
_BODY = r"backbone\.0\.body\."
BACKBONE: Rows = (
    (rf"{_BODY}conv1\.weight", r"backbone.conv1.weight"),
    (rf"{_BODY}bn1\.{_NORM}", r"backbone.conv1.norm.\1"),
    (rf"{_BODY}(layer\d\.\d+\.conv\d)\.weight", r"backbone.\1.weight"),
    (rf"{_BODY}(layer\d\.\d+)\.bn(\d)\.{_NORM}", r"backbone.\1.conv\2.norm.\3"),
    (rf"{_BODY}(layer\d\.0\.downsample\.0)\.weight", r"backbone.\1.weight"),
    (rf"{_BODY}(layer\d\.0)\.downsample\.1\.{_NORM}", r"backbone.\1.downsample.0.norm.\2"),
)
"""Rows of the ResNet."""

MASKS: Rows = (
    (r"bbox_attention\.q_linear\.(weight|bias)", r"masks.attention.query.\1"),
    (r"bbox_attention\.k_linear\.(weight|bias)", r"masks.attention.key.\1"),
    *((rf"mask_head\.lay{i + 1}\.(\w+)", rf"masks.pyramid.stages.{i}.conv.\1") for i in range(4)),
    *((rf"mask_head\.gn{i + 1}\.(\w+)", rf"masks.pyramid.stages.{i}.norm.\1") for i in range(4)),
    *((rf"mask_head\.adapter{i + 1}\.(\w+)", rf"masks.pyramid.laterals.{i}.\1") for i in range(3)),
)
"""Rows of the mask branch up to its last step."""

DROPPED: Rows = (
    (r".*\.num_batches_tracked", "counts training steps of a norm that is frozen here"),
    (r"criterion\.empty_weight", "weights of the loss; our loss has its own"),
)


def trunk_settings(shapes: Shapes, arguments: Mapping[str, int]) -> dict[str, object]:
    """What the shapes tell of `Settings`; the number of heads comes from `arguments`, if at all.

    Raises:
        DataError: a tensor that has to be there is not.
    """
    width, first = size(shapes, "queries", 1), "masks.pyramid.stages.0.conv.weight"
    stated = heads_of(arguments)
    # The mask branch puts one map of each head beside the frame's own.
    heads = size(shapes, first, 1) - width if first in shapes else stated
    if first in shapes and (heads < 1 or (width + heads) % GROUPS):
        raise DataError(f"{first} has {width + heads} channels, which no number of heads makes")
    return {
        "d_model": width,
        "num_heads": heads,
        "backbone": resnet(shapes),
        "encoder_layers": count_of(shapes, r"transformer\.encoder\.(\d+)\."),
        "decoder_layers": count_of(shapes, r"transformer\.decoder\.(\d+)\."),
        "ffn_dim": size(shapes, "transformer.decoder.0.feedforward.linear1.weight", 0),
    }


def heads_of(arguments: Mapping[str, int]) -> int:
    """What a user or a config.json states, else the training script, else the published number."""
    return arguments.get("num_heads", arguments.get("nheads", HEADS))


def resnet(shapes: Shapes) -> str:
    """The ResNet whose tensors are most like those of `shapes`; a full match is the only one."""
    part = {name[9:]: shape for name, shape in shapes.items() if name.startswith("backbone.")}

    def alike(name: str) -> int:
        # a deeper ResNet has most tensors of a shallower one: what it has beyond counts against it
        expected = _resnet_shapes(name)
        return 2 * sum(part.get(key) == shape for key, shape in expected.items()) - len(expected)

    return max(RESNETS, key=alike)


def size(shapes: Shapes, name: str, axis: int) -> int:
    """One axis of a tensor that every file of the family has.

    Raises:
        DataError: it is not there, has not so many axes, or is far too large.
    """
    shape = shapes.get(name, ())
    if len(shape) <= axis or shape[axis] > MAX_SIZE:
        raise DataError(f"there is no {name} in it that could be used (found: {shape})")
    return shape[axis]


def count_of(names: Iterable[str], pattern: str) -> int:
    """How many different numbers the group of a pattern has at the beginning of names."""
    return len({match[1] for name in names if (match := re.match(pattern, name))})


@functools.cache
def _resnet_shapes(name: str) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        state = backbones.build(name).state_dict()
    return {key: tuple(value.shape) for key, value in state.items()}
