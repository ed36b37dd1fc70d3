"""Data sets that name every pixel: four layouts, what their numbers mean, what is refused."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vis.errors import DataError
from vis.formats.checking import check
from vis.formats.opening import open_set
from vis.formats.semantic_classes import ADE20K, CITYSCAPES, CITYSCAPES_IDS, PASCAL_CONTEXT
from vis.ops.rle import decode

SHAPE = (6, 9)


def put(path: Path, numbers: object = 0) -> None:
    """A picture of numbers, or any picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page = np.broadcast_to(np.asarray(numbers, np.uint8), SHAPE)
    Image.fromarray(page).save(path)


def own(root: Path, *, names: str = "sky\nland\n", count: int = 2) -> Path:
    """A user's folder: sky above, land below, a pixel of which nothing is said."""
    page = np.zeros(SHAPE, np.uint8)
    page[3:] = 1
    page[0, 0] = 255
    for number in range(count):
        put(root / "images" / f"{number}.jpg")
        put(root / "labels" / f"{number}.png", page)
    (root / "classes.txt").write_text(names)
    return root


def seen(root: Path, index: int = 0) -> dict[str, np.ndarray]:
    """Class -> pixels of one picture; "" for what is not judged."""
    found = open_set(root)
    assert found.kind == "semantic" and found.frames is not None
    video = list(found.annotations.videos.values())[index]
    assert (found.frames / video.file_names[0]).is_file()
    names = found.annotations.categories
    return {
        "" if track.crowd else names[track.label].name: decode(track.masks[0])
        for track in found.annotations.tracks[video.id]
    }


def test_a_folder_of_ones_own(tmp_path: Path):
    regions = seen(own(tmp_path))
    assert set(regions) == {"sky", "land", ""}
    assert regions[""].sum() == 1 and regions["sky"].sum() == 26 and regions["land"][3:].all()


def test_ade20k_counts_from_one_and_zero_says_nothing(tmp_path: Path):
    page = np.zeros(SHAPE)
    page[1], page[2] = 1, 150
    put(tmp_path / "images" / "validation" / "ADE_1.jpg")
    put(tmp_path / "annotations" / "validation" / "ADE_1.png", page)
    regions = seen(tmp_path / "annotations" / "validation")
    assert set(regions) == {"wall", "flag", ""} and regions[""].sum() == 4 * SHAPE[1]
    assert len(ADE20K) == len(set(ADE20K)) == 150


def test_pascal_context_is_named_by_its_list(tmp_path: Path):
    root = tmp_path / "VOC2010"
    for name in ("a", "b"):
        put(root / "JPEGImages" / f"{name}.jpg")
        put(root / "SegmentationClassContext" / f"{name}.png", [[0] * 4 + [59] * 5])
    listed = root / "ImageSets" / "SegmentationContext" / "val.txt"
    listed.parent.mkdir(parents=True)
    listed.write_text("b\n")
    assert set(seen(listed)) == {"background", "wood"}
    assert [video.name for video in open_set(listed).annotations.videos.values()] == ["b"]
    assert len(PASCAL_CONTEXT) == len(set(PASCAL_CONTEXT)) == 60


@pytest.mark.parametrize("kind", ["labelIds", "labelTrainIds"])
def test_cityscapes_in_both_numberings(tmp_path: Path, kind: str):
    stem = "aachen/aachen_000000_000019"
    put(tmp_path / "leftImg8bit" / "train" / f"{stem}_leftImg8bit.png")
    raw = kind == "labelIds"
    page = np.full(SHAPE, 4 if raw else 255)
    page[0], page[1] = (7, 33) if raw else (0, 18)
    put(tmp_path / "gtFine" / "train" / f"{stem}_gtFine_{kind}.png", page)
    regions = seen(tmp_path / "gtFine" / "train")
    assert set(regions) == {"road", "bicycle", ""}
    assert len(CITYSCAPES) == len(CITYSCAPES_IDS) == 19


def test_only_the_sizes_are_read_before_somebody_asks(tmp_path: Path):
    root = own(tmp_path)
    whole = (root / "labels" / "1.png").read_bytes()
    (root / "labels" / "1.png").write_bytes(whole[:-30])
    found = open_set(root).annotations
    assert (found.videos[2].height, found.videos[2].width) == SHAPE
    assert len(found.tracks) == 2 and found.tracks[1]
    with pytest.raises(DataError, match=r"1\.png"):
        found.tracks[2]
    ids = [track.id for track in found.tracks[1]]
    assert ids == [track.id for track in pickle.loads(pickle.dumps(found)).tracks[1]]


def test_a_number_of_no_class_is_refused_where_it_is(tmp_path: Path):
    root = own(tmp_path)
    put(root / "labels" / "1.png", 7)
    with pytest.raises(DataError, match=r"1\.png.*number 7"):
        list(open_set(root).annotations.tracks.values())


def test_colours_are_no_numbers(tmp_path: Path):
    root = own(tmp_path)
    Image.new("RGB", (9, 6)).save(root / "labels" / "0.png")
    with pytest.raises(DataError, match="cannot be told"):
        list(open_set(root).annotations.tracks.values())


def test_what_is_without_its_other_half_is_told(tmp_path: Path):
    root = own(tmp_path)
    put(root / "images" / "alone.jpg")
    with pytest.raises(DataError, match="alone"):
        open_set(root)
    faults: list[DataError] = []
    assert len(open_set(root, faults=faults).annotations.videos) == 2
    assert len(faults) == 1


@pytest.mark.parametrize("names", ["", "sky\nsky\n"])
def test_classes_need_names_of_their_own(tmp_path: Path, names: str):
    with pytest.raises(DataError, match=r"classes\.txt"):
        open_set(own(tmp_path, names=names))


def test_a_check_lists_every_bad_label_picture(tmp_path: Path):
    root = own(tmp_path, count=4)
    put(root / "labels" / "1.png", 7)
    Image.new("RGB", (9, 6)).save(root / "labels" / "3.png")
    found = check(root, read_video_file=lambda path: (0, 0, 0))
    assert found.dataset is not None and list(found.dataset.annotations.videos) == [1, 3]
    assert ["1.png" in str(f) or "3.png" in str(f) for f in found.faults] == [True, True]
