"""Identities end at cuts, short noise is nowhere, scores mean one thing in every output."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import vis
from tests.inference.reds import HEIGHT, WIDTH, Reds, Square, film
from tests.inference.test_tracking import assert_same
from tests.jobs.killing import SAVE
from tests.jobs.test_resume import same
from tests.tracking.test_state import through_files
from vis.evaluation.predicting import _tracks
from vis.formats.davis import read_davis
from vis.formats.mots import read_mots
from vis.formats.ytvis_records import VideoEntry
from vis.inference.options import TrackOptions
from vis.inference.session import TrackerSession
from vis.inference.windows import ResizedFrame, Windows, windows_of
from vis.jobs.job import RunOptions
from vis.jobs.many import plan_jobs, track_all
from vis.records import FrameTracks, Identity
from vis.tracking import Config, Stamp
from vis.video import open_video

CUT, LENGTH = 17, 36
STEADY = Square(0, 0, (0.8,) * LENGTH)
BRIEF = Square(1, 4, (0.9,) * 3)
LATE = Square(2, CUT - 3, (0.7,) * 12)
"""Three frames before the cut and nine after it."""
WAVES = Square(3, 6, (0.9, 0.2, 0.2, 0.6, 0.7, 0.8, 0.7, 0.5, 0.2, 0.2))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shots") / "film"
    return film(folder, [STEADY, BRIEF, LATE, WAVES], [CUT, LENGTH - CUT])


def frames_of(found: list[FrameTracks]) -> dict[int, list[int]]:
    frames: dict[int, list[int]] = {}
    for one in found:
        for identity in one.ids.tolist():
            frames.setdefault(identity, []).append(one.index)
    return frames


def ids(found: list[FrameTracks], frames: range) -> set[int]:
    return {identity for n in frames for identity in found[n].ids.tolist()}


PLANS = [(1, 1), (6, 4), (6, 6), (36, 27)]


@pytest.mark.parametrize(("window", "stride"), PLANS)
def test_no_identity_goes_on_over_a_cut(source: Path, window: int, stride: int):
    asked = {"stride": stride, "size": 96}
    found = list(vis.track(source, Reds(window), **asked))
    assert [one.index for one in found] == list(range(LENGTH))
    before, after = ids(found, range(CUT)), ids(found, range(CUT, LENGTH))
    assert before and after and not before & after
    assert max(before) < min(after)
    on = list(vis.track(source, Reds(window), cuts=False, **asked))
    assert ids(on, range(CUT)) & ids(on, range(CUT, LENGTH))
    batched = list(vis.track(source, Reds(window), batch=3, **asked))
    assert_same(batched, found)


@pytest.mark.parametrize(("window", "stride"), PLANS)
def test_a_loop_of_steps_is_the_same_road_over_cuts(source: Path, window: int, stride: int):
    whole = vis.track(source, Reds(window), stride=stride, size=96)
    expected = list(whole)
    loop = vis.VideoTracker(Reds(window), stride=stride, size=96)
    found: list[FrameTracks] = []
    with open_video(source) as reader:
        for frame in reader:
            found += loop.step(frame)
            again = vis.VideoTracker(Reds(window), stride=stride, size=96)
            again.load_state_dict(through_files(loop.state_dict()))
            loop = again
    assert_same(found + loop.finish(), expected)
    assert [one.id for one in loop.ended()] == [one.id for one in whole.ended()]


@pytest.mark.parametrize("length", [1, 4])
@pytest.mark.parametrize("stride", [1, 3, 4])
def test_windows_end_at_cuts_and_cover_each_frame_once(length: int, stride: int):
    if stride > length:
        pytest.skip("such windows leave frames out")
    draw = np.random.default_rng(length + stride)
    for _ in range(30):
        cuts = {0} | {int(n) for n in draw.integers(1, 20, 3)}
        stream = [ResizedFrame(Stamp(n, 0), None, None, n in cuts and n > 0) for n in range(20)]
        found = list(windows_of(stream, Windows(length, stride)))
        settled = [seen.stamp.index for w in found for seen in w.frames[: w.settled]]
        assert settled == list(range(20))
        for window in found:
            assert not any(seen.cut for seen in window.frames[1:])


def test_short_noise_is_not_shown_and_beginnings_are(source: Path):
    with vis.track(source, Reds(), size=96) as tracking:
        frames = frames_of(found := list(tracking))
        told = {one.id for one in tracking.ended()}
    assert told == set(frames)
    assert sorted(map(min, frames.values())) == [0, 6, CUT, CUT]
    assert all(len(numbers) >= 5 for numbers in frames.values())
    everything = frames_of(list(vis.track(source, Reds(), size=96, min_length=1)))
    assert {min(numbers) for numbers in everything.values()} == {0, 4, 6, CUT - 3, CUT}
    scores: dict[int, float] = {}
    for one in found:
        for identity, score in zip(one.ids.tolist(), one.scores.tolist(), strict=True):
            assert score >= scores.get(identity, 0.3)
            scores[identity] = score


def test_a_single_picture_shows_what_it_shows(source: Path):
    found = list(vis.track([source / "00005.png"], Reds(), size=96))
    assert [len(one) for one in found] == [2]


def test_pixels_belong_to_their_frames_where_some_wait(source: Path):
    with vis.track(source, Reds(), size=96) as tracking:
        for frame, tracks in tracking.with_frames():
            assert frame.index == tracks.index
            assert len(tracking._frames) <= 5


@pytest.mark.parametrize(("window", "stride"), PLANS)
def test_it_goes_on_from_every_edge(source: Path, window: int, stride: int):
    asked = {"stride": stride, "size": 96, "min_length": 4}
    whole = vis.track(source, Reds(window), **asked)
    expected, states, ended, held = [], [], [], set()
    for tracks in whole:
        expected.append(tracks)
        ended += whole.ended()
        if whole.at_edge:
            states.append((through_files(whole.state_dict()), len(ended)))
            held.add(states[-1][0]["waiting"])
    ended += whole.ended()
    assert window > 1 or max(held) == 3
    for state, told in states:
        rest = vis.track(source, Reds(window), state=state, **asked)
        found = []
        for frame, tracks in rest.with_frames():
            assert frame.index == tracks.index
            found.append(tracks)
        assert_same(found, expected[state["emitted"] :])
        left = ended[told:]
        assert [(one.id, one.score) for one in rest.ended()] == [(e.id, e.score) for e in left]


def test_evaluation_ranks_by_the_mean_over_all_frames(source: Path):
    asked = {"size": 96, "min_length": 1, "cuts": False, "threshold": 0.001}
    with vis.track(source, Reds(), **asked) as tracking:
        result = tracking.collect()
    entry = VideoEntry(1, "film", WIDTH, HEIGHT, LENGTH, ("",) * LENGTH)
    ranked = {one.id: one.score for one in _tracks(result, entry, {0: 7, 1: 8, 2: 9}, [])}
    (waves,) = (one for one in result.tracks if min(one.masks) == 6)
    seen = [score for score in WAVES.scores if score >= Config().low_threshold]
    assert waves.score == pytest.approx(0.9, abs=0.03)
    assert ranked[waves.id] == pytest.approx(np.mean(seen), abs=0.05)


def test_an_object_ends_with_the_class_of_the_options_that_it_was_written_as():
    config = Config(min_length=1)
    session = TrackerSession(config, num_classes=2, threshold=0.3, classes=frozenset({0}))
    scores = np.array([0.6, 0.4], np.float32)
    ended = Identity(3, 1, 0.5, scores)
    session._written[3] = 0
    assert [(one.id, one.label) for one in session._as_written([ended])] == [(3, 0)]
    assert session._as_written([ended]) == []


def go(source: Path, out: Path, model: Reds, **run_options):
    wanted = plan_jobs([str(source)], out, SAVE)
    settings = RunOptions(device="cpu", checkpoint=1, **run_options)
    (job_result,) = track_all(wanted, model, options=TrackOptions(size=96), run_options=settings)
    if job_result.error is not None:
        raise job_result.error
    return job_result


@pytest.mark.parametrize("window", [1, 6])
def test_a_run_stopped_about_the_cut_goes_on_to_the_same_bytes(
    source: Path, tmp_path: Path, window: int
):
    go(source, tmp_path / "whole", Reds(window))
    for stop in (3, 6) if window > 1 else (8, 16, 18, 20):
        with pytest.raises(KeyboardInterrupt):
            go(source, tmp_path / str(stop), Reds(window, stop))
        go(source, tmp_path / str(stop), Reds(window), resume=True)
        same(tmp_path / "whole", tmp_path / str(stop))


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.62])
def test_all_outputs_tell_of_the_same_objects_by_scores_above_the_threshold(
    source: Path, tmp_path: Path, threshold: float
):
    options = TrackOptions(size=96, threshold=threshold)
    wanted = plan_jobs([str(source)], tmp_path / "out", SAVE)
    (job_result,) = track_all(wanted, Reds(), options=options, run_options=RunOptions(device="cpu"))
    paths = {path.name.partition(".")[2]: path for path in job_result.outputs}
    table = {one.id: one.score for one in job_result.sightings}
    final = {one["id"]: one["score"] for one in json.loads(paths["json"].read_text())}
    rows = [
        (one["id"], one["score"])
        for line in paths["jsonl"].read_text().splitlines()
        for one in json.loads(line)["objects"]
    ]
    coco = json.loads(paths["coco.json"].read_text())["annotations"]
    with paths["csv"].open(newline="") as file:
        sheet = [(int(row["id"]), float(row["score"])) for row in csv.DictReader(file)]
    assert sheet == rows == [(one["instance_id"], one["score"]) for one in coco]
    last = dict(rows)
    assert table == final and set(last) == set(final) and len(final) >= 3
    assert last == {key: pytest.approx(score, abs=1e-6) for key, score in final.items()}
    assert min(score for _, score in [*rows, *final.items()]) >= threshold - 1e-6
    (mots,), (davis,) = (
        read(paths[kind]).tracks.values()
        for kind, read in (("mots", read_mots), ("davis", read_davis))
    )
    assert len(mots) == len(davis) == len(final)
