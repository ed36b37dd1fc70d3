#!/usr/bin/env python3
"""The numbers of a model on a development set, with pictures of every video, and its speed here.

    python scripts/development_numbers.py default DATA --key demo_class --out out/development

AP and IDF1 are taken from videos in which every object is annotated (`unannotated_background` is
null), J from all. Writes numbers.json and a contact sheet of each video, truth above results.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vis.cli.saying import say, say_table
from vis.cli.sheet import write_sheet
from vis.datasets.classes import classes_of
from vis.evaluation.average_precision import AveragePrecision, evaluate_tracks
from vis.evaluation.identity import identity
from vis.evaluation.regions import best_tracks
from vis.evaluation.report.summary import surest
from vis.formats.json_file import write_json
from vis.formats.opening import open_set
from vis.formats.ytvis_records import Category
from vis.pipeline.evaluating import predict_set
from vis.pipeline.plan import names_of, opened
from vis.pipeline.tracking import THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vis.formats.opening import DataSet
    from vis.formats.ytvis_records import AnnotationSet
    from vis.records import Track

    Found = Mapping[int, list[Track]]

SAMPLE = Path(__file__).resolve().parent.parent / "data" / "sample" / "clip.mp4"


def main() -> int:
    """Measure, print, write."""
    asked = _arguments()
    settings = {"size": asked.size, "device": asked.device}
    network = opened(asked.model)
    given = with_classes(open_set(asked.data), [*names_of(network).values()], asked.key)
    data, found, notes = predict_set(network, given, key=asked.key, progress=True, **settings)
    numbers = measure(data.annotations, found)
    numbers["speed"] = speed(asked.model, asked.film, settings)
    numbers["notes"] = notes
    print_table(numbers)
    asked.out.mkdir(parents=True, exist_ok=True)
    write_json(asked.out / "numbers.json", numbers, overwrite=True)
    for path in write_sheets(asked.out, data, found):
        say(f"wrote {path}")
    return 0


def with_classes(data: DataSet, names: Sequence[str], key: str) -> DataSet:
    """The data set with a category for each class of a model, also for those it shows none of.

    Without one, what a model calls by that name is left out, and no number is free of names.
    """
    table = data.annotations.categories
    shown = classes_of(table, names, key=key).indices.values()
    missing = [name for index, name in enumerate(names) if index not in shown]
    numbered = enumerate(missing, max(table) + 1)
    added = {id_: Category(id_, name, {key: name}) for id_, name in numbered}
    return replace(data, annotations=replace(data.annotations, categories={**table, **added}))


def measure(truth: AnnotationSet, found: Found) -> dict[str, Any]:
    """All numbers in percent; None where there is no truth to take one from."""
    part = truth.of(key for key, video in truth.videos.items() if _is_complete(video))
    seen = {key: found.get(key, []) for key in part.videos}
    named = evaluate_tracks(part, seen)
    either = evaluate_tracks(part, seen, by_category=False)
    least = surest(named.matches)
    sure = {key: [one for one in tracks if one.score >= least] for key, tracks in seen.items()}
    best = best_tracks(truth, found)
    shown = best_tracks(truth, _shown(found))
    return {
        "videos": {"AP and IDF1": len(part.videos), "J": len(truth.videos)},
        "AP": _percent(named.numbers["AP"]),
        "AP50": _percent(named.numbers["AP50"]),
        "class-agnostic AP": _percent(either.numbers["AP"]),
        "class-agnostic AP50": _percent(either.numbers["AP50"]),
        "mean J of the best track": _percent(best.numbers["J_best"]),
        "mean J, each track for one object": _percent(best.numbers["J_matched"]),
        f"mean J of the best track, score >= {THRESHOLD}": _percent(shown.numbers["J_best"]),
        "IDF1": _percent(identity(part, sure).numbers["IDF1"]),
        "score from which IDF1 counts": round(least, 3),
        "classes": dict(_by_class(part, named)),
        "J by video": {
            truth.videos[key].name: _percent(float(np.mean([pair[0] for pair in pairs.values()])))
            for key, pairs in best.objects.items()
            if pairs
        },
    }


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


def _shown(found: Found) -> Found:
    return {key: [one for one in tracks if one.score >= THRESHOLD] for key, tracks in found.items()}


def speed(model: str, film: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Frames a second and peak memory of a process that writes an annotated film."""
    asked = json.dumps([model, str(film), dict(settings)])
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    code = f"import development_numbers as d; d.print_speed(*d.json.loads({asked!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, env=here, stdout=subprocess.PIPE, text=True
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"film": film.name, "cores": cores, **json.loads(done.stdout.splitlines()[-1])}


def print_speed(model: str, film: str, settings: dict[str, Any]) -> None:
    """Of this process, from the first frame decoded to the film on the disk."""
    from vis.pipeline.run import Choices, Manner, Wanted, run
    from vis.pipeline.sources import Source

    network = opened(model)
    choices, manner = Choices(size=settings["size"]), Manner(device=settings["device"])
    with tempfile.TemporaryDirectory() as folder:
        wanted = Wanted(Source(film, "film"), Path(folder), ("video", "json"))
        outcome = run(wanted, network, "", choices=choices, manner=manner)
    rate = outcome.frames / outcome.seconds
    found = {"frames": outcome.frames, "frames/s": round(rate, 2), "peak MB": _peak()}
    print(json.dumps(found))


def _peak() -> int | None:
    """Of this process, where the system tells; `ru_maxrss` would count the one that started it."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    return round(int(status.read_text().split("VmHWM:")[1].split()[0]) / 1000)


def print_table(numbers: Mapping[str, Any]) -> None:
    """What the JSON file holds, for people."""
    plain = [(key, _said(value)) for key, value in numbers.items() if _is_plain(value)]
    groups = [(f"{key} of {name}", _said(value)) for key in ("videos", "speed", "J by video")
              for name, value in numbers[key].items()]  # fmt: skip
    say_table([*plain, *groups])
    say("")
    rows = [
        (name, _said(one["AP"]), _said(one["AP50"]), str(one["objects"]))
        for name, one in numbers["classes"].items()
    ]
    say_table([("class", "AP", "AP50", "objects"), *rows])
    for note in numbers["notes"]:
        say(f"note: {note}")


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, int | float)


def _said(value: object) -> str:
    return "-" if value is None else str(value)


def write_sheets(folder: Path, data: DataSet, found: Found) -> list[Path]:
    """A PNG of each video: a row of truth, and below it one of what `vis track` would show."""
    paths = []
    shown, truth = _shown(found), data.annotations
    for key, video in truth.videos.items():
        both = replace(
            truth,
            videos={1: replace(video, id=1, name=f"{video.name}: truth"),
                    2: replace(video, id=2, name=f"{video.name}: found")},
            tracks={1: truth.tracks.get(key, []), 2: shown.get(key, [])},
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
