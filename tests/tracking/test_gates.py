"""What a link needs beside likeness: a class that fits, and of a weak detection a good place."""

import torch

from tests.tracking.test_tracker import answers, square, stamps
from vis.records import FrameTracks
from vis.tracking import Config, Tracker
from vis.tracking.config import Config as Settings

CLASSES = 4


def followed(
    config: Settings, second: torch.Tensor, *, score: float = 0.9, label: int = 0
) -> list[FrameTracks]:
    """A square for three frames, then what is given where it was."""
    tracker = Tracker(config, classes=CLASSES)
    frames = []
    for index in range(3):
        frames += tracker.step(answers(square(4)[None]), stamps(index, 1), 1)
    said = answers(second[None], [score], [label])
    return [*frames, *tracker.step(said, stamps(3, 1), 1)]


def test_another_class_is_another_object_unless_the_place_leaves_no_doubt():
    settings = {"embedding_weight": 0.0, "match_threshold": 0.2}
    *_, beside = followed(Config(**settings), square(6), label=1)
    assert beside.ids.tolist() == [1]
    *_, beside = followed(Config(min_class_agreement=0.0, **settings), square(6), label=1)
    assert beside.ids.tolist() == [0]
    *_, same = followed(Config(**settings), square(4), label=1)
    assert same.ids.tolist() == [0]


def test_a_weak_detection_goes_on_only_where_it_fits():
    """A quarter of it overlaps: enough for a sure one, not for one that could begin nothing."""
    beside = square(7)
    settings = {"embedding_weight": 0.0, "match_threshold": 0.2}
    *_, sure = followed(Config(**settings), beside)
    assert sure.ids.tolist() == [0]
    *_, weak = followed(Config(low_min_iou=0.8, **settings), beside, score=0.2)
    assert weak.ids.tolist() == []
    *_, same = followed(Config(low_min_iou=0.8, **settings), square(4), score=0.2)
    assert same.ids.tolist() == [0]
