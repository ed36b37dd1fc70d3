"""Rare classes more often: factors by LVIS's rule, and a source that keeps to them."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vis.datasets.balanced import Balanced, repeat_factors
from vis.datasets.config import Augmentation, DataConfig, Motion, Source
from vis.datasets.open import open_dataset
from vis.errors import UsageError
from vis.formats.opening import open_set
from vis.training.parser import parse

COMMON, RARE, OTHER = range(3)


@pytest.fixture
def annotated(tmp_path: Path) -> Path:
    """Sixteen pictures with a `common` object, the last with a `rare` one too, and an `other`."""
    (tmp_path / "images").mkdir()
    images, annotations = [], []
    for n in range(16):
        Image.fromarray(np.full((40, 60, 3), n * 10, np.uint8)).save(tmp_path / f"images/{n}.png")
        images.append({"id": n, "file_name": f"{n}.png", "width": 60, "height": 40})
        for category in (COMMON, RARE, OTHER) if n == 15 else (COMMON,):
            x = 20.0 * category
            annotations.append({
                "id": len(annotations) + 1, "image_id": n, "category_id": category, "iscrowd": 0,
                "segmentation": [[x, 0, x + 18, 0, x + 18, 30, x, 30]],
                "bbox": [x, 0, 18, 30], "area": 540,
            })  # fmt: skip
    categories = [{"id": n, "name": name} for n, name in enumerate(("common", "rare", "other"))]
    whole = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "instances.json").write_text(json.dumps(whole))
    return tmp_path


def config(folder: Path, **settings: object) -> DataConfig:
    sources = (
        Source(path=str(folder / "instances.json"), frames=str(folder / "images"), **settings),
    )  # type: ignore[arg-type]
    plain = Augmentation(flip=0, colours=None, last=None)
    return DataConfig(
        sources=sources, classes=("common", "rare"), clip_length=1, augmentation=plain
    )


def test_factors_are_the_square_root_of_what_the_rarest_class_lacks(annotated):
    annotations = open_set(annotated / "instances.json", annotated / "images").annotations
    assert repeat_factors(annotations, {COMMON: 0}, 0.25) == (1.0,) * 16
    assert repeat_factors(annotations, {COMMON: 0, RARE: 1}, 0.25) == (*(1.0,) * 15, 2.0)
    assert repeat_factors(annotations, {COMMON: 0, RARE: 1}, 1.0)[-1] == 4.0
    assert repeat_factors(annotations, {}, 1.0) == (1.0,) * 16


def test_each_item_is_shown_as_often_as_its_factor_says(annotated):
    source = open_dataset(config(annotated))
    factors = [1.0, 2.5] + [1.0] * 13 + [3.0]
    balanced = Balanced(source, factors)
    assert len(balanced) == 20 and balanced.names == source.names
    assert balanced.where(0) == source.where(0) and balanced.where(19) == source.where(15)
    random, seen = np.random.default_rng(3), Counter()
    for _ in range(200):
        seen.update(balanced.sample(index, random).name for index in range(len(balanced)))
    shown = [seen[source.sample(n, random).name] / 200 for n in range(16)]
    expected = np.asarray(factors) * 20 / sum(factors)
    np.testing.assert_allclose(shown, expected, atol=0.12)
    assert shown[15] > 2.9 and shown[1] > 2.3


def test_a_part_is_balanced_and_so_are_its_guests(annotated):
    motion = Motion(single=True, copy_paste_instances=2, keyframes=1)
    counts = []
    for balance in (0.0, 1.0):
        source = open_dataset(config(annotated, repeat_factor_threshold=balance, motion=motion))
        random, found = np.random.default_rng(5), Counter()
        for _ in range(20):
            for index in range(len(source)):
                found.update(source.sample(index, random).targets.labels.tolist())
        counts.append(found[1] / found[0])
    assert len(source) == 15 + 4
    assert counts[1] > 2 * counts[0] > 0


def test_a_balance_is_a_share(annotated):
    with pytest.raises(UsageError, match="repeat_factor_threshold"):
        parse(Source, {"path": "x", "repeat_factor_threshold": 1.5})
