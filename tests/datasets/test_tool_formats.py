"""What annotation tools read and write is trained on and evaluated like any other data set."""

from dataclasses import replace

import numpy as np
import pytest

from vis.datasets.config import Augmentation, DataConfig, Source
from vis.datasets.files import read_frames
from vis.datasets.open import open_dataset
from vis.evaluation.evaluate import evaluate
from vis.formats.converting import convert, write_set
from vis.formats.opening import open_set
from vis.ops.rle import box


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


def test_the_frames_of_a_cvat_task_are_those_of_its_film(tmp_path, pytestconfig):
    sample = pytestconfig.rootpath / "data" / "sample"
    done = convert(sample, tmp_path / "out.xml", to="cvat")
    data = open_set(tmp_path / "out.xml", sample)
    tracks = [list(one.tracks[1]) for one in (data.annotations, done.source.annotations)]
    assert [track.masks for track in tracks[0]] == [track.masks for track in tracks[1]]
    assert data.frames is not None
    assert read_frames(data.frames, data.annotations.videos[1], [3]).shape == (1, 3, 360, 640)


def test_a_task_with_some_frames_of_a_film_says_nothing_of_the_others(tmp_path, pytestconfig):
    shape = '<box frame="{}" outside="0" xtl="{}" ytl="0" xbr="{}" ybr="9"/>'
    track = f'<track label="a">{shape.format(10, 0, 9)}{shape.format(16, 20, 29)}</track>'
    task = "<size>3</size><start_frame>10</start_frame><frame_filter>step=3</frame_filter>"
    meta = f"<meta><task>{task}<source>clip.mp4</source></task></meta>"
    path = tmp_path / "annotations.xml"
    path.write_text(f"<annotations>{meta}{track}</annotations>")
    data = open_set(path, pytestconfig.rootpath / "data" / "sample")
    video = data.annotations.videos[1]
    assert (video.length, video.annotated_frames) == (168, (10, 13, 16))
    edges = {frame: box(mask) for frame, mask in data.annotations.tracks[1][0].masks.items()}
    assert edges == {10: (0, 0, 9, 9), 13: (10, 0, 19, 9), 16: (20, 0, 29, 9)}


@pytest.mark.parametrize("to", ["cvat", "labelme", "yolo"])
def test_boxes_alone_stay_boxes(make_set, tmp_path, to):
    annotations, frames = make_set((1, 1))
    boxes = {
        id_: [replace(track, box_only=True) for track in tracks]
        for id_, tracks in annotations.tracks.items()
    }
    out = tmp_path / f"out{'.xml' if to == 'cvat' else ''}"
    written = write_set(out, replace(annotations, tracks=boxes), to=to, frames=frames)
    tracks = [track for of_video in written.tracks.values() for track in of_video]
    assert all(track.box_only for track in tracks)
    before = [box(track.masks[0]) for of_video in boxes.values() for track in of_video]
    assert sorted(box(track.masks[0]) for track in tracks) == sorted(before)
