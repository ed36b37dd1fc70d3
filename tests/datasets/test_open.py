import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from vis.datasets.clips import VideoClips
from vis.datasets.config import Augmentation, DataConfig, Resize, Source, Window
from vis.datasets.mixture import Mixture
from vis.datasets.open import open_dataset, transforms_of
from vis.datasets.photometric import Photometric
from vis.datasets.transforms import Crop, Fixed, Flip, ShortSide, Sometimes
from vis.errors import DataError, InputError, UsageError
from vis.formats.ytvis import write_annotations
from vis.training.parser import parse

PLAIN = Augmentation(flip=0, colours=None, last=None)


@pytest.fixture
def path(make_set, tmp_path):
    """An annotation file with its frames beside it."""
    annotations, _ = make_set((6, 4), folder=tmp_path / "set" / "JPEGImages")
    write_annotations(tmp_path / "set" / "instances.json", annotations)
    return str(tmp_path / "set" / "instances.json")


def test_a_data_set_is_opened_by_its_path(path):
    source = open_dataset(
        DataConfig(sources=(Source(path=path),), clip_length=3, augmentation=PLAIN)
    )
    assert source.names == ("cat", "dog", "cup") and len(source) == 2
    assert source.sample(1, np.random.default_rng(0)).frames.shape == (3, 3, 48, 80)


def test_the_published_rule_is_chosen_by_its_name(path):
    config = DataConfig(
        sources=(Source(path=path),), clip_length=3, sampling="cyclic", augmentation=PLAIN
    )
    source = open_dataset(config)
    assert len(source) == 10
    assert source.sample(0, np.random.default_rng(0)).name == "v1, frames 4 5 0"


def test_only_the_videos_that_are_named_are_used(path):
    config = DataConfig(sources=(Source(path=path, videos=("v2",)),), clip_length=2)
    source = open_dataset(config)
    assert len(source) == 1 and "v2" in source.where(0)
    with pytest.raises(UsageError, match="no video 'v7'"):
        open_dataset(DataConfig(sources=(Source(path=path, videos=("v7",)),)))


def test_crowds_alone_are_refused_or_are_objects(make_set, tmp_path):
    annotations, _ = make_set((6, 4), folder=tmp_path / "set" / "JPEGImages")
    crowds = {
        id_: [replace(track, crowd=True) for track in tracks]
        for id_, tracks in annotations.tracks.items()
    }
    path = tmp_path / "set" / "instances.json"
    write_annotations(path, replace(annotations, tracks=crowds))
    with pytest.raises(DataError, match=r"all its objects \(4\) are crowds .* iscrowd: 0"):
        open_dataset(DataConfig(sources=(Source(path=str(path)),), clip_length=2))
    source = Source(path=str(path), crowds_are_objects=True)
    clips = open_dataset(DataConfig(sources=(source,), clip_length=2, augmentation=PLAIN))
    assert len(clips.sample(0, np.random.default_rng(0)).targets.labels) == 2


def test_a_category_that_only_stands_above_others_is_no_class(make_set, tmp_path):
    annotations, _ = make_set((6, 4), folder=tmp_path / "set" / "JPEGImages")
    table = {
        id_: replace(category, extra={"supercategory": "cup"})
        for id_, category in annotations.categories.items()
    }
    path = tmp_path / "set" / "instances.json"
    write_annotations(path, replace(annotations, categories=table))
    source = Source(path=str(path))
    assert open_dataset(DataConfig(sources=(source,))).names == ("cat", "dog")
    stated = DataConfig(sources=(source,), classes=("cat", "cup"))
    assert open_dataset(stated).names == ("cat", "cup")
    source = Source(path=str(path), renamed={"cup": "mug"})
    assert open_dataset(DataConfig(sources=(source,))).names == ("cat", "dog", "mug")


def test_classes_without_an_object_are_refused_unless_another_source_has_some(path):
    nothing = Source(path=path)
    with pytest.raises(DataError, match="no object of the classes"):
        open_dataset(DataConfig(sources=(nothing,), classes=("cup",), clip_length=2))
    renamed = Source(path=path, renamed={"cat": "cup", "cup": "mug"})
    config = DataConfig(sources=(nothing, renamed), classes=("cup",), clip_length=2)
    assert len(open_dataset(config)) == 4


