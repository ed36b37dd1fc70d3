import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from vis.datasets.raw_clip import (
    InstanceAnnotation,
    cropped,
    flipped,
    raw_clip,
    resized,
    targets_of,
)
from vis.ops.rle import decode, encode


def clip_of(masks: np.ndarray, seed: int = 0):
    """Masks `[N T H W]` over noise; an empty one has no entry."""
    frames = np.random.default_rng(seed).integers(0, 256, (masks.shape[1], 3, *masks.shape[2:]))
    instances = [
        InstanceAnnotation(n, {t: encode(mask) for t, mask in enumerate(row) if mask.any()})
        for n, row in enumerate(masks)
    ]
    return raw_clip(torch.from_numpy(frames.astype(np.uint8)), instances)


def some_masks(seed: int, size=(13, 17), instances=3, frames=2) -> np.ndarray:
    random = np.random.default_rng(seed)
    masks = np.zeros((instances, frames, *size), bool)
    for mask in masks.reshape(-1, *size):
        top, left = random.integers(0, size[0]), random.integers(0, size[1])
        mask[top : top + random.integers(0, 9), left : left + random.integers(0, 9)] = True
        mask &= random.random(size) < 0.8
    return masks


def test_targets_are_the_masks_as_the_file_has_them():
    masks = some_masks(1)
    targets = targets_of(clip_of(masks), keep_unseen=True)
    assert (targets.masks.numpy() == masks).all()
    assert targets.labels.tolist() == [0, 1, 2]
    assert (targets.visible.numpy() == masks.any((2, 3))).all()


def test_flipping_twice_is_nothing():
    clip = clip_of(some_masks(2))
    again = flipped(flipped(clip))
    assert (again.frames == clip.frames).all()
    assert (targets_of(again).masks == targets_of(clip).masks).all()


operations = st.lists(
    st.one_of(
        st.just(("flip",)),
        st.tuples(st.just("resize"), st.integers(2, 30), st.integers(2, 30)),
        st.tuples(st.just("crop"), st.floats(0, 0.99), st.floats(0, 0.99)),
    ),
    max_size=5,
)


def slowly(masks: torch.Tensor, operation: tuple) -> torch.Tensor:
    """The same on whole masks, each step for itself."""
    height, width = masks.shape[2:]
    if operation[0] == "flip":
        return masks.flip(-1)
    if operation[0] == "resize":
        return interpolate(masks.float(), size=operation[1:], mode="nearest-exact").bool()
    top, left = int(operation[1] * height), int(operation[2] * width)
    return masks[..., top : top + 7, left : left + 7]


@settings(deadline=None, max_examples=60)
@given(operations, st.integers(0, 5))
def test_choosing_lines_once_equals_changing_whole_masks_step_by_step(steps, seed):
    masks = some_masks(seed)
    clip, wanted = clip_of(masks), torch.from_numpy(masks)
    for step in steps:
        if step[0] == "flip":
            clip = flipped(clip)
        elif step[0] == "resize":
            clip = resized(clip, *step[1:])
        else:
            top, left = int(step[1] * clip.size[0]), int(step[2] * clip.size[1])
            height, width = min(7, clip.size[0] - top), min(7, clip.size[1] - left)
            clip = cropped(clip, top, left, height=height, width=width)
        wanted = slowly(wanted, step)
    targets = targets_of(clip, keep_unseen=True)
    assert clip.frames.shape[2:] == wanted.shape[2:] == clip.size
    assert (targets.masks == wanted).all()
    assert (targets.visible == wanted.flatten(2).any(2)).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 99))
def test_boxes_are_the_tight_boxes_of_the_masks(seed):
    clip = cropped(resized(clip_of(some_masks(seed)), 20, 31), 3, 5, height=11, width=19)
    targets = targets_of(clip, keep_unseen=True)
    for mask, box in zip(targets.masks.flatten(0, 1), targets.boxes.flatten(0, 1), strict=True):
        x0, y0, x1, y1 = (box * torch.tensor([19, 11, 19, 11])).round().int().tolist()
        inside = torch.zeros_like(mask)
        inside[y0:y1, x0:x1] = True
        assert not (mask & ~inside).any()
        if mask.any():
            assert mask[y0].any() and mask[y1 - 1].any()
            assert mask[:, x0].any() and mask[:, x1 - 1].any()
        else:
            assert box.tolist() == [0, 0, 0, 0]


def test_pixels_and_masks_stay_together_through_crops_and_flips():
    masks = some_masks(3)
    clip = clip_of(masks)
    painted = torch.from_numpy(masks[:1].repeat(3, 0).transpose(1, 0, 2, 3) * np.uint8(255))
    clip = flipped(cropped(clip_of(masks), 2, 3, height=10, width=12))
    same = flipped(cropped(raw_clip(painted, clip.instances), 2, 3, height=10, width=12))
    assert (same.frames[:, 0].bool() == targets_of(clip, keep_unseen=True).masks[0]).all()


def test_an_object_that_a_crop_loses_is_invisible_and_gone_when_no_frame_shows_it():
    masks = np.zeros((2, 3, 12, 20), bool)
    masks[0, :, 2:5, 2:5] = True
    masks[0, 1] = np.roll(masks[0, 1], 12, axis=1)
    masks[1, :, 6:9, 15:18] = True
    clip = cropped(clip_of(masks), 0, 0, height=12, width=10)
    targets = targets_of(clip)
    assert targets.labels.tolist() == [0]
    assert targets.visible.tolist() == [[True, False, True]]
    assert targets.boxes[0, 1].tolist() == [0, 0, 0, 0] and not targets.masks[0, 1].any()
    kept = targets_of(clip, keep_unseen=True)
    assert kept.labels.tolist() == [0, 1] and not kept.visible[1].any()


def test_a_clip_without_objects_has_empty_targets_of_its_size():
    targets = targets_of(clip_of(np.zeros((0, 3, 8, 9), bool)))
    assert targets.masks.shape == (0, 3, 8, 9) and targets.boxes.shape == (0, 3, 4)
    assert targets.labels.shape == (0,) and targets.visible.shape == (0, 3)


def test_an_object_too_thin_for_the_smaller_picture_is_invisible():
    masks = np.zeros((1, 1, 40, 40), bool)
    masks[0, 0, 7, :] = True
    assert not targets_of(resized(clip_of(masks), 4, 4), keep_unseen=True).visible.any()


def test_masks_stay_where_they_were_cut(random):
    """A mask of a file is not touched: the same clip can be read again."""
    masks = some_masks(4)
    clip = clip_of(masks)
    targets_of(flipped(clip)).masks.zero_()
    first = next(iter(clip.instances[0].masks.items()), None)
    assert first is None or (decode(first[1]) == masks[0, first[0]]).all()


@pytest.mark.parametrize("size", [(13, 17), (26, 34), (7, 5)])
def test_a_resized_frame_has_the_size_that_was_asked_for(size):
    clip = resized(clip_of(some_masks(5)), *size)
    assert clip.frames.shape == (2, 3, *size) and clip.frames.dtype == torch.uint8
