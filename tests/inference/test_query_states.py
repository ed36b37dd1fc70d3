"""RF-DETR's query states on the road to identities: they decide where places cannot."""

from pathlib import Path

import pytest
import torch

import vis
from tests.conftest import code_of
from tests.inference.knowing import HEIGHT, WIDTH, pictures
from vis import models
from vis.losses.rf_detr_output import LayerOutput, RFDETROutput
from vis.models.rf_detr import RFDETR
from vis.records import Clip
from vis.tracking import Config

MEETING, LAST = 6, 12
"""Frames; both walk towards each other, are in one place, and turn back."""
SIDE = 8
"""Of a square object, in cells of a mask."""


class Scripted(RFDETR):
    """The model with states and maps that are known; what follows them is its own."""

    def forward(self, clip: Clip) -> RFDETROutput:
        number = code_of((clip.frames[0, 0] * 255).permute(1, 2, 0).numpy())
        starts = [16 - 2 * abs(number - MEETING), 16 + 2 * abs(number - MEETING)]
        # which query is whose changes with every frame, as the rank of a cell does
        order = [0, 1] if number % 2 else [1, 0]
        features = torch.full((1, 2, HEIGHT // 4, WIDTH // 4), -6.0)
        boxes = torch.empty(1, 2, 4)
        for query, which in enumerate(order):
            start = starts[which]
            features[0, query, 8 : 8 + SIDE, start : start + SIDE] = 6.0
            boxes[0, query] = torch.tensor([(start + 4) / 40, 12 / 24, SIDE / 40, SIDE / 24])
        layer = LayerOutput(
            logits=torch.tensor([[[4.0, -4.0], [4.0, -4.0]]]),
            boxes=boxes,
            mask_queries=torch.eye(2)[None],
            mask_features=features,
            mask_bias=torch.zeros(()),
        )
        states = torch.tensor([[1.0, 0.2, 0.3, 0.0], [0.2, 1.0, 0.0, 0.3]])[order]
        return RFDETROutput([layer], None, 1, states[None], clip.sizes)


def scripted() -> RFDETR:
    sizes = {"input_height": HEIGHT, "input_width": WIDTH, "patch": 8, "windows": 2, "grid": 4}
    sizes |= {"backbone_width": 32, "backbone_depth": 4, "backbone_heads": 2, "d_model": 32}
    sizes |= {"queries": 2, "groups": 1, "num_heads": 2, "cross_heads": 4, "decoder_layers": 1}
    model = models.build("rf_detr", classes=2, ffn_dim=32, **sizes)
    model.__class__, model.class_names = Scripted, ("ball", "cup")
    assert isinstance(model, RFDETR)
    return model


@pytest.mark.parametrize(("weight", "stays"), [(1.0, True), (0.0, False)])
def test_of_two_that_meet_in_equal_boxes_the_states_tell_which_is_which(
    tmp_path: Path, weight: float, stays: bool
):
    """Without them, motion takes those that turn back for those that go on."""
    frames = pictures(tmp_path, LAST + 1)
    config = Config(embedding_weight=weight, min_length=1)
    found = list(vis.track(frames, scripted(), tracker=config, cuts=False))
    first, last = (found[n].ids[found[n].boxes[:, 0].argsort()].tolist() for n in (0, LAST))
    assert len(set(first)) == 2
    assert last == (first if stays else first[::-1])
