"""Classes of pixels on the road to training: targets, and a window that is not all of one class."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vis.datasets.config import Augmentation, DataConfig, ScaledWindow, Source
from vis.datasets.open import open_dataset
from vis.datasets.raw_clip import InstanceAnnotation, raw_clip
from vis.datasets.semantic import ScaledCrop
from vis.errors import UsageError
from vis.ops.rle import encode
from vis.training.parser import parse


def crop(**settings: float) -> ScaledCrop:
    given = {"lowest": 1.0, "highest": 1.0, "short": 40, "longest": 160, "side": 16}
    return ScaledCrop(**(given | {"share": 0.75, "tries": 200} | settings))  # type: ignore[arg-type]


def halves(width: int = 60) -> object:
    """Class 0 on the far left, class 1 on the far right, nothing between."""
    left, right = np.zeros((40, width), np.bool_), np.zeros((40, width), np.bool_)
    left[:, :20], right[:, 20:24] = True, True
    instances = [
        InstanceAnnotation(label, {0: encode(mask)}) for label, mask in enumerate((left, right))
    ]
    return raw_clip(torch.zeros(1, 3, 40, width, dtype=torch.uint8), instances)


def test_no_class_has_too_large_a_share_of_the_window():
    random = np.random.default_rng(0)
    for _ in range(20):
        clip = crop()(halves(), random)
        assert clip.size == (16, 16)
        columns = clip.columns
        counts = [(columns < 20).sum(), ((columns >= 20) & (columns < 24)).sum()]
        assert min(counts) > 0 and max(counts) < 0.75 * sum(counts)


def test_the_last_window_is_taken_where_none_is_mixed():
    clip = halves()
    assert crop(share=0.01, tries=3)(clip, np.random.default_rng(0)).size == (16, 16)


def test_it_fits_both_sides_and_a_small_clip_stays_small():
    random = np.random.default_rng(0)
    assert crop(side=500)(halves(), random).size == (40, 60)
    assert crop(side=500, longest=30)(halves(), random).size == (20, 30)
    assert crop(side=500, lowest=0.5, highest=0.5)(halves(), random).size == (20, 30)


@pytest.mark.parametrize("wrong", [{"lowest": 0}, {"share": 2}, {"tries": 0}, {"lowest": 3}])
def test_windows_that_cannot_be_are_refused(wrong: dict[str, float]):
    with pytest.raises(UsageError):
        parse(ScaledWindow, {"short": 40, "longest": 80, "side": 16} | wrong)


def test_a_folder_of_label_pictures_becomes_targets(tmp_path: Path):
    page = np.zeros((20, 30), np.uint8)
    page[:, 10:20], page[:, 20:] = 1, 255
    for kind, picture in (("images", np.zeros_like(page)), ("labels", page)):
        (tmp_path / kind).mkdir()
        Image.fromarray(picture).save(tmp_path / kind / "a.png")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    scaled = ScaledWindow(short=20, longest=80, side=20)
    augmentation = Augmentation(flip=0.0, scaled=scaled, colours=None, last=None)
    config = DataConfig(
        sources=(Source(path=str(tmp_path)),), clip_length=1, augmentation=augmentation
    )
    source = open_dataset(config)
    assert source.names == ("cat", "dog") and len(source) == 1
    sample = source.sample(0, np.random.default_rng(1))
    targets = sample.targets
    assert not (targets.masks.sum(dim=0) > 1).any()
    assert set(targets.labels.tolist()) <= {0, 1} and targets.masks.shape[2] <= 20
