"""A query is an identity from its birth to its death, and no id is ever given twice."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from tests.tracking.test_state import through_files
from vis.errors import UsageError
from vis.records import ClipPredictions, FrameTracks
from vis.tracking import Config, Stamp
from vis.tracking.by_query import ByQuery

Q, K = 4, 2
NOTHING = (-4.0, -4.0, 4.0)
CAT, DOG, MAYBE = (4.0, -4.0, -4.0), (-4.0, 4.0, -4.0), (0.0, -4.0, 1.0)
CONFIG = Config(patience=3)


def frame(shown: dict[int, tuple[float, ...]], places: dict[int, int] | None = None):
    """One frame; query n has the row of cells `places[n]`, by itself row n."""
    logits = torch.tensor([shown.get(query, NOTHING) for query in range(Q)])[:, None]
    masks = torch.zeros(Q, 1, Q, 3)
    for query in shown:
        row = (places or {}).get(query, query)
        if row >= 0:
            masks[query, 0, row] = 0.9
    probs = logits[:, 0].softmax(-1)[:, :-1]
    return ClipPredictions(
        scores=probs.amax(-1),
        labels=probs.argmax(-1),
        class_scores=probs,
        boxes=torch.zeros(Q, 1, 4),
        masks=masks,
        presence=masks.amax((2, 3)),
        query_logits=logits,
    )


def follow(tracker: ByQuery, frames: list[ClipPredictions], first: int = 0) -> list[FrameTracks]:
    said = []
    for t, predictions in enumerate(frames, first):
        said += tracker.step(predictions, [Stamp(t, Fraction(t, 25))], 1)
    return said


def test_a_query_keeps_its_id_over_a_gap_and_never_after_its_death():
    tracker = ByQuery(CONFIG, classes=K)
    gap = [frame({})] * 2
    said = follow(tracker, [frame({1: CAT}), *gap, frame({1: CAT}), *gap, *gap, frame({1: DOG})])
    assert [one.ids.tolist() for one in said] == [[0], [], [], [0], [], [], [], [], [1]]
    (cat,) = tracker.ended()
    assert (cat.id, cat.label) == (0, 0) and tracker.ended() == []
    (dog,) = tracker.finish()
    assert (dog.id, dog.label) == (1, 1)
    # the next shot's ids are new ones
    assert follow(tracker, [frame({1: DOG, 3: CAT})], 9)[0].ids.tolist() == [2, 3]


def test_the_score_is_of_the_mean_logits_since_the_birth():
    tracker = ByQuery(Config(patience=5, low_threshold=0.05), classes=K)
    shown = [frame({0: CAT}), frame({0: MAYBE}), frame({}), frame({0: CAT})]
    said = follow(tracker, shown)
    logits = torch.tensor([CAT, MAYBE, NOTHING, CAT]).double()
    for t in (0, 1, 3):
        expected = logits[: t + 1].mean(0).softmax(-1)[0]
        assert said[t].scores[0] == pytest.approx(expected.item())
    assert len(said[2]) == 0


def test_what_is_weak_or_empty_or_shown_already_is_not_born():
    tracker = ByQuery(CONFIG, classes=K)
    (first,) = follow(tracker, [frame({0: MAYBE, 1: CAT, 2: DOG, 3: CAT}, {2: 1, 3: -1})])
    assert first.ids.tolist() == [0] and first.labels.tolist() == [0]  # query 1, the first of two
    (second,) = follow(tracker, [frame({0: MAYBE, 1: CAT, 2: DOG}, {2: 3})], 1)
    assert second.ids.tolist() == [0, 1] and second.labels.tolist() == [0, 1]
    crowded = ByQuery(Config(max_tracks=2), classes=K)
    assert len(follow(crowded, [frame({0: CAT, 1: CAT, 2: CAT})])[0]) == 2


def test_it_goes_on_from_its_state_through_files():
    rng = np.random.default_rng(3)
    kinds = [CAT, DOG, MAYBE, *[NOTHING] * 6]
    frames = [frame({q: kinds[rng.integers(9)] for q in range(Q)}) for _ in range(40)]
    whole = ByQuery(CONFIG, classes=K)
    expected = follow(whole, frames)
    tracker, said = ByQuery(CONFIG, classes=K), []
    for t, one in enumerate(frames):
        state, tracker = through_files(tracker.state_dict()), ByQuery(CONFIG, classes=K)
        tracker.load_state_dict(state)
        said += follow(tracker, [one], t)
    for ours, theirs in zip(said, expected, strict=True):
        assert (ours.ids == theirs.ids).all() and (ours.scores == theirs.scores).all()
    assert max(one.ids.max(initial=0) for one in expected) > Q
    with pytest.raises(UsageError, match="other classes"):
        ByQuery(CONFIG, classes=3).load_state_dict(tracker.state_dict())


def test_windows_that_share_frames_and_other_models_are_refused():
    stamps = [Stamp(t, Fraction(t)) for t in range(2)]
    with pytest.raises(UsageError, match="share none"):
        ByQuery(CONFIG, classes=K).step(frame({}), stamps, 1)
    with pytest.raises(UsageError, match="2 classes, the tracker has 5"):
        ByQuery(CONFIG, classes=5).step(frame({}), stamps[:1], 1)
