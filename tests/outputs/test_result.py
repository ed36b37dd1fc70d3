"""All tracks of a video: what files, other tools and notebooks get of them is the truth."""

import csv
import html
import importlib
import json
import re
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import vis
from tests.conftest import KINDS, write_film
from tests.inference.knowing import CELL, NAMES, Knowing, pictures, truth
from vis.errors import DeviceError, InputError, OutputExistsError, UsageError
from vis.formats.coco import pictures_of, read_coco
from vis.formats.davis import read_davis
from vis.formats.mots import read_mots
from vis.formats.reading import Reading
from vis.formats.ytvis import read_results
from vis.ops import rle
from vis.outputs.encoding import encoded
from vis.outputs.fiftyone import frame_fields
from vis.outputs.result import Result
from vis.records import RLE, FrameTracks, VideoInfo

LENGTH = 14


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos") / "the clip"
    pictures(folder, LENGTH)
    return folder


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    return vis.track(folder, Knowing(6), stride=4, size=96).collect()


def whole(number: int, label: int) -> np.ndarray | None:
    """The truth at the size of the video."""
    mask = truth(number).get(label)
    return None if mask is None else mask.repeat(CELL, 0).repeat(CELL, 1)


def agrees(mask: RLE, expected: np.ndarray) -> bool:
    """Enlarging rounds corners."""
    found = rle.decode(mask)
    return (found & expected).sum() / (found | expected).sum() > 0.95


def test_it_holds_the_truth_at_the_size_of_the_video(result: Result):
    assert len(result) == len(result.tracks) == 3
    assert [track.label for track in result.tracks] == [0, 1, 2]
    assert result.length == LENGTH and list(result.times) == list(range(LENGTH))
    for track in result.tracks:
        assert result.identities[track.id].score == track.score > 0.8
        expected = {n for n in range(LENGTH) if whole(n, track.label) is not None}
        assert set(track.masks) == expected
        for number, mask in track.masks.items():
            truth_here = whole(number, track.label)
            assert truth_here is not None and agrees(mask, truth_here)


def test_frames_that_were_not_looked_at_have_no_masks(folder: Path):
    result = vis.track(folder, Knowing(3), every=4, size=96).collect()
    assert list(result.times) == [0, 4, 8, 12] and result.length == LENGTH
    [person] = [track for track in result.tracks if track.label == 2]
    assert set(person.masks) == {4, 8}
    [first, *_] = result.to_ytvis()
    assert [n for n, mask in enumerate(first["segmentations"]) if mask] == [0, 4, 8, 12]


def test_nothing_found_is_a_result_too(folder: Path, tmp_path: Path):
    result = vis.track(folder, Knowing(6), size=96, threshold=1.0).collect()
    assert result.tracks == [] and result.to_ytvis() == []
    result.save(tmp_path / "r.json")
    assert read_results(tmp_path / "r.json") == {}
    result.save(tmp_path / "davis", "davis")
    assert "0 objects" in result._repr_html_()


def test_youtube_vis_results_are_those_of_the_file(result: Result, tmp_path: Path):
    result.save(tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text()) == result.to_ytvis()
    read = read_results(tmp_path / "r.json")[1]
    for track, expected in zip(read, result.tracks, strict=True):
        assert track.label == expected.label + 1
        assert track.masks == expected.masks
    assert [one["category_id"] for one in result.to_ytvis(7, ids=[5, 9, 3])] == [5, 9, 3]
    assert {one["video_id"] for one in result.to_ytvis(7)} == {7}
    with pytest.raises(OutputExistsError):
        result.save(tmp_path / "r.json")
    result.save(tmp_path / "r.json", overwrite=True)


def test_coco_is_read_again_with_identities_and_scores(result: Result, tmp_path: Path):
    result.save(tmp_path / "c.json", "coco")
    result.save(tmp_path / "d.coco.json")
    assert (tmp_path / "d.coco.json").read_bytes() == (tmp_path / "c.json").read_bytes()
    read = read_coco(tmp_path / "c.json")
    assert [category.name for category in read.categories.values()] == list(NAMES)
    [video] = read.videos.values()
    assert (video.name, video.length) == ("the_clip", LENGTH)
    assert [t.masks for t in read.tracks[video.id]] == [t.masks for t in result.tracks]
    value = result.to_coco()
    assert value == json.loads((tmp_path / "c.json").read_text())
    assert all(entry["score"] > 0.8 for entry in value["annotations"])
    assert pictures_of(value, Reading("it")).tracks == read.tracks


