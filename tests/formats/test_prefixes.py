"""File names of another machine: one option for all formats; identities of CVAT's COCO files."""

import pytest

from vis.cli.data_options import FrameOptions
from vis.errors import DataError, UsageError
from vis.formats.coco import read_coco
from vis.formats.opening import open_set
from vis.formats.prefixes import Frames

POLYGON = [[1, 1, 5, 1, 5, 4, 1, 4]]


@pytest.fixture
def coco():
    def make(*names, track_ids=()):
        images = [
            {"id": 10 + place, "file_name": name, "width": 8, "height": 6}
            for place, name in enumerate(names)
        ]
        annotations = [
            {
                "id": place,
                "image_id": image["id"],
                "category_id": 1,
                "segmentation": POLYGON,
                "attributes": {} if id_ is None else {"track_id": id_, "occluded": False},
            }
            for place, (image, id_) in enumerate(zip(images, track_ids, strict=False), 1)
        ]
        categories = [{"id": 1, "name": "cat"}]
        return {"images": images, "categories": categories, "annotations": annotations}

    return make


def test_the_longest_beginning_counts(write, coco, truth):
    path = write(coco("https://b.org/x/a.jpg", "/d/u/?d=b.jpg", "https://b.org/c.jpg"))
    frames = FrameOptions(None, ["https://b.org/x/=", "https://b.org/=y/", "/d/u/?d=="]).place()
    videos = open_set(path, frames).annotations.videos
    assert [video.file_names for video in videos.values()] == [("a.jpg",), ("b.jpg",), ("y/c.jpg",)]
    videos = open_set(write(truth), frames=Frames(prefixes={"b/": "z/"})).annotations.videos
    assert videos[3].file_names == ("z/0.jpg", "z/1.jpg")


@pytest.mark.parametrize("old", ["C:\\d\\", "C:/d/", "C:\\d", "C:/d"])
def test_slashes_of_windows_are_slashes(write, coco, old):
    path = write(coco("C:\\d\\e\\a.jpg"))
    videos = open_set(path, FrameOptions(None, [f"{old}="]).place()).annotations.videos
    assert [video.file_names for video in videos.values()] == [("e/a.jpg",)]


def test_what_stands_for_it_must_be_inside_too(write, coco):
    path = write(coco("s3://b/a.jpg"))
    with pytest.raises(DataError, match=r"leads out of its folder"):
        open_set(path, frames=Frames(prefixes={"s3://b/": "../"}))
    with pytest.raises(UsageError, match=r"'s3://b/' replaces nothing"):
        FrameOptions(None, ["s3://b/"]).place()


def test_track_ids_make_videos_of_folders(write, coco):
    names = ("a/10.png", "a/9.png", "b/1.png", "b/2.png")
    found = read_coco(write(coco(*names, track_ids=(4, 4, 4, None))))
    assert [video.file_names for video in found.videos.values()] == [
        ("a/9.png", "a/10.png"),
        ("b/1.png", "b/2.png"),
    ]
    frames = [[sorted(track.masks) for track in found.tracks[id_]] for id_ in (1, 2)]
    assert frames == [[[0, 1]], [[0], [1]]]
    single = read_coco(write(coco(*names, track_ids=(None, None))))
    assert [video.length for video in single.videos.values()] == [1, 1, 1, 1]
