#!/usr/bin/env python3
"""The numbers of a model on a development set, with pictures of every video, and its speed here.

    python scripts/dev/development_numbers.py default DATA --key demo_class --out out/development

All are of what `vis track` shows where nothing is said: its threshold, its tracker. AP, IDF1 and
ghosts are taken from videos in which every object is annotated (`unannotated_background` is null),
J from all. Names are right by group where `--key` names one (a truck for a car). Writes
numbers.json and a contact sheet of each video, truth above results.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from vis import VideoWriter, open_video
from vis.cli.console import say, say_table
from vis.cli.contact_sheet import write_sheet
from vis.evaluation.average_precision import AveragePrecision, evaluate_tracks
from vis.evaluation.evaluate import predict_set
from vis.evaluation.identity import identity
from vis.evaluation.regions import best_tracks
from vis.formats.json_file import write_json
from vis.formats.opening import open_set
from vis.formats.ytvis_records import Category
from vis.inference.model_classes import load_model, names_of
from vis.inference.options import THRESHOLD, TrackOptions
from vis.inference.resolved_options import resolve
from vis.inference.stages import resize
from vis.inference.windows import Windows, windows_of
from vis.ops import rle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from vis.formats.opening import DataSet
    from vis.formats.ytvis_records import AnnotationSet
    from vis.models import Model
    from vis.records import Track

    Found = Mapping[int, list[Track]]

HEIGHT = 720
"""Lines of the film whose rate is taken."""
ALONE = 60
"""Windows that the model alone looks at."""
SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample" / "clip.mp4"


GROUPS = {
    **dict.fromkeys(("bicycle", "motorcycle"), "two-wheeler"),
    **dict.fromkeys(("car", "bus", "train", "truck"), "vehicle"),
    **dict.fromkeys(
        ("horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"), "large-animal"
    ),
}
"""Name of COCO -> its group in the key `demo_class` of the development sets."""
MINE = 0.5
"""Share of a track's pixels from which on it is one of an object's."""
NOBODYS = 0.1
"""Share below which it is a ghost."""


def main() -> int:
    """Measure, print, write."""
    asked = _arguments()
    settings = {"size": asked.size, "device": asked.device}
    network = load_model(asked.model)
    data, found = shown_tracks(network, open_set(asked.data), asked.key, settings)
    numbers = measure(data.annotations, found)
    numbers["speed"] = speed(asked.model, asked.film, settings)
    print_table(numbers)
    asked.out.mkdir(parents=True, exist_ok=True)
    write_json(asked.out / "numbers.json", numbers, overwrite=True)
    for path in write_sheets(asked.out, data, found):
        say(f"wrote {path}")
    return 0


def shown_tracks(
    network: Model[Any], data: DataSet, key: str, settings: Mapping[str, Any]
) -> tuple[DataSet, dict[int, list[Track]]]:
    """The truth and what is shown of it, both of the same groups of classes.

    Also what the model calls by a class that the data set has none of is kept: it is shown.
    """
    names = [*names_of(network).values()]
    every = dict(enumerate((Category(id_, name) for id_, name in enumerate(names, 1)), 1))
    unnamed = replace(data.annotations, categories=every, tracks={})
    _, found, _ = predict_set(
        network,
        replace(data, annotations=unnamed),
        threshold=THRESHOLD,
        tracker=None,
        progress=True,
        **settings,
    )
    table = data.annotations.categories
    own = {id_: one.name if key == "name" else str(one.extra[key]) for id_, one in table.items()}
    theirs = {id_: _group(one.name, key) for id_, one in every.items()}
    ids = {name: n for n, name in enumerate(dict.fromkeys([*own.values(), *theirs.values()]), 1)}

    def relabelled(
        tracks: Mapping[int, Sequence[Track]], groups: Mapping[int, str]
    ) -> dict[int, list[Track]]:
        return {
            video: [replace(one, label=ids[groups[one.label]]) for one in several]
            for video, several in tracks.items()
        }

    truth = replace(
        data.annotations,
        categories={id_: Category(id_, name) for name, id_ in ids.items()},
        tracks=relabelled(data.annotations.tracks, own),
    )
    return replace(data, annotations=truth), relabelled(found, theirs)


def _group(name: str, key: str) -> str:
    return name if key == "name" else GROUPS.get(name, name)


def measure(truth: AnnotationSet, found: Found) -> dict[str, Any]:
    """All numbers, in percent but for counts; None where there is no truth to take one from."""
    part = truth.of(key for key, video in truth.videos.items() if _is_complete(video))
    seen = {key: found.get(key, []) for key in part.videos}
    named = evaluate_tracks(part, seen)
    either = evaluate_tracks(part, seen, by_category=False)
    best = best_tracks(truth, found)
    right = _with_the_right_name(truth, found)
    shares = {key: _shares(truth.tracks[key], found.get(key, [])) for key in truth.videos}
    ghosts = [int((shares[key].max(axis=0, initial=0) < NOBODYS).sum()) for key in part.videos]
    pieces = [int(count) for one in shares.values() for count in (one >= MINE).sum(axis=1) if count]
    return {
        "videos": {"AP, IDF1, ghosts": len(part.videos), "J": len(truth.videos)},
        "J": _percent(best.numbers["J_best"]),
        "J with the right name": _percent(
            float(np.mean([j for one in right.values() for j in one.values()]))
        ),
        "ghosts a video": round(float(np.mean(ghosts)), 2) if ghosts else None,
        "tracks a followed object": round(float(np.mean(pieces)), 2) if pieces else None,
        "class-agnostic AP": _percent(either.numbers["AP"]),
        "class-agnostic AP50": _percent(either.numbers["AP50"]),
        "AP": _percent(named.numbers["AP"]),
        "AP50": _percent(named.numbers["AP50"]),
        "IDF1": _percent(identity(part, seen).numbers["IDF1"]),
        "classes": dict(_by_class(part, named)),
        "by video": {
            video.name: {
                "J": [_percent(j) for j, _ in best.objects[key].values()],
                "J with the right name": [_percent(j) for j in right[key].values()],
                "shown": len(found.get(key, [])),
            }
            for key, video in truth.videos.items()
        },
    }


def _with_the_right_name(truth: AnnotationSet, found: Found) -> dict[int, dict[int, float]]:
    """J of the best track of an object's own class, by video and by the object's id."""
    right: dict[int, dict[int, float]] = {key: {} for key in truth.videos}
    for label in truth.categories:
        tracks = {
            k: [t for t in several if t.label == label] for k, several in truth.tracks.items()
        }
        theirs = {k: [t for t in several if t.label == label] for k, several in found.items()}
        for key, pairs in best_tracks(replace(truth, tracks=tracks), theirs).objects.items():
            right[key] |= {object_: j for object_, (j, _) in pairs.items()}
    return right


def _shares(truth: Sequence[Track], found: Sequence[Track]) -> npt.NDArray[np.float64]:
    """`[N M]` share of the pixels of each of M tracks that lie on each of N objects."""
    shares = np.zeros((len(truth), len(found)))
    for column, track in enumerate(found):
        pixels = 0
        for frame, mask in track.masks.items():
            inside = rle.decode(mask)
            pixels += int(inside.sum())
            for row, one in enumerate(truth):
                if frame in one.masks:
                    shares[row, column] += int((inside & rle.decode(one.masks[frame])).sum())
        shares[:, column] /= max(pixels, 1)
    return shares


def _is_complete(video: Any) -> bool:
    return video.extra.get("unannotated_background") is None


def _by_class(truth: AnnotationSet, named: AveragePrecision) -> Any:
    counts = [track.label for tracks in truth.tracks.values() for track in tracks]
    for place, label in enumerate(named.labels):
        if label not in counts:
            continue
        curve = named.precision[0, :, place, 0, -1]
        yield (
            truth.categories[label].name,
            {
                "AP": _percent(named.per_category[label]),
                "AP50": _percent(float(curve.mean())),
                "objects": counts.count(label),
            },
        )


def _percent(value: float) -> float | None:
    return round(100 * float(value), 1) if 0 <= value <= 1 else None


def speed(model: str, film: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Frames a second and peak memory of a process that writes an annotated film of 720 lines."""
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "film.mp4"
        enlarge(film, large)
        asked = json.dumps([model, str(large), dict(settings)])
        here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
        code = f"import development_numbers as d; d.print_speed(*d.json.loads({asked!r}))"
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, env=here, stdout=subprocess.PIPE, text=True
        )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "film": f"{film.name} at {HEIGHT}p",
        "cores": cores,
        **json.loads(done.stdout.splitlines()[-1]),
    }


