"""VIA: shapes by their names, one attribute is the class, and pictures tell their size."""

import json

import pytest
from PIL import Image

from vis.errors import DataError
from vis.formats.checking import check
from vis.formats.converting import convert
from vis.formats.opening import open_set
from vis.ops.rle import area, box

RECT = {"name": "rect", "x": 2, "y": 1, "width": 6, "height": 4}
POLYGON = {"name": "polygon", "all_points_x": [1, 9, 9, 1], "all_points_y": [2, 2, 8, 8]}


def region(shape=RECT, **attributes):
    return {"shape_attributes": shape, "region_attributes": attributes}


@pytest.fixture
def put(tmp_path):
    """`put(region, ...)` writes a file of one picture, or a project with more keys."""
    (tmp_path / "images").mkdir()
    Image.new("RGB", (20, 10)).save(tmp_path / "images" / "a.jpg")

    def write(*regions, **project):
        picture = {"filename": "a.jpg", "size": 631, "regions": list(regions)}
        pictures = {"a.jpg631": picture | {"file_attributes": {}}}
        path = tmp_path / "via.json"
        path.write_text(
            json.dumps(project | {"_via_img_metadata": pictures} if project else pictures)
        )
        return path

    return write


def looks(found):
    tracks = found.annotations.tracks[1]
    return [(found.annotations.categories[t.label].name, box(t.masks[0])) for t in tracks]


def test_shapes_have_their_places(put):
    shapes = (
        RECT,
        POLYGON,
        {"name": "circle", "cx": 10, "cy": 5, "r": 3},
        # a quarter turn, in radians
        {"name": "ellipse", "cx": 10, "cy": 5, "rx": 8, "ry": 2, "theta": 1.5707963},
        {"name": "point", "cx": 1, "cy": 1},
        {"name": "polyline", "all_points_x": [1, 9], "all_points_y": [2, 2]},
    )
    found = open_set(put(*(region(shape, name="cat") for shape in shapes)))
    assert (found.kind, found.of_pictures) == ("via", True)
    places = [(2, 1, 8, 5), (1, 2, 9, 8), (7, 2, 13, 8), (8, 0, 12, 10)]
    assert looks(found) == [("cat", place) for place in places]
    assert [t.box_only for t in found.annotations.tracks[1]] == [True, False, False, False]
    assert area(found.annotations.tracks[1][1].masks[0]) == 48
    assert any(note.startswith("2 points, lines") for note in found.notes)


def test_a_project_knows_its_folder_and_what_options_are_called(put, tmp_path):
    (tmp_path / "images").rename(tmp_path / "pics")
    path = put(
        region(Type="1", mood="calm"),
        region(Type={"2": True, "1": False}),
        _via_settings={"core": {"default_filepath": "pics/"}},
        _via_attributes={"region": {"Type": {"options": {"1": "owl", "2": ""}}}},
    )
    found = open_set(path)
    assert found.frames == tmp_path / "pics"
    assert [name for name, _ in looks(found)] == ["owl", "2"]
    assert found.annotations.track_extra == {1: {"attributes": {"mood": "calm"}}}


def test_without_attributes_all_are_of_one_class(put, tmp_path):
    path = put(region(), region(POLYGON))
    assert [name for name, _ in looks(open_set(path))] == ["object"] * 2
    # VIA 1 numbers its regions; a folder with the file alone is the file
    value = json.loads(path.read_text())
    value["a.jpg631"]["regions"] = dict(enumerate(value["a.jpg631"]["regions"]))
    path.write_text(json.dumps(value))
    assert len(looks(open_set(tmp_path))) == 2


def test_the_class_is_the_attribute_with_a_usual_name(put):
    assert looks(open_set(put(region(mood="calm", Class="cat"))))[0][0] == "cat"
    with pytest.raises(DataError, match="attributes mood, sort, and none is called class"):
        open_set(put(region(mood="calm", sort="cat")))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (region(), r"regions\[1\]: its name names 0 classes"),
        (region(name={"a": True, "b": True}), "names 2 classes"),
        (region({**RECT, "x": None}, name="a"), r"a.jpg: regions\[1\]: x is null"),
        (region({**POLYGON, "all_points_y": [1]}, name="a"), "do not fit"),
        (region({"name": "star"}, name="a"), "text 'star', which VIA does not draw"),
        (1, r"regions\[1\]: this is 1, not an object"),
    ],
)
def test_faults_are_placed(put, change, said):
    path = put(region(name="cat"), change)
    with pytest.raises(DataError, match=said):
        open_set(path)
    faulty = check(path, read_video_file=None)
    assert len(faulty.faults) == 1
    assert len(looks(faulty.dataset)) == 1


def test_a_missing_picture_is_a_fault_and_names_may_begin_anywhere(put, tmp_path):
    path = put(region(name="cat"))
    (tmp_path / "images" / "a.jpg").unlink()
    with pytest.raises(DataError, match=r"a.jpg631: its size is not in the file"):
        open_set(path)


def test_what_is_read_can_be_written(put, tmp_path):
    path = put(region(POLYGON, name="cat"), region(name="dog"))
    back = convert(path, tmp_path / "coco.json", to="coco")
    assert looks(back.source) == [
        (back.written.categories[t.label].name, box(t.masks[0])) for t in back.written.tracks[1]
    ]
