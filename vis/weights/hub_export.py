"""A model of ours as a folder that transformers loads: DETR, with and without masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch

from vis.backbones.resnet import DILATED, RESNETS, plain_name
from vis.errors import OutputExistsError, UsageError
from vis.storage.disk_errors import WHOLE, output_error
from vis.storage.whole_file import write_whole
from vis.weights.converters._hub_detr import WRITES
from vis.weights.files import check_numbers
from vis.weights.hub_folder import CONFIG, PREPROCESSORS, WEIGHTS
from vis.weights.hub_form import split
from vis.weights.hub_settings import NO_CLASS
from vis.weights.rename import first_of

if TYPE_CHECKING:
    from vis.models import Model

PAPER_SIDES = (800, 1333)
"""Pixels of the short side and the most of the long one, as DETR evaluates."""


def export(model: Model[Any], folder: str | Path, *, overwrite: bool = False) -> None:
    """Write `config.json`, `preprocessor_config.json` and `model.safetensors`, the settings last.

    Args:
        model: a DETR on a plain or dilated ResNet.
        folder: made where it is not there.
        overwrite: whether files in it may be replaced.

    Raises:
        UsageError: transformers has no such model.
        OutputError: the folder cannot be written, or holds a model and `overwrite` is False.
    """
    folder = Path(folder)
    if (folder / CONFIG).exists() and not overwrite:
        raise OutputExistsError("a model is there already", where=str(folder / CONFIG))
    config = _config(model)
    prefix = "detr." if model.config.masks else ""
    tensors = {}
    for name, tensor in model.state_dict().items():
        check_numbers(name, tensor)
        theirs = first_of(WRITES, name)
        assert theirs is not None, name
        for part, value in split(theirs, tensor.detach().cpu()):
            # the mask branch stands beside the detector, whose names begin with it
            own = part.startswith(("bbox_attention.", "mask_head."))
            tensors[part if own else prefix + part] = value.contiguous()
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


def _config(model: Model[Any]) -> dict[str, Any]:
    """The content of `config.json`; what it leaves out is transformers' default.

    Raises:
        UsageError: transformers has no such model.
    """
    if model.name != "detr":
        raise UsageError(f"a {model.name} is not written for transformers, only a detr")
    config = model.config
    name = plain_name(config.backbone)
    dilated = config.backbone.endswith(DILATED)
    if config.backbone not in RESNETS or config.backbone not in (name, name + DILATED):
        raise UsageError(f"transformers has no DETR on {config.backbone}")
    labels = {str(i): one or NO_CLASS for i, one in enumerate(model.class_names)}
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
        "id2label": labels,
        # two classes of one name would be one entry the other way round
        "label2id": {text: int(i) for i, text in reversed(labels.items())},
    }


def _preprocessor(model: Model[Any]) -> dict[str, Any]:
    short = model.size or PAPER_SIDES[0]
    return {
        "image_processor_type": "DetrImageProcessor",
        "format": "coco_panoptic" if model.config.masks else "coco_detection",
        "size": {"shortest_edge": short, "longest_edge": short * PAPER_SIDES[1] // PAPER_SIDES[0]},
        "image_mean": list(model.pixels.mean),
        "image_std": list(model.pixels.deviation),
    }
