"""CVAT's XML: keyframes, what is between them, masks of its own run lengths, and hostile files."""

import re

import numpy as np
import pytest
from PIL import Image

from vis.errors import DataError
from vis.formats.checking import check
from vis.formats.converting import convert
from vis.formats.opening import open_set
from vis.ops.rle import area, box, decode

META = (
    "<meta><task><size>{size}</size><start_frame>{first}</start_frame>"
    "<frame_filter>step={step}</frame_filter>"
    "<original_size><width>20</width><height>10</height></original_size>"
    "<source>clip.mp4</source></task></meta>"
)
BOX = '<box frame="{}" outside="{}" occluded="{}" xtl="{}" ytl="2" xbr="{}" ybr="6">{}</box>'


@pytest.fixture
def put(tmp_path):
    def write(body, size=6, first=0, step=1):
        path = tmp_path / "annotations.xml"
        meta = META.format(size=size, first=first, step=step)
        path.write_text(f"<annotations><version>1.1</version>{meta}{body}</annotations>")
        return path

    return write


def boxes(dataset):
    tracks = dataset.annotations.tracks[1]
    return [{frame: box(mask)[0] for frame, mask in track.masks.items()} for track in tracks]


def test_boxes_move_between_keyframes_until_they_are_outside(put):
    attribute = '<attribute name="colour">red</attribute>'
    shapes = (
        BOX.format(0, 0, 0, 0, 4, attribute)
        + BOX.format(2, 0, 1, 8, 12, attribute)
        + BOX.format(4, 1, 0, 16, 20, "")
        + BOX.format(5, 0, 0, 1, 5, attribute)
    )
    dataset = open_set(put(f'<track id="7" label="car">{shapes}</track>'))
    assert (dataset.kind, dataset.frames, dataset.of_pictures) == ("cvat", None, False)
    # at the end out of sight it does not move towards it
    assert boxes(dataset) == [{0: 0, 1: 4, 2: 8, 3: 8, 5: 1}]
    extra = dataset.annotations.track_extra[1]
    assert extra["attributes"] == {"colour": "red"}
    occluded = [keys.get("occluded", False) for keys in extra["by_frame"]]
    assert occluded == [False, False, True, True, False, False]
    assert [track.box_only for track in dataset.annotations.tracks[1]] == [True]


def test_polygons_move_whatever_the_number_of_their_points(put):
    shape = '<polygon frame="{}" outside="0" points="{}"/>'
    track = '<track label="cat">{}</track>'
    start = shape.format(0, "0,0;4,0;4,4;0,4")
    moving = start + shape.format(2, "8,0;12,0;12,4;8,4")
    # the same square by more points, and back
    finer = start + shape.format(2, "8,0;10,0;12,0;12,4;11,4;8,4")
    coarser = shape.format(0, "0,0;2,0;2,0;4,0;4,2;4,4;0,4") + shape.format(2, "8,0;12,0;12,4;8,4")
    found = open_set(put("".join(map(track.format, (moving, finer, coarser))), size=4))
    assert boxes(found) == [{0: 0, 1: 4, 2: 8, 3: 8}] * 3
    for track in found.annotations.tracks[1]:
        assert [area(mask) for mask in track.masks.values()] == [16] * 4


def test_masks_are_by_rows_within_their_piece(put, tmp_path):
    mask = (
        '<image id="0" name="a/x.jpg" width="20" height="10"><mask label="cat" rle="1, 2, 2, 1" '
        'left="3" top="4" width="3" height="2"/><points label="cat" points="1,2"/></image>'
    )
    dataset = open_set(put(mask))
    assert dataset.of_pictures
    assert dataset.annotations.videos[1].file_names == ("a/x.jpg",)
    rows, columns = np.nonzero(decode(dataset.annotations.tracks[1][0].masks[0]))
    assert list(zip(rows, columns, strict=True)) == [(4, 4), (4, 5), (5, 5)]
    assert "left out" in dataset.notes[0]
    (tmp_path / "images" / "a").mkdir(parents=True)
    Image.new("RGB", (20, 10)).save(tmp_path / "images" / "a" / "x.jpg")
    assert open_set(tmp_path).frames == tmp_path / "images"


def test_frames_are_those_of_the_task(put, tmp_path):
    path = put(f'<track label="car">{BOX.format(13, 0, 0, 0, 4, "")}</track>', 3, 10, 3)
    assert open_set(path).annotations.videos[1].file_names[1] == "clip/frame_000013.PNG"
    (tmp_path / "images").mkdir()
    for number in range(20):
        Image.new("RGB", (20, 10)).save(tmp_path / "images" / f"{number + 1:05d}.jpg")
    dataset = open_set(tmp_path)
    # all frames of the film were extracted: the task has its 11th, 14th and 17th
    names = ("00011.jpg", "00014.jpg", "00017.jpg")
    # numbers that are not CVAT's begin with 1: the order counts
    assert dataset.annotations.videos[1].file_names == names
    assert boxes(dataset) == [{1: 0, 2: 0}]
    assert dataset.frames == tmp_path / "images"


def test_there_and_back(put, tmp_path):
    shapes = BOX.format(1, 0, 1, 0, 4, "") + BOX.format(3, 1, 0, 0, 4, "")
    path = put(f'<track label="car">{shapes}</track><track label="cat">{shapes}</track>')
    back = convert(path, tmp_path / "back.xml", to="cvat")
    assert back.lossy_fields == []
    assert back.written == back.source.annotations


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<annotations>", "<!DOCTYPE a [<!ENTITY b 'c'>]><annotations>", "document type"),
        ("</track>", "", "not XML: mismatched tag at line 1"),
        ('xtl="0"', 'xtl="nan"', r"track\[0\] .*xtl is 'nan', not a number"),
        (
            "<box frame",
            '<polygon frame="1" points="1,2;3"/><box frame',
            "points is '1,2;3', not x,y",
        ),
        ('frame="0"', 'frame="9"', "no frame 9, only 0 to 5"),
        ("<size>6</size>", "<size>99999999999</size>", "99999999999 frames"),
    ],
)
def test_faults_are_placed(put, old, new, said):
    path = put(f'<track label="car">{BOX.format(0, 0, 0, 0, 4, "")}</track>')
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError, match=said) as error:
        open_set(path)
    assert str(error.value).startswith(str(path))


def test_runs_that_do_not_fit_are_refused(put):
    mask = (
        '<track label="a"><mask frame="0" rle="{}" left="0" top="0" width="2" height="2"/></track>'
    )
    for runs in ("1,2", "5,-1", "1,x", f"{2**63},4"):
        result = check(put(mask.format(runs)), read_video_file=lambda path: (20, 10, 6))
        assert re.search("run", result.faults[0].what), runs