@pytest.mark.parametrize(("kind", "read"), [("davis", read_davis), ("mots", read_mots)])
def test_folders_of_pictures_are_read_again(result: Result, tmp_path: Path, kind: str, read):
    result.save(tmp_path / kind, kind)
    found = read(tmp_path / kind)
    [video] = found.videos.values()
    assert (video.width, video.height, video.length) == (160, 96, LENGTH)
    for track, expected in zip(found.tracks[video.id], result.tracks, strict=True):
        for number, mask in track.masks.items():
            assert rle.iou([mask], [expected.masks[number]])[0, 0] > 0.8  # less what lies above
    with pytest.raises(OutputExistsError):
        result.save(tmp_path / kind, kind)


def test_a_table_has_a_line_for_each_object_of_each_frame(result: Result, tmp_path: Path):
    result.save(tmp_path / "t.csv")
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert len(rows) == sum(len(track.masks) for track in result.tracks)
    cat = next(track for track in result.tracks if track.label == 0)
    first = rows[0]
    assert (first["frame"], first["class"], int(first["id"])) == ("0", "cat", cat.id)
    assert int(first["area"]) == rle.area(cat.masks[0])


def test_a_video_is_drawn_from_its_source(tmp_path: Path):
    film = tmp_path / "film.mp4"
    write_film(film, KINDS["h264"], 12)
    result = vis.track(film, Knowing(6), size=96, every=2).collect()
    result.save(tmp_path / "drawn.mp4")
    with vis.open_video(tmp_path / "drawn.mp4") as annotated, vis.open_video(film) as plain:
        pairs = list(zip(annotated, list(plain)[::2], strict=True))
    assert [one.time for one, _ in pairs] == [Fraction(n, 25) for n in range(0, 12, 2)]
    assert all(abs(a.pixels.astype(int) - b.pixels).max() > 60 for a, b in pairs)
    moved = film.rename(tmp_path / "elsewhere.mp4")
    result.save(tmp_path / "again.mkv", source=moved)
    assert (tmp_path / "again.mkv").is_file()
    with pytest.raises(UsageError, match="live"):
        replace(result, info=replace(result.info, live=True)).save(tmp_path / "live.mp4")


def test_another_video_than_the_tracked_one_is_refused(tmp_path: Path):
    film, short = tmp_path / "film.mp4", tmp_path / "short.mp4"
    write_film(film, KINDS["h264"], 12)
    write_film(short, KINDS["h264"], 6)
    result = vis.track(film, Knowing(6), size=96).collect()
    with pytest.raises(InputError, match="frame 6 is not there any more"):
        result.save(tmp_path / "drawn.mp4", source=short)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "short.mp4"]


@pytest.mark.parametrize(("name", "kind"), [("r.xyz", None), ("folder", None), ("r", "yaml")])
def test_an_unknown_format_is_refused_with_those_there_are(result, tmp_path, name, kind):
    with pytest.raises(UsageError, match="video, json, jsonl, coco, mots, davis, csv, frames"):
        result.save(tmp_path / name, kind)


def test_masks_are_encoded_as_they_are_drawn():
    info = VideoInfo(name="v", width=31, height=17, time_base=Fraction(1, 25))
    draw = np.random.default_rng(0)
    masks = np.zeros((3, 6, 8), np.float32)
    masks[0, 1:4, 2:5] = 0.9
    masks[1] = draw.random((6, 8))
    tracks = FrameTracks(
        index=0,
        time=Fraction(0),
        ids=np.arange(3),
        labels=np.zeros(3, np.int64),
        scores=np.ones(3, np.float32),
        boxes=np.zeros((3, 4), np.float32),
        masks=masks,
    )
    from vis.video.cutouts import cut

    codes = encoded(tracks, info)
    assert codes[2] is None
    for code, mask in zip(codes[:2], masks, strict=False):
        found = cut(mask, 31, 17)
        assert code is not None and found is not None
        x0, y0, x1, y1 = found.box
        page = np.zeros((17, 31), bool)
        page[y0:y1, x0:x1] = found.inside
        assert (rle.decode(code) == page).all()


