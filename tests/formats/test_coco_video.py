"""CocoVID: videos taken apart into pictures and put together again are equal."""

import json
import re

import pytest

from vis.errors import DataError
from vis.formats.coco import read_coco, write_coco
from vis.formats.ytvis import read_annotations


@pytest.fixture
def frames(write, truth, tmp_path):
    """The sound truth by frame, as written."""
    for name in ("bboxes", "areas"):
        del truth["annotations"][0][name]
    truth["videos"][0]["licence"] = "own"
    truth["annotations"][0]["note"] = ["kept"]
    write_coco(tmp_path / "frames.json", read_annotations(write(truth)))
    return json.loads((tmp_path / "frames.json").read_text())


def test_videos_come_back_as_they_were(write, truth, frames):
    stated = read_annotations(write(truth))
    assert read_coco(write(frames, "again.json")) == stated
    assert len(frames["images"]) == 3 and len(frames["annotations"]) == 2
    assert frames["images"][1]["file_name"] == "b/1.jpg"
    assert frames["annotations"][0]["instance_id"] == 40


def test_keys_of_single_frames_are_kept_by_frame(write, frames, tmp_path):
    frames["images"][1]["blur"] = 3
    frames["annotations"][1]["pose"] = "sits"
    read = read_coco(write(frames))
    assert read.videos[3].extra == {"licence": "own", "images": [{}, {"blur": 3}]}
    assert read.track_extra[41] == {"pose": "sits"}
    write_coco(tmp_path / "again.json", read)
    assert read_coco(tmp_path / "again.json") == read


def test_frames_are_ordered_by_their_number_and_the_other_names_are_read(write, frames):
    for image in frames["images"]:
        image["frame_index"] = 10 - image.pop("frame_id")
    for annotation in frames["annotations"]:
        annotation["track_id"] = annotation.pop("instance_id")
    read = read_coco(write(frames))
    assert read.videos[3].file_names == ("b/1.jpg", "b/0.jpg")
    assert list(read.tracks[3][0].masks) == [1]


def test_an_instance_id_of_two_videos_is_two_objects(write, frames):
    for annotation in frames["annotations"]:
        annotation["instance_id"] = 0
    read = read_coco(write(frames))
    assert [track.id for found in read.tracks.values() for track in found] == [1, 2]


FAULTS = [
    (("images", 1, "video_id"), 99, "image 2: video_id 99 names no sound record among videos"),
    (("images", 1, "video_id"), ..., "image 2: video_id is missing"),
    (("images", 1, "frame_id"), 0, "image 2: frame 0 of video 3 is there twice"),
    (("images", 1, "frame_id"), ..., "image 2: frame_id is missing"),
    (("images", 1, "width"), 9, "image 2: it is 9 x 6, frames before it 8 x 6"),
    (("annotations", 0, "instance_id"), ..., "annotation 1: instance_id is missing"),
    (("annotations", 0, "instance_id"), "1", "annotation 1: instance_id is text '1'"),
    (("videos", 1, "id"), 3, r"videos\[1\] \(id 3\): id 3 belongs"),
]


@pytest.mark.parametrize(("place", "new", "words"), FAULTS)
def test_a_faulty_record_is_named_and_collected(write, frames, changed, place, new, words):
    path = write(changed(frames, place, new))
    with pytest.raises(DataError, match=f"{re.escape(str(path))}: {words}") as raised:
        read_coco(path)
    assert raised.value.remedy
    faults = []
    read_coco(path, faults)
    assert str(faults[0]) == str(raised.value)


def test_one_instance_is_once_in_a_frame_and_of_one_category(write, frames):
    first = frames["annotations"][0]
    again = first | {"id": 90, "segmentation": first["segmentation"]}
    frames["annotations"].append(again)
    with pytest.raises(DataError, match="instance 40 in frame 0 of video 3 is there twice"):
        read_coco(write(frames))
    frames["annotations"][-1] |= {"image_id": 2, "category_id": 5}
    with pytest.raises(DataError, match="annotation 90: instance 40 is of another category"):
        read_coco(write(frames))


def test_a_real_file_of_another_project_is_read(shared):
    path = shared / "data" / "pack_test" / "eval_refs" / "mmtracking_vis" / "ann.json"
    read = read_coco(path)
    (video,) = read.videos.values()
    assert (video.name, video.length, len(read.tracks[video.id])) == ("0043f083b5", 1, 1)


def test_real_videos_come_back_as_they_were(shared, tmp_path):
    stated = read_annotations(shared / "data" / "pack_test" / "vis_tiny" / "instances.json")
    write_coco(tmp_path / "frames.json", stated)
    assert read_coco(tmp_path / "frames.json") == stated
