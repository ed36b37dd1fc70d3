"""Another clip in place of one that cannot be read: always the same one, and only for a few."""

import numpy as np
import pytest

from vis.datasets.classes import classes_of
from vis.datasets.clips import VideoClips
from vis.datasets.loader import batches
from vis.datasets.sampling import Strided
from vis.datasets.unreadable import ReplaceUnreadable, UnreadableSamples
from vis.errors import DataError, InputError, VisWarning


@pytest.fixture
def source(make_set):
    annotations, folder = make_set((3, 3, 3, 3))
    clips = VideoClips(annotations, folder, classes_of(annotations.categories), Strided(1))
    (folder / "v2/00001.jpg").write_bytes(b"")
    return ReplaceUnreadable(clips)


def seen(source, **settings):
    made = list(batches(source, size=2, seed=1, stop=12, **settings))
    return [(batch.names, batch.lost) for batch in made]


@pytest.mark.filterwarnings("ignore::vis.errors.VisWarning")
def test_the_replacement_is_a_function_of_seed_and_step(source):
    whole = seen(source)
    lost = [fault for _, faults in whole for fault in faults]
    assert lost and all("v2/00001.jpg (frame 1 of video 2)" in fault for fault in lost)
    assert not any("v2, frames 1" in name for names, _ in whole for name in names)
    assert seen(source, workers=1) == whole
    assert seen(source, start=5) == whole[5:]


def test_sound_items_are_left_alone(source):
    def picked(clips, index):
        return clips.sample(index, np.random.default_rng(4)).name

    assert all(picked(source, index) == picked(source.source, index) for index in (0, 2, 3))
    assert source.names == source.source.names and source.where(1) == source.source.where(1)


def test_where_nothing_can_be_read_the_error_is_told(source):
    for path in source.source.folder.glob("v*/*.jpg"):
        path.unlink()
    with pytest.raises(InputError, match="missing"):
        source.sample(0, np.random.default_rng(0))


def test_the_budget_counts_each_file_once():
    losses = UnreadableSamples(items=2500)
    with pytest.warns(VisWarning, match=r"a\.jpg.* place \(1 of at most 2\)"):
        losses.add(["a.jpg: bad."])
    losses.add(["a.jpg: bad."])
    with pytest.warns(VisWarning, match="2 of at most 2"):
        losses.add(["b.jpg: bad."])
    with pytest.raises(DataError, match=r"3 samples .* 0\.1% of the 2500 items; the last: c\.jpg"):
        losses.add(["c.jpg: bad."])
