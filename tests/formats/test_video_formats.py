"""SA-V, BURST, VIPSeg, TAO, LV-VIS and UVO as they are published, on small sets made here."""

import json

import numpy as np
import pytest
from PIL import Image

from vis.errors import DataError, InputError
from vis.formats.converting import convert
from vis.formats.opening import open_set
from vis.formats.repair import repair
from vis.ops import rle

SIZE = (6, 8)


def a_mask(x, width=3):
    mask = np.zeros(SIZE, np.bool_)
    mask[1:4, x : x + width] = True
    return mask


def code(mask):
    value = rle.to_coco(rle.encode(mask))
    return {**value, "counts": value["counts"]}


NOTHING = code(np.zeros(SIZE, np.bool_))


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def masks_of(track):
    return {frame: rle.box(mask) for frame, mask in track.masks.items()}


def sav(name, masklet, frames=9.0):
    return {
        "video_id": name,
        "video_frame_count": frames,
        "video_height": 6.0,
        "video_width": 8.0,
        "masklet": masklet,
        "masklet_id": list(range(len(masklet[0]))),
    }


MASKLET = [[code(a_mask(0)), NOTHING], [code(a_mask(1)), NOTHING], [NOTHING, code(a_mask(2))]]


def test_masklets_are_in_every_fourth_frame_of_the_film_beside_them(tmp_path):
    path = write(tmp_path / "sav_000001_manual.json", sav("sav_000001", MASKLET))
    (tmp_path / "sav_000001.mp4").touch()
    found = open_set(path)
    video = found.annotations.videos[1]
    assert (found.kind, found.frames) == ("sav", tmp_path)
    assert (video.length, video.width, video.height) == (9, 8, 6)
    assert video.annotated_frames == (0, 4, 8)
    assert video.file_names[4] == "sav_000001/00004.jpg"
    one, other = found.annotations.tracks[1]
    assert masks_of(one) == {0: (0, 1, 3, 4), 4: (1, 1, 4, 4)}
    assert masks_of(other) == {8: (2, 1, 5, 4)}


def test_a_folder_of_masklets_is_one_set_of_what_people_annotated(tmp_path):
    for number in (2, 10):
        name = f"sav_{number}"
        write(tmp_path / f"{name}_manual.json", sav(name, MASKLET))
        write(tmp_path / f"{name}_auto.json", {})
    found = open_set(tmp_path)
    assert [video.name for video in found.annotations.videos.values()] == ["sav_2", "sav_10"]
    ids = [track.id for tracks in found.annotations.tracks.values() for track in tracks]
    assert ids == [1, 2, 3, 4]
    write(tmp_path / "sav_2_manual.json", sav("sav_2", MASKLET, frames=8))
    faults = []
    found = open_set(tmp_path, faults=faults)
    assert [video.name for video in found.annotations.videos.values()] == ["sav_10"]
    assert "sav_2_manual.json: video: masklet has 3 entries" in str(faults[0])


def test_masklets_as_pictures_may_overlap(tmp_path):
    for frame in range(5):
        path = tmp_path / "JPEGImages_24fps" / "v" / f"{frame:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6)).save(path)
    for number, frame, x in (("000", 0, 0), ("000", 4, 1), ("001", 4, 2)):
        path = tmp_path / "Annotations_6fps" / "v" / number / f"{frame:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(a_mask(x).astype(np.uint8) * 255).save(path)
    found = open_set(tmp_path)
    assert found.annotations.videos[1].annotated_frames == (0, 4)
    one, other = found.annotations.tracks[1]
    assert masks_of(one) == {0: (0, 1, 3, 4), 4: (1, 1, 4, 4)}
    assert masks_of(other) == {4: (2, 1, 5, 4)}
    assert found.frames == tmp_path / "JPEGImages_24fps"
    (tmp_path / "JPEGImages_24fps" / "v" / "00004.jpg").unlink()
    with pytest.raises(DataError, match=r"v/000/00004.png: there is no frame"):
        open_set(tmp_path)


