import json
from dataclasses import replace

import numpy as np
import pytest

from vis.errors import DataError, InputError, OutputExistsError
from vis.formats.ytvis import (
    AnnotationSet,
    Category,
    VideoEntry,
    read_annotations,
    read_results,
    read_tracks,
    read_videos,
    write_annotations,
    write_results,
)
from vis.ops import rle
from vis.records import Track

ANNOTATION_FILES = [
    "data/pack_dev/davis_dev/instances.json",
    "data/pack_test/vis_tiny/instances.json",
    "data/pack_train/davis_train/instances.json",
    "data/pack_test/eval_refs/ytvis_ap/gt.json",
    "golden/ytvis_eval/odd_annotations.json",
    "golden/ytvis_eval/small_annotations.json",
]
RESULT_FILES = [
    ("data/pack_test/eval_refs/ytvis_ap/results.json", ANNOTATION_FILES[3]),
    ("golden/ytvis_eval/odd_results.json", ANNOTATION_FILES[4]),
    ("golden/ytvis_eval/small_results.json", ANNOTATION_FILES[5]),
]


def spot(seed, height=6, width=8):
    return rle.encode(np.random.default_rng(seed).random((height, width)) < 0.4)


def small_set():
    """Two videos, gaps in every kind of id, a crowd, an empty mask and keys of other people."""
    videos = [
        VideoEntry(3, "b", 8, 6, 3, ("b/0.jpg", "b/1.jpg", "b/2.jpg"), {"fps": 5}),
        VideoEntry(7, "a", 9, 5, 1, ("a/0.jpg",)),
    ]
    tracks = {
        3: [
            Track(40, 9, 1.0, {0: spot(1), 2: spot(2)}),
            Track(12, 5, 1.0, {1: rle.encode(np.zeros((6, 8), bool))}, crowd=True),
        ],
        7: [],
    }
    return AnnotationSet(
        categories={9: Category(9, "cat", {"supercategory": "animal"}), 5: Category(5, "dog")},
        videos={video.id: video for video in videos},
        tracks=tracks,
        track_extra={40: {"occlusion": ["no", "no", "slight"], "areas": [1, None, 2.5]}},
        extra={"info": {"year": 2019}, "licenses": []},
    )


def test_a_set_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "truth.json"
    write_annotations(path, small_set())
    assert read_annotations(path) == small_set()
    with pytest.raises(OutputExistsError):
        write_annotations(path, small_set())
    write_annotations(path, read_annotations(path), overwrite=True)
    assert read_annotations(path) == small_set()


