"""A model that names every pixel on the road of `vis.track` and of `vis.evaluate`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import vis
from vis import models
from vis.evaluation.evaluate import evaluate_model
from vis.evaluation.semantic import Confusion
from vis.formats.opening import open_set

NAMES = ("sky", "land", "sea")
HEIGHT, WIDTH = 48, 64


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    built = models.build(
        "segmenter",
        classes=3,
        image=32,
        patch=8,
        d_model=32,
        depth=1,
        num_heads=2,
        decoder_heads=2,
        decoder="linear",
        window=32,
        stride=16,
    )
    torch.nn.init.normal_(built.decoder.head.weight)
    built.class_names = NAMES
    return built.eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("semantic")
    random = np.random.default_rng(0)
    for kind in ("images", "labels"):
        (root / kind).mkdir()
    for number in range(3):
        picture = random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        labels = random.integers(0, 3, (HEIGHT, WIDTH), np.uint8)
        labels[:4] = 255
        Image.fromarray(picture).save(root / "images" / f"{number}.png")
        Image.fromarray(labels).save(root / "labels" / f"{number}.png")
    (root / "classes.txt").write_text("\n".join(NAMES))
    return root


def named(model: Any, picture: Path) -> np.ndarray:
    """`[H W]` likeliest classes."""
    pixels = torch.from_numpy(np.array(Image.open(picture))).permute(2, 0, 1)[None, None] / 255
    clip = vis.records.Clip(pixels, torch.tensor([[HEIGHT, WIDTH]]))
    with torch.inference_mode():
        (found,) = model.predictions(model(clip), clip)
    return found.semantic[0].argmax(dim=0).numpy()


def test_every_frame_is_covered_by_regions_whose_id_is_their_class(model: Any, folder: Path):
    pictures = sorted((folder / "images").iterdir())
    tracking = vis.track(pictures, model, size=HEIGHT, threshold=0.0)
    for tracks, picture in zip(tracking, pictures, strict=True):
        assert (tracks.ids == tracks.labels).all()
        painted = np.full((HEIGHT, WIDTH), -1)
        for label, mask in zip(tracks.labels, tracks.masks, strict=True):
            painted[mask > 0.5] = label
        assert (painted == named(model, picture)).all()


def test_miou_is_that_of_the_likeliest_classes(model: Any, folder: Path):
    confusion = Confusion(3)
    for picture in sorted((folder / "images").iterdir()):
        truth = np.array(Image.open(folder / "labels" / picture.name))
        confusion.add(truth, named(model, picture))
    found = evaluate_model(model, open_set(folder), metrics=("ap", "miou"), size=HEIGHT)
    for name, value in confusion.numbers().numbers.items():
        assert found[name] == pytest.approx(value), name
