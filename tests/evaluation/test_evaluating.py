"""Results and models against the truth: one road, any format, alone or together."""

import json
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

import vis
from tests.inference.knowing import HEIGHT, NAMES, THINGS, WIDTH, Knowing, pictures
from vis.errors import DataError, InputError, UsageError
from vis.evaluation.distributed import DistributedContext
from vis.evaluation.evaluate import evaluate, evaluate_model, predict_set
from vis.formats.opening import open_set
from vis.formats.ytvis import write_annotations, write_results
from vis.formats.ytvis_records import AnnotationSet, Category, VideoEntry
from vis.ops import rle
from vis.records import Track

LENGTHS = {"a": 14, "b": 9, "c": 1}
SETTINGS = {"size": HEIGHT, "device": "cpu"}


def entry(video_id, name, length):
    files = tuple(f"{name}/{n:05d}.png" for n in range(length))
    return VideoEntry(video_id, name, WIDTH, HEIGHT, length, files)


def tracks_of(length, first):
    """The truth of the first frames of numbered pictures."""
    tracks = []
    for thing in THINGS:
        pages = {n: thing.mask(n, 24, 40) > 0.5 for n in range(length)}
        masks = {
            n: rle.encode(np.kron(p, np.ones((4, 4), bool))) for n, p in pages.items() if p.any()
        }
        if masks:
            tracks.append(Track(first + len(tracks), thing.label + 1, 1.0, masks))
    return tracks


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three videos of numbered pictures with the truth that `Knowing` reads from them."""
    folder = tmp_path_factory.mktemp("set")
    videos, tracks = {}, {}
    for video_id, (name, length) in enumerate(LENGTHS.items(), 1):
        pictures(folder / name, length)
        videos[video_id] = entry(video_id, name, length)
        tracks[video_id] = tracks_of(length, 10 * video_id)
    categories = {n: Category(n, name) for n, name in enumerate(NAMES, 1)}
    write_annotations(folder / "instances.json", AnnotationSet(categories, videos, tracks))
    return folder / "instances.json"


def changed(data, tmp_path, **others):
    """The data set with another part, its frames where they were."""
    found = open_set(data)
    path = tmp_path / "changed.json"
    write_annotations(path, replace(found.annotations, **others))
    return open_set(path, found.frames)


def test_a_model_that_knows_the_truth_is_perfect_and_keeps_its_mode(data):
    model = Knowing(6)
    model.part, model.frozen = torch.nn.Linear(1, 1), torch.nn.BatchNorm1d(1)
    model.train()
    model.frozen.eval()
    numbers = evaluate_model(model, data, metrics=("ap", "identity"), size=HEIGHT)
    assert numbers["AP50"] == pytest.approx(1)
    assert numbers["AP"] > 0.8
    assert numbers["IDF1"] == pytest.approx(1)
    assert numbers["ID_switches"] == 0
    assert model.training and model.part.training and not model.frozen.training


def test_what_a_model_is_hardly_sure_of_counts_too(data):
    class Doubting(Knowing):
        """Right, but its scores are low, and so is its presence in each frame."""

        def _said(self, numbers, rows, columns):
            said = super()._said(numbers, rows, columns)
            low = {"scores": said.scores * 0.1, "class_scores": said.class_scores * 0.1}
            return replace(said, **low, presence=said.presence * 0.1)

    part, found, _ = predict_set(Doubting(6), data, **SETTINGS)
    assert evaluate(part, found).precision.numbers["AP50"] == pytest.approx(1)


def test_the_mode_is_kept_when_the_data_is_wrong(tmp_path, data):
    model = Knowing(6)
    model.part = torch.nn.Linear(1, 1)
    model.train()
    other = changed(data, tmp_path)
    with pytest.raises(InputError, match="pictures were not found"):
        evaluate_model(model, replace(other, frames=None), size=HEIGHT)
    assert model.part.training


def test_a_part_is_looked_at_alone(data):
    model = Knowing(6)
    found, tracks, _ = predict_set(model, data, videos=["b"], **SETTINGS)
    assert list(found.annotations.videos) == list(tracks) == [2]
    found, tracks, _ = predict_set(model, data, videos=2, **SETTINGS)
    assert list(tracks) == [1, 2]
    with pytest.raises(UsageError, match="no video 'z'"):
        predict_set(model, data, videos=["z"], **SETTINGS)
    with pytest.raises(UsageError, match="no video is left"):
        predict_set(model, data, videos=0, **SETTINGS)


def test_categories_are_matched_by_name_and_those_the_model_does_not_know_are_told(data, tmp_path):
    """The data set calls the dog a hound, and has a car and a second word for cats."""
    table = {1: Category(1, "cat"), 2: Category(2, "hound"), 3: Category(3, "car")}
    table[4] = Category(4, "kitten")
    found = open_set(data).annotations
    tracks = {
        1: [replace(found.tracks[1][0], label=4), *found.tracks[1][1:]],
        **{key: found.tracks[key] for key in (2, 3)},
    }
    other = changed(data, tmp_path, categories=table, tracks=tracks)
    renamed = {"hound": "dog", "kitten": "cat"}
    part, results, notes = predict_set(Knowing(6), other, renamed=renamed, **SETTINGS)
    assert sorted(part.annotations.categories) == [1, 2]
    assert "does not know 1 of 4 categories (car): their 2 objects are left out" in notes[0]
    assert evaluate(part, results)["AP50"] == pytest.approx(1)


def test_a_set_without_a_class_of_the_model_is_refused(data, tmp_path):
    other = changed(data, tmp_path, categories={n: Category(n, f"x{n}") for n in (1, 2, 3)})
    with pytest.raises(DataError, match=r"changed\.json: no category .* among the classes"):
        predict_set(Knowing(6), other, **SETTINGS)


def test_a_video_file_in_place_of_pictures_is_the_same(films, tmp_path):
    shutil.copy(films("h264"), tmp_path / "a.mp4")
    categories = {n: Category(n, name) for n, name in enumerate(NAMES, 1)}
    truth = AnnotationSet(categories, {1: entry(1, "a", 60)}, {1: tracks_of(60, 1)})
    write_annotations(tmp_path / "instances.json", truth)
    part, results, _ = predict_set(Knowing(6), tmp_path / "instances.json", **SETTINGS)
    assert evaluate(part, results)["AP50"] == pytest.approx(1)


def test_a_video_that_is_not_as_its_record_says_is_named(data, tmp_path):
    videos = open_set(data).annotations.videos
    other = changed(
        data, tmp_path, videos=videos | {3: replace(videos[3], width=80)}, tracks={1: [], 2: []}
    )
    with pytest.raises(DataError, match=r"video 3 \(c\): the video is 160 x 96, 1 frames"):
        predict_set(Knowing(6), other, **SETTINGS)


def test_together_they_find_what_one_finds_alone(data, tmp_path):
    _, alone, _ = predict_set(Knowing(6), data, **SETTINGS)
    barrier, found = threading.Barrier(2), {}

    def work(rank):
        team = DistributedContext(rank, 2, tmp_path, lambda _: barrier.wait(60))
        found[rank] = predict_set(Knowing(6), data, distributed=team, **SETTINGS)[1]

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found[0] == found[1] == alone


def test_what_track_collected_is_matched_by_name_and_class(data):
    folder = data.parent
    tracked = [vis.track(folder / name, Knowing(6), size=HEIGHT).collect() for name in "ab"]
    found = evaluate(data, tracked)
    assert sorted(found.results) == [1, 2]
    one = evaluate(replace_videos(open_set(data).annotations, [1]), tracked[0])
    assert one["AP50"] == pytest.approx(1)
    with pytest.raises(DataError, match="0 videos of the truth"):
        evaluate(replace_videos(open_set(data).annotations, [2, 3]), tracked[0])


def replace_videos(annotations, kept):
    return replace(
        annotations,
        videos={key: annotations.videos[key] for key in kept},
        tracks={key: annotations.tracks[key] for key in kept},
    )


@pytest.fixture
def written(data, tmp_path):
    """The truth as a results file."""
    truth = open_set(data).annotations
    lengths = {key: video.length for key, video in truth.videos.items()}
    write_results(tmp_path / "results.json", truth.tracks, lengths)
    return tmp_path / "results.json"


def test_perfect_results_score_1_in_everything(data, written):
    found = evaluate(data, written, metrics=("ap", "identity", "jf", "miou"))
    numbers = found.numbers
    assert numbers["AP"] == pytest.approx(1)
    assert numbers["AP_interval"]["low"] == pytest.approx(1)
    assert numbers["identity"]["HOTA"] == pytest.approx(1)
    assert numbers["jf"]["J&F"] == pytest.approx(1)
    assert numbers["miou"]["mIoU"] == pytest.approx(1)
    json.dumps(numbers, allow_nan=False)
    assert numbers["skipped"] == {}


def test_lenient_leaves_faulty_results_out_and_counts_them(data, written):
    records = json.loads(written.read_text())
    mask = next(entry for entry in records[0]["segmentations"] if entry)
    bad = [
        records[0] | {"video_id": 77},
        records[0] | {"segmentations": []},
        records[0] | {"score": float("nan")},
        records[0] | {"segmentations": [mask | {"size": [3, 4]}] + [None] * 13},
        records[0] | {"segmentations": [mask | {"counts": "!"}] + [None] * 13},
        records[0] | {"score": float("nan")},
    ]
    written.write_text(json.dumps(bad + records))
    with pytest.raises(DataError, match=r"results\[0\]: video_id 77"):
        evaluate(data, written)
    found = evaluate(data, written, lenient=True)
    assert found["AP"] == pytest.approx(1)
    assert sum(found.skipped.values()) == 6
    assert found.skipped["score is nan, not a number from N to N"] == 2
    assert len(found.skipped) == 5
    written.write_text("")
    assert evaluate(data, written, lenient=True)["AP"] == 0


def test_an_unknown_metric_is_refused(data, written):
    with pytest.raises(UsageError, match=r"no metric 'hota'.*One of: ap, identity, jf, miou"):
        evaluate(data, written, metrics=("hota",))


def test_single_pictures_have_the_numbers_of_coco(shared):
    """All 24 that COCO's own repository states of its sample results, to the digits that it has."""
    folder = shared / "data" / "pack_test" / "eval_refs" / "coco_fake100"
    expected = [
        float(line.rpartition("=")[2])
        for line in (folder / "val2014_fake_eval_res.txt").read_text().splitlines()
        if line.startswith(" Average")
    ]
    truth = folder / "instances_val2014_100.json"
    for place, kind in enumerate(("segm", "bbox")):
        results = folder / f"instances_val2014_fake{kind}100_results.json"
        found = evaluate(truth, results)
        said = [round(value, 3) for value in found.headline.values()]
        assert said == expected[12 * place : 12 * place + 12]
        assert found.numbers[kind]["AP"] == found["AP"]
        assert found.boxes_alone == (kind == "bbox")
        assert next(found.table())[1] == f"{100 * found['AP']:.1f}"
    with pytest.raises(UsageError, match="boxes make no report"):
        found.report(folder)
    assert list(found.categories()) == []


def test_one_video_is_measured_without_an_interval(data):
    truth = open_set(data).annotations
    one = truth.of(list(truth.videos)[:1])
    found = evaluate(one, one.tracks)
    assert next(found.table())[2] == "" and found.numbers["AP"] == pytest.approx(1)
