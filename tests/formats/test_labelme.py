"""labelme: pictures, or videos whose identities are groups; all shapes; there and back."""

import base64
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from vis.errors import DataError
from vis.formats.converting import convert, write_set
from vis.formats.opening import open_set
from vis.formats.prefixes import Frames
from vis.ops.rle import area, box


def polygon(left, group=None, label="cat"):
    points = [[left, 2], [left + 4, 2], [left + 4, 6], [left, 6]]
    return {"label": label, "points": points, "group_id": group, "shape_type": "polygon"}


@pytest.fixture
def put(tmp_path):
    def write(name, *shapes, data=None):
        path = tmp_path / "set" / f"{name}.json"
        path.parent.mkdir(exist_ok=True, parents=True)
        record = {"version": "5.4.1", "flags": {}, "shapes": list(shapes)}
        sides = {"imageHeight": 10, "imageWidth": 20}
        picture = {"imagePath": f"{path.stem}.jpg", "imageData": data}
        path.write_text(json.dumps(record | picture | sides))
        Image.new("RGB", (20, 10)).save(path.with_suffix(".jpg"))
        return tmp_path / "set"

    return write


def test_groups_tie_parts_and_frames(put):
    put("2", polygon(0, 1), polygon(8, 1), data="x" * 100_000)
    root = put("10", polygon(1, 1), polygon(9), polygon(9))
    dataset = open_set(root)
    assert (dataset.kind, dataset.frames, dataset.of_pictures) == ("labelme", root, False)
    assert dataset.annotations.videos[1].file_names == ("2.jpg", "10.jpg")
    masks = [track.masks for track in dataset.annotations.tracks[1]]
    assert [sorted(frames) for frames in masks] == [[0, 1], [1], [1]]
    assert area(masks[0][0]) == 32
    assert "video" in dataset.notes[0]


def test_without_groups_they_are_pictures(put):
    put("a", polygon(0))
    root = put("b", polygon(0, 3), polygon(9, 3))
    dataset = open_set(root)
    assert dataset.of_pictures
    assert [len(dataset.annotations.tracks[id_]) for id_ in (1, 2)] == [1, 1]
    assert open_set(root / "a.json").annotations.videos[1].file_names == ("a.jpg",)


def test_all_shapes(put):
    buffer = io.BytesIO()
    Image.fromarray(np.array([[0, 1], [1, 1]], np.uint8)).save(buffer, "PNG")
    mask = base64.b64encode(buffer.getvalue()).decode()
    shapes = [
        {"label": "a", "points": [[6, 8], [2, 3]], "shape_type": "rectangle"},
        {"label": "b", "points": [[10, 5], [10, 2]], "shape_type": "circle"},
        {"label": "c", "points": [[4, 5], [5, 6]], "shape_type": "mask", "mask": mask},
        {"label": "d", "points": [[4, 5]], "shape_type": "point"},
    ]
    found = open_set(put("a", *shapes)).annotations
    masks = [track.masks[0] for track in found.tracks[1]]
    assert [box(one) for one in masks] == [(2, 3, 6, 8), (7, 2, 13, 8), (4, 5, 6, 7)]
    assert area(masks[2]) == 3


@pytest.mark.parametrize("group", [None, 5])
def test_there_and_back(put, tmp_path, group):
    drawn_box = {"label": "cup", "points": [[1, 1], [9, 4]], "shape_type": "rectangle"}
    put("0", polygon(0, group), polygon(8, 6, "dog"), polygon(14, 6, "dog"), drawn_box)
    root = put("1", polygon(2, group))
    before = open_set(root)
    back = convert(root, tmp_path / "back", to="labelme")
    assert back.lossy_fields == (["the names of 1 videos: set"] if group else [])
    assert back.written.tracks == before.annotations.tracks


def test_faults_name_file_and_shape(put):
    root = put("a", polygon(0), polygon(0, "one"))
    with pytest.raises(DataError, match=r"set: a.json: shapes\[1\]: group_id is text 'one'"):
        open_set(root)
    record = json.loads((root / "a.json").read_text())
    (root / "a.json").write_text(json.dumps(record | {"imagePath": "../../x/a.jpg"}))
    with pytest.raises(DataError, match=r"set: a.json: .* '..'.*--frames-prefix"):
        open_set(root)
    (root / "a.json").write_text(
        json.dumps(record | {"imagePath": "..\\x\\a.jpg", "shapes": [polygon(0)]})
    )
    assert open_set(root, frames=Frames(prefixes={"../x/": ""})).frames == root


def test_frames_that_nobody_annotated_have_no_file(truth, write, tmp_path):
    found = open_set(write(truth)).annotations
    video = replace(found.videos[3], annotated_frames=(0,))
    write_set(tmp_path / "out", replace(found, videos={3: video}), to="labelme")
    assert [path.name for path in (tmp_path / "out" / "b").iterdir()] == ["0.json"]


def test_files_may_lie_in_a_folder_beside_their_pictures(put, tmp_path):
    root = put("a", polygon(0))
    path = root / "a.json"
    path.write_text(path.read_text().replace('"a.jpg"', '"../pictures/a.jpg"'))
    (tmp_path / "pictures").mkdir()
    (root / "a.jpg").rename(tmp_path / "pictures" / "a.jpg")
    for place in (root, tmp_path, path):
        found = open_set(place)
        assert (found.kind, found.frames) == ("labelme", tmp_path)
        assert found.annotations.videos[1].file_names == ("pictures/a.jpg",)
    path.write_text(path.read_text().replace("../pictures", "../../pictures"))
    with pytest.raises(DataError, match=r"'\.\./pictures/a.jpg' leads out of its folder"):
        open_set(root)
    path.write_text(path.read_text().replace("../../pictures", "/pictures"))
    with pytest.raises(DataError, match="is an absolute path"):
        open_set(tmp_path)
