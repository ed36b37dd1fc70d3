"""The shipped sample and the script that composes it: events, truth, repeatability."""

from __future__ import annotations

import importlib
import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from vis.errors import OutputExistsError, UsageError, VideoError
from vis.formats.published import COCO
from vis.formats.ytvis import read_annotations
from vis.ops.rle import decode, parse_rle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "data" / "sample"
SMALL = {"width": 128, "height": 72}

Masks = dict[int, np.ndarray]


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts" / "dev")
        yield importlib.import_module("make_sample")


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    value: dict[str, Any] = json.loads((SAMPLE / "instances.json").read_text())
    return value


@pytest.fixture(scope="module")
def visible(truth: dict[str, Any]) -> list[Masks]:
    """Masks of the shipped sample, frame by frame."""
    frames: list[Masks] = [{} for _ in range(truth["videos"][0]["length"])]
    for annotation in truth["annotations"]:
        for masks, code in zip(frames, annotation["segmentations"], strict=True):
            if code:
                masks[annotation["id"]] = decode(parse_rle(code))
    return frames


def test_the_folder_stays_under_one_and_a_half_megabytes() -> None:
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 1_500_000


def test_our_reader_takes_the_truth(truth: dict[str, Any]) -> None:
    read = read_annotations(SAMPLE / "instances.json")
    assert len(read.videos) == 1
    assert read.videos[1].length == len(read.videos[1].file_names)
    assert [track.id for track in read.tracks[1]] == [a["id"] for a in truth["annotations"]]
    names = [read.categories[track.label].name for track in read.tracks[1]]
    assert sorted(names) == ["cat", "cup", "person", "person"]


def test_categories_are_numbered_as_in_coco(truth: dict[str, Any]) -> None:
    for category in truth["categories"]:
        assert COCO[category["id"]] == category["name"]


def test_boxes_and_areas_are_those_of_the_masks(truth: dict[str, Any]) -> None:
    for annotation in truth["annotations"]:
        lists = (annotation[key] for key in ("segmentations", "bboxes", "areas"))
        for code, box, area in zip(*lists, strict=True):
            if code is None:
                assert box is None and area is None
                continue
            rows, columns = np.nonzero(decode(parse_rle(code)))
            left, top = columns.min(), rows.min()
            assert box == [left, top, columns.max() + 1 - left, rows.max() + 1 - top]
            assert area == len(rows) > 0


def test_frame_by_frame_the_clip_is_what_the_truth_is_of(
    script: ModuleType, truth: dict[str, Any], visible: list[Masks]
) -> None:
    video = truth["videos"][0]
    rendered = script.render(frames=video["length"], width=video["width"], height=video["height"])
    with av.open(str(SAMPLE / "clip.mp4")) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == video["length"]
    for index, frame in enumerate(frames):
        assert (frame.width, frame.height) == (video["width"], video["height"])
        assert frame.time is not None and round(frame.time * 24, 6) == index
    for frame, stated, (pixels, masks) in zip(frames[:6], visible, rendered, strict=False):
        decoded = frame.to_ndarray(format="rgb24", src_colorspace="ITU709").astype(int)
        assert np.abs(decoded - pixels).mean() < 8
        for owner, mask in masks.items():
            assert overlap(mask, stated[owner]) > 0.97


