"""Identity numbers against those that other programs gave."""

import json
from math import nan
from pathlib import Path
from random import Random

import numpy as np
import pytest

from vis.evaluation.identity import identity
from vis.formats.ytvis_records import AnnotationSet, Category, VideoEntry
from vis.ops import rle
from vis.records import RLE, Track

NAMES = ("pedestrian", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")

# scalabel 0.3, in per cent: what its own test of these files expects
SCALABEL = {
    "MOTSA": 64.30611079383209, "MOTSP": 83.57249803157146, "IDF1": 74.51573849878935,
    "false": 201, "missed": 399, "ID_switches": 25, "fragmentations": 42,
    "mostly_tracked": 56, "partly_tracked": 19, "mostly_lost": 11,
}  # fmt: skip
SCALABEL_EMPTY = {
    "MOTSA": 0, "MOTSP": nan, "IDF1": 0, "false": 0, "missed": 1751, "ID_switches": 0,
    "fragmentations": 0, "mostly_tracked": 0, "partly_tracked": 0, "mostly_lost": 86,
}  # fmt: skip
MEANS = {"IDF1": 26.458539514581545, "MOTSA": -36.86830564411494, "MOTSP": 45.791906065134405}
MOTSA_PER_CATEGORY = {
    "rider": -6.06060606, "car": 77.73224044, "truck": 39.24050633, "motorcycle": 14.14141414,
}  # fmt: skip


def scalabel_tracks(path: Path) -> list[Track]:
    masks: dict[tuple[str, str, bool], dict] = {}
    for frame in json.loads(path.read_text()):
        for label in frame["labels"] or []:
            crowd = bool((label.get("attributes") or {}).get("crowd"))
            if "rle" in label:
                seen = masks.setdefault((label["id"], label["category"], crowd), {})
                seen[frame["frameIndex"]] = rle.parse_rle(label["rle"])
    return [
        Track(int(number), NAMES.index(name) + 1, 1.0, seen, crowd)
        for (number, name, crowd), seen in masks.items()
    ]


def scalabel(folder: Path, results: str):
    truth = AnnotationSet(
        categories={n: Category(n, name) for n, name in enumerate(NAMES, 1)},
        videos={1: VideoEntry(1, "", 1280, 720, 100, ())},
        tracks={1: scalabel_tracks(folder / "seg_track_sample.json")},
    )
    return identity(truth, {1: scalabel_tracks(folder / results)})


def in_per_cent(numbers):
    return {key: n if isinstance(n, int) else 100 * n for key, n in numbers.items()}


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "data" / "pack_test" / "eval_refs" / "scalabel_mots"


def test_numbers_are_those_of_scalabel(folder):
    found = scalabel(folder, "seg_track_preds.json")
    numbers = in_per_cent(found.numbers)
    assert {key: numbers[key] for key in SCALABEL} == pytest.approx(SCALABEL, rel=1e-12)
    for name, expected in MOTSA_PER_CATEGORY.items():
        got = 100 * found.per_category[NAMES.index(name) + 1]["MOTSA"]
        assert got == pytest.approx(expected, abs=1e-8)
    for key, expected in MEANS.items():
        values = [numbers[key] for numbers in found.per_category.values()]
        mean = 100 * np.nansum(values) / len(NAMES)  # a category without truth counts as zero
        assert mean == pytest.approx(expected, rel=1e-12)


def test_empty_results_are_those_of_scalabel(folder):
    numbers = in_per_cent(scalabel(folder, "seg_track_preds_empty.json").numbers)
    got = {key: numbers[key] for key in SCALABEL_EMPTY}
    assert got == pytest.approx(SCALABEL_EMPTY, nan_ok=True)


HEIGHT, WIDTH = 48, 64


def scene(seed: int, videos: int = 3, frames: int = 30):
    """A truth, and results with lost, split, swapped, false and overlapping tracks.

    Python's own generator, whose numbers never change, so that the published ones stay valid.
    """
    random = Random(seed)
    truth, results = {}, {}
    for video in range(1, videos + 1):
        paths = [_path(random, frames) for _ in range(6)]
        truth[video] = [
            Track(n, n % 2 + 1, 1.0, {t: square(*place) for t, place in path.items()})
            for n, path in enumerate(paths, 1)
        ]
        results[video] = _follow(random, paths)
    entries = {video: VideoEntry(video, "", WIDTH, HEIGHT, frames, ()) for video in truth}
    return AnnotationSet({1: Category(1, "one"), 2: Category(2, "two")}, entries, truth), results


def square(x: float, y: float, size: int) -> RLE:
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[max(0, round(y)) : round(y) + size, max(0, round(x)) : round(x) + size] = True
    return rle.encode(mask)


def _path(random: Random, frames: int) -> dict[int, tuple[float, float, int]]:
    x, y, size = random.uniform(0, 50), random.uniform(0, 36), 8 + int(random.random() * 8)
    dx, dy = random.uniform(-1.5, 1.5), random.uniform(-1, 1)
    hidden = int(random.random() * frames)
    return {
        t: (min(54, max(0, x + dx * t)), min(38, max(0, y + dy * t)), size)
        for t in range(frames)
        if not hidden <= t < hidden + 4
    }


def _follow(random: Random, paths) -> list[Track]:
    found: dict[tuple[int, int], dict[int, RLE]] = {}
    for n, path in enumerate(paths, 1):
        identity = n
        for t, (x, y, size) in path.items():
            if random.random() < 0.06:
                identity = 1 + int(random.random() * 9)
            if random.random() < 0.85:
                jitter = random.uniform(-2.5, 2.5), random.uniform(-2, 2)
                grown = size + int(random.random() * 3) - 1
                mask = square(x + jitter[0], y + jitter[1], grown)
                found.setdefault((identity, n % 2 + 1), {})[t] = mask
    return [
        Track(number, label, 0.5, masks)
        for number, ((_, label), masks) in enumerate(found.items(), 1)
    ]


# By trackeval 1.3.0 (HOTA, Identity) and motmetrics 1.4.0 (CLEAR) on `scene(seed)`, one value for
# each category of each seed; `by_trackeval` and `by_motmetrics` below give them again.
GOLDEN = {
    0: {
        1: {
            "HOTA": 0.4479535579533, "DetA": 0.5335006161262, "AssA": 0.3790675436242,
            "LocA": 0.7594067438787, "DetRe": 0.5742240215924, "DetPr": 0.6962094355059,
            "AssRe": 0.4108262486507, "AssPr": 0.6821839432863, "IDF1": 0.6135831381733,
            "IDP": 0.6787564766839, "IDR": 0.5598290598291, "MOTSA": 0.5811965811966,
            "MOTSP": 0.7139225366507, "ID_switches": 13, "fragmentations": 41,
            "mostly_tracked": 2, "partly_tracked": 7, "mostly_lost": 0, "missed": 63,
            "false": 22,
        },
        2: {
            "HOTA": 0.3873960740692, "DetA": 0.5039851900606, "AssA": 0.2997081642508,
            "LocA": 0.7701147044175, "DetRe": 0.5377670116714, "DetPr": 0.7100901424833,
            "AssRe": 0.3438046134845, "AssPr": 0.6416291205795, "IDF1": 0.5142857142857,
            "IDP": 0.5966850828729, "IDR": 0.4518828451883, "MOTSA": 0.602510460251,
            "MOTSP": 0.7147791138725, "ID_switches": 15, "fragmentations": 40,
            "mostly_tracked": 3, "partly_tracked": 6, "mostly_lost": 0, "missed": 69,
            "false": 11,
        },
    },
    1: {
        1: {
            "HOTA": 0.3895926749353, "DetA": 0.4881310545155, "AssA": 0.3149787625533,
            "LocA": 0.7599862070656, "DetRe": 0.5337066069429, "DetPr": 0.6743067345784,
            "AssRe": 0.3540248026142, "AssPr": 0.6325348731698, "IDF1": 0.4750593824228,
            "IDP": 0.5376344086022, "IDR": 0.4255319148936, "MOTSA": 0.4212765957447,
            "MOTSP": 0.720531015541, "ID_switches": 17, "fragmentations": 42,
            "mostly_tracked": 2, "partly_tracked": 7, "mostly_lost": 0, "missed": 84,
            "false": 35,
        },
        2: {
            "HOTA": 0.3874022417786, "DetA": 0.4778127136087, "AssA": 0.3167625976528,
            "LocA": 0.773460332198, "DetRe": 0.5087719298246, "DetPr": 0.7099143206854,
            "AssRe": 0.361416376209, "AssPr": 0.6234615545272, "IDF1": 0.4902912621359,
            "IDP": 0.5872093023256, "IDR": 0.4208333333333, "MOTSA": 0.5708333333333,
            "MOTSP": 0.7171292375684, "ID_switches": 13, "fragmentations": 29,
            "mostly_tracked": 4, "partly_tracked": 4, "mostly_lost": 1, "missed": 79,
            "false": 11,
        },
    },
}  # fmt: skip


@pytest.mark.parametrize("seed", GOLDEN)
def test_made_up_scenes_have_their_published_numbers(seed):
    truth, results = scene(seed)
    found = identity(truth, results)
    for label, expected in GOLDEN[seed].items():
        got = {key: found.per_category[label][key] for key in expected}
        assert got == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", [*range(10, 16)])
def test_hota_and_idf1_are_those_of_trackeval(seed):
    pytest.importorskip("trackeval")
    truth, results = scene(seed)
    found = identity(truth, results)
    for label, numbers in found.per_category.items():
        expected = by_trackeval(truth, results, label)
        assert {key: numbers[key] for key in expected} == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", [*range(10, 16)])
def test_clear_numbers_are_those_of_motmetrics(seed):
    pytest.importorskip("motmetrics")
    truth, results = scene(seed)
    found = identity(truth, results)
    for label, numbers in found.per_category.items():
        expected = by_motmetrics(truth, results, label)
        assert {key: numbers[key] for key in expected} == pytest.approx(expected, rel=1e-9)


def of_frame(tracks, label, frame):
    """Numbers and masks of a category's tracks seen in a frame."""
    same = [track for track in tracks if track.label == label]
    seen = [(n, track.masks[frame]) for n, track in enumerate(same) if frame in track.masks]
    return np.array([n for n, _ in seen], int), [mask for _, mask in seen]


def by_trackeval(truth, results, label) -> dict[str, float]:
    from trackeval.metrics import HOTA, Identity

    metrics = [HOTA(), Identity({"PRINT_CONFIG": False})]
    videos: list[dict] = [{}, {}]
    for video, entry in truth.videos.items():
        frames = range(entry.length)
        true = [of_frame(truth.tracks[video], label, frame) for frame in frames]
        found = [of_frame(results[video], label, frame) for frame in frames]
        data = {
            "num_timesteps": entry.length,
            "gt_ids": [ids for ids, _ in true],
            "tracker_ids": [ids for ids, _ in found],
            "num_gt_dets": sum(len(ids) for ids, _ in true),
            "num_tracker_dets": sum(len(ids) for ids, _ in found),
            "num_gt_ids": sum(track.label == label for track in truth.tracks[video]),
            "num_tracker_ids": sum(track.label == label for track in results[video]),
            "similarity_scores": [
                rle.iou(a, b) for (_, a), (_, b) in zip(true, found, strict=True)
            ],
        }
        for metric, of_videos in zip(metrics, videos, strict=True):
            of_videos[video] = metric.eval_sequence(data)
    hota, fit = [m.combine_sequences(v) for m, v in zip(metrics, videos, strict=True)]
    keys = ("HOTA", "DetA", "AssA", "LocA", "DetRe", "DetPr", "AssRe", "AssPr")
    numbers = {key: float(np.mean(hota[key])) for key in keys}
    return numbers | {key: float(fit[key]) for key in ("IDF1", "IDP", "IDR")}


def by_motmetrics(truth, results, label) -> dict[str, float]:
    import motmetrics

    names = {
        "mota": "MOTSA", "motp": "MOTSP", "num_switches": "ID_switches",
        "num_fragmentations": "fragmentations", "mostly_tracked": "mostly_tracked",
        "partially_tracked": "partly_tracked", "mostly_lost": "mostly_lost",
        "num_misses": "missed", "num_false_positives": "false",
    }  # fmt: skip
    videos = []
    for video, entry in truth.videos.items():
        events = motmetrics.MOTAccumulator(auto_id=True)
        for frame in range(entry.length):
            true, true_masks = of_frame(truth.tracks[video], label, frame)
            found, found_masks = of_frame(results[video], label, frame)
            far = 1 - rle.iou(true_masks, found_masks)
            events.update(true, found, np.where(far > 0.5, np.nan, far))
        videos.append(events)
    table = motmetrics.metrics.create().compute_many(
        videos, metrics=list(names), generate_overall=True
    )
    overall = table.loc["OVERALL"]
    numbers = {ours: float(overall[theirs]) for theirs, ours in names.items()}
    return numbers | {"MOTSP": 1 - numbers["MOTSP"]}
