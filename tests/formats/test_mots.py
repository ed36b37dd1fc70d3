"""MOTS folders and text files: both say the same, classes have names, every fault has its line."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image

from vis.errors import DataError, InputError
from vis.formats.mots import IGNORE, read_mots, write_mots
from vis.formats.numbering import KEY
from vis.formats.opening import open_set
from vis.formats.ytvis import AnnotationSet, Category, VideoEntry, read_annotations
from vis.ops import rle
from vis.records import Track

FRAMES = np.array(
    [
        [[0, 1001, 1001, 0], [0, 2004, 2004, 0], [0, 0, 10000, 0]],
        [[0, 0, 0, 0], [2004, 2004, 0, 0], [0, 0, 0, 10000]],
    ],
    np.uint16,
)


def text_of(frames):
    lines = []
    for number, frame in enumerate(frames):
        for identity in np.unique(frame)[1:]:
            counts = rle.encode(frame == identity).counts.decode()
            lines.append(f"{number} {identity} {identity // 1000} 3 4 {counts}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def root(tmp_path):
    """One video `0007` of two frames, in both forms, as KITTI publishes it."""
    root = tmp_path / "set"
    (root / "instances" / "0007").mkdir(parents=True)
    (root / "instances_txt").mkdir()
    for number, frame in enumerate(FRAMES):
        Image.fromarray(frame).save(root / "instances" / "0007" / f"{number:06d}.png")
    (root / "instances_txt" / "0007.txt").write_text(text_of(FRAMES))
    return root


def check(read):
    (video,) = read.videos.values()
    assert (video.name, video.height, video.width, video.length) == ("0007", 3, 4, 2)
    car, walker, void = read.tracks[1]
    assert [(track.label, track.crowd) for track in (car, walker, void)] == [
        (1, False),
        (2, False),
        (10, True),
    ]
    assert {key: category.name for key, category in read.categories.items()} == {
        1: "car",
        2: "pedestrian",
        10: "ignore",
    }
    for identity, track in ((1001, car), (2004, walker), (10000, void)):
        for frame in range(2):
            shown = FRAMES[frame] == identity
            assert (frame in track.masks) == shown.any()
            if frame in track.masks:
                np.testing.assert_array_equal(rle.decode(track.masks[frame]), shown)


def test_pictures_and_text_say_the_same(root):
    pictures = read_mots(root)
    check(pictures)
    text = read_mots(root / "instances_txt")
    check(text)
    assert text.tracks == read_mots(root / "instances_txt" / "0007.txt").tracks == pictures.tracks
    assert pictures.track_extra == {2: {KEY: 4}, 3: {KEY: 0}}


def test_written_and_read_again_it_is_equal(root, tmp_path):
    read = read_mots(root)
    write_mots(tmp_path / "again", read)
    again = read_mots(tmp_path / "again")
    assert (again.videos, again.categories) == (read.videos, read.categories)
    assert again.tracks == read.tracks
    line = (tmp_path / "again" / "instances_txt" / "0007.txt").read_text().splitlines()[0]
    assert line.startswith("0 1001 1 3 4 ")


def test_classes_of_others_are_named_by_line(tmp_path):
    mask = {0: rle.encode(np.ones((3, 4), bool))}
    own = AnnotationSet(
        {30: Category(30, "sheep"), 7: Category(7, "two\nlines")},
        {2: VideoEntry(2, "v", 4, 3, 1, ("v/3.jpg",))},
        {2: [Track(5, 30, 1.0, mask)]},
    )
    write_mots(tmp_path / "out", own)
    labels = tmp_path / "out" / "instances" / "labels.txt"
    assert labels.read_text() == "two lines\nsheep\n"
    read = read_mots(tmp_path / "out")
    assert [category.name for category in read.categories.values()] == ["two lines", "sheep"]
    assert [track.label for track in read.tracks[1]] == [2]
    labels.unlink()
    pixels = np.asarray(Image.open(tmp_path / "out" / "instances" / "v" / "3.png"))
    assert set(pixels.ravel()) == {2001}


def test_crowds_have_class_ten_unless_it_has_a_name(tmp_path):
    mask = {0: rle.encode(np.ones((3, 4), bool))}
    for classes, crowds in ((9, 1), (10, 0)):
        own = AnnotationSet(
            {key: Category(key, f"c{key}") for key in range(1, classes + 1)},
            {2: VideoEntry(2, "v", 4, 3, 1, ("v/3.jpg",))},
            {2: [Track(5, 1, 1.0, mask, crowd=True)]},
        )
        write_mots(tmp_path / str(classes), own)
        read = read_mots(tmp_path / str(classes))
        assert [track.crowd for track in read.tracks[1]] == [True] * crowds
        assert (IGNORE.id in read.categories) == (classes == 10 or crowds == 1)


def test_too_many_classes_are_refused(tmp_path):
    own = AnnotationSet({key: Category(key, "x") for key in range(65)}, {}, {})
    with pytest.raises(DataError, match="65 categories, at most 64"):
        write_mots(tmp_path / "out", own)
    assert not (tmp_path / "out").exists()


def test_with_pictures_every_frame_counts_and_numbers_are_theirs(root):
    (root / "images" / "0007").mkdir(parents=True)
    for number in range(1, 5):
        Image.new("RGB", (4, 3)).save(root / "images" / "0007" / f"{number:06d}.jpg")
    shutil.rmtree(root / "instances")
    text = root / "instances_txt" / "0007.txt"
    text.write_text("\n".join("2" + line[1:] for line in text_of(FRAMES[:1]).splitlines()))
    read = read_mots(root)
    assert read.videos[1].file_names[0] == "0007/000001.jpg"
    assert read.videos[1].length == 4
    assert {frame for track in read.tracks[1] for frame in track.masks} == {1}
    text.write_text("")
    assert (read_mots(root).videos[1].width, read_mots(root).tracks) == (4, {1: []})


def test_a_folder_as_others_export_it_without_folders_of_videos(root):
    labels = "car\nman\n"
    for path in (root / "instances" / "0007").iterdir():
        path.rename(root / "instances" / path.name)
    (root / "instances" / "0007").rmdir()
    (root / "instances" / "labels.txt").write_text(labels)
    read = read_mots(root)
    assert [video.name for video in read.videos.values()] == ["set"]
    assert read.categories[2].name == "man"


SOUND = text_of(FRAMES).splitlines()
FAULTS = [
    ("0 1001 1 3 4", "line 1: there are 5 fields"),
    ("0 x 1 3 4 <", "line 1: the first five fields .* are not whole numbers"),
    ("-1 1001 1 3 4 <", "line 1: the first five fields"),
    ("0 2001 1 3 4 <", "line 1: id 2001 is not of class 1"),
    ("99999999 1001 1 3 4 <", "line 1: there is no frame 99999999"),
    ("0 1001 1 3 4 0", "line 1: .*"),
    ("0 1001 1 3 4 \xff", "line 1: .*"),
    ("0 1001 1 0 4 <", "line 1: size is 0 x 4"),
    (SOUND[0] + "\n" + SOUND[0], "line 2: id 1001 is in frame 0 twice"),
    (SOUND[0] + "\n0 1002 1 5 4 d0", "line 2: the picture is 4 x 5, in the lines before 4 x 3"),
    (SOUND[0] + "\n" + SOUND[0].replace("1001", "1002"), "masks of frame 0 share 2 pixels"),
    ("", "it names no object, so neither"),
]


@pytest.mark.parametrize(("text", "words"), FAULTS)
def test_a_faulty_line_is_named_and_collected(root, text, words):
    path = root / "instances_txt" / "0007.txt"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=f"{re.escape(str(path.parent))}: 0007.txt: {words}") as one:
        read_mots(path.parent)
    assert one.value.remedy
    faults = []
    read_mots(path.parent, faults)
    assert str(faults[0]) == str(one.value)


def test_a_class_without_a_name_is_refused(root):
    Image.fromarray(FRAMES[0] + np.uint16(3000)).save(root / "instances" / "0007" / "000000.png")
    with pytest.raises(DataError, match=r"0007: object 3000 is of class 3, which has no name"):
        read_mots(root)


def test_eight_bits_are_refused(root):
    Image.new("L", (4, 3)).save(root / "instances" / "0007" / "000000.png")
    with pytest.raises(DataError, match=r"000000.png: the pixels are of the kind L"):
        read_mots(root)


def test_other_places_are_named(tmp_path):
    with pytest.raises(DataError, match="neither folders of PNG pictures nor text files"):
        read_mots(tmp_path)
    with pytest.raises(InputError):
        read_mots(tmp_path / "nowhere")


def test_real_masks_survive_both_forms(shared, tmp_path):
    stated = read_annotations(shared / "data" / "pack_test" / "vis_tiny" / "instances.json")
    write_mots(tmp_path / "out", stated)
    again = read_mots(tmp_path / "out")
    twins = {video.name: video.id for video in stated.videos.values()}
    for video in again.videos.values():
        before = stated.tracks[twins[video.name]]
        after = again.tracks[video.id]
        assert sorted(str(t.masks) for t in after) == sorted(str(t.masks) for t in before)
    text = read_mots(tmp_path / "out" / "instances_txt")
    areas = [
        sum(
            rle.area(mask)
            for found in s.tracks.values()
            for t in found
            for mask in t.masks.values()
        )
        for s in (again, text)
    ]
    assert areas[0] == areas[1]


def test_pictures_elsewhere_are_all_frames(tmp_path):
    (tmp_path / "0007.txt").write_text("0 1001 1 3 4 0<\n")
    for frame in range(3):
        path = tmp_path / "elsewhere" / "0007" / f"{frame:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3)).save(path)
    found = open_set(tmp_path / "0007.txt", tmp_path / "elsewhere")
    assert found.annotations.videos[1].length == 3
