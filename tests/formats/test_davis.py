"""DAVIS folders: pixels are objects, what is on top wins, and no picture is quietly left out."""

import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from vis.errors import DataError, InputError, OutputExistsError
from vis.formats.checking import check
from vis.formats.coco import read_coco, write_coco
from vis.formats.converting import convert
from vis.formats.davis import read_davis, write_davis
from vis.formats.numbering import KEY
from vis.formats.statistics import statistics_of
from vis.formats.ytvis import (
    AnnotationSet,
    Category,
    VideoEntry,
    read_annotations,
    write_annotations,
)
from vis.formats.ytvis_parse import parse_video
from vis.ops import rle
from vis.records import Track

FRAMES = np.array(
    [
        [[0, 1, 1, 0], [0, 3, 3, 0], [0, 0, 255, 0]],
        [[0, 0, 0, 0], [3, 3, 0, 0], [0, 0, 0, 255]],
    ],
    np.uint8,
)


@pytest.fixture
def root(tmp_path):
    """Two videos with pictures: `cat` of two frames, `dog` of one."""
    root = tmp_path / "set"
    for name, frames in (("cat", FRAMES), ("dog", FRAMES[:1])):
        (root / "Annotations" / name).mkdir(parents=True)
        (root / "JPEGImages" / name).mkdir(parents=True)
        for index, frame in enumerate(frames):
            stem = f"{8 + 2 * index}"
            Image.fromarray(frame).save(root / "Annotations" / name / f"{stem}.png")
            Image.fromarray(frame).save(root / "JPEGImages" / name / f"{stem}.jpg")
    return root


def one_video(masks):
    """A frame of 3 x 4 with a track of each mask."""
    video = VideoEntry(5, "v", 4, 3, 1, ("v/0.jpg",))
    tracks = [Track(10 + n, 1, 1.0, {0: rle.encode(mask)}) for n, mask in enumerate(masks)]
    return AnnotationSet({1: Category(1, "object")}, {5: video}, {5: tracks})


def shown(root, name="v"):
    (path,) = (root / "Annotations" / name).iterdir()
    return np.asarray(Image.open(path))


def test_every_number_is_a_track_and_frames_come_in_natural_order(root):
    read = read_davis(root)
    cat, dog = read.videos.values()
    assert (cat.name, cat.file_names) == ("cat", ("cat/8.jpg", "cat/10.jpg"))
    assert (cat.height, cat.width, dog.length) == (3, 4, 1)
    ids = [track.id for tracks in read.tracks.values() for track in tracks]
    assert ids == [1, 2, 3, 4, 5, 6]
    one, three, void = read.tracks[cat.id]
    assert (one.crowd, three.crowd, void.crowd) == (False, False, True)
    assert set(one.masks) == {0} and set(three.masks) == {0, 1}
    for number, track in ((1, one), (3, three), (255, void)):
        for frame, mask in track.masks.items():
            np.testing.assert_array_equal(rle.decode(mask), FRAMES[frame] == number)
    assert read.track_extra == {2: {KEY: 3}, 5: {KEY: 3}}


def test_written_and_read_again_it_is_equal(root, tmp_path):
    read = read_davis(root)
    write_davis(tmp_path / "again", read)
    assert read_davis(tmp_path / "again") == read
    with pytest.raises(OutputExistsError):
        write_davis(tmp_path / "again", read)
    assert not list((tmp_path / "again").glob(".*"))


@pytest.mark.parametrize("name", ["pack_test/vis_tiny", "pack_dev/davis_dev"])
def test_real_palettes_hold_the_masks_of_the_json_beside_them(shared, name):
    folder = shared / "data" / name
    read, stated = read_davis(folder), read_annotations(folder / "instances.json")
    names = {video.name: video for video in stated.videos.values()}
    for video in read.videos.values():
        twin = names[video.name]
        assert video.file_names == twin.file_names
        masks = [track.masks for track in stated.tracks[twin.id]]
        assert [track.masks for track in read.tracks[video.id]] == masks


def test_a_palette_has_the_published_colours(tmp_path):
    write_davis(tmp_path, one_video([np.ones((3, 4), bool)]))
    (path,) = (tmp_path / "Annotations" / "v").iterdir()
    image = Image.open(path)
    colours = np.array(image.getpalette()).reshape(-1, 3).tolist()
    assert image.mode == "P"
    assert colours[:5] == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]
    assert colours[255] == [224, 224, 192]


@pytest.mark.parametrize(
    ("changes", "top"),
    [
        ({}, 1),
        ({0: {"score": 0.4}, 1: {"score": 0.6}}, 2),
        ({0: {"score": 0.6}, 1: {"score": 0.4}}, 1),
        ({0: {"crowd": True}}, 1),
    ],
)
def test_where_objects_overlap_the_surer_then_the_earlier_is_on_top(tmp_path, changes, top):
    whole = np.ones((3, 4), bool)
    masks = one_video([whole, whole])
    tracks = [replace(track, **changes.get(i, {})) for i, track in enumerate(masks.tracks[5])]
    write_davis(tmp_path, replace(masks, tracks={5: tracks}))
    assert set(shown(tmp_path).ravel()) == {top}


