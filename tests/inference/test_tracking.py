"""The road from frames to tracks: each frame once, whatever the windows, batches and breaks."""

import gc
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from threading import Semaphore

import numpy as np
import pytest
import torch

import vis
from tests.conftest import PATIENCE
from tests.inference.knowing import NAMES, Knowing, pictures, truth
from tests.tracking.windows import in_windows
from vis import models
from vis.errors import DeviceError, UsageError, VisWarning
from vis.inference.predictor import reduce_chunk
from vis.inference.resolved_options import tracker_for
from vis.records import Frame, FrameTracks
from vis.tracking import Config
from vis.video import open_video

T, S = 6, 4


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return pictures(tmp_path_factory.mktemp("frames"), 40)


def assert_same(
    found: list[FrameTracks], expected: list[FrameTracks], tolerance: float = 0
) -> None:
    assert [tracks.index for tracks in found] == [tracks.index for tracks in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.time == other.time
        assert one.ids.tolist() == other.ids.tolist()
        assert one.labels.tolist() == other.labels.tolist()
        for field in ("scores", "boxes", "masks"):
            a, b = getattr(one, field), getattr(other, field)
            np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


def assert_true(found: list[FrameTracks]) -> None:
    """Every frame shows the truth, and each class keeps one identity."""
    identities: dict[int, set[int]] = {}
    for tracks in found:
        expected = truth(tracks.index)
        assert sorted(tracks.labels.tolist()) == sorted(expected)
        for label, identity, mask in zip(tracks.labels, tracks.ids, tracks.masks, strict=True):
            assert (expected[int(label)] == (mask > 0.5)).all()
            identities.setdefault(int(label), set()).add(int(identity))
    assert all(len(ids) == 1 for ids in identities.values())
    assert len(set.union(*identities.values())) == len(identities)


@pytest.mark.parametrize("stride", [2, S, T])
@pytest.mark.parametrize("length", range(1, T + 2 * S + 2))
def test_frames_come_out_once_each_and_in_order(frames: list[Path], length: int, stride: int):
    model = Knowing(T)
    found = list(vis.track(frames[:length], model, stride=stride, size=96))
    assert [tracks.index for tracks in found] == list(range(length))
    assert [tracks.time for tracks in found] == [Fraction(n, 25) for n in range(length)]
    assert_true(found)
    plan_jobs = [[*w.items] for w in in_windows(range(length), window=T, stride=stride)]
    assert model.looked == [w + w[-1:] * (T - len(w)) for w in plan_jobs]


def test_streamed_is_whole_where_a_window_covers_the_video(frames: list[Path]):
    whole = list(vis.track(frames[:20], Knowing(20), size=96))
    assert_same(list(vis.track(frames[:20], Knowing(20), window=T, stride=S, size=96)), whole, 1e-5)


@pytest.mark.parametrize("batch", [2, 3, 9])
def test_nothing_depends_on_the_batch(frames: list[Path], batch: int):
    model = Knowing(T)
    found = list(vis.track(frames[:23], model, stride=S, size=96, batch=batch))
    assert_same(found, list(vis.track(frames[:23], Knowing(T), stride=S, size=96)))
    assert model.batches[0][0] == min(batch, 6)


def small_model(name: str) -> models.Model:
    torch.manual_seed(0)
    settings = {
        "backbone": "resnet18",
        "d_model": 256,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "ffn_dim": 32,
    }
    settings |= (
        {"instance_queries": 4, "frames": 3}
        if name == "vistr"
        else {"instance_queries": 4, "masks": True}
    )
    return models.build(name, classes=3, **settings)


ALL = {
    "threshold": 0.0,
    "tracker": Config(threshold=0, low_threshold=0, min_presence=0),
    "size": 48,
}


@pytest.mark.parametrize("name", ["vistr", "detr"])
def test_a_real_model_in_batches_and_behind_a_loop_says_the_same(name: str, frames: list[Path]):
    model = small_model(name)
    expected = list(vis.track(frames[:8], model, **ALL))
    assert len(expected) == 8 and all(len(tracks) for tracks in expected)
    assert_same(list(vis.track(frames[:8], model, batch=3, **ALL)), expected, 1e-4)
    loop = vis.VideoTracker(model, **ALL)
    with open_video(frames[:8]) as reader:
        pushed = [tracks for frame in reader for tracks in loop.step(frame)]
    assert_same(pushed + loop.finish(), expected)


@pytest.mark.parametrize("stride", [2, S, T])
def test_a_loop_of_steps_is_the_same_road(frames: list[Path], stride: int):
    with vis.track(frames[:17], Knowing(T), stride=stride, size=96) as tracking:
        expected = list(tracking)
        identities = tracking.ended()
    loop = vis.VideoTracker(Knowing(T), stride=stride, size=96)
    found: list[FrameTracks] = []
    with open_video(frames[:17]) as reader:
        for frame in reader:
            found += loop.step(frame.pixels)  # numbered and timed by itself
    found += loop.finish()
    assert_same(found, expected)
    assert [one.id for one in loop.ended()] == [one.id for one in identities]
    assert loop.ended() == []
    with pytest.raises(UsageError, match="finished"):
        loop.step(frame)


def test_a_loop_without_overlap_gives_frames_at_once(frames: list[Path]):
    loop = vis.VideoTracker(Knowing(1), size=96, min_length=1)
    with open_video(frames[:3]) as reader:
        assert [[t.index for t in loop.step(frame)] for frame in reader] == [[0], [1], [2]]
    assert loop.finish() == []


def test_a_loop_refuses_what_it_cannot_go_on_with():
    loop = vis.VideoTracker(Knowing(T), size=96)
    pixels = np.zeros((96, 160, 3), np.uint8)
    loop.step(Frame(3, Fraction(1), pixels))
    with pytest.raises(UsageError, match="does not come after"):
        loop.step(Frame(3, Fraction(2), pixels))
    with pytest.raises(UsageError, match="another size"):
        loop.step(np.zeros((96, 100, 3), np.uint8))
    with pytest.raises(UsageError, match="uint8"):
        loop.step(pixels.astype(np.float32))  # type: ignore[arg-type]


@pytest.mark.parametrize("stride", [3, S, T])
def test_tracking_goes_on_from_every_edge(frames: list[Path], stride: int):
    asked = {"stride": stride, "size": 96, "max_frames": 21}
    whole = vis.track(frames, Knowing(T), **asked)
    expected, states, ended = [], [whole.state_dict()], []
    for tracks in whole:
        expected.append(tracks)
        ended += whole.ended()
        if whole.at_edge:
            states.append((whole.state_dict(), len(ended)))
    ended += whole.ended()
    assert len(states) >= 21 / T
    for state, told in [(states[0], 0), *states[1:-1]]:
        rest = vis.track(frames, Knowing(T), state=state, **asked)
        assert_same(list(rest), expected[state["emitted"] :])
        assert state["following"] == state["emitted"]
        assert [one.id for one in rest.ended()] == [one.id for one in ended[told:]]


def test_a_loop_goes_on_from_every_frame(frames: list[Path]):
    with open_video(frames[:15]) as reader:
        taken = list(reader)
    whole = vis.VideoTracker(Knowing(T), stride=S, size=96)
    expected = [whole.step(frame) for frame in taken]
    for cut in range(15):
        first = vis.VideoTracker(Knowing(T), stride=S, size=96)
        for frame in taken[:cut]:
            first.step(frame)
        second = vis.VideoTracker(Knowing(T), stride=S, size=96)
        second.load_state_dict(first.state_dict())
        for frame, frames_out in zip(taken[cut:], expected[cut:], strict=True):
            assert_same(second.step(frame), frames_out)


def test_a_state_is_asked_for_at_an_edge_and_used_with_the_same_settings(frames: list[Path]):
    tracking = vis.track(frames[:12], Knowing(T), stride=S, size=96)
    next(tracking)
    with pytest.raises(UsageError, match="3 frames of the window were not taken"):
        tracking.state_dict()
    for _ in range(3):
        next(tracking)
    with pytest.raises(UsageError, match="stride is 3"):
        vis.track(frames[:12], Knowing(T), stride=3, size=96, state=tracking.state_dict())


def test_a_state_of_an_older_version_is_refused(frames: list[Path]):
    tracking = vis.track(frames[:12], Knowing(T), stride=S, size=96)
    for _ in range(S):
        next(tracking)
    state = tracking.state_dict()
    state["plan"] = state.pop("options")
    with pytest.raises(UsageError, match="older version"):
        vis.track(frames[:12], Knowing(T), stride=S, size=96, state=state)


def test_every_and_max_frames(frames: list[Path]):
    model = Knowing(T)
    tracking = vis.track(frames, model, every=3, max_frames=7, size=96)
    assert [tracks.index for tracks in tracking] == [0, 3, 6, 9, 12, 15, 18]
    assert {n for window in model.looked for n in window} == {0, 3, 6, 9, 12, 15, 18}
    assert tracking.length == 19


def test_pixels_come_with_their_frame_and_are_not_held(frames: list[Path], read_code):
    tracking = vis.track(frames, Knowing(T), stride=S, size=96)
    for frame, tracks in tracking.with_frames():
        assert read_code(frame.pixels) == frame.index == tracks.index
        assert len(tracking._frames) < S
    assert not tracking._frames
    tracking = vis.track(frames[:8], Knowing(T), size=96)
    next(tracking)
    with pytest.raises(UsageError, match="without pixels"):
        next(tracking.with_frames())


def test_at_most_two_windows_of_predictions_are_held(frames: list[Path]):
    """What a model said is gone once the window after the next is looked at."""
    import weakref

    said: list[weakref.ref[torch.Tensor]] = []
    held: list[int] = []

    class Watched(Knowing):
        def predictions(self, output, clip):
            held.append(sum(one() is not None for one in said))
            made = super().predictions(output, clip)
            said.extend(weakref.ref(one.masks) for one in made)
            return made

    for _ in vis.track(frames, Watched(T), stride=S, size=96):
        pass
    assert max(held) <= 2 and len(said) == 10


def frames_alive() -> int:
    gc.collect()
    return sum(type(one) is Frame for one in gc.get_objects())


@pytest.mark.parametrize("stride", [2, S, T])
def test_frames_are_held_for_the_windows_at_work_alone(frames: list[Path], stride: int):
    """Decoded ahead, made small, in the model's window and in the one before, and no more."""
    held = []
    others = frames_alive()  # of tests before this one
    for frame, _ in vis.track(frames, Knowing(T), stride=stride, size=96).with_frames():
        if frame.index % 4 == 3:
            held.append(frames_alive() - others)
    assert max(held) <= 8 + 1 + stride + 1 + 2 * T + stride


def test_model_and_drawing_work_at_the_same_time(frames: list[Path]):
    """While whoever draws is busy with a window, the model begins the next or is done with it."""
    begun = Semaphore(0)

    class Told(Knowing):
        def forward(self, clip):
            begun.release()
            return super().forward(clip)

    model = Told(T)
    for tracks in vis.track(frames, model, stride=S, size=96):
        if tracks.index == 0:
            assert begun.acquire(timeout=PATIENCE)
        # the model begins the next window while this loop asks for nothing
        if tracks.index % S == 0 and tracks.index + S < 40:
            assert begun.acquire(timeout=PATIENCE)
    assert len(model.batches) == 10


def test_classes_and_threshold_choose_what_is_shown(frames: list[Path]):
    cats = vis.track(frames[:15], Knowing(T), size=96, classes=["cat"])
    assert all(tracks.labels.tolist() == [0] for tracks in cats)
    assert [one.label for one in cats.ended()] == [0]
    nothing = vis.track(frames[:15], Knowing(T), size=96, threshold=0.95)
    assert not any(len(tracks) for tracks in nothing)
    assert nothing.ended() == []


class Unsure(Knowing):
    """Knows, but is never sure of it."""

    def _said(self, numbers, rows, columns):
        said = super()._said(numbers, rows, columns)
        return replace(said, scores=said.scores * 0.25, class_scores=said.class_scores * 0.25)


def test_a_low_threshold_follows_weak_objects_from_their_first_frame(frames: list[Path]):
    assert not any(len(tracks) for tracks in vis.track(frames[:7], Unsure(T), size=96))
    assert_true(list(vis.track(frames[:7], Unsure(T), size=96, threshold=0.2)))
    sure = Config()
    assert tracker_for(0.3) == tracker_for(0.9) == sure
    assert tracker_for(0.15).low_threshold == sure.low_threshold / 2


def test_ended_tells_of_each_object_once_and_of_all_at_the_end(frames: list[Path]):
    config = Config(patience=2, gallery=0)
    tracking = vis.track(frames[:30], Knowing(T), stride=S, size=96, tracker=config)
    told = []
    for tracks in tracking:
        told += [(tracks.index, one) for one in tracking.ended()]
    assert [one.label for _, one in told] == [2]
    left = tracking.ended()
    assert sorted(one.label for one in left) == [0, 1]
    assert tracking.ended() == []


def test_closed_early_it_tells_of_what_was_there(frames: list[Path]):
    with vis.track(frames, Knowing(T), stride=S, size=96) as tracking:
        next(tracking)
    assert sorted(one.label for one in tracking.ended()) == [0, 1, 2]
    with pytest.raises(StopIteration):
        next(tracking)


def test_linked_by_queries_objects_may_be_anywhere(frames: list[Path]):
    """Frames in disorder, the third object's left out: places say nothing, embeddings all."""
    order = [*range(11, 40)]
    np.random.default_rng(0).shuffle(order)
    mixed = [frames[n] for n in order]
    model, config = Knowing(1, embeddings=True), Config.by_queries()
    with vis.track(mixed, model, size=96, linking="queries", cuts=False) as tracking:
        assert tracking.options.tracker == replace(config, min_length=5)
        found = list(tracking)
    assert [one.labels[one.ids.argsort()].tolist() for one in found] == [
        found[0].labels[found[0].ids.argsort()].tolist()
    ] * len(mixed)
    assert {int(identity) for one in found for identity in one.ids} == {0, 1}
    loop = vis.VideoTracker(model, size=96, linking="queries", cuts=False)
    with open_video(mixed) as reader:
        given = [tracks for frame in reader for tracks in loop.step(frame)]
    assert_same(given + loop.finish(), found)


def test_queries_need_embeddings(frames: list[Path]):
    tracking = vis.track(frames[:8], Knowing(T), size=96, linking="queries")
    with pytest.raises(UsageError, match="by embeddings alone, and the model has none") as caught:
        list(tracking)
    assert "Link by masks" in str(caught.value)


def test_regions_are_not_linked_by_queries(frames: list[Path]):
    model = Knowing(T)
    model.is_semantic = True
    with pytest.raises(UsageError, match="nothing is linked"):
        vis.track(frames[:8], model, size=96, linking="queries")


def test_a_semantic_model_is_no_obstacle(frames: list[Path]):
    found = list(vis.track(frames[:9], Knowing(T, semantic=True), size=96))
    assert_true(found)


def test_the_model_sees_what_training_showed_it(frames: list[Path]):
    from vis.datasets.raw_clip import raw_clip
    from vis.datasets.transforms import ShortSide

    with open_video(frames[:1]) as reader:
        pixels = next(reader).pixels
    model = Knowing(1)
    seen: list[torch.Tensor] = []
    model.register_forward_pre_hook(lambda _, given: seen.append(given[0].frames))
    list(vis.track(frames[:1], model, size=45))
    whole = raw_clip(torch.from_numpy(pixels).permute(2, 0, 1)[None], ())
    shown = ShortSide((45,), 80)(whole, np.random.default_rng(0)).frames
    assert torch.equal(seen[0][0], shown.float() / 255)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"classes": ["catt"]}, "Did you mean 'cat'"),
        ({"classes": ["zebra"]}, "There are: cat, dog, person"),
        ({"classes": []}, "no list of classes"),
        ({"classes": "cat"}, "no list of classes"),
        ({"threshold": 1.5}, "within 0..1"),
        ({"window": 7}, "at most 6"),
        ({"stride": 7}, "leaves 1 out"),
        ({"size": 0}, "size is 0"),
        ({"every": 0}, "every is 0"),
        ({"batch": 0}, "batch is 0"),
        ({"max_frames": 0}, "max_frames is 0"),
        ({"min_length": 0}, "min_length is 0"),
        ({"precision": "fp8"}, "One of: fp32, tf32, bf16, fp16"),
        ({"treshold": 0.5}, "Did you mean 'threshold'"),
        ({"device": "gpu"}, "no device 'gpu'"),
        ({"linking": "magic"}, "One of: masks, queries"),
        ({"linking": "queries", "tracker": Config()}, "Give one of them"),
    ],
)
def test_wrong_arguments_are_refused_with_a_remedy(frames: list[Path], asked: dict, message: str):
    with pytest.raises((UsageError, DeviceError)) as caught:
        vis.track(frames, Knowing(T), **asked)
    assert message in str(caught.value)