def test_parts_are_mixed_under_the_classes_of_all(path):
    pets = Source(path=path, key="kind", weight=3)
    named = Source(path=path, renamed={"cat": "pet", "dog": "hound"})
    source = open_dataset(DataConfig(sources=(pets, named), clip_length=2, augmentation=PLAIN))
    assert isinstance(source, Mixture) and source.names == ("pet", "hound", "cup")
    assert source.shares == (6, 2)
    first = source.sample(0, np.random.default_rng(0))
    assert first.targets.labels.tolist() == [0, 0]
    assert first.targets.labelled.tolist() == [True, False, False]
    last = source.sample(7, np.random.default_rng(0))
    assert last.targets.labels.tolist() == [0, 1] and last.targets.labelled is None


def test_the_published_recipe_is_a_chain_of_its_steps():
    recipe = Augmentation(
        first=Resize(short=tuple(range(480, 769, 32)), longest=800),
        window=Window(at=Resize(short=(400, 500, 600), longest=None), lowest=384, highest=600),
        last=Resize(short=(300,), longest=540),
    )
    kinds = [type(transform) for transform in transforms_of(recipe)]
    assert kinds == [Flip, ShortSide, Photometric, Sometimes, ShortSide]
    cut = transforms_of(recipe)[3]
    assert isinstance(cut.transforms[1], Crop) and cut.probability == 1
    assert isinstance(transforms_of(Augmentation(fixed=(300, 540)))[-1], Fixed)


def test_what_is_missing_is_named(path, tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.json"):
        open_dataset(DataConfig(sources=(Source(path=str(tmp_path / "nowhere.json")),)))
    (tmp_path / "set" / "JPEGImages").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="folder of the frames"):
        open_dataset(DataConfig(sources=(Source(path=path),)))
    there = Source(path=path, frames=str(tmp_path / "elsewhere"))
    assert isinstance(open_dataset(DataConfig(sources=(there,))), VideoClips)
    with pytest.raises(UsageError, match="no data set"):
        open_dataset(DataConfig(sources=()))
    with pytest.raises(UsageError, match="weight is 0, not a finite number above 0"):
        parse(Source, {"path": path, "weight": 0})


def test_settings_need_no_torch():
    """So that a manual page comes at once."""
    check = "import sys, vis.datasets.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_real_sets_mix_by_the_classes_that_their_categories_name(shared):
    folder = shared / "data"
    config = DataConfig(
        sources=(
            Source(path=str(folder / "pack_test" / "vis_tiny"), key="demo_class"),
            Source(path=str(folder / "pack_train" / "coco_person"), key="demo_class"),
        ),
        clip_length=4,
        augmentation=Augmentation(last=Resize(short=(96,), longest=160)),
    )
    source = open_dataset(config)
    assert set(source.names) == {"person", "two-wheeler", "dog", "bird"}
    random = np.random.default_rng(0)
    film, picture = source.sample(0, random), source.sample(len(source) - 1, random)
    assert film.targets.labelled is None
    assert [source.names[k] for k in torch.nonzero(picture.targets.labelled).flatten()] == [
        "person"
    ]
    assert film.frames.shape[0] == picture.frames.shape[0] == 4


def test_boxes_alone_are_for_models_of_boxes(path):
    value = json.loads(Path(path).read_text())
    names = [name for video in value["videos"] for name in video["file_names"]]
    size = {"width": 80, "height": 48}
    images = [{"id": n, "file_name": name, **size} for n, name in enumerate(names)]
    box = {"id": 1, "image_id": 2, "category_id": 7, "bbox": [8, 12, 40, 24]}
    whole = {"images": images, "categories": value["categories"], "annotations": [box]}
    Path(path).write_text(json.dumps(whole))
    config = DataConfig(sources=(Source(path=path),), clip_length=1, augmentation=PLAIN)
    with pytest.raises(DataError, match=r"annotation 1: this model needs masks.*detr"):
        open_dataset(config)
    sample = open_dataset(config, masks=False).sample(2, np.random.default_rng(0))
    assert sample.targets.boxes[0, 0].tolist() == pytest.approx([0.1, 0.25, 0.6, 0.75])