def test_the_suit_is_orange_where_the_mask_of_the_astronaut_is(visible: list[Masks]) -> None:
    with av.open(str(SAMPLE / "clip.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for index in (12, 60, 105):
        red, green, blue = np.moveaxis(frames[index].astype(int), -1, 0)
        orange = (red > 190) & (abs(green - 85) < 30) & (blue < 75)
        orange[:250] = False  # saucer and coffee are orange too
        assert orange.sum() > 500
        assert (orange & visible[index][1]).sum() > 0.9 * orange.sum()


def test_objects_hide_and_come_back_as_themselves(visible: list[Masks]) -> None:
    assert returning(visible, least=5) >= {2, 3, 4}


def test_objects_cross(visible: list[Masks]) -> None:
    assert crossing(visible) >= {(1, 2), (1, 4)}


def test_masks_never_overlap(visible: list[Masks]) -> None:
    assert most_owners(visible) == 1


def test_a_short_film_has_the_same_events(script: ModuleType) -> None:
    film = [masks for _, masks in script.render(frames=56, **SMALL)]
    assert set().union(*film) == set(script.objects())
    assert set(script.objects().values()) == set(script.CATEGORIES)
    assert most_owners(film) == 1
    assert returning(film, least=2)
    assert crossing(film)


def test_the_scene_repeats_itself(script: ModuleType) -> None:
    first, again = (list(script.render(frames=2, **SMALL)) for _ in range(2))
    for (pixels, masks), (same, equal) in zip(first, again, strict=True):
        assert np.array_equal(pixels, same)
        assert masks.keys() == equal.keys()
        assert all(np.array_equal(masks[owner], equal[owner]) for owner in masks)


def test_nothing_is_replaced_unasked(script: ModuleType, tmp_path: Path) -> None:
    options = script.RenderOptions(frames=2, **SMALL)
    script.make(options, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {"clip.mp4", "instances.json"}
    with pytest.raises(OutputExistsError):
        script.make(options, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    script.make(options, tmp_path, overwrite=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_check_sees_a_foreign_clip_and_a_shifted_truth(
    script: ModuleType, tmp_path: Path
) -> None:
    options = script.RenderOptions(frames=3, **SMALL)
    script.make(options, tmp_path)
    clip, truth = tmp_path / "clip.mp4", tmp_path / "instances.json"
    script.check(options, clip, truth)
    with pytest.raises(VideoError, match="picture is"):
        script.check(script.RenderOptions(2, **SMALL), clip, truth)  # frame 1 is later in the story
    with pytest.raises(VideoError, match="more than 1"):
        script.check(script.RenderOptions(1, **SMALL), clip, truth)
    shifted = json.loads(truth.read_text())
    for annotation in shifted["annotations"]:
        for key in ("segmentations", "bboxes", "areas"):
            annotation[key].insert(0, annotation[key].pop())
    truth.write_text(json.dumps(shifted))
    with pytest.raises(VideoError, match="object"):
        script.check(options, clip, truth)


def test_the_check_sees_a_clip_that_ends_early(script: ModuleType, tmp_path: Path) -> None:
    script.make(script.RenderOptions(frames=1, **SMALL), tmp_path)
    with pytest.raises(VideoError, match="1 frames instead of 2"):
        script.check(script.RenderOptions(2, **SMALL), *sorted(tmp_path.iterdir()))


def test_sizes_that_cannot_be_are_refused(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for size in ("127x72", "72x128", "64x36"):
        assert script.main(["--out", str(tmp_path), "--size", size]) == UsageError.exit_code
        assert size in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def most_owners(film: list[Masks]) -> int:
    """The largest number of objects that claim one pixel."""
    return max(int(np.sum(list(masks.values()), axis=0).max()) for masks in film if masks)


def returning(film: list[Masks], least: int) -> set[int]:
    """Objects that are not seen for at least so many frames between two in which they are."""
    seen = {
        owner: [i for i, masks in enumerate(film) if owner in masks] for owner in film_ids(film)
    }
    return {o for o, at in seen.items() if any(b - a > least for a, b in pairwise(at))}


def crossing(film: list[Masks]) -> set[tuple[int, int]]:
    """Pairs of objects whose boxes meet, now with the one further left, now with the other."""
    boxes = [{owner: extent(mask) for owner, mask in masks.items()} for masks in film]
    ids = sorted(film_ids(film))
    return {(a, b) for a in ids for b in ids if a < b and cross(boxes, a, b)}


def cross(boxes: list[dict[int, tuple[int, int, int, int]]], a: int, b: int) -> bool:
    both = [(frame[a], frame[b]) for frame in boxes if a in frame and b in frame]
    meeting = [
        p[0] + p[2] - q[0] - q[2]
        for p, q in both
        if max(p[0], q[0]) < min(p[2], q[2]) and max(p[1], q[1]) < min(p[3], q[3])
    ]
    return bool(meeting) and min(meeting) < 0 < max(meeting)


def film_ids(film: list[Masks]) -> set[int]:
    return {owner for masks in film for owner in masks}


def extent(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(mask)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
