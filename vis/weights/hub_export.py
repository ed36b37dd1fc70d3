"""A model of ours as a folder that transformers loads: DETR, and Mask2Former of pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch

from vis.backbones.resnet import DILATED, RESNETS, plain_name
from vis.backbones.swin import SWINS
from vis.errors import OutputExistsError, UsageError
from vis.models._query_selection import VIDEO
from vis.storage.disk_errors import WHOLE, output_error
from vis.storage.whole_file import write_whole
from vis.weights.converters._hub import NARROWEST, RESNET_DEPTHS
from vis.weights.converters._hub_detr import WRITES as DETR_WRITES
from vis.weights.converters._hub_mask2former import WRITES as MASK2FORMER_WRITES
from vis.weights.files import check_numbers
from vis.weights.hub_folder import CONFIG, PREPROCESSORS, WEIGHTS
from vis.weights.hub_form import split
from vis.weights.hub_settings import NO_CLASS
from vis.weights.rename import first_of

if TYPE_CHECKING:
    from torch import Tensor

    from vis.models import Model

NO_OBJECT_WEIGHT = 0.1
"""Of the class that is none, in the loss of transformers' Mask2Former, which saves it."""
PAPER_SIDES = (800, 1333)
"""Pixels of the short side and the most of the long one, as DETR evaluates."""


def export(model: Model[Any], folder: str | Path, *, overwrite: bool = False) -> None:
    """Write `config.json`, `preprocessor_config.json` and `model.safetensors`, the settings last.

    Args:
        model: a DETR on a plain or dilated ResNet, or a Mask2Former of pictures on Swin or a
            plain ResNet. Whether its masks are objects, segments or regions is not written: who
            reads the folder takes the number of classes for it.
        folder: made where it is not there.
        overwrite: whether files in it may be replaced.

    Raises:
        UsageError: transformers has no such model.
        OutputError: the folder cannot be written, or holds a model and `overwrite` is False.
    """
    folder = Path(folder)
    if (folder / CONFIG).exists() and not overwrite:
        raise OutputExistsError("a model is there already", where=str(folder / CONFIG))
    if model.name not in _CONFIGS:
        raise UsageError(
            f"a {model.name} is not written for transformers, only {' and '.join(_CONFIGS)}"
        )
    config = _CONFIGS[model.name](model)
    tensors = _tensors(model)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, folder, WHOLE) from None
    whole = safetensors.torch.save(tensors, {"format": "pt"})
    write_whole(folder / WEIGHTS[0], whole, overwrite=overwrite)
    write_whole(folder / PREPROCESSORS[0], _text(_preprocessor(model)), overwrite=overwrite)
    write_whole(folder / CONFIG, _text(config), overwrite=overwrite)


def _text(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2).encode() + b"\n"


def _tensors(model: Model[Any]) -> dict[str, Tensor]:
    tensors = {}
    for name, tensor in model.state_dict().items():
        check_numbers(name, tensor)
        theirs = first_of(_WRITES[model.name], name)
        assert theirs is not None, name
        for part, value in split(theirs, tensor.detach().cpu()):
            # the mask branch stands beside the detector, whose names begin with it
            own = part.startswith(("bbox_attention.", "mask_head."))
            inside = model.name == "detr" and model.config.masks and not own
            tensors[f"detr.{part}" if inside else part] = value.contiguous()
            if part.endswith("normalization.running_mean"):
                # theirs are norms that train, and count their steps
                tensors[part.replace("running_mean", "num_batches_tracked")] = torch.tensor(0)
    if model.name == "mask2former":
        tensors["criterion.empty_weight"] = torch.tensor(
            [1.0] * model.config.classes + [NO_OBJECT_WEIGHT]
        )
    return tensors