def test_without_a_model_one_is_asked_for(frames: list[Path], monkeypatch, tmp_path: Path):
    monkeypatch.setattr("vis.weights.catalogue.ASSETS", tmp_path)
    with pytest.raises(UsageError, match="Give a weight file"):
        vis.track(frames)


def test_a_weight_file_is_loaded(frames: list[Path], tmp_path: Path):
    model = small_model("detr")
    vis.weights.save_model(tmp_path / "m.safetensors", model)
    expected = list(vis.track(frames[:3], model, **ALL))
    assert_same(list(vis.track(frames[:3], tmp_path / "m.safetensors", **ALL)), expected)


class Forgetful(Knowing):
    """Its memory ends at more than so many windows."""

    def __init__(self, most: int) -> None:
        super().__init__(T)
        self.most = most

    def forward(self, clip):
        if len(clip.frames) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(clip)


def test_where_memory_ends_windows_are_looked_at_one_by_one(frames: list[Path]):
    expected = list(vis.track(frames[:20], Knowing(T), stride=S, size=96))
    with pytest.warns(VisWarning, match="one by one"):
        found = list(vis.track(frames[:20], Forgetful(1), stride=S, size=96, batch=2))
    assert_same(found, expected)


def test_where_one_window_is_too_much_the_error_says_what_to_lower(frames: list[Path]):
    tracking = vis.track(frames[:20], Forgetful(0), stride=S, size=96)
    with pytest.raises(DeviceError, match="6 frames of 160 x 96") as caught:
        next(tracking)
    assert re.search("smaller size.*shorter window", str(caught.value))


def test_a_model_reduce_chunk_says_the_same(frames: list[Path]):
    model = small_model("vistr")
    expected = list(vis.track(frames[:5], model, **ALL))
    assert model.config.chunk == model.masks.chunk == 4
    assert reduce_chunk(model)
    assert model.config.chunk == model.masks.chunk == 1
    assert_same(list(vis.track(frames[:5], model, **ALL)), expected, 1e-4)
    assert not reduce_chunk(Knowing())


def test_names_are_those_of_the_model(frames: list[Path]):
    assert vis.track(frames, Knowing(T)).names == dict(enumerate(NAMES))
    assert vis.track(frames, small_model("detr")).names == {n: f"class {n}" for n in range(3)}
