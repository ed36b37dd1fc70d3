"""The published numbers of parameters, and settings that no model can have."""

from typing import Any

import pytest
import torch

from vis import models
from vis.errors import UsageError


@pytest.mark.parametrize(
    ("name", "settings", "parameters", "trainable"),
    [
        ("vistr", {}, 57_116_129, 56_893_729),
        ("vistr", {"backbone": "resnet101"}, 76_056_033, 75_833_633),
        ("tt_srn", {}, 42_434_921, 42_434_921),
        ("tt_srn", {"d_model": 384}, 56_233_153, 56_233_153),
        ("detr", {"classes": 91}, 41_524_768, 41_302_368),
        ("detr", {"classes": 91, "masks": True}, 42_858_425, 42_636_025),
    ],
)
def test_as_many_parameters_as_published(
    name: str, settings: dict[str, Any], parameters: int, trainable: int
):
    with torch.device("meta"):
        model = models.build(name, **({"classes": 40} | settings))
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == trainable


@pytest.mark.parametrize(("backbone", "entries"), [("resnet50", 503), ("resnet101", 758)])
def test_as_many_tensors_as_the_published_files(backbone: str, entries: int):
    with torch.device("meta"):
        model = models.build("vistr", classes=40, backbone=backbone)
    assert len(model.state_dict()) == entries


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("vistr", {"d_model": 250}, "multiple of the 8 heads"),
        ("vistr", {"d_model": 192}, "d_model 192 .* multiples of 128"),
        ("vistr", {"instance_queries": 0}, "instance_queries is 0"),
        ("vistr", {"vote": "loudest"}, "vote is 'loudest'"),
        ("vistr", {"frames": 0}, "frames is 0"),
        ("tt_srn", {"head": "sine"}, "head is 'sine'"),
        ("tt_srn", {"positions": "learned"}, "positions is 'learned'"),
        ("tt_srn", {"sine_width": 3}, "sine_width 3 cannot be halved"),
        ("tt_srn", {"omega_0": 0.0}, "omega_0"),
        ("detr", {"dropout": 1.5}, "dropout is 1.5"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(
    name: str, settings: dict[str, Any], words: str
):
    with pytest.raises(UsageError, match=words):
        models.build(name, classes=40, **settings)
