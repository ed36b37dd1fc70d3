"""What the sinks write is what the readers of each format read, and what a whole result holds."""

import csv
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.inference.knowing import NAMES, Knowing, pictures
from vis import records
from vis.errors import OutputError, UsageError, VisWarning
from vis.formats.coco import read_coco
from vis.formats.davis import read_davis
from vis.formats.mots import read_mots
from vis.formats.ytvis import read_results
from vis.inference.tracking import track
from vis.jobs.saved_state import save_state, saved_states
from vis.ops import rle
from vis.outputs.encoding import encoded
from vis.outputs.frame_result import FrameResult
from vis.outputs.sink import SinkContext
from vis.outputs.sinks import KINDS, check_kinds, open_sinks, output_names
from vis.outputs.summary import Summary, clock, rows
from vis.records import Frame, FrameTracks, Identity, VideoInfo
from vis.storage.append_only_file import AppendOnlyFile
from vis.video import draw, open_video

WIDTH, HEIGHT = 64, 48
INFO = VideoInfo(name="made", width=WIDTH, height=HEIGHT, time_base=Fraction(1, 25))
CATS = {0: "cat", 1: "dog"}


def target(folder: Path, info: VideoInfo = INFO, names=CATS, name: str = "made") -> SinkContext:
    return SinkContext(folder=folder, name=name, info=info, names=names, video_name=name)


def shown(index: int, objects: dict[int, tuple[int, tuple[int, int, int, int]]]) -> FrameResult:
    """A frame with objects, identity -> class and box in pixels; their masks fill their boxes."""
    masks = np.zeros((len(objects), HEIGHT, WIDTH), bool)
    boxes = np.array([box for _, box in objects.values()], np.float32).reshape(-1, 4)
    for mask, (_, (x0, y0, x1, y1)) in zip(masks, objects.values(), strict=True):
        mask[y0:y1, x0:x1] = True
    tracks = FrameTracks(
        index=index,
        time=Fraction(index, 25),
        ids=np.array(list(objects), np.int64),
        labels=np.array([label for label, _ in objects.values()], np.int64),
        scores=np.linspace(0.5, 0.9, len(objects), dtype=np.float32),
        boxes=boxes / np.array([WIDTH, HEIGHT, WIDTH, HEIGHT], np.float32),
        masks=masks,
    )
    pixels = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    return FrameResult(Frame(index, tracks.time, pixels), tracks, INFO, CATS)


def ended(identity: int, label: int) -> Identity:
    return Identity(identity, label, 0.75, np.array([0.25, 0.75], np.float32))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """All results of one video, streamed, and the same video as one whole result."""
    folder = tmp_path_factory.mktemp("written")
    source = folder / "numbered"
    pictures(source, 30)
    kinds = [kind for kind in KINDS if kind != "video"]
    with track(str(source), Knowing(6), size=96, device="cpu") as tracking:
        sinks = open_sinks(kinds, target(folder, tracking.info, tracking.names, "numbered"))
        for frame, tracks in tracking.with_frames():
            for sink in sinks.values():
                sink.write(FrameResult(frame, tracks, tracking.info, tracking.names))
            if tracking.at_edge:
                told = tracking.ended()
                for sink in sinks.values():
                    sink.end(told)
        told = tracking.ended()
        for sink in sinks.values():
            sink.end(told)
            sink.finish(tracking.length)
            sink.close()
    with track(str(source), Knowing(6), size=96, device="cpu") as tracking:
        return folder, tracking.collect()


def test_the_result_list_equals_that_of_a_whole_result(written):
    folder, result = written
    streamed = json.loads((folder / "numbered.json").read_text())
    assert streamed == result.to_ytvis()
    assert [one["id"] for one in streamed] == [track.id for track in result.tracks]
    (tracks,) = read_results(folder / "numbered.json").values()
    assert [track.masks for track in tracks] == [track.masks for track in result.tracks]


def test_coco_is_read_as_the_same_tracks(written):
    folder, result = written
    read = read_coco(folder / "numbered.coco.json")
    assert [category.name for category in read.categories.values()] == list(NAMES)
    (found,) = read.tracks.values()
    assert {one.id: (one.label - 1, one.masks) for one in found} == {
        one.id: (one.label, one.masks) for one in result.tracks
    }


def test_mots_and_davis_are_read_as_masks_without_overlap(written):
    folder, result = written
    (mots,) = read_mots(folder / "numbered.mots").tracks.values()
    (davis,) = read_davis(folder / "numbered.davis").tracks.values()
    whole = {one.label: one.masks for one in result.tracks}
    assert {one.label - 1 for one in mots} == set(whole)
    for one in mots:
        for frame, mask in one.masks.items():
            index_map, full = rle.decode(mask), rle.decode(whole[one.label - 1][frame])
            assert not (index_map & ~full).any()
    assert len(davis) == len(result.tracks)
    assert {len(one.masks) for one in davis} == {len(one.masks) for one in result.tracks}


