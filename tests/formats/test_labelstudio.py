"""Label Studio: shapes in hundredths, packed brushes, boxes in films, and names of its server."""

import json

import numpy as np
import pytest
from PIL import Image

from vis.errors import DataError
from vis.formats.opening import open_set
from vis.formats.prefixes import Frames
from vis.ops.rle import box, decode


def packed(mask):
    """A brush by the published layout: blocks of single values, the first as a run."""
    values = np.repeat(mask.ravel().astype(int) * 255, 4).tolist()
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{width - 1:04b}" for width in (3, 4, 8, 16))
    run = next((i for i, value in enumerate(values) if value != values[0]), len(values))
    bits += f"111{run - 1:016b}{values[0]:08b}"
    for first in range(run, len(values), 8):
        block = values[first : first + 8]
        bits += f"000{len(block) - 1:03b}" + "".join(f"{value:08b}" for value in block)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def shape(kind, label="cat", **value):
    sides = {"original_width": 20, "original_height": 10}
    return {"id": kind, "type": kind, "value": value | {kind: [label]}, **sides}


@pytest.fixture
def put(tmp_path):
    def write(*results, name="/data/upload/1/a.jpg", key="image", **more):
        task = {"id": 1, "annotations": [{"result": list(results)}], "data": {key: name}} | more
        path = tmp_path / "ls.json"
        path.write_text(json.dumps([task]))
        return path

    return write


def masks(path, **settings):
    return [track.masks[0] for track in open_set(path, **settings).annotations.tracks[1]]


def test_shapes_in_hundredths(put):
    mask = np.random.default_rng(0).random((10, 20)) < 0.5
    path = put(
        shape("polygonlabels", points=[[10, 20], [50, 20], [50, 60], [10, 60]]),
        shape("rectanglelabels", x=10, y=20, width=20, height=60, rotation=0),
        # a quarter turn clockwise about the upper left corner
        shape("rectanglelabels", x=50, y=20, width=20, height=20, rotation=90),
        shape("ellipselabels", x=50, y=50, radiusX=10, radiusY=40, rotation=0),
        shape("brushlabels", format="rle", rle=packed(mask)),
        shape("keypointlabels", x=1, y=1),
    )
    *drawn, brushed = masks(path)
    edges = [(2, 2, 10, 6), (2, 2, 6, 8), (8, 2, 10, 6), (8, 1, 12, 9)]
    assert [box(one) for one in drawn] == edges
    assert (decode(brushed) == mask).all()


def test_labels_beside_their_shape(put):
    plain = shape("polygon", points=[[10, 20], [50, 20], [50, 60]])
    del plain["value"]["polygon"]
    named = {"id": "polygon", "type": "labels", "value": {"labels": ["dog"]}}
    assert open_set(put(plain, named)).annotations.categories[1].name == "dog"


@pytest.mark.parametrize("code", [[0] * 20, [0, 0, 3, 32, 0], "x", [300]])
def test_a_broken_brush_is_a_fault(put, code):
    with pytest.raises(DataError, match=r"ls.json: a.*: result text 'brushlabels': rle"):
        open_set(put(shape("brushlabels", rle=code), name="a.jpg"))


def test_names_of_servers(put, tmp_path):
    (tmp_path / "1").mkdir()
    Image.new("RGB", (20, 10)).save(tmp_path / "1" / "a.jpg")
    drawn = shape("polygonlabels", points=[[10, 20], [50, 20], [50, 60]])
    assert open_set(put(drawn)).frames == tmp_path
    found = open_set(
        put(drawn, name="s3://b/x/a.jpg"),
        frames=Frames(prefixes={"s3://b/": "y/", "s3://b/x/": ""}),
    )
    assert found.annotations.videos[1].file_names == ("a.jpg",)
    with pytest.raises(DataError, match=r"absolute path.*--frames-prefix"):
        open_set(put(drawn, name="/mnt/a.jpg"))