def test_a_notebook_shows_objects_and_frames(result: Result):
    page = result._repr_html_()
    assert page.count("<tr>") == 1 + 3 and page.count("<img") == 6
    cells = re.findall(r"<td>(.*?)</td>", page)
    person = cells[cells.index("person") - 1 :][:7]
    assert person[3:6] == ["0.12 s", "0.40 s", "8"]
    assert len(page) < 200_000


def test_a_notebook_escapes_names_and_does_without_the_video(result: Result):
    hostile = "<script>alert(1)</script>"
    gone = replace(
        result,
        info=replace(result.info, name=f"{hostile}.mp4"),
        names=dict.fromkeys(range(3), hostile),
    )
    page = gone._repr_html_()
    assert "<script" not in page and html.escape(hostile) in page
    assert "no pictures" in page and "<img" not in page


def test_supervision_is_asked_for_by_name_where_it_is_not_installed(result: Result, monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(DeviceError, match="pip install supervision"):
        result.to_supervision()


def test_detections_for_supervision(result: Result):
    pytest.importorskip("supervision", reason="the library supervision is not installed")
    library = importlib.import_module("supervision")
    found = dict(result.to_supervision())
    assert list(found) == list(range(LENGTH))
    for number, one in found.items():
        assert isinstance(one, library.Detections) and len(one) == len(truth(number))
        assert one.mask.shape == (len(one), 96, 160)
        assert one.data["class_name"].tolist() == [NAMES[label] for label in one.class_id]


def test_fields_of_the_detections_of_fiftyone(result: Result):
    frames = frame_fields(result)
    assert list(frames) == [n + 1 for n in range(LENGTH) if truth(n)], "it counts from 1"
    for number, detections in frames.items():
        expected = {
            (NAMES[track.label], track.id) for track in result.tracks if number - 1 in track.masks
        }
        assert {(fields["label"], fields["index"]) for fields in detections} == expected
        for fields in detections:
            assert set(fields) == {"label", "bounding_box", "mask", "confidence", "index"}
            left, top, width, height = fields["bounding_box"]
            assert fields["mask"].shape == (round(height * 96), round(width * 160))
            mask = np.zeros((96, 160), bool)
            rows, columns = round(top * 96), round(left * 160)
            mask[rows : rows + round(height * 96), columns : columns + round(width * 160)] = fields[
                "mask"
            ]
            [track] = [one for one in result.tracks if one.id == fields["index"]]
            assert np.array_equal(mask, rle.decode(track.masks[number - 1]))


def test_fiftyone_is_asked_for_by_name_and_needs_a_video_file(result: Result, monkeypatch):
    monkeypatch.setitem(sys.modules, "fiftyone", None)
    with pytest.raises(UsageError, match="needs a video file"):
        result.to_fiftyone()
    with pytest.raises(DeviceError, match="pip install fiftyone"):
        result.to_fiftyone("clip.mp4")


def test_a_sample_of_fiftyone(result: Result):
    library = pytest.importorskip("fiftyone", reason="the library fiftyone is not installed")
    sample = result.to_fiftyone("clip.mp4")
    assert isinstance(sample, library.Sample) and sample.media_type == "video"
    assert len(sample.frames[1].objects.detections) == len(truth(0))


def test_a_part_of_a_result_is_a_result_of_the_same_video(result: Result, tmp_path: Path):
    name = result.names[1]
    part = result.only(classes=[name])
    assert [result.names[track.label] for track in part.tracks] == [name]
    assert (part.length, list(part.times)) == (result.length, list(result.times))
    (id_,) = (track.id for track in part.tracks)
    part.save(tmp_path / "part.csv")
    with (tmp_path / "part.csv").open() as file:
        assert {row["id"] for row in csv.DictReader(file)} == {str(id_)}
    assert [track.id for track in result.only(ids=[id_]).tracks] == [id_]


def test_asking_for_what_is_not_there_names_what_is(result: Result):
    with pytest.raises(UsageError, match=r"there is no object 99.*There are: 0, 1, 2"):
        result.only(ids=[99])
    with pytest.raises(UsageError, match="there is no class 'unicorn'"):
        result.only(classes=["unicorn"])


def test_a_table_has_the_rows_of_the_csv(result: Result, tmp_path: Path):
    table = result.to_pandas()
    result.save(tmp_path / "all.csv")
    with (tmp_path / "all.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(table.columns) == list(rows[0]) and len(table) == len(rows)