def test_lines_tell_each_frame_once_and_agree(written):
    folder, result = written
    lines = [json.loads(line) for line in (folder / "numbered.jsonl").read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(30))
    assert [Fraction(line["time"]).limit_denominator(1000) for line in lines] == list(
        result.times.values()
    )
    with (folder / "numbered.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    told = [(line["index"], one) for line in lines for one in line["objects"]]
    assert len(table) == len(told)
    for row, (index, one) in zip(table, told, strict=True):
        assert (int(row["frame"]), int(row["id"])) == (index, one["id"])
        assert row["class"] == one["label"]
        assert [float(row[side]) for side in "xywh"] == one["box"]
        assert int(row["area"]) == rle.area(rle.parse_rle(one["rle"]))


def test_the_folder_of_frames_is_a_video_with_the_same_times(written):
    folder, result = written
    with open_video(folder / "numbered.frames") as reader:
        assert [frame.time for frame in reader] == list(result.times.values())


def test_an_object_gets_the_class_that_it_has_at_its_end(tmp_path):
    sinks = open_sinks(["json", "coco", "mots", "jsonl"], target(tmp_path))
    for index in range(3):
        frame = shown(index, {7: (0, (2, 2, 12, 12)), 9: (0, (20, 20, 30, 30))})
        for sink in sinks.values():
            sink.write(frame)
    for sink in sinks.values():
        sink.end([ended(7, 1)])
        sink.finish(5)
        sink.close()
    (result,) = json.loads((tmp_path / "made.json").read_text())
    assert (result["id"], result["category_id"], len(result["segmentations"])) == (7, 2, 5)
    coco = json.loads((tmp_path / "made.coco.json").read_text())
    assert [(one["instance_id"], one["category_id"]) for one in coco["annotations"]] == [(7, 2)] * 3
    lines = (tmp_path / "made.mots" / "instances_txt" / "made.txt").read_text().splitlines()
    assert [line.split()[:3] for line in lines] == [[str(n), "2001", "2"] for n in range(3)]
    first = json.loads((tmp_path / "made.jsonl").read_text().splitlines()[0])
    assert [one["label"] for one in first["objects"]] == ["cat", "cat"]


def test_an_object_without_a_pixel_is_told_by_its_box_alone(tmp_path):
    sinks = open_sinks([kind for kind in KINDS if kind != "video"], target(tmp_path))
    frame = shown(0, {3: (1, (0, 0, 8, 8))})
    empty = replace(frame.tracks, masks=np.zeros((1, 6, 8), np.float32))
    for sink in sinks.values():
        sink.write(replace(frame, tracks=empty))
        sink.end([ended(3, 1)])
        sink.finish(1)
        sink.close()
    (line,) = (json.loads(one) for one in (tmp_path / "made.jsonl").read_text().splitlines())
    assert line["objects"][0]["rle"] is None
    assert line["objects"][0]["box"] == [0, 0, 8, 8]
    assert json.loads((tmp_path / "made.json").read_text()) == []
    assert json.loads((tmp_path / "made.coco.json").read_text())["annotations"] == []


def test_frames_without_objects_are_there_too(tmp_path):
    kinds = [kind for kind in KINDS if kind != "video"]
    sinks = open_sinks(kinds, target(tmp_path))
    for sink in sinks.values():
        sink.write(shown(0, {}))
        sink.finish(1)
        sink.close()
    assert json.loads((tmp_path / "made.jsonl").read_text())["objects"] == []
    assert json.loads((tmp_path / "made.json").read_text()) == []
    for name in output_names(kinds, "made", ".mp4").values():
        assert (tmp_path / name).exists()


def test_davis_leaves_out_objects_beyond_254_with_one_warning(tmp_path):
    (sink,) = open_sinks(["davis"], target(tmp_path)).values()
    frame = shown(
        0, {identity: (0, (identity % 60, 0, identity % 60 + 1, 1)) for identity in range(300)}
    )
    with pytest.warns(VisWarning, match="254"):
        sink.write(frame)
    sink.write(replace(frame, tracks=replace(frame.tracks, index=1)))
    sink.finish(2)
    assert len(sink.state()["numbers"]) == 254


def test_mots_leaves_out_the_thousandth_of_a_class(tmp_path):
    (sink,) = open_sinks(["mots"], target(tmp_path)).values()
    for index in range(1002):
        sink.write(shown(index, {index: (0, (0, 0, 4, 4))}))
        sink.end([ended(index, 0)])
    with pytest.warns(VisWarning, match="999.*3 are left out"):
        sink.finish(1002)
    sink.close()
    lines = (tmp_path / "made.mots" / "instances_txt" / "made.txt").read_text().splitlines()
    assert len(lines) == len({line.split()[1] for line in lines}) == 999


def test_memory_of_the_result_list_does_not_hold_masks(tmp_path):
    (sink,) = open_sinks(["json"], target(tmp_path)).values()
    for index in range(50):
        sink.write(shown(index, {1: (0, (index % 9, 0, 30, 20))}))
    sink.end([ended(1, 0)])
    assert sink.state()["live"] == []
    sink.finish(50)
    sink.close()
    (tracks,) = read_results(tmp_path / "made.json").values()
    assert len(tracks[0].masks) == 50


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "video"])
def test_a_sink_goes_on_from_its_state_as_if_nothing_had_come_after(tmp_path, kind):
    frames = [
        shown(index, {n: (n % 2, (n, n, n + 9 + index, n + 8)) for n in range(index % 4 + 1)})
        for index in range(12)
    ]
    for name, broken in (("whole", False), ("broken", True)):
        folder = tmp_path / name
        folder.mkdir()
        (sink,) = open_sinks([kind], target(folder)).values()
        for frame in frames[:6]:
            sink.write(frame)
        sink.end([ended(3, 0)])
        if broken:
            state = json.loads(json.dumps(sink.state()))
            for frame in frames[6:9]:
                sink.write(frame)
            sink.end([ended(2, 1)])
            sink.close()
            (sink,) = open_sinks([kind], target(folder), {kind: state}).values()
        for frame in frames[6:]:
            sink.write(frame)
        sink.end([ended(n, n % 2) for n in range(3)])
        sink.finish(12)
        sink.close()
    for path in (tmp_path / "whole").rglob("*"):
        if path.is_file():
            other = tmp_path / "broken" / path.relative_to(tmp_path / "whole")
            assert path.read_bytes() == other.read_bytes()


