"""What holds of every video: frames out once and in order, ids that mean something."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from tests.tracking.made import CLASSES, crossing, hiding, returning
from tests.tracking.oracle import Noise, Oracle, Scene, follow
from vis.errors import UsageError
from vis.records import ClipPredictions, FrameTracks
from vis.tracking import Config, Stamp, Tracker

SIZE = (18, 32)
ROUGH = Noise(dropped=0.1, hidden=0.1, jitter=0.05, wrong=0.2, embedding=0.5, doubled=0.2)


def answers(
    masks: torch.Tensor, scores: list[float] | None = None, labels: list[int] | None = None
) -> ClipPredictions:
    """Predictions of masks `[N T h w]`, boxes unknown."""
    count, frames = masks.shape[:2]
    named = torch.tensor(labels or [0] * count, dtype=torch.int64)
    sure = torch.tensor(scores or [0.9] * count)
    chances = torch.zeros(count, CLASSES)
    chances[torch.arange(count), named] = sure
    shown = (masks > 0.5).flatten(2).any(dim=2)
    return ClipPredictions(
        scores=sure,
        labels=named,
        class_scores=chances,
        boxes=torch.zeros(count, frames, 4),
        masks=masks.float(),
        presence=shown.float(),
    )


def square(x: int, y: int = 4, frames: int = 1, side: int = 5) -> torch.Tensor:
    """`[T h w]` of a square that stays."""
    masks = torch.zeros(frames, *SIZE)
    masks[:, y : y + side, x : x + side] = 1
    return masks


def stamps(first: int, count: int) -> list[Stamp]:
    return [Stamp(index, Fraction(index, 25)) for index in range(first, first + count)]


def test_one_window_over_all_is_the_identity_mapping():
    scene = crossing(1)
    oracle = Oracle(scene=scene, noise=Noise())
    said = oracle(range(scene.length))
    order = said.scores.argsort(descending=True)
    for frame in follow(oracle, window=scene.length, stride=scene.length):
        shown = (said.masks[order, frame.index] > 0.5).flatten(1).any(dim=1).numpy()
        assert frame.ids.tolist() == np.flatnonzero(shown).tolist()
        torch.testing.assert_close(
            torch.from_numpy(frame.masks), said.masks[order, frame.index][shown]
        )
        np.testing.assert_array_equal(frame.labels, said.labels[order][shown])
        np.testing.assert_allclose(frame.scores, said.scores[order][shown], rtol=1e-6)
        np.testing.assert_allclose(
            frame.boxes, said.boxes[order, frame.index][shown], rtol=1e-6, atol=1e-7
        )


@pytest.mark.parametrize(("window", "stride"), [(1, 1), (3, 3), (4, 1), (4, 3)])
def test_frames_come_once_each_and_in_order(window: int, stride: int):
    whole = crossing(0)
    for length in range(1, 3 * window + 2):
        scene = Scene(
            name="", classes=CLASSES, labels=whole.labels, masks=whole.masks[:, 20 : 20 + length]
        )
        frames = follow(Oracle(scene=scene, noise=ROUGH), window=window, stride=stride)
        assert [frame.index for frame in frames] == list(range(length))
        assert [frame.time for frame in frames] == [Fraction(n, 25) for n in range(length)]


@pytest.mark.parametrize("window", [1, 4])
def test_no_predictions_are_frames_without_objects(window: int):
    masks = np.zeros((0, 9, *SIZE), np.float32)
    scene = Scene(name="", classes=CLASSES, labels=np.zeros(0, np.int64), masks=masks)
    frames = follow(Oracle(scene=scene), window=window, stride=window)
    assert [len(frame) for frame in frames] == [0] * 9
    assert frames[0].masks.shape == (0, *SIZE)
    assert frames[0].boxes.shape == (0, 4)


def test_an_object_of_one_window_only():
    tracker = Tracker(classes=CLASSES)
    none = answers(torch.zeros(0, 3, *SIZE))
    out = tracker.step(none, stamps(0, 3), 2)
    out += tracker.step(answers(square(5, frames=3)[None]), stamps(2, 3), 2)
    out += tracker.step(none, stamps(4, 3), 3)
    assert [len(frame) for frame in out] == [0, 0, 1, 1, 1, 0, 0]


def test_a_hundred_objects():
    places = [(x, y) for x in range(0, 60, 6) for y in range(0, 60, 6)]
    masks = np.zeros((100, 6, 60, 60), np.float32)
    for row, (x, y) in enumerate(places):
        masks[row, :, y : y + 5, x : x + 5] = 1
    scene = Scene(name="", classes=CLASSES, labels=np.arange(100) % CLASSES, masks=masks)
    frames = follow(Oracle(scene=scene, noise=Noise(embedding=None)), window=3, stride=2)
    assert [len(frame) for frame in frames] == [100] * 6
    for frame in frames[1:]:
        np.testing.assert_array_equal(frame.ids, frames[0].ids)
        np.testing.assert_array_equal(frame.masks, frames[0].masks)


def shuffled(said: ClipPredictions, seed: int) -> ClipPredictions:
    order = torch.randperm(len(said.scores), generator=torch.Generator().manual_seed(seed))
    names = ("scores", "labels", "class_scores", "boxes", "masks", "presence", "embeddings")
    values = {name: getattr(said, name) for name in names}
    return replace(said, **{k: v[order] for k, v in values.items() if v is not None})


def same(a: FrameTracks, b: FrameTracks) -> bool:
    names = ("ids", "labels", "scores", "boxes", "masks")
    return (a.index, a.time) == (b.index, b.time) and all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in names
    )


@pytest.mark.parametrize("equal_scores", [False, True])
def test_nothing_depends_on_the_order_of_the_slots(equal_scores: bool):
    scene = hiding(1)
    oracle = Oracle(scene=scene, noise=ROUGH)
    one, other = Tracker(classes=CLASSES), Tracker(classes=CLASSES)
    for first in range(0, scene.length - 4, 4):
        said = oracle(range(first, first + 4))
        if equal_scores:
            said = replace(said, scores=torch.full_like(said.scores, 0.5))
        mine = one.step(said, stamps(first, 4), 4)
        yours = other.step(shuffled(said, first), stamps(first, 4), 4)
        assert all(same(a, b) for a, b in zip(mine, yours, strict=True))


def test_the_padding_of_a_short_last_window_changes_nothing():
    said = Oracle(scene=crossing(0))([40, 41, 42, 42, 42])
    cut = replace(
        said,
        boxes=said.boxes[:, :3],
        masks=said.masks[:, :3],
        presence=said.presence[:, :3],
    )
    padded = Tracker(classes=CLASSES).step(said, stamps(40, 3), 3)
    exact = Tracker(classes=CLASSES).step(cut, stamps(40, 3), 3)
    assert all(same(a, b) for a, b in zip(padded, exact, strict=True))


def test_predictions_are_left_as_they_were():
    said = answers(torch.stack([square(2, frames=4), square(20, frames=4)]))
    before = said.masks.clone()
    tracker = Tracker(classes=CLASSES)
    tracker.step(said, stamps(0, 4), 2)
    tracker.step(said, stamps(2, 4), 4)
    torch.testing.assert_close(said.masks, before)


def test_frames_of_two_windows_are_averaged():
    tracker = Tracker(classes=CLASSES)
    sure, unsure = square(5, frames=4)[None], square(5, frames=4)[None] * 0.6
    assert len(tracker.step(answers(sure), stamps(0, 4), 2)) == 2
    out = tracker.step(answers(unsure), stamps(2, 4), 4)
    assert [frame.masks.max().round(3) for frame in out] == pytest.approx([0.8, 0.8, 0.6, 0.6])


def test_an_object_that_is_not_present_is_not_shown_but_lives():
    tracker = Tracker(classes=CLASSES)
    there = answers(square(5)[None])
    unsure = replace(there, presence=torch.tensor([[0.05]]))
    empty = replace(there, masks=torch.zeros_like(there.masks))
    counts = []
    for n, said in enumerate((there, unsure, empty, there)):
        counts += [frame.ids.tolist() for frame in tracker.step(said, stamps(n, 1), 1)]
    assert counts == [[0], [], [], [0]]


def test_of_two_answers_for_one_object_the_better_stays():
    both = torch.stack([square(5, frames=2), square(5, frames=2)])
    said = answers(both, scores=[0.5, 0.8], labels=[1, 2])
    (frame, _) = Tracker(classes=CLASSES).step(said, stamps(0, 2), 2)
    assert frame.labels.tolist() == [2]
    (frame, _) = Tracker(Config(nms_iou=1.0), classes=CLASSES).step(said, stamps(0, 2), 2)
    assert len(frame) == 2


def test_a_weak_answer_goes_on_but_begins_nothing():
    tracker = Tracker(classes=CLASSES)
    strong, weak = answers(square(5)[None]), answers(square(5)[None], scores=[0.15])
    assert [len(frame) for frame in tracker.step(weak, stamps(0, 1), 1)] == [0]
    assert [len(frame) for frame in tracker.step(strong, stamps(1, 1), 1)] == [1]
    assert [frame.ids.tolist() for frame in tracker.step(weak, stamps(2, 1), 1)] == [[0]]


def test_the_class_is_of_the_accumulated_probabilities_and_the_score_a_mean():
    for length in (4, 20):
        tracker = Tracker(classes=CLASSES)
        for n in range(length):
            said = answers(square(5)[None], scores=[0.8], labels=[2 if n % 4 == 1 else 1])
            (frame,) = tracker.step(said, stamps(n, 1), 1)
        (identity,) = tracker.finish()
        assert identity.label == 1 and frame.labels.tolist() == [1]
        # named 1 in three frames of four
        assert identity.score == pytest.approx(0.6)
        np.testing.assert_allclose(identity.class_scores, [0, 0.6, 0.2, 0], atol=1e-6)


def test_ids_are_never_used_twice():
    tracker = Tracker(Config(patience=0, gallery=0), classes=CLASSES)
    seen: list[int] = []
    for n in range(6):
        x = 0 if n % 2 else 26
        (frame,) = tracker.step(answers(square(x)[None]), stamps(n, 1), 1)
        seen += frame.ids.tolist()
    assert seen == list(range(6))
    ended = [one.id for one in tracker.ended()]
    assert not tracker.ended()
    left = [one.id for one in tracker.finish()]
    assert sorted(ended + left) == seen
    assert not tracker.finish() and not tracker.current()
    (frame,) = tracker.step(answers(square(0)[None]), stamps(9, 1), 1)
    assert frame.ids.tolist() == [6]


def test_identities_of_a_video_are_told_once_each():
    scene = returning(1)
    oracle, tracker = Oracle(scene=scene, noise=ROUGH), Tracker(classes=CLASSES)
    told: list[int] = []
    shown: set[int] = set()
    for first in range(0, scene.length - 3, 3):
        for frame in tracker.step(oracle(range(first, first + 3)), stamps(first, 3), 3):
            shown |= set(frame.ids.tolist())
        told += [one.id for one in tracker.ended()]
    told += [one.id for one in tracker.finish()]
    assert len(told) == len(set(told))
    assert shown <= set(told)


@pytest.mark.parametrize(
    ("said", "which", "settled", "fault"),
    [
        (answers(square(5, frames=2)[None]), stamps(4, 3), 3, "2 frames for 3 stamps"),
        (answers(square(5, frames=2)[None]), stamps(1, 2), 2, "does not go on"),
        (answers(square(5, frames=2)[None]), stamps(4, 2)[::-1], 2, "does not go on"),
        (answers(square(5, frames=1)[None]), stamps(0, 1), 1, "does not go on"),
        (answers(square(5, frames=2)[None]), [], 0, "does not go on"),
        (answers(square(5, frames=2)[None]), stamps(4, 2), 9, "cannot be settled"),
        (answers(torch.ones(1, 2, 3, 3)), stamps(4, 2), 2, "cells follow masks of"),
    ],
)
def test_a_window_that_does_not_belong_is_refused_and_changes_nothing(
    said: ClipPredictions, which: list[Stamp], settled: int, fault: str
):
    tracker = Tracker(classes=CLASSES)
    good = answers(square(5, frames=4)[None])
    tracker.step(good, stamps(0, 4), 2)
    with pytest.raises(UsageError, match=fault):
        tracker.step(said, which, settled)
    assert [frame.ids.tolist() for frame in tracker.step(good, stamps(2, 4), 4)] == [[0]] * 4


def test_predictions_of_other_classes_are_refused():
    with pytest.raises(UsageError, match="classes"):
        Tracker(classes=CLASSES + 1).step(answers(square(5)[None]), stamps(0, 1), 1)


@pytest.mark.parametrize(
    "wrong",
    [{"threshold": 1.5}, {"history_length": 0}, {"patience": -1}, {"reid_radius": float("nan")}],
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, float]):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Config(**wrong)
    with pytest.raises(UsageError, match="weights"):
        Config(mask_weight=0, class_weight=0, embedding_weight=0)


def test_sure_answers_go_on_with_sure_objects():
    def bars(*widths: int) -> torch.Tensor:
        columns = torch.arange(SIZE[1]).expand(1, *SIZE)
        return torch.stack([(columns < width).float() for width in widths])

    tracker = Tracker(Config(threshold=0.1), classes=CLASSES)
    [before] = tracker.step(answers(bars(20, 12), [0.9, 0.15]), stamps(0, 1), 1)
    [after] = tracker.step(answers(bars(14, 22), [0.9, 0.15]), stamps(1, 1), 1)
    # by place alone the doubtful answers about the same thing would change places with it
    assert before.ids.tolist() == after.ids.tolist() == [0, 1]
    assert after.scores[0] == pytest.approx(0.9)
    assert after.masks[0].sum() == 14 * SIZE[0]
