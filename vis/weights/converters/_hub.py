"""Names and settings of backbones as transformers writes them, for the families that share them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vis.backbones.resnet import DILATED
from vis.errors import DataError
from vis.layers.pixel_decoder import GROUPS
from vis.weights.hub_form import Claim, refuse, timm_name, truth, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.weights.hub_form import Config, Rows

RESNET_DEPTHS = {
    ("basic", (2, 2, 2, 2)): "resnet18",
    ("basic", (3, 4, 6, 3)): "resnet34",
    ("bottleneck", (3, 4, 6, 3)): "resnet50",
    ("bottleneck", (3, 4, 23, 3)): "resnet101",
    ("bottleneck", (3, 8, 36, 3)): "resnet152",
}
"""Kind of layer and their number in each stage -> the network."""
NARROWEST = 2 * GROUPS
"""Channels of levels below which their norms have other groups there than here."""
DILATED_STRIDE = 16
"""Of the last level of a dilated ResNet."""


@dataclass(frozen=True, slots=True)
class ResNetNames:
    """What a published family calls the parts of its ResNet; `{}` is a number from 1."""

    stem: str
    stem_norm: str
    stage: str
    first_stage: int
    norm: str
    shortcut: str
    shortcut_norm: str


TORCHVISION = ResNetNames("conv1", "bn1", "layer{}", 1, "bn{}", "downsample.0", "downsample.1")
DETECTRON = ResNetNames(
    "stem.conv1", "stem.conv1.norm", "res{}", 2, "conv{}.norm", "shortcut", "shortcut.norm"
)


def own_resnet(there: str, here: str, names: ResNetNames) -> Rows:
    """Rows of transformers' own ResNet.

    Args:
        there: pattern that its names begin with.
        here: what the published ones begin with.
        names: the published ones.
    """
    norm = r"normalization\.(?P<kind>weight|bias|running_mean|running_var)"
    stem = rf"{there}embedder\.embedder\."
    rows = [
        (rf"{stem}convolution\.weight", f"{here}{names.stem}.weight"),
        (rf"{stem}{norm}", rf"{here}{names.stem_norm}.\g<kind>"),
    ]
    for stage in range(4):
        block = rf"{there}encoder\.stages\.{stage}\.layers\.(?P<block>\d+)\."
        ours = rf"{here}{names.stage.format(stage + names.first_stage)}.\g<block>."
        rows += [
            (rf"{block}shortcut\.convolution\.weight", f"{ours}{names.shortcut}.weight"),
            (rf"{block}shortcut\.{norm}", rf"{ours}{names.shortcut_norm}.\g<kind>"),
        ]
        for conv in range(3):
            layer = rf"{block}layer\.{conv}\."
            rows += [
                (rf"{layer}convolution\.weight", f"{ours}conv{conv + 1}.weight"),
                (rf"{layer}{norm}", rf"{ours}{names.norm.format(conv + 1)}.\g<kind>"),
            ]
    return tuple(rows)


def check_width(config: Config, key: str) -> None:
    """Refuse networks so narrow that their norms of levels have other groups than here.

    Raises:
        DataError: it is one.
    """
    if whole_number(config, key, 256) < NARROWEST:
        raise DataError(f"{key} is {config[key]}; only {NARROWEST} and more are read")


def detr_backbone(config: Config) -> list[Claim]:
    """What a `config.json` of the DETR family says of its backbone, in each of its three forms.

    Raises:
        DataError: it says what is not read here.
    """
    dilated = truth(config, "dilation")
    nested = config.get("backbone_config")
    if nested is None:
        name = config.get("backbone", "resnet50")
        if not isinstance(name, str):
            raise DataError(f"backbone is {name!r:.60}, not the name of one")
        return [_backbone("backbone", name, timm_name(name), dilated)]
    if not isinstance(nested, dict):
        raise DataError(f"backbone_config is {nested!r:.60}, not a table")
    kind = nested.get("model_type", "resnet")
    if kind == "timm_backbone":
        name = nested.get("backbone", "resnet50")
        if not isinstance(name, str):
            raise DataError(f"backbone_config.backbone is {name!r:.60}, not the name of one")
        dilated |= nested.get("output_stride") == DILATED_STRIDE
        return [_backbone("backbone_config.backbone", name, timm_name(name), dilated)]
    if kind == "resnet":
        return [resnet_claim(nested, dilated)]
    raise DataError(f"backbone_config.model_type is {kind!r:.60}; only ResNets are read here")


def resnet_claim(nested: Mapping[str, Any], dilated: bool = False) -> Claim:
    """What the settings of transformers' own ResNet name.

    Raises:
        DataError: no ResNet here has them.
    """
    refuse(
        nested,
        {
            "hidden_act": ("relu",),
            "downsample_in_bottleneck": (False,),
            "downsample_in_first_stage": (False,),
        },
    )
    depths = nested.get("depths", [3, 4, 6, 3])
    layer = nested.get("layer_type", "bottleneck")
    name = RESNET_DEPTHS.get((layer, tuple(depths))) if isinstance(depths, list) else None
    if name is None:
        raise DataError(f"backbone_config has depths {depths!r:.60} of {layer!r:.20} layers")
    return _backbone("backbone_config.depths", depths, name, dilated)


def _backbone(key: str, stated: object, name: str, dilated: bool) -> Claim:
    return Claim(key, stated, "backbone", name + DILATED if dilated else name)