def test_unknown_kinds_are_named():
    with pytest.raises(UsageError, match="'jsonl'"):
        check_kinds(["jsnol"])
    with pytest.raises(UsageError, match="nothing is to be saved"):
        check_kinds([])
    assert check_kinds(["csv", "video", "csv"]) == ("video", "csv")


def test_a_growing_file_keeps_whole_records(tmp_path):
    file = AppendOnlyFile(tmp_path / "file")
    places = [file.append(f"line {n}\n".encode()) for n in range(2000)]
    assert file.line_at(places[1234]) == b"line 1234"
    assert file.sync() == (tmp_path / "file").stat().st_size
    file.close()
    again = AppendOnlyFile(tmp_path / "file", places[10])
    assert [line.decode() for line in again.lines()] == [f"line {n}" for n in range(10)]
    again.close()
    with pytest.raises(OutputError):
        AppendOnlyFile(tmp_path / "missing" / "file")


def test_states_are_whole_or_passed_over(tmp_path):
    import torch

    value = {"a": [1, {"t": torch.arange(3)}], "b": None, "c": 0.1}
    for number in range(6):
        save_state(tmp_path, number, value | {"number": number})
    found = list(saved_states(tmp_path))
    assert [number for number, _ in found] == [5, 4, 3, 2]
    assert found[0][1]["a"][1]["t"].tolist() == [0, 1, 2]
    newest = tmp_path / "state-00000005.json"
    newest.write_bytes(newest.read_bytes().replace(b"0.1", b"0.2", 1))
    assert [number for number, _ in saved_states(tmp_path)] == [4, 3, 2]


def test_the_summary_tells_when_and_how_much(tmp_path):
    summary = Summary()
    for index in range(4):
        summary.add(shown(index, {5: (1, (0, 0, WIDTH // 2, HEIGHT))}))
    assert [one.id for one in summary.standing(2)] == [5]
    summary.end([ended(5, 0)])
    assert not summary.standing(2)
    again = Summary(json.loads(json.dumps(summary.state())))
    table = rows(again.sightings.values(), {0: "c\x1b[31mat"}, most=9)
    assert table[1] == ("c\\x1b[31mat", "5", "0.75", "0:00.00", "0:00.12", "4", "50.0%")
    assert len(rows(again.sightings.values(), {}, most=0)) == 1
    assert (clock(3723.456), clock(59.999), clock(-0.5)) == ("1:02:03.46", "1:00.00", "-0:00.50")


def test_masks_are_encoded_once(tmp_path):
    frame = shown(0, {1: (0, (0, 0, 9, 9))})
    assert frame.rles is frame.rles
    assert frame.rles == encoded(frame.tracks, INFO)
    assert isinstance(frame.rles[0], records.RLE)
    assert frame.areas == [rle.area(mask) for mask in frame.rles]
    assert frame.annotated is frame.annotated
    plain = draw(frame.frame, frame.tracks, names=frame.names)
    assert (frame.annotated.pixels == plain.pixels).all()