def enlarge(film: Path, large: Path) -> None:
    """The same film with `HEIGHT` lines."""
    with open_video(film) as reader:
        width = round(reader.info.width * HEIGHT / reader.info.height / 2) * 2
        with VideoWriter(large, info=reader.info) as writer:
            for frame in reader:
                picture = Image.fromarray(frame.pixels).resize((width, HEIGHT))
                writer.write(replace(frame, pixels=np.asarray(picture)))


def print_speed(model: str, film: str, settings: dict[str, Any]) -> None:
    """Of this process, decoding to the film on the disk; then of the model alone."""
    from vis.jobs.job import Job, RunOptions
    from vis.jobs.run import run
    from vis.jobs.sources import Source

    network = load_model(model)
    run_options = RunOptions(device=settings["device"])
    options = TrackOptions(size=settings["size"])
    with tempfile.TemporaryDirectory() as folder:
        job = Job(Source(film, "film"), Path(folder), ("video", "json"), "film")
        job_result = run(job, network, "", options=options, run_options=run_options)
    found = {
        "frames": job_result.frames,
        "frames/s": round(job_result.frames / job_result.seconds, 2),
        "peak MB": _peak(),
        "frames/s of the model alone": round(alone(network, film, settings), 2),
    }
    print(json.dumps(found))


