"""Start a model from the weights of another: what fits is loaded, the rest is reported."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vis.backbones import dinov2_registers, resnet, swin, twins
from vis.backbones.dinov2_registers import RegisterDINOv2
from vis.backbones.resnet import ResNet
from vis.backbones.swin import Swin
from vis.backbones.twins import Twins
from vis.backbones.vit import ViT, adapted
from vis.errors import DataError
from vis.weights import class_rows, converters
from vis.weights.convert import is_ours, read_foreign, read_model, shapes_of
from vis.weights.fetch import imagenet_file
from vis.weights.files import check_numbers, read_weights
from vis.weights.located import located
from vis.weights.rename import BACKBONE, Rows, first_of, rename

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor, nn

    from vis.models._contract import Model

IMAGENET = "imagenet"

DETR_RENAMES: Rows = (
    (r"masks\.pyramid\.end\.conv\.conv\.weight", r"masks.pyramid.end.conv.weight"),
    (r"masks\.pyramid\.end\.conv\.norm\.(.+)", r"masks.pyramid.end.norm.\1"),
)
"""DETR into a model of clips: with offsets at zero, the deformable convolution is DETR's lay5."""
DETR_SKIPPED: Rows = (
    (r"queries", "they are of one image's slots, not of each frame's"),
    (r"masks\.pyramid\.end\.conv\.conv\.bias", "the deformable convolution has no bias"),
    (r"masks\.pyramid\.end\.logit\..+", "the head over time makes the logits"),
)
SKIPPED: Rows = (
    (
        r"(?:.+\.)?class_heads?\..+|decoder\.(?:classes|(?:head|score_norm)\..+)",
        "it is of other classes, or another model",
    ),
)
HEAD = "box_head."
"""Loaded as a whole or not at all: a linear layer is no sine layer."""
OF_BACKBONE = ("projection.", "masks.pyramid.laterals.")
"""What reads the backbone's maps means nothing to another backbone."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What became of a source's tensors."""

    loaded: tuple[str, ...]
    """Our names of the source's tensors that the model has now."""
    skipped: dict[str, str]
    """Our name of a tensor of the source that fits nothing -> the reason."""
    missing: tuple[str, ...]
    """The model's tensors that nothing of the source fits: they stay as they were."""
    classes: str = ""
    """Which classes of the head were carried over by name, where not the whole head was."""

    def __str__(self) -> str:
        """A few lines for the log."""
        lines = [f"{len(self.loaded)} tensors taken, {len(self.missing)} stay fresh."]
        lines += [self.classes] if self.classes else []
        reasons: dict[str, list[str]] = {}
        for name, reason in self.skipped.items():
            reasons.setdefault(reason, []).append(name)
        lines += [f"left: {_short(names)}: {reason}" for reason, names in reasons.items()]
        lines += [f"fresh: {_short(self.missing)}"] if self.missing else []
        return "\n".join(lines)


def initialise(model: Model[Any], source: str | Path, *, download: bool = False) -> LoadReport:
    """Give a model the weights of another where names and shapes agree.

    DETR and VisTR give their transformer, mask branch and, where it is the same, backbone; DETR's
    last convolution becomes the deformable one. The head of classes is taken from a file of the
    same model: whole where its classes are the same, else the rows of equal names, with the layers
    before them; all other rows begin anew.

    Args:
        model: changed in place.
        source: a file of ours or a published one (DETR, VisTR, or a backbone of torchvision or
            timm), the name of one as `vis.load` takes it, `hf:` ids of the hub too, or "imagenet"
            for the published weights of the model's backbone.
        download: whether "imagenet" may be fetched.

    Raises:
        InputError: the source is not there and may not, or cannot, be fetched.
        DataError: it is damaged, or nothing of it fits.
    """
    if source == IMAGENET:
        path = imagenet_file(model.config.backbone, download=download)
    else:
        path = located(source).path
    try:
        name, tensors, classes = _source(model, path)
        skipped: dict[str, str] = {}
        carried: dict[str, Tensor] = {}
        line = ""
        if name == "detr" and model.name != "detr":
            # a model of images starts one of clips: what has no counterpart is skipped by name
            tensors = {first_of(DETR_RENAMES, n) or n: t for n, t in tensors.items()}
            skipped = _skipped(DETR_SKIPPED, tensors)
        if name and not (classes and (name, classes) == (model.name, model.class_names)):
            if name == model.name:
                names = classes, model.class_names
                carried, line = class_rows.carried(tensors, model.state_dict(), *names)
            heads = _skipped(SKIPPED, tensors)
            skipped |= {n: why for n, why in heads.items() if n not in carried}
        report = _load(model, model.completed(tensors | carried), skipped)
        return replace(report, classes=line)
    except DataError as error:
        raise error.at(str(path)) from None


