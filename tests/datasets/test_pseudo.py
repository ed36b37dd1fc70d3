import dataclasses

import numpy as np
import pytest
import torch

from vis.datasets.classes import classes_of
from vis.datasets.clips import VideoClips
from vis.datasets.config import Augmentation, DataConfig, Motion, Resize, Source
from vis.datasets.cutout import Cutout
from vis.datasets.open import open_dataset
from vis.datasets.pseudo import PseudoClips, in_motion
from vis.datasets.raw_clip import InstanceAnnotation, raw_clip, targets_of
from vis.datasets.sampling import Cyclic
from vis.errors import UsageError
from vis.formats.opening import open_set
from vis.ops.rle import encode

SIZE = (90, 120)
LIVELY = Motion(zoom=(0.5, 1.0), rotation=25, shear=0.2)
STILL = Motion(zoom=(1, 1), rotation=0, shear=0, keyframes=1)


def ellipse(y: float, x: float, tall: float, wide: float) -> np.ndarray:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return ((rows - y) / tall) ** 2 + ((columns - x) / wide) ** 2 <= 1


def picture(*masks: np.ndarray):
    """Object n shines in channel n alone, on black."""
    pixels = np.zeros((*SIZE, 3), np.uint8)
    for n, mask in enumerate(masks):
        pixels[mask, n] = 200
    frames = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    return raw_clip(
        frames, [InstanceAnnotation(7 + n, {0: encode(mask)}) for n, mask in enumerate(masks)]
    )


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / max(1, (a | b).sum())


def guest_of(side: int, label: int = 3) -> Cutout:
    return Cutout(label, np.full((side, side, 3), 255, np.uint8), np.ones((side, side), bool))


@pytest.mark.parametrize("seed", range(6))
def test_masks_move_with_the_pixels(seed):
    masks = ellipse(30, 40, 18, 25), ellipse(65, 80, 14, 20)
    clip = in_motion(picture(*masks), [], 8, LIVELY, np.random.default_rng(seed))
    targets = targets_of(clip, keep_unseen=True)
    moved = 0
    for t in range(8):
        for n in range(2):
            painted = clip.frames[t, n].numpy() >= 100
            shown = targets.masks[n, t].numpy()
            if shown.sum() > 300:
                assert overlap(shown, painted) > 0.95
                moved += overlap(shown, masks[n]) < 0.9
    assert moved > 2


def test_without_motion_the_clip_is_the_picture():
    mask = ellipse(30, 40, 18, 25)
    still = picture(mask)
    clip = in_motion(still, [], 3, STILL, np.random.default_rng(0))
    assert torch.equal(clip.frames, still.frames.expand(3, -1, -1, -1))
    assert (targets_of(clip).masks.numpy() == mask).all()


def test_what_a_guest_hides_is_nobody_elses():
    hidden = seen = 0
    for seed in range(12):
        scene = picture(ellipse(45, 60, 25, 30))
        copy_paste_instances = [guest_of(30), guest_of(20, label=4)]
        clip = in_motion(scene, copy_paste_instances, 6, STILL, np.random.default_rng(seed))
        targets = targets_of(clip, keep_unseen=True)
        assert targets.labels.tolist() == [7, 3, 4]
        masks, white = targets.masks, clip.frames[:, 0] == 255
        assert masks.sum(0).max() <= 1
        guest = masks[1] | masks[2]
        # the bilinear edge of a cutout is a little darker
        assert (white & ~guest).sum() == 0
        assert (guest & ~white).sum() <= 0.2 * guest.sum() + 30
        whole = torch.from_numpy(ellipse(45, 60, 25, 30))
        assert torch.equal(masks[0] | (guest & whole), whole.expand(6, -1, -1))
        hidden += bool((guest & whole).any())
        seen += bool(guest.any())
    assert hidden > 3 and seen > 6


def test_guests_enter_and_leave_under_one_identity():
    changes = 0
    for seed in range(20):
        motion = Motion(zoom=(1, 1), rotation=0, shear=0, keyframes=4)
        clip = in_motion(picture(), [guest_of(40)], 30, motion, np.random.default_rng(seed))
        targets = targets_of(clip, keep_unseen=True)
        assert targets.labels.tolist() == [3]
        changes += int(targets.visible[0].int().diff().abs().sum())
    assert changes > 4