def test_boxes_in_films_move_until_they_are_switched_off(put, tmp_path):
    sequence = [
        {"frame": 1, "x": 0, "y": 20, "width": 20, "height": 40, "enabled": True},
        {"frame": 3, "x": 40, "y": 20, "width": 20, "height": 40, "enabled": False},
        {"frame": 4, "enabled": False},
        {"frame": 5, "x": 60, "y": 20, "width": 20, "height": 40, "enabled": True},
    ]
    value = {"sequence": sequence, "framesCount": 6, "labels": ["car"]}
    path = put({"id": "v", "type": "videorectangle", "value": value}, name="clip.mp4", key="video")
    with pytest.raises(DataError, match=r"was not found.*--frames"):
        open_set(path)
    (tmp_path / "clip").mkdir()
    for frame in range(6):
        Image.new("RGB", (20, 10)).save(tmp_path / "clip" / f"{frame}.png")
    (tmp_path / "clip.mp4").touch()
    dataset = open_set(path)
    assert (dataset.kind, dataset.frames) == ("labelstudio", tmp_path)
    track = dataset.annotations.tracks[1][0]
    assert track.box_only
    assert {frame: box(mask)[0] for frame, mask in track.masks.items()} == {
        0: 0,
        1: 4,
        2: 8,
        4: 12,
        5: 12,
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": [1]}, "points is missing"),
        ({"value": {"sequence": [1]}, "type": "videorectangle"}, "this is 1, not an object"),
        ({"value": {"sequence": []}, "type": "videorectangle"}, "0 labels, not one"),
    ],
)
def test_hostile_records_are_faults(put, tmp_path, change, said):
    (tmp_path / "clip").mkdir()
    Image.new("RGB", (20, 10)).save(tmp_path / "clip" / "0.png")
    (tmp_path / "clip.mp4").touch()
    key, name = ("video", "clip.mp4") if "type" in change else ("image", "a.jpg")
    path = put(shape("polygonlabels") | change, name=name, key=key)
    with pytest.raises(DataError, match=said):
        open_set(path)


def minimal(*values, **more):
    """A record of JSON-MIN."""
    sides = {"original_width": 20, "original_height": 10}
    record = {"img": "/data/upload/1/a.jpg", "id": 7, "label": [{**v, **sides} for v in values]}
    return record | {"annotator": 1, "annotation_id": 3, "lead_time": 2.5} | more


def test_json_min_says_what_the_full_file_says(put, tmp_path):
    mask = np.random.default_rng(0).random((10, 20)) < 0.5
    drawn = (
        shape("polygonlabels", points=[[10, 20], [50, 20], [50, 60], [10, 60]]),
        shape("rectanglelabels", "dog", x=50, y=20, width=20, height=20, rotation=90),
        shape("ellipselabels", x=50, y=50, radiusX=10, radiusY=40, rotation=0),
        shape("brushlabels", format="rle", rle=packed(mask)),
        shape("keypointlabels", x=1, y=1, width=0.5),
    )
    full = open_set(put(*drawn))
    record = minimal(*(one["value"] for one in drawn), mood="calm")
    (tmp_path / "min").mkdir()
    path = tmp_path / "min" / "project-1.json"
    # the same task by a second person: the first counts
    path.write_text(json.dumps([record, minimal(annotation_id=4)]))
    for place in (path, tmp_path / "min"):
        found = open_set(place)
        assert (found.kind, found.annotations) == ("labelstudio", full.annotations)
        assert "1 tasks have several annotations: the first counts" in found.notes
    assert any("1 points, lines" in note for note in found.notes)


def test_json_min_has_labels_of_their_own_by_their_position(tmp_path):
    one = {"x": 10, "y": 20, "width": 20, "height": 60}
    other = one | {"x": 50}
    names = minimal(other | {"labels": ["dog"]}, one | {"labels": ["cat"]})["label"]
    path = tmp_path / "min.json"
    path.write_text(json.dumps([minimal(one, other, names=names)]))
    found = open_set(path).annotations
    assert [
        (found.categories[track.label].name, box(track.masks[0])[0]) for track in found.tracks[1]
    ] == [("dog", 10), ("cat", 2)]
    path.write_text(json.dumps([minimal(one, other, names=names[:1])]))
    with pytest.raises(DataError, match=r"a.jpg: result text 'label 0': it has 0 labels"):
        open_set(path)
