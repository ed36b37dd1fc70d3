"""YOLO: splits, names, polygons and boxes by shares; what it cannot say is listed."""

import pytest
from PIL import Image

from vis.errors import DataError
from vis.formats.converting import convert
from vis.formats.opening import open_set
from vis.ops.rle import box


@pytest.fixture
def root(tmp_path):
    for split in ("train", "val"):
        for name in ("2", "10"):
            place = tmp_path / "images" / split / f"{name}.jpg"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 10)).save(place)
        (tmp_path / "labels" / split).mkdir(parents=True)
    lines = "1 0.1 0.2 0.5 0.2 0.5 0.6 0.1 0.6\n\n0 0.5 0.5 0.2 0.4\n"
    (tmp_path / "labels" / "train" / "2.txt").write_text(lines)
    (tmp_path / "data.yaml").write_text("train: ../images/train\nnames: [cat, dog]\nnc: 2\n")
    return tmp_path


@pytest.mark.parametrize("place", [".", "data.yaml", "images/train", "train.txt"])
def test_one_split_in_all_its_forms(root, place):
    (root / "train.txt").write_text("./images/train/2.jpg\n./images/train/10.jpg\n")
    dataset = open_set(root / place)
    found = dataset.annotations
    assert (dataset.kind, dataset.of_pictures) == ("yolo", True)
    names = [(dataset.frames / video.file_names[0]).name for video in found.videos.values()]
    assert names == ["2.jpg", "10.jpg"]
    assert all((dataset.frames / video.file_names[0]).is_file() for video in found.videos.values())
    objects = {found.categories[t.label].name: box(t.masks[0]) for t in found.tracks[1]}
    assert objects == {"dog": (2, 2, 10, 6), "cat": (8, 3, 12, 7)}
    assert found.tracks[2] == []
    assert [track.box_only for track in found.tracks[1]] == [False, True]


def test_several_splits_are_named(root):
    (root / "data.yaml").write_text(
        "path: .\ntrain: images/train\nval: [images/val]\nnames: {0: a}"
    )
    with pytest.raises(DataError, match=r"2 splits: train \(images/train\), val \(images/val\)"):
        open_set(root)
    with pytest.raises(DataError, match=r"images/train: 2.txt: line 1: there is no class 1"):
        open_set(root / "images" / "train")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 0.1 0.2 0.3", "3 numbers behind"),
        ("cat 0 0 1 1", "no line of numbers"),
        ("0 nan 0 1 0 1 1", "number 0 is nan"),
        ("0 nan 0 1 1", "the box is .nan"),
    ],
)
def test_faults_name_the_line(root, line, said):
    (root / "labels" / "train" / "10.txt").write_text(f"\n{line}\n")
    with pytest.raises(DataError, match=f"10.txt: line 2: .*{said}"):
        open_set(root)


def test_identities_are_lost_and_said_so(tmp_path, truth, write):
    truth["annotations"][0]["segmentations"][1] = truth["annotations"][0]["segmentations"][0]
    del truth["annotations"][0]["bboxes"], truth["annotations"][0]["areas"]
    path = write(truth)
    with pytest.raises(DataError, match=r"state no sizes, and b/0.jpg was.*--frames"):
        convert(path, tmp_path / "out", to="yolo")
    for video in truth["videos"]:
        for name in video["file_names"]:
            picture = tmp_path / "JPEGImages" / name
            picture.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 6)).save(picture)
    done = convert(path, tmp_path / "out", to="yolo")
    before, after = done.source.annotations, done.written
    masks = [mask for t in [*before.tracks[3], *before.tracks[7]] for mask in t.masks.values()]
    assert [t.masks[0] for tracks in after.tracks.values() for t in tracks] == masks
    assert any("the identities of 1 objects" in line for line in done.lossy_fields)


def test_a_split_of_roboflow_and_a_byte_order_mark(root):
    for kind in ("images", "labels"):
        (root / "train").mkdir(exist_ok=True)
        (root / kind / "train").rename(root / "train" / kind)
    text = root / "train" / "labels" / "2.txt"
    text.write_bytes(b"\xef\xbb\xbf" + text.read_bytes())
    dataset = open_set(root / "train")
    assert dataset.kind == "yolo" and dataset.path == root / "train" / "images"
    assert len(dataset.annotations.tracks[1]) == 2