def _detr(model: Model[Any]) -> dict[str, Any]:
    """The content of `config.json`; what it leaves out is transformers' default.

    Raises:
        UsageError: transformers has no such model.
    """
    config = model.config
    name = plain_name(config.backbone)
    dilated = config.backbone.endswith(DILATED)
    if config.backbone not in RESNETS or config.backbone not in (name, name + DILATED):
        raise UsageError(f"transformers has no DETR on {config.backbone}")
    kind = "DetrForSegmentation" if config.masks else "DetrForObjectDetection"
    return {
        "architectures": [kind],
        "model_type": "detr",
        "backbone": name,
        "use_timm_backbone": True,
        "use_pretrained_backbone": False,
        "dilation": dilated,
        "d_model": config.d_model,
        "num_queries": config.instance_queries,
        "encoder_layers": config.encoder_layers,
        "decoder_layers": config.decoder_layers,
        "encoder_attention_heads": config.num_heads,
        "decoder_attention_heads": config.num_heads,
        "encoder_ffn_dim": config.ffn_dim,
        "decoder_ffn_dim": config.ffn_dim,
        **_labels(model),
    }


def _mask2former(model: Model[Any]) -> dict[str, Any]:
    """Likewise of Mask2Former.

    Raises:
        UsageError: transformers has no such model.
    """
    config = model.config
    if config.task == VIDEO:
        raise UsageError("transformers has no mask2former of clips, only of pictures")
    if config.d_model < NARROWEST:
        raise UsageError(f"transformers' norms of levels need {NARROWEST} channels of d_model")
    return {
        "architectures": ["Mask2FormerForUniversalSegmentation"],
        "model_type": "mask2former",
        "backbone_config": _nested_backbone(config.backbone),
        "feature_size": config.d_model,
        "hidden_dim": config.d_model,
        "mask_feature_size": config.mask_width,
        "num_queries": config.queries,
        "num_attention_heads": config.num_heads,
        "encoder_layers": config.pixel_depth,
        "encoder_feedforward_dim": config.pixel_ffn_dim,
        # the prediction of the queries before any layer counts there
        "decoder_layers": config.depth + 1,
        "dim_feedforward": config.ffn_dim,
        **_labels(model),
    }


def _nested_backbone(name: str) -> dict[str, Any]:
    stages = {"out_features": [f"stage{i}" for i in range(1, 5)]}
    if name in SWINS:
        size = SWINS[name]
        return stages | {
            "model_type": "swin",
            "embed_dim": size.width,
            "depths": list(size.depths),
            "num_heads": list(size.num_heads),
            "window_size": size.window,
        }
    for (layer, depths), resnet in RESNET_DEPTHS.items():
        if resnet == name:
            widths = [64 * 2**i * (4 if layer == "bottleneck" else 1) for i in range(4)]
            return stages | {
                "model_type": "resnet",
                "layer_type": layer,
                "depths": list(depths),
                "hidden_sizes": widths,
            }
    raise UsageError(f"transformers has no mask2former on {name}")


def _labels(model: Model[Any]) -> dict[str, dict[str, Any]]:
    # as transformers itself calls those that nobody has named
    names = model.class_names or [f"LABEL_{i}" for i in range(model.config.classes)]
    labels = {str(i): one or NO_CLASS for i, one in enumerate(names)}
    # two classes of one name would be one entry the other way round
    return {"id2label": labels, "label2id": {text: int(i) for i, text in reversed(labels.items())}}


def _preprocessor(model: Model[Any]) -> dict[str, Any]:
    short = model.size or PAPER_SIDES[0]
    kinds: dict[str, Any] = {"image_processor_type": "Mask2FormerImageProcessor"}
    if model.name == "detr":
        masks = "coco_panoptic" if model.config.masks else "coco_detection"
        kinds = {"image_processor_type": "DetrImageProcessor", "format": masks}
    return kinds | {
        "size": {"shortest_edge": short, "longest_edge": short * PAPER_SIDES[1] // PAPER_SIDES[0]},
        "image_mean": list(model.pixels.mean),
        "image_std": list(model.pixels.deviation),
    }


_WRITES = {"detr": DETR_WRITES, "mask2former": MASK2FORMER_WRITES}
_CONFIGS = {"detr": _detr, "mask2former": _mask2former}
