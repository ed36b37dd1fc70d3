"""Sets whose records speak of pictures as they are stored, which EXIF data turn."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from vis.errors import DataError
from vis.evaluation.evaluate import evaluate_model, predict_set
from vis.models import Model
from vis.ops import rle
from vis.records import ClipPredictions

HEIGHT, WIDTH = 48, 64


class Bright(Model):
    """One object: what is bright. It remembers the shape of what it saw."""

    name = "bright"

    def __init__(self):
        super().__init__()
        self.frames, self.class_names = 1, ("x",)
        self.config = SimpleNamespace(classes=1)
        self.part = torch.nn.Linear(1, 1)
        self.sizes = []

    def forward(self, clip):
        self.sizes += clip.sizes.tolist()
        return clip.frames[:, :, 0]

    def losses(self, output, targets):
        raise NotImplementedError

    def predictions(self, output, clip):
        return [self._prediction(red) for red in output]

    def _prediction(self, red):
        one = torch.ones(1, 1)
        masks = red[None].clamp(0.01, 0.99)
        return ClipPredictions(
            one[0] * 0.9, torch.tensor([0]), one * 0.9, torch.rand(1, 1, 4), masks, one
        )


@pytest.fixture
def make(tmp_path):
    def make(orientation, width=WIDTH, height=HEIGHT):
        """A stored picture with a bright box, and a record of the stored sides."""
        pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        pixels[5:15, 40:60] = 255
        exif = Image.Exif()
        exif[274] = orientation
        Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
        polygon = [40, 5, 60, 5, 60, 15, 40, 15]
        value = {
            "images": [{"id": 1, "file_name": "a.png", "width": width, "height": height}],
            "categories": [{"id": 1, "name": "x"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [polygon]}],
        }
        (tmp_path / "set.json").write_text(json.dumps(value))
        return tmp_path / "set.json"

    return make


@pytest.mark.parametrize("orientation", [1, 5, 6, 7, 8])
def test_a_model_sees_them_upright_and_its_masks_fit_the_record(make, orientation):
    model = Bright()
    settings = {"size": HEIGHT, "device": "cpu"}
    _, tracks, _ = predict_set(model, make(orientation), **settings)
    (track,) = tracks[1]
    assert rle.box(track.masks[0]) == (40, 5, 60, 15)
    assert model.sizes == [[HEIGHT, WIDTH] if orientation == 1 else [WIDTH, HEIGHT]]
    assert evaluate_model(model, make(orientation), **settings)["AP"] == pytest.approx(1)


def test_other_sides_are_refused_as_before(make):
    settings = {"size": HEIGHT, "device": "cpu"}
    for orientation, size in ((1, (HEIGHT, WIDTH)), (6, (32, 32))):
        with pytest.raises(DataError, match="its record says"):
            predict_set(Bright(), make(orientation, *size), **settings)