@pytest.fixture
def burst():
    first, second = ({"rle": code(a_mask(x))["counts"], "is_gt": True} for x in (0, 2))
    sequence = {
        "id": 0,
        "seq_name": "v_ab",
        "dataset": "YFCC100M",
        "width": 8,
        "height": 6,
        "all_image_paths": ["0.jpg", "1.jpg", "2.jpg", "3.jpg"],
        "annotated_image_paths": ["0.jpg", "3.jpg"],
        "segmentations": [{"7": first}, {"7": second, "9": first}],
        "track_category_ids": {"7": 805, "9": 1},
        "neg_category_ids": [3],
    }
    categories = [{"id": 805, "name": "person"}, {"id": 1, "name": "acorn"}]
    return {"sequences": [sequence], "categories": categories, "split": "train"}


def test_sequences_have_the_masks_of_their_annotated_frames(tmp_path, burst):
    frame = tmp_path / "frames" / "train" / "YFCC100M" / "v_ab" / "0.jpg"
    frame.parent.mkdir(parents=True)
    frame.touch()
    found = open_set(write(tmp_path / "annotations" / "train" / "train.json", burst))
    assert (found.kind, found.frames) == ("burst", tmp_path / "frames")
    video = found.annotations.videos[0]
    assert video.annotated_frames == (0, 3) and video.length == 4
    assert video.file_names[3] == "train/YFCC100M/v_ab/3.jpg"
    one, other = found.annotations.tracks[0]
    assert (one.label, masks_of(one)) == (805, {0: (0, 1, 3, 4), 3: (2, 1, 5, 4)})
    assert (other.label, masks_of(other)) == (1, {3: (0, 1, 3, 4)})


@pytest.mark.parametrize(
    ("key", "new", "words"),
    [
        ("segmentations", [{}], "do not fit each other"),
        ("annotated_image_paths", ["0.jpg", "9.jpg"], "do not fit each other"),
        ("segmentations", [{}, {"7": {"rle": "!"}}], "frame 3, track 7"),
        ("track_category_ids", {"7": 805}, "9 is missing"),
        ("track_category_ids", {"7": 805, "9": 4}, "9 4 names no sound record"),
    ],
)
def test_a_faulty_sequence_is_named(tmp_path, burst, key, new, words):
    burst["sequences"][0][key] = new
    with pytest.raises(DataError, match=rf"sequences\[0\] \(id 0\): .*{words}"):
        open_set(write(tmp_path / "train.json", burst))


def test_of_a_file_of_first_frames_the_rest_is_unknown(tmp_path, burst):
    (sequence,) = burst["sequences"]
    once = sequence["segmentations"][0]["7"] | {"bbox": [0, 1, 3, 3], "point": [1, 2]}
    sequence["annotated_image_paths"] = sequence["all_image_paths"]
    # nothing is there at first; then 7 begins, and 9 where nobody says what became of 7
    sequence["segmentations"] = [{}, {"7": once}, {}, {"9": once}]
    path = write(tmp_path / "first_frame_annotations.json", burst)
    found = open_set(path)
    video = found.annotations.videos[0]
    assert (found.kind, video.annotated_frames) == ("burst", (0, 1))
    assert [sorted(track.masks) for track in found.annotations.tracks[0]] == [[1], [3]]
    assert found.notes[0].startswith("1 objects begin in frames")
    back = convert(path, tmp_path / "ytvis.json", to="ytvis").written
    assert back.videos[0].annotated_frames == (0, 1)
    assert [sorted(track.masks) for track in back.tracks[0]] == [[1], [3]]
    sequence["segmentations"] = [{}, {}, {}, {"7": once | {"rle": NOTHING["counts"]}}]
    assert open_set(write(path, burst)).annotations.videos[0].annotated_frames is None


@pytest.fixture
def vipseg(tmp_path):
    images, frames = [], []
    for frame in range(3):
        name = f"{frame:08d}"
        images.append({"id": name, "width": 8, "height": 6, "file_name": f"{name}.jpg"})
        pixels = np.zeros((*SIZE, 3), np.uint8)
        pixels[4:] = (5, 0, 0)
        pixels[a_mask(frame)] = (1, 2, 0)
        if frame < 2:
            path = tmp_path / "panomasksRGB" / "v1" / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
            segments = [{"id": 513, "category_id": 5}, {"id": 5, "category_id": 9, "iscrowd": 0}]
            frames.append({"segments_info": segments, "file_name": f"{name}.png", "image_id": name})
    value = {
        "videos": [{"video_id": "v1", "images": images}],
        "annotations": [{"video_id": "v1", "annotations": frames}],
        "categories": [
            {"id": 5, "name": "cat", "isthing": 1},
            {"id": 9, "name": "grass", "isthing": 0},
        ],
    }
    return write(tmp_path / "panoptic_gt_VIPSeg_train.json", value)


