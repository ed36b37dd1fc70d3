"""Pascal VOC: an object has the class of its pixels; what is not judged is a crowd."""

import numpy as np
import pytest
from PIL import Image

from vis.errors import DataError
from vis.formats.index_pictures import palette_png
from vis.formats.opening import open_set
from vis.ops.rle import area

XML = "<annotation><object><name>{}</name></object><object><name>{}</name></object></annotation>"


@pytest.fixture
def root(tmp_path):
    objects = np.zeros((6, 8), np.uint16)
    objects[0:2, 0:3], objects[3:5, 2:6], objects[2, :] = 1, 2, 255
    classes = objects.copy()
    classes[objects == 1], classes[objects == 2] = 15, 8
    for folder, numbers in (("SegmentationObject", objects), ("SegmentationClass", classes)):
        (tmp_path / folder).mkdir()
        for name in ("a", "b"):
            (tmp_path / folder / f"{name}.png").write_bytes(palette_png(numbers))
    (tmp_path / "JPEGImages").mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (8, 6)).save(tmp_path / "JPEGImages" / f"{name}.jpg")
    lists = tmp_path / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("b\n")
    (tmp_path / "Annotations").mkdir()
    return tmp_path


def looks(dataset, id_=1):
    found = dataset.annotations
    tracks = found.tracks[id_]
    return [(found.categories[t.label].name, area(t.masks[0])) for t in tracks if not t.crowd]


def test_objects_have_their_classes_and_the_void_is_a_crowd(root):
    dataset = open_set(root)
    assert (dataset.kind, dataset.frames) == ("voc", root / "JPEGImages")
    assert looks(dataset) == looks(dataset, 2) == [("person", 6), ("cat", 8)]
    crowds = [area(t.masks[0]) for t in dataset.annotations.tracks[1] if t.crowd]
    assert crowds == [8]
    part = open_set(root / "ImageSets" / "Segmentation" / "val.txt").annotations
    assert [video.file_names for video in part.videos.values()] == [("b.jpg",)]


def test_names_are_the_users_own(root):
    (root / "Annotations" / "a.xml").write_text(XML.format("rider", "lynx"))
    assert looks(open_set(root)) == [("rider", 6), ("lynx", 8)]
    names = ["_background_", *(f"n{number}" for number in range(1, 16))]
    (root / "class_names.txt").write_text("\n".join(names))
    assert looks(open_set(root)) == [("n15", 6), ("n8", 8)]
    (root / "class_names.txt").write_text("\n".join(names[:10]))
    with pytest.raises(DataError, match="class 15 has no name"):
        open_set(root)


def test_an_object_without_class_is_a_fault(root):
    (root / "SegmentationClass" / "b.png").write_bytes(palette_png(np.zeros((6, 8), np.uint16)))
    with pytest.raises(DataError, match=r"b.png: object 1 has no class"):
        open_set(root)


def recolour(root, *modes, colours=None):
    """The PNG pictures anew in colours: those of the palette, or `colours` of the classes."""
    for folder, mode in zip(("SegmentationObject", "SegmentationClass"), modes, strict=True):
        for path in (root / folder).iterdir():
            with Image.open(path) as image:
                numbers, coloured = np.asarray(image), image.convert(mode)
            if colours is not None and folder == "SegmentationClass":
                coloured = Image.fromarray(colours[numbers])
            coloured.save(path)


def test_colours_of_the_map_are_numbers(root):
    before = open_set(root).annotations
    recolour(root, "RGB", "RGBA")
    assert open_set(root).annotations == before


def test_colours_of_the_users_classes_stand_in_the_label_map(root):
    """As CVAT exports: names in their order, the background among them."""
    table = np.zeros((256, 3), np.uint8)
    table[15], table[8], table[255] = (250, 50, 83), (61, 245, 61), (224, 224, 192)
    recolour(root, "RGB", "RGB", colours=table)
    lines = ["# label:color_rgb:parts:actions", "a rider:250,50,83::", "background:0,0,0::"]
    (root / "labelmap.txt").write_text("\n".join([*lines, "lynx:61,245,61::", "owl:1,2,3::"]))
    found = open_set(root)
    assert looks(found) == [("a rider", 6), ("lynx", 8)]
    assert [one.name for one in found.annotations.categories.values()] == ["a rider", "lynx", "owl"]
    assert [area(t.masks[0]) for t in found.annotations.tracks[1] if t.crowd] == [8]
    (root / "labelmap.txt").write_text("a rider:250,50,83::\nlynx:61,245,61::")
    assert looks(open_set(root)) == [("a rider", 6), ("lynx", 8)]
    # a colour that two classes share is of neither
    (root / "labelmap.txt").write_text("\n".join([*lines, "lynx:61,245,61::", "owl:61,245,61::"]))
    with pytest.raises(
        DataError, match=r"a.png: SegmentationClass: 1 colours are of no number.*\(61, 245, 61\)"
    ):
        open_set(root)


def test_colours_of_no_map_are_refused_by_place(root):
    recolour(root, "RGB", "RGB")
    path = root / "SegmentationObject" / "b.png"
    with Image.open(path) as image:
        image.resize((16, 12), Image.Resampling.BILINEAR).save(path)
    with pytest.raises(
        DataError,
        match=r"b.png: SegmentationObject: \d+ colours are of no number, .* at pixel x \d",
    ):
        open_set(root)