def test_an_object_can_leave_the_view_and_come_back():
    mask = ellipse(8, 10, 6, 8)
    motion = Motion(zoom=(0.4, 0.5), rotation=0, shear=0, keyframes=6)
    seen = [
        targets_of(
            in_motion(picture(mask), [], 40, motion, np.random.default_rng(seed)), keep_unseen=True
        ).visible[0]
        for seed in range(12)
    ]
    assert any(
        (visible.int().diff() == -1).any() and (visible.int().diff() == 1).any() for visible in seen
    )


@pytest.fixture
def pictures(shared):
    data = open_set(shared / "data" / "pack_test" / "coco_tiny")
    classes = classes_of(data.annotations.categories)
    return VideoClips(data.annotations, data.frames, classes, Cyclic(1))


def test_real_pictures_become_clips_of_the_asked_length(pictures):
    source = PseudoClips(pictures, 5, Motion(copy_paste_instances=3))
    assert len(source) == len(pictures) == 40 and source.names == pictures.names
    copy_paste_instances = 0
    for index in range(0, 40, 4):
        sample = source.sample(index, np.random.default_rng(index))
        alone = pictures.sample(index, np.random.default_rng(0)).targets
        targets = sample.targets
        assert sample.frames.shape[0] == 5 and targets.visible.any(1).all()
        assert torch.equal(targets.visible, targets.masks.flatten(2).any(2))
        copy_paste_instances += len(targets.labels) > len(alone.labels)
        again = source.sample(index, np.random.default_rng(index))
        assert torch.equal(sample.frames, again.frames)
        assert torch.equal(targets.masks, again.targets.masks)
    assert copy_paste_instances > 1


def test_a_picture_is_a_still_clip_of_one_frame_or_a_moving_one_of_several(shared):
    settings = Source(path=str(shared / "data" / "pack_test" / "coco_tiny"))
    small = Augmentation(last=Resize(short=(60,), longest=None))
    one = open_dataset(DataConfig(sources=(settings,), clip_length=1, augmentation=small))
    assert isinstance(one, VideoClips)
    assert min(one.sample(0, np.random.default_rng(0)).frames.shape[2:]) == 60
    moved = dataclasses.replace(settings, motion=Motion(single=True, zoom=(0.5, 0.6)))
    single = open_dataset(DataConfig(sources=(moved,), clip_length=1, augmentation=small))
    shown = [source.sample(0, np.random.default_rng(0)).frames for source in (one, single)]
    assert shown[0].shape == shown[1].shape and not torch.equal(*shown)
    several = open_dataset(DataConfig(sources=(settings,), clip_length=4, augmentation=small))
    assert isinstance(several, PseudoClips)
    frames = several.sample(0, np.random.default_rng(0)).frames
    assert len(frames) == 4 and min(frames.shape[2:]) == 60
    assert not torch.equal(frames[0], frames[3])


def test_only_clips_of_one_frame_can_be_set_in_motion(pictures):
    with pytest.raises(UsageError):
        PseudoClips(pictures, 0, Motion())
    longer = VideoClips(pictures.annotations, pictures.folder, pictures.classes, Cyclic(2))
    with pytest.raises(UsageError):
        PseudoClips(longer, 4, Motion())


def test_pictures_without_an_object_of_the_classes_may_be_left_out(shared):
    settings = Source(path=str(shared / "data" / "pack_test" / "coco_tiny"))
    config = DataConfig(sources=(settings,), clip_length=1, classes=("person",))
    every = open_dataset(config)
    some = open_dataset(
        dataclasses.replace(config, sources=(dataclasses.replace(settings, keep_empty=False),))
    )
    draw = [np.random.default_rng(0)] * 2
    shown = [
        index for index in range(len(every)) if len(every.sample(index, draw[0]).targets.labels)
    ]
    assert len(some) == len(shown) < len(every)
    assert all(len(some.sample(index, draw[1]).targets.labels) for index in range(len(some)))
