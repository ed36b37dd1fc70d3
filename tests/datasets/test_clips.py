from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from vis.datasets.classes import classes_of
from vis.datasets.clips import VideoClips
from vis.datasets.files import read_frames
from vis.datasets.sampling import Cyclic, Nearby, Strided
from vis.datasets.transforms import Crop
from vis.errors import DataError, InputError
from vis.formats.ytvis import read_annotations
from vis.formats.ytvis_records import VideoEntry
from vis.ops.rle import decode


def clips_of(made, sampling, **more) -> VideoClips:
    annotations, folder = made
    return VideoClips(annotations, folder, classes_of(annotations.categories), sampling, **more)


def test_there_is_one_item_for_each_frame_in_the_order_of_the_videos(make_set, random):
    source = clips_of(make_set((6, 4)), Cyclic(3))
    assert len(source) == 10
    assert source.sample(5, random).name == "v1, frames 3 4 5"
    assert source.sample(6, random).name == "v2, frames 2 3 0"
    assert source.where(6).endswith("v2/00000.jpg") and "video 2 (v2)" in source.where(6)


def test_frames_and_truth_are_those_of_the_files(make_set, random):
    made = make_set((6,))
    sample = clips_of(made, Cyclic(4)).sample(4, random)
    frames, targets = sample.frames, sample.targets
    assert frames.shape == (4, 3, 48, 80) and frames.dtype == torch.uint8
    assert targets.labels.tolist() == [0, 1]
    assert targets.visible.tolist() == [[True] * 4, [True, False, True, True]]
    for n, colour in enumerate([(255, 0, 0), (0, 255, 255)]):
        for t, frame in enumerate((1, 2, 3, 4)):
            mask = targets.masks[n, t]
            if targets.visible[n, t]:
                assert (mask.numpy() == decode(made[0].tracks[1][n].masks[frame])).all()
                assert (frames[t][:, mask].float().mean(1) - torch.tensor(colour)).abs().max() < 30


def test_an_object_keeps_its_row_through_the_frames_that_hide_it(make_set, random):
    source = clips_of(make_set((9,)), Cyclic(9))
    visible = source.sample(8, random).targets.visible[1]
    assert visible.tolist() == [t % 3 != 2 for t in range(9)]


def test_crowds_and_other_categories_are_background(make_set, random):
    annotations, folder = make_set((4,))
    cat, dog = annotations.tracks[1]
    tracks = {1: [replace(cat, crowd=True), dog, replace(dog, id=99, label=9)]}
    classes = classes_of(annotations.categories, ["dog", "cow"])
    source = VideoClips(replace(annotations, tracks=tracks), folder, classes, Cyclic(2))
    sample = source.sample(1, random)
    assert sample.targets.labels.tolist() == [0]
    assert sample.targets.labelled.tolist() == [True, False]


def test_objects_that_the_clip_does_not_show_are_kept_where_asked_for(make_set, random):
    made = make_set((6,))
    assert clips_of(made, Cyclic(1)).sample(2, random).targets.labels.tolist() == [0]
    kept = clips_of(made, Cyclic(1), keep_unseen=True).sample(2, random).targets
    assert kept.labels.tolist() == [0, 1] and kept.visible.tolist() == [[True], [False]]


def test_the_same_random_state_gives_the_same_clip(make_set):
    source = clips_of(make_set((30,)), Strided(3, 1, 5), transforms=[Crop(20, 40)])
    a, b, other = (source.sample(0, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert a.name == b.name and torch.equal(a.frames, b.frames)
    assert torch.equal(a.targets.masks, b.targets.masks)
    assert a.name != other.name or a.frames.shape != other.frames.shape


def test_a_repeated_frame_is_the_same_picture(make_set):
    annotations, folder = make_set((3,))
    frames = read_frames(folder, annotations.videos[1], [2, 0, 2])
    assert torch.equal(frames[0], frames[2]) and not torch.equal(frames[0], frames[1])


def test_grey_pictures_and_png_are_read_as_colour(tmp_path):
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    Image.fromarray(grey).save(tmp_path / "a.png")
    frames = read_frames(tmp_path, VideoEntry(1, "a", 8, 6, 1, ("a.png",)), [0])
    assert (frames[0].numpy() == grey).all()


def damage(path: Path, kind: str) -> None:
    if kind == "missing":
        path.unlink()
    else:
        whole = path.read_bytes()
        path.write_bytes({"empty": b"", "cut": whole[:-300], "text": b"<html>"}[kind])


@pytest.mark.parametrize("kind", ["missing", "empty", "cut", "text"])
def test_an_unreadable_picture_is_named_with_its_record(make_set, random, kind):
    made = make_set((4,))
    damage(made[1] / "v1/00002.jpg", kind)
    with pytest.raises((DataError, InputError)) as found:
        clips_of(made, Cyclic(2)).sample(3, random)
    assert "v1/00002.jpg (frame 2 of video 1)" in found.value.where and found.value.remedy
    assert "<" not in str(found.value) and "\n" not in str(found.value)


def test_a_picture_of_another_size_is_refused(make_set, random):
    annotations, folder = make_set((4,))
    videos = {1: replace(annotations.videos[1], width=81)}
    with pytest.raises(DataError, match=r"48 x 80 .* says 48 x 81"):
        clips_of((replace(annotations, videos=videos), folder), Cyclic(2)).sample(1, random)


def test_a_set_without_videos_is_refused(make_set):
    annotations, folder = make_set(())
    with pytest.raises(DataError, match="no video"):
        clips_of((annotations, folder), Cyclic(2))


def film(path: Path, frames: int) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 80, 48, "yuv420p"
        for t in range(frames):
            picture = av.VideoFrame.from_ndarray(np.full((48, 80, 3), 20 * t, np.uint8))
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))