def alone(network: Model[Any], film: str, settings: Mapping[str, Any]) -> float:
    """Frames a second of the model, decoded and made small before."""
    plan = resolve(TrackOptions(size=settings["size"]), network)
    predictor = plan.predictor(network, device=settings["device"])
    with open_video(film) as reader:
        small = [*resize(islice(reader, ALONE * plan.window), predictor, None, pixels=False)]
    windows = [*windows_of(small, Windows(plan.window, plan.window))]
    predictor.predict(windows[:1])
    begun = time.perf_counter()
    for window in windows:
        predictor.predict([window])
    return len(small) / (time.perf_counter() - begun)


def _peak() -> int | None:
    """Of this process, where the system tells; `ru_maxrss` would count the one that started it."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    return round(int(status.read_text().split("VmHWM:")[1].split()[0]) / 1000)


def print_table(numbers: Mapping[str, Any]) -> None:
    """What the JSON file holds, for people."""
    plain = [(key, _said(value)) for key, value in numbers.items() if _is_plain(value)]
    groups = [
        (f"{key}: {name}", _said(value))
        for key in ("videos", "speed", "by video")
        for name, value in numbers[key].items()
    ]
    say_table([*plain, *groups])
    say("")
    rows = [
        (name, _said(one["AP"]), _said(one["AP50"]), str(one["objects"]))
        for name, one in numbers["classes"].items()
    ]
    say_table([("class", "AP", "AP50", "objects"), *rows])


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, int | float)


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_said(one)}" for name, one in value.items())
    if isinstance(value, list):
        return " ".join(_said(one) for one in value)
    return "-" if value is None else str(value)


def write_sheets(folder: Path, data: DataSet, found: Found) -> list[Path]:
    """A PNG of each video: a row of truth, and below it one of what `vis track` would show."""
    paths = []
    truth = data.annotations
    for key, video in truth.videos.items():
        both = replace(
            truth,
            videos={1: replace(video, id=1, name=f"{video.name}: truth"),
                    2: replace(video, id=2, name=f"{video.name}: found")},
            tracks={1: truth.tracks.get(key, []), 2: found.get(key, [])},
        )  # fmt: skip
        path = folder / f"{Path(video.name).name}.png"
        write_sheet(path, replace(data, annotations=both), overwrite=True)
        paths.append(path)
    return paths


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="a weight file, or the name of one")
    parser.add_argument("data", help="a data set with its frames")
    parser.add_argument("--key", default="name", help="entry of a category that names its class")
    parser.add_argument("--size", type=int, help="short side that the model sees in pixels")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--film", type=Path, default=SAMPLE, help="of which the rate is taken")
    parser.add_argument("--out", type=Path, required=True, help="folder for numbers and pictures")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