def test_things_of_panoptic_videos_are_objects_and_stuff_is_none(vipseg):
    found = open_set(vipseg)
    assert found.kind == "vipseg"
    assert [category.name for category in found.annotations.categories.values()] == ["cat"]
    (track,) = found.annotations.tracks[1]
    assert masks_of(track) == {0: (0, 1, 3, 4), 1: (1, 1, 4, 4)}
    video = found.annotations.videos[1]
    assert (video.name, video.length, video.annotated_frames) == ("v1", 3, (0, 1))


def test_a_missing_or_other_picture_of_segments_is_named(vipseg):
    picture = vipseg.parent / "panomasksRGB" / "v1" / "00000001.png"
    Image.new("RGB", (5, 5)).save(picture)
    with pytest.raises(DataError, match=r"v1\[1\].* 00000001.png is 5 x 5"):
        open_set(vipseg)
    picture.unlink()
    with pytest.raises(DataError, match=r"v1\[1\].* 00000001.png cannot be read"):
        open_set(vipseg)
    (vipseg.parent / "panomasksRGB").rename(vipseg.parent / "elsewhere")
    with pytest.raises(InputError, match="panomasksRGB"):
        open_set(vipseg)


def test_boxes_that_tao_draws_are_boxes(tmp_path):
    size = {"width": 8, "height": 6}
    corners, cut = [1, 1, 4, 1, 4, 3, 1, 3], [1, 1, 4, 1, 4, 3, 2, 3]
    value = {
        "videos": [{"id": 1, "name": "v", **size}],
        "images": [
            {"id": n, "video_id": 1, "frame_index": n, "file_name": f"{n}.jpg", **size}
            for n in range(2)
        ],
        "tracks": [{"id": 4, "category_id": 1, "video_id": 1}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            {"id": n, "image_id": n, "track_id": 4, "category_id": 1, "bbox": [1, 1, 3, 2]}
            for n in range(2)
        ],
    }
    for polygon, box_only in ((corners, True), (cut, False)):
        for annotation in value["annotations"]:
            annotation["segmentation"] = [polygon]
        (track,) = open_set(write(tmp_path / "train.json", value)).annotations.tracks[1]
        assert track.box_only == box_only and sorted(track.masks) == [0, 1]


def test_what_follows_youtube_vis_is_read_as_it(tmp_path):
    """LV-VIS: 1,196 classes, a folder for each split; UVO: one class, keys of its own."""
    video = {"id": 0, "width": 8, "height": 6, "length": 2, "ytid": "x"}
    video["file_names"] = ["00000/00000.jpg", "00000/00001.jpg"]
    annotation = {"id": 1, "video_id": 0, "category_id": 1196, "iscrowd": 0, "noisy": None}
    annotation |= {"segmentations": [code(a_mask(0)), None], "bboxes": [[0, 1, 3, 3], None]}
    annotation |= {"areas": [9, None], "length": 2, "width": 8, "height": 6}
    frame = tmp_path / "JPEGImages" / "train" / "00000" / "00000.jpg"
    frame.parent.mkdir(parents=True)
    frame.touch()
    for count in (1196, 1):
        annotation["category_id"] = count
        categories = [{"id": n, "name": f"c{n}"} for n in range(1, count + 1)]
        value = {"videos": [video], "categories": categories, "annotations": [annotation]}
        found = open_set(write(tmp_path / "Annotations" / "train_instances.json", value))
        assert (found.kind, len(found.annotations.categories)) == ("ytvis", count)
        assert found.frames == tmp_path / "JPEGImages" / "train"


def test_where_youtube_vis_is_needed_the_others_are_named(tmp_path, burst):
    path = write(tmp_path / "train.json", burst)
    with pytest.raises(DataError, match=r"a file of BURST.* vis data convert --to ytvis"):
        repair(path, tmp_path / "mended.json")
