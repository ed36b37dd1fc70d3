"""A weight file of a real, small model with weights of chance."""

import pytest
import torch

from vis import models
from vis.weights import save_model


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """The path of a TT-SRN's weight file."""
    torch.manual_seed(3)
    small = {
        "d_model": 128,
        "num_heads": 8,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "ffn_dim": 64,
    }
    model = models.build(
        "tt_srn", classes=3, backbone="resnet18", frames=4, instance_queries=4, **small
    )
    model.class_names = ("cat", "dog", "person")
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_model(path, model)
    return path
