"""Regions of classes: the class is the identity, however they jump, grow or vanish."""

import json
from fractions import Fraction

import pytest
import torch

from vis.errors import UsageError
from vis.models._semantic import by_class
from vis.tracking import Stamp
from vis.tracking.by_class import ByClass

STAMPS = [Stamp(i, Fraction(i, 25)) for i in range(4)]
MAPS = [[[0, 0], [1, 1]], [[1, 1], [0, 0]], [[2, 2], [2, 2]], [[1, 2], [2, 2]]]
"""Classes that exchange their places, vanish and come back."""


def follow(tracker: ByClass, first: int = 0) -> list[tuple[list[int], list[int]]]:
    given = []
    for stamp, classes in list(zip(STAMPS, MAPS, strict=True))[first:]:
        chances = torch.nn.functional.one_hot(torch.tensor(classes), 3).float() * 0.8
        (frame,) = tracker.step(by_class(chances.movedim(-1, 0)[None]), [stamp], 1)
        assert frame.index == stamp.index and frame.time == stamp.time
        assert (frame.ids == frame.labels).all()
        given.append((frame.ids.tolist(), (frame.masks > 0.5).sum(axis=(1, 2)).tolist()))
    return given


def test_the_id_of_a_region_is_its_class_wherever_it_is():
    tracker = ByClass(classes=3)
    expected = [([0, 1], [2, 2]), ([0, 1], [2, 2]), ([2], [4]), ([1, 2], [1, 3])]
    assert follow(tracker) == expected
    assert tracker.ended() == []
    found = tracker.finish()
    assert [(one.id, one.label) for one in found] == [(0, 0), (1, 1), (2, 2)]
    assert [one.score for one in found] == pytest.approx([0.8] * 3)
    assert tracker.finish() == []


def test_it_goes_on_from_its_state_which_does_not_grow():
    whole, first, second = (ByClass(classes=3) for _ in range(3))
    follow(whole)
    follow(first)
    size = len(json.dumps(first.state_dict()))
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    follow(second)
    follow(first)
    assert second.state_dict() == first.state_dict()
    assert len(json.dumps(second.state_dict())) <= size + 60
    with pytest.raises(UsageError):
        ByClass(classes=4).load_state_dict(first.state_dict())
