"""What annotation tools read and write is trained on and evaluated like any other data set."""

import numpy as np
import pytest

from vis.datasets.config import Augmentation, DataConfig, Source
from vis.datasets.open import open_dataset
from vis.evaluation.evaluate import evaluate
from vis.formats.converting import write_set
from vis.formats.opening import open_set


@pytest.mark.parametrize("to", ["cvat", "labelme", "yolo"])
@pytest.mark.parametrize("lengths", [(3, 2), (1, 1)])
def test_clips_and_numbers(make_set, tmp_path, to, lengths):
    annotations, frames = make_set(lengths)
    out = tmp_path / f"out{'.xml' if to == 'cvat' else ''}"
    write_set(out, annotations, to=to, frames=frames)
    data = open_set(out, frames)
    assert data.of_pictures == (to == "yolo" or lengths == (1, 1))
    augmentation = Augmentation(flip=0, colours=None, first=None, window=None, last=None)
    source = Source(path=str(out), frames=str(frames))
    config = DataConfig(sources=(source,), clip_length=2, augmentation=augmentation)
    sample = open_dataset(config).sample(0, np.random.default_rng(0))
    assert sample.targets.masks.any()
    evaluation = evaluate(data, data.annotations.tracks)
    assert evaluation.precision.numbers["AP"] == 1
    assert bool(evaluation.pictures) == data.of_pictures
