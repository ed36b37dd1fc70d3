import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vis.datasets.raw_clip import InstanceAnnotation, raw_clip, targets_of
from vis.datasets.transforms import Crop, Fixed, Flip, ScaleJitter, ShortSide, Sometimes, size_for
from vis.errors import UsageError
from vis.ops.rle import encode


@pytest.fixture
def clip():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 60, 90), np.uint8)
    mask = np.zeros((60, 90), bool)
    mask[10:30, 20:60] = True
    instances = [InstanceAnnotation(4, dict.fromkeys(range(3), encode(mask)))]
    still = torch.from_numpy(pixels[:1].repeat(3, 0))
    return raw_clip(still, instances)


@pytest.mark.parametrize(
    "transform",
    [
        Flip(),
        ShortSide((30, 40), 70),
        Fixed(20, 50),
        Crop(20, 70),
        Sometimes((Crop(20, 50),)),
        ScaleJitter(0.1, 2.0, 64, 64, 128),
    ],
)
def test_one_draw_is_for_all_frames(clip, transform):
    """A still clip stays still, truth included."""
    for seed in range(8):
        out = transform(clip, np.random.default_rng(seed))
        targets = targets_of(out, keep_unseen=True)
        assert (out.frames == out.frames[:1]).all()
        assert (targets.masks == targets.masks[:, :1]).all()
        assert out.frames.dtype == torch.uint8 and out.frames.shape[2:] == out.size


def test_the_jitter_makes_a_square_at_any_scale(clip):
    jitter, shares = ScaleJitter(0.5, 1.5, 60, 60, 128), []
    for seed in range(60):
        out = jitter(clip, np.random.default_rng(seed))
        targets = targets_of(out, keep_unseen=True)
        assert out.size == (60, 60) and targets.masks.shape == (1, 3, 60, 60)
        grey = (out.frames == 128).all(dim=1)
        width = int((~grey[0]).any(dim=0).sum())
        assert not (targets.masks[0] & grey).all(dim=0).any() or width == 60
        shares.append(width)
    assert min(shares) < 40 and sum(share == 60 for share in shares) > 20


def test_the_jitters_window_need_not_be_a_square(clip):
    sizes = set()
    for seed in range(20):
        out = ScaleJitter(1.0, 1.0, 60, 240, 128)(clip, np.random.default_rng(seed))
        assert out.size == (60, 240)
        sizes.add(int((out.frames[0] != 128).any(dim=0).any(dim=0).sum()))
    assert sizes == {90}, "a clip of 3:2 fits into the height"
    tall = ScaleJitter(1.0, 1.0, 240, 90, 128)(clip, np.random.default_rng(0))
    assert tall.size == (240, 90) and (tall.frames[..., 60:, :] == 128).all()


def test_what_was_filled_up_shows_no_object(clip):
    out = ScaleJitter(0.5, 0.5, 180, 180, 128)(clip, np.random.default_rng(0))
    assert torch.equal(out.frames[..., :60, :90], clip.frames)
    assert (out.frames[..., 60:, :] == 128).all() and (out.frames[..., 90:] == 128).all()
    masks = targets_of(out).masks
    assert torch.equal(masks[..., :60, :90], targets_of(clip).masks)
    assert not masks[..., 60:, :].any() and not masks[..., 90:].any()


def test_flips_come_as_often_as_asked(clip):
    def count(probability):
        flip = Flip(probability)
        outs = [flip(clip, np.random.default_rng(seed)) for seed in range(200)]
        return sum(not torch.equal(out.frames, clip.frames) for out in outs)

    assert count(0) == 0 and count(1) == 200 and 70 < count(0.5) < 130


@pytest.mark.parametrize(
    ("size", "short", "longest", "wanted"),
    [
        ((720, 1280), 300, 540, (300, 533)),
        ((1280, 720), 300, 540, (533, 300)),
        ((288, 512), 300, 500, (281, 499)),
        ((480, 480), 300, 540, (300, 300)),
        ((720, 1280), 360, None, (360, 640)),
        ((100, 1000), 300, 540, (54, 540)),
    ],
)
def test_sizes_follow_the_published_rule(size, short, longest, wanted):
    assert size_for(size, short, longest) == wanted


@given(st.integers(1, 2000), st.integers(1, 2000), st.integers(1, 900), st.integers(1, 900))
def test_the_long_side_stays_below_its_bound(height, width, short, longest):
    """Half a pixel of rounding on the short side is all that it may exceed, in proportion."""
    found = size_for((height, width), short, longest)
    stretch = max(height, width) / min(height, width)
    assert min(found) <= short and max(found) <= max(longest + stretch / 2, stretch)


def test_windows_have_the_sizes_asked_for_and_reach_everywhere(clip):
    sizes, corners = set(), set()
    for seed in range(300):
        out = Crop(20, 70)(clip, np.random.default_rng(seed))
        sizes.add(out.size)
        corners.add((int(out.rows[0]), int(out.columns[0])))
    heights, widths = ({size[axis] for size in sizes} for axis in range(2))
    assert min(heights) >= 20 and max(heights) == 60
    assert min(widths) >= 20 and max(widths) == 70
    assert {0, 40} <= {top for top, _ in corners} | {0, 40} and max(corners)[1] >= 0
    assert max(left for _, left in corners) > 55


def test_a_clip_smaller_than_the_window_stays_whole(clip):
    assert Crop(200, 300)(clip, np.random.default_rng(0)).size == (60, 90)


@pytest.mark.parametrize("make", [lambda: Crop(9, 8), lambda: Crop(0, 8), lambda: ShortSide(())])
def test_senseless_transforms_are_refused(make):
    with pytest.raises(UsageError):
        make()