def _source(model: Model[Any], path: str | Path) -> tuple[str, dict[str, Tensor], tuple[str, ...]]:
    """The source's model, "" for a backbone alone, its tensors by our names, and its classes.

    Raises:
        DataError: it is the weights of another backbone.
    """
    if is_ours(path):
        metadata, tensors = read_weights(path)
        if metadata.model == BACKBONE:
            _check_backbone(model, metadata.settings)
        return ("" if metadata.model == BACKBONE else metadata.model), tensors, metadata.classes
    if Path(path).is_dir():
        read = read_model(path)
        return read.metadata.model, read.tensors, read.metadata.classes
    published = read_foreign(path).tensors
    family = converters.family_of(published)
    if family is not None:
        converter = converters.get(family)
        tensors = rename(published, converter)[0]
        settings = converter.settings(shapes_of(tensors), {})
        if converter.model == BACKBONE:
            _check_backbone(model, settings)
            return "", tensors, ()
        count = settings["classes"]
        assert isinstance(count, int)
        return converter.model, tensors, converter.class_names(count)
    backbone = model.get_submodule("backbone")
    parts = _backbone_tensors(backbone, published)
    return "", {f"backbone.{name}": tensor for name, tensor in parts.items()}, ()


def _check_backbone(model: Model[Any], settings: Mapping[str, object]) -> None:
    name = settings.get("name")
    if name != model.config.backbone:
        raise DataError(
            f"it is the weights of the backbone {name}, the model's is {model.config.backbone}",
            remedy=f"Set model.backbone to {name}.",
        )


def _backbone_tensors(backbone: nn.Module, published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of torchvision's or timm's classifier by the names of our backbone."""
    own_names = backbone.state_dict().keys()
    if isinstance(backbone, ViT):
        return adapted(published, backbone.state_dict())
    if isinstance(backbone, RegisterDINOv2):
        return dinov2_registers.adapted(published, backbone.state_dict())
    rule = next((rule for kind, rule in _RULES.items() if isinstance(backbone, kind)), None)
    if rule is not None:
        by_our_name = {rule(key): value for key, value in published.items()}
    else:
        # timm's feature extractors write the first dot of stages.0.x as an underscore
        by_our_name = {
            next((n for n in _timm_names(key) if n in own_names), None): value
            for key, value in published.items()
        }
    matched = {
        name: value for name, value in by_our_name.items() if name is not None and name in own_names
    }
    missing = [name for name in own_names if name not in matched and not name.startswith("norm")]
    if missing:
        raise DataError(
            f"it is neither a model of {', '.join(converters.names())} nor the weights of this"
            f" model's backbone, of which {len(missing)} tensors are missing: {_short(missing)}"
        )
    return matched


_RULES = {ResNet: resnet.our_key, Twins: twins.our_key, Swin: swin.our_key}


def _timm_names(key: str) -> tuple[str, ...]:
    return f"net.{key}", "net." + re.sub(r"^(\w+)\.(\d+)\.", r"\1_\2.", key)


def _skipped(rows: Rows, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    reasons = {name: first_of(rows, name) for name in tensors}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _load(model: Model[Any], tensors: Mapping[str, Tensor], skipped: dict[str, str]) -> LoadReport:
    state = model.state_dict()
    for name, tensor in tensors.items():
        if name not in skipped and name not in state:
            skipped[name] = "the model has no such part"
        elif name not in skipped and tensor.shape != state[name].shape:
            skipped[name] = f"its shape {tuple(tensor.shape)} is not {tuple(state[name].shape)}"
    _check_transformer(skipped)
    skipped |= _skipped_with_others(tensors, skipped)
    loaded = tuple(name for name in tensors if name not in skipped)
    if not loaded:
        reason = "; ".join(f"{name}: {why}" for name, why in list(skipped.items())[:3])
        raise DataError(f"nothing of it fits the model ({reason})")
    # all are checked before the first is copied: the model is changed whole or not at all
    for name in loaded:
        check_numbers(name, tensors[name])
    with torch.no_grad():
        for name in loaded:
            state[name].copy_(tensors[name])
    return LoadReport(loaded, skipped, tuple(name for name in state if name not in loaded))


def _check_transformer(skipped: Mapping[str, str]) -> None:
    """Refuse a transformer of another size, of which only scattered numbers would fit."""
    for name, reason in skipped.items():
        if name.startswith("transformer.") and reason.startswith("its shape"):
            raise DataError(
                f"its transformer does not fit the model: {name}: {reason}",
                remedy="Build the model with the width of the weights (VisTR 384, DETR 256).",
            )


def _skipped_with_others(
    tensors: Mapping[str, Tensor], skipped: Mapping[str, str]
) -> dict[str, str]:
    """What would fit, but belongs to something that does not."""
    layers = {name.rpartition(".")[0] for name in skipped if "." in name}
    reasons = {}
    for name in tensors:
        if name.startswith(HEAD) and any(other.startswith(HEAD) for other in skipped):
            reasons[name] = "the model's head is another"
        elif name.startswith(OF_BACKBONE) and any(n.startswith("backbone.") for n in skipped):
            reasons[name] = "the model's backbone is another"
        elif name.rpartition(".")[0] in layers:
            reasons[name] = "the rest of its layer does not fit"
    return {name: reason for name, reason in reasons.items() if name not in skipped}


def _short(names: Iterable[str]) -> str:
    """Names in few words: what lies in one part is counted."""
    counts: dict[str, int] = {}
    for name in names:
        part = ".".join(name.split(".")[:2])
        counts[part] = counts.get(part, 0) + 1
    return ", ".join(f"{part} ({count})" for part, count in list(counts.items())[:12])