def test_a_video_file_stands_in_for_its_folder_of_pictures(tmp_path, make_set, random):
    annotations, _ = make_set((6,), folder=tmp_path / "pictures")
    film(tmp_path / "v1.mp4", 6)
    sample = clips_of((annotations, tmp_path), Cyclic(3)).sample(4, random)
    assert sample.frames.shape == (3, 3, 48, 80)
    means = sample.frames.float().mean(dim=(1, 2, 3))
    assert (means - torch.tensor([40.0, 60.0, 80.0])).abs().max() < 4


def test_a_video_file_of_another_length_is_refused(tmp_path, make_set, random):
    annotations, _ = make_set((6,), folder=tmp_path / "pictures")
    film(tmp_path / "v1.mp4", 5)
    with pytest.raises(DataError, match="5 frames but its record says 6"):
        clips_of((annotations, tmp_path), Cyclic(3)).sample(4, random)


def test_the_sample_that_ships_can_be_learnt_from(random):
    folder = Path(__file__).parent.parent.parent / "data" / "sample"
    annotations = read_annotations(folder / "instances.json")
    source = VideoClips(annotations, folder, classes_of(annotations.categories), Cyclic(4))
    sample = source.sample(50, random)
    assert sample.frames.shape == (4, 3, 360, 640) and len(sample.targets.labels) > 2


def test_every_clip_of_a_real_set_is_read(shared, random):
    folder = shared / "data" / "pack_test" / "vis_tiny"
    annotations = read_annotations(folder / "instances.json")
    classes = classes_of(annotations.categories, key="demo_class")
    assert set(classes.names) == {"person", "two-wheeler", "dog", "bird"}
    source = VideoClips(annotations, folder / "JPEGImages", classes, Strided(5, 1, 3))
    for index in range(len(source)):
        sample = source.sample(index, random)
        assert len(sample.frames) == 5 and sample.targets.visible.any(1).all()


@pytest.mark.parametrize(
    ("stored", "orientation", "bright"),
    [
        ((80, 48), 1, (0, slice(None))),
        ((48, 80), 6, (slice(None), -1)),
        ((48, 80), 8, (slice(None), 0)),
        ((80, 48), 3, (-1, slice(None))),
        ((80, 48), 6, (0, slice(None))),
    ],
)
def test_a_picture_is_read_upright_where_its_record_is(tmp_path, stored, orientation, bright):
    """Its first stored row is bright; a record of the stored sides alone leaves it there."""
    pixels = np.zeros((stored[1], stored[0], 3), np.uint8)
    pixels[0] = 255
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(pixels).save(tmp_path / "0.png", exif=exif)
    frame = read_frames(tmp_path, VideoEntry(1, "v", 80, 48, 1, ("0.png",)), [0])[0, 0].numpy()
    expected = np.zeros((48, 80), np.uint8)
    expected[bright] = 255
    assert np.array_equal(frame, expected)


@pytest.mark.parametrize("sampling", [Cyclic(3), Strided(2, 1, 2), Nearby(2)])
def test_clips_of_a_video_that_is_annotated_in_part_hold_the_annotated_frames(
    make_set, random, sampling
):
    annotations, folder = make_set((6, 4, 5))
    parts = {1: (1, 4), 2: (), 3: None}
    videos = {
        id_: replace(video, annotated_frames=parts[id_])
        for id_, video in annotations.videos.items()
    }
    clips = VideoClips(
        replace(annotations, videos=videos),
        folder,
        classes_of(annotations.categories),
        sampling,
    )
    drawn = [clips.raw(index, random)[:2] for index in range(len(clips))]
    assert {video.id for video, _ in drawn} == {1, 3}
    assert {frame for video, frames in drawn for frame in frames if video.id == 1} <= {1, 4}
    assert "v1/00001.jpg" in clips.where(0)
    nothing = {1: replace(videos[1], annotated_frames=())}
    with pytest.raises(DataError, match="no annotated frame"):
        VideoClips(replace(annotations, videos=nothing), folder, clips.classes, sampling)
