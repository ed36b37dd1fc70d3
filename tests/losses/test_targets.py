"""The joint table of targets: garbage of absent frames is gone, what does not fit is refused."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from vis.errors import UsageError
from vis.losses.targets import EMPTY, join


def test_absent_frames_hold_nothing(scene: Callable) -> None:
    output, targets = scene(0, instances=(3, 2), sizes=((8, 8), (8, 8)), frames=4)
    for target in targets:
        target.boxes[~target.visible] = torch.nan
    truth = join(targets, output.layers[0])
    absent = ~truth.visible
    assert absent.any()
    assert (truth.boxes[absent] == 0).all()
    assert (truth.labels[absent] == EMPTY).all()
    assert truth.counts == (3, 2)
    assert truth.clips.tolist() == [0, 0, 0, 1, 1]


def test_another_number_of_clips_is_refused(scene: Callable) -> None:
    output, targets = scene(0)
    with pytest.raises(UsageError, match="2 targets for a batch of 1 clips"):
        join([*targets, *targets], output.layers[0])


def test_another_number_of_classes_is_refused(scene: Callable) -> None:
    output, targets = scene(0)
    wrong = replace(targets[0], labelled=torch.ones(5, dtype=torch.bool))
    with pytest.raises(UsageError, match="clip 0 of the batch: labelled has shape"):
        join([wrong], output.layers[0])


@pytest.mark.parametrize("name", ["boxes", "visible", "masks"])
def test_another_number_of_frames_is_refused(scene: Callable, name: str) -> None:
    output, targets = scene(0)
    short = replace(targets[0], **{name: getattr(targets[0], name)[:, :2]})
    with pytest.raises(UsageError, match=f"clip 0 of the batch: {name} has shape"):
        join([short], output.layers[0])