def test_boxes_and_areas_of_the_masks_are_written(tmp_path):
    path = tmp_path / "truth.json"
    write_annotations(path, replace(small_set(), track_extra={}))
    first, crowd = json.loads(path.read_bytes())["annotations"]
    shown = rle.decode(spot(1))
    rows, columns = np.nonzero(shown)
    assert first["areas"] == [shown.sum(), None, rle.area(spot(2))]
    assert first["bboxes"][0] == [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
    assert first["bboxes"][1] is None and first["segmentations"][1] is None
    assert (crowd["iscrowd"], crowd["areas"], crowd["bboxes"]) == (1, [None, 0, None], [None] * 3)


def test_run_lists_and_polygons_are_masks_too(tmp_path):
    path = tmp_path / "truth.json"
    write_annotations(path, replace(small_set(), track_extra={}))
    value = json.loads(path.read_bytes())
    entry = value["annotations"][0]
    entry["segmentations"] = [
        {"size": [6, 8], "counts": [6, 0, 0, 12, 30]},
        [[1, 1, 4, 1, 4, 3, 1, 3], [5, 0, 8, 0, 8, 6, 5, 6]],
        None,
    ]
    del entry["bboxes"], entry["areas"]
    path.write_text(json.dumps(value))
    masks = read_annotations(path).tracks[3][0].masks
    rows = ["01100000"] * 6
    assert rle.decode(masks[0]).astype(int).tolist() == [[int(c) for c in row] for row in rows]
    rows = ["00000111", "01110111", "01110111", "00000111", "00000111", "00000111"]
    assert rle.decode(masks[1]).astype(int).tolist() == [[int(c) for c in row] for row in rows]
    assert list(masks) == [0, 1]


def test_a_video_without_name_is_called_by_its_folder(tmp_path):
    path = tmp_path / "truth.json"
    write_annotations(path, small_set())
    value = json.loads(path.read_bytes())
    for video, names in zip(value["videos"], [["x/y/0.jpg"] * 3, ["0.jpg"]], strict=True):
        del video["name"]
        video["file_names"] = names
    path.write_text(json.dumps(value))
    assert [video.name for video in read_videos(path).videos.values()] == ["x/y", "7"]


def test_videos_are_read_from_a_set_without_public_truth(tmp_path):
    path = tmp_path / "valid.json"
    write_annotations(path, small_set())
    value = {**json.loads(path.read_bytes()), "annotations": None}
    path.write_text(json.dumps(value))
    with pytest.raises(DataError, match="annotations is null"):
        read_annotations(path)
    bare = small_set()
    assert read_videos(path) == replace(bare, tracks={3: [], 7: []}, track_extra={})


def results():
    return {
        7: [Track(2, 5, 0.25, {0: spot(3, 5, 9)})],
        3: [Track(1, 9, 1.0, {0: spot(4), 2: spot(5)}), Track(3, 5, 0.0, {})],
    }


def test_results_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "results.json"
    write_results(path, results(), {3: 3, 7: 1})
    assert read_results(path) == results()
    assert read_results(path, small_set()) == results()
    with pytest.raises(OutputExistsError):
        write_results(path, results(), {3: 3, 7: 1})


def test_ids_of_results_are_places_in_the_file(tmp_path):
    path = tmp_path / "results.json"
    write_results(path, {3: [replace(track, id=10 * track.id) for track in results()[3]]}, {3: 3})
    assert [track.id for track in read_results(path)[3]] == [1, 2]


def test_no_results_are_results(tmp_path):
    path = tmp_path / "results.json"
    write_results(path, {}, {})
    assert read_results(path) == {}
    assert read_results(path, small_set()) == {3: [], 7: []}


def test_numbers_of_arrays_are_written_as_numbers(tmp_path):
    track = Track(np.int64(1), np.int64(9), np.float32(0.5), {np.int64(0): spot(1)})
    write_results(tmp_path / "results.json", {np.int64(3): [track]}, {3: 3})
    assert read_results(tmp_path / "results.json") == {3: [Track(1, 9, 0.5, {0: spot(1)})]}


def test_either_kind_is_opened(tmp_path):
    truth, found = tmp_path / "truth.json", tmp_path / "results.json"
    write_annotations(truth, small_set())
    write_results(found, results(), {3: 3, 7: 1})
    assert read_tracks(truth) == small_set()
    assert read_tracks(found) == AnnotationSet(categories={}, videos={}, tracks=results())
    known = read_tracks(found, small_set())
    assert known.tracks == results()
    assert (known.videos, known.categories) == (small_set().videos, small_set().categories)


def test_what_would_not_be_read_again_is_not_written(tmp_path):
    path = tmp_path / "new.json"
    whole = small_set()
    track = whole.tracks[3][0]
    for tracks, said in [
        ({5: [track]}, "tracks of video 5, which is not among the videos"),
        ({3: [track, track]}, r"annotations\[1\] \(id 40\): id 40 belongs to an earlier record"),
        ({3: [replace(track, label=6)]}, "category_id 6 names no"),
        ({3: [replace(track, masks={3: spot(1)})]}, "track 40 of video 3 has a mask in frame 3"),
        ({3: [replace(track, masks={1: spot(1, 8, 6)})]}, "frame 1: size is 8 x 6 but .* 6 x 8"),
    ]:
        with pytest.raises(DataError, match=said) as caught:
            write_annotations(path, replace(whole, tracks=tracks, track_extra={}))
        assert "Nothing was written" in str(caught.value) and str(path) in str(caught.value)
    for tracks, said in [
        ({5: [track]}, "number of frames of video 5 is not given"),
        ({3: [replace(track, score=float("nan"))]}, "score is nan"),
        ({3: [replace(track, score=1.5)]}, "score is 1.5"),
        ({3: [replace(track, masks={-1: spot(1)})]}, "a mask in frame -1"),
        ({3: [track, replace(track, masks={1: spot(1, 8, 6)})]}, "masks are 8 x 6 but"),
    ]:
        with pytest.raises(DataError, match=said) as caught:
            write_results(path, tracks, {3: 3})
        assert "Nothing was written" in str(caught.value) and str(path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ANNOTATION_FILES)
def test_real_annotations_are_read_and_come_back(shared, tmp_path, name):
    whole = read_annotations(shared / name)
    raw = json.loads((shared / name).read_bytes())
    assert sum(map(len, whole.tracks.values())) == len(raw["annotations"]) > 0
    assert list(whole.videos) == [video["id"] for video in raw["videos"]]
    write_annotations(tmp_path / "copy.json", whole)
    assert read_annotations(tmp_path / "copy.json") == whole
    copy = json.loads((tmp_path / "copy.json").read_bytes())
    by_id = {entry["id"]: entry for entry in copy["annotations"]}
    for entry in raw["annotations"]:
        for key in entry.keys() - {"segmentations"}:
            assert by_id[entry["id"]][key] == entry[key]
    for key in raw.keys() - {"annotations", "videos"}:
        assert copy[key] == raw[key]


@pytest.mark.parametrize(("name", "truth_name"), RESULT_FILES)
def test_real_results_are_read_and_come_back(shared, tmp_path, name, truth_name):
    truth = read_annotations(shared / truth_name)
    found = read_results(shared / name, truth)
    raw = json.loads((shared / name).read_bytes())
    tracks = {track.id: (video_id, track) for video_id in found for track in found[video_id]}
    assert sorted(tracks) == list(range(1, len(raw) + 1))
    for place, entry in enumerate(raw, 1):
        video_id, track = tracks[place]
        stated = (entry["video_id"], entry["category_id"], entry["score"])
        assert (video_id, track.label, track.score) == stated
        assert [frame in track.masks for frame in range(len(entry["segmentations"]))] == [
            mask is not None for mask in entry["segmentations"]
        ]
    lengths = {video.id: video.length for video in truth.videos.values()}
    write_results(tmp_path / "copy.json", found, lengths)
    assert read_results(tmp_path / "copy.json", truth) == found
    assert read_tracks(shared / name).tracks == {key: kept for key, kept in found.items() if kept}


def test_a_missing_file_is_an_input_error(tmp_path):
    for read in (read_annotations, read_videos, read_results, read_tracks):
        with pytest.raises(InputError, match="no such file"):
            read(tmp_path / "missing.json")