def test_videos_whose_names_cannot_be_folders_get_their_id_and_numbers(tmp_path):
    masks = one_video([np.ones((3, 4), bool)])
    video = replace(masks.videos[5], file_names=("a/b/0.jpg",))
    write_davis(tmp_path, replace(masks, videos={5: video}))
    assert (tmp_path / "Annotations" / "5" / "00000.png").is_file()


def test_more_objects_than_numbers_are_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(DataError, match="255 objects, at most 254"):
        write_davis(tmp_path / "out", one_video([np.ones((3, 4), bool)] * 255))
    assert not list((tmp_path / "out").iterdir())


def test_a_frame_without_png_is_unknown_in_every_format_that_can_say_so(root, tmp_path):
    (root / "Annotations" / "cat" / "10.png").unlink()
    read = read_davis(root)
    assert read.videos[1].length == 2
    assert [video.annotated_frames for video in read.videos.values()] == [(0,), None]
    write_annotations(tmp_path / "ytvis.json", read)
    write_coco(tmp_path / "coco.json", read)
    assert read_annotations(tmp_path / "ytvis.json").videos == read.videos
    assert read_coco(tmp_path / "coco.json").videos[1].annotated_frames == (0,)
    write_davis(tmp_path / "davis", read)
    assert [path.name for path in (tmp_path / "davis/Annotations/cat").iterdir()] == ["8.png"]
    changed = convert(root, tmp_path / "mots", to="mots").lossy_fields
    assert "which frames of 1 videos are annotated: cat" in changed
    assert statistics_of(read).annotated == 2
    found = check(root, read_video_file=None)
    assert not found.faults
    assert any("1 of 2 frames, the first is cat" in line for line in found.warnings)


def test_places_of_annotated_frames_that_are_none_are_refused(tmp_path):
    video = {"id": 1, "width": 4, "height": 3, "length": 2, "file_names": ["a/0.jpg", "a/1.jpg"]}
    for places in ([1, 0], [0, 2], [0, 0], ["0"]):
        with pytest.raises(DataError, match="annotated_frames has other entries"):
            parse_video({**video, "annotated_frames": places})
    assert parse_video({**video, "annotated_frames": [0, 1]}).annotated_frames is None


def resave(mode):
    return lambda path: Image.open(path).convert(mode).save(path)


FAULTS = [
    ("Annotations/cat/10.png", resave("RGB"), "cat/10.png: .* kind RGB, not P or L"),
    ("Annotations/cat/10.png", resave("1"), "cat/10.png: .* kind 1, not"),
    (
        "Annotations/cat/10.png",
        lambda path: Image.new("L", (5, 3)).save(path),
        "cat/10.png: the picture is 5 x 3, those before it 4 x 3",
    ),
    (
        "Annotations/cat/10.png",
        lambda path: path.write_bytes(path.read_bytes()[:50]),
        "cat/10.png: this is no whole PNG",
    ),
    ("Annotations/cat/10.png", lambda path: path.write_text("x"), "cat/10.png: this is no whole"),
    ("JPEGImages/cat/10.jpg", lambda path: path.unlink(), "cat: frame 10 has no picture"),
]


@pytest.mark.parametrize(("name", "damage", "words"), FAULTS)
def test_a_faulty_picture_is_named_and_the_rest_is_read(root, name, damage, words):
    damage(root / name)
    with pytest.raises(DataError, match=f"{re.escape(str(root))}: {words}") as raised:
        read_davis(root)
    assert raised.value.remedy
    faults = []
    read = read_davis(root, faults)
    assert [str(fault) for fault in faults] == [str(raised.value)]
    assert read.videos[1].file_names == ("cat/8.jpg",)


def test_a_link_out_of_the_folder_is_refused(root, tmp_path):
    path = root / "Annotations" / "cat" / "10.png"
    path.rename(tmp_path / "secret.png")
    path.symlink_to(tmp_path / "secret.png")
    with pytest.raises(DataError, match=r"cat/10.png: .* leads out of its folder through a link"):
        read_davis(root)


def test_masks_of_the_old_binary_kind_are_named(root):
    Image.fromarray(np.uint8(FRAMES[0] > 0) * 255).save(root / "Annotations" / "dog" / "8.png")
    with pytest.raises(DataError, match=r"dog: all marked pixels are 255"):
        read_davis(root)


def test_a_folder_without_annotations_is_named(tmp_path):
    with pytest.raises(DataError, match="nothing in this folder says"):
        read_davis(tmp_path)
    with pytest.raises(InputError, match="cannot be listed"):
        read_davis(tmp_path / "nowhere")


def test_the_published_resolution_is_found(root):
    for kind in ("Annotations", "JPEGImages"):
        whole = (root / kind).rename(root / "kept")
        (root / kind).mkdir()
        whole.rename(root / kind / "480p")
    assert [video.name for video in read_davis(root).videos.values()] == ["cat", "dog"]
