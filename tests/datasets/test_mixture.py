from collections import Counter

import numpy as np
import pytest

from vis.datasets.classes import classes_of
from vis.datasets.clips import VideoClips
from vis.datasets.mixture import Mixture
from vis.datasets.order import item_of
from vis.datasets.sampling import Cyclic
from vis.errors import UsageError


@pytest.fixture
def sources(make_set, tmp_path):
    """Two sets of 6 and 4 frames; a video is named by its set."""
    found = []
    for name, length in (("a", 6), ("b", 4)):
        annotations, folder = make_set((length,), folder=tmp_path / name)
        classes = classes_of(annotations.categories)
        found.append(VideoClips(annotations, folder, classes, Cyclic(1)))
    return found


def test_parts_have_their_shares_whatever_their_length(sources):
    mixture = Mixture(sources, [1, 3])
    assert mixture.shares == (6, 18) and len(mixture) == 24
    mixture = Mixture(sources, [0.75, 0.25])
    assert mixture.shares == (12, 4)


def test_every_item_is_shown_and_none_is_preferred(sources):
    mixture = Mixture(sources, [1, 1])
    assert mixture.shares == (6, 6)
    seen = Counter()
    for number in range(12 * 12):
        item = item_of(1, number, 12)
        seen[item >= 6, mixture.sample(item, np.random.default_rng(number)).name] += 1
    first = [seen[False, f"v1, frames {t}"] for t in range(6)]
    second = [seen[True, f"v1, frames {t}"] for t in range(4)]
    assert first == [12] * 6 and sum(second) == 72
    assert min(second) >= 12 and max(second) < 30


def test_a_mixture_is_a_function_of_item_and_random_state(sources):
    mixture = Mixture(sources, [1, 2])
    for item in range(len(mixture)):
        names = {mixture.sample(item, np.random.default_rng(3)).name for _ in range(2)}
        assert len(names) == 1
        assert mixture.where(item)


def test_parts_of_other_classes_or_senseless_weights_are_refused(sources):
    other = sources[1]
    other.classes = classes_of(other.annotations.categories, ["dog"])
    with pytest.raises(UsageError, match="different classes"):
        Mixture(sources, [1, 1])
    for weights in ([1], [1, 0], [1, -1]):
        with pytest.raises(UsageError):
            Mixture([sources[0], sources[0]], weights)
    with pytest.raises(UsageError):
        Mixture([], [])
