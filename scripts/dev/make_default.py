#!/usr/bin/env python3
r"""The model that ships, from a training run: half precision, facts for the table, a model card.

    python scripts/dev/development_numbers.py RUN/model.safetensors DEVELOPMENT --key demo_class \
        --out out/development
    python scripts/dev/make_default.py RUN/model.safetensors --runs RUN... \
        --numbers out/development/numbers.json

Writes `default.safetensors`, `default.json` and `default.md` into vis/assets. Refuses more than
36 MB, classes other than COCO's, and a recipe that names DAVIS, on which nothing that ships may
be trained. Runs are given in their order, each but the first having started from the one before.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from vis import models, weights
from vis.errors import DataError, InputError, VisError
from vis.formats.json_file import read_json
from vis.storage.whole_file import write_whole
from vis.weights.catalogue import ASSETS, DEFAULT
from vis.weights.classes import COCO_THINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vis.models import Model

LARGEST = 36_000_000
"""Bytes."""
LICENCE = "Apache-2.0"
ORIGIN = """\
Started from ssd_mobilenet_v2_coco_2018_03_29, TensorFlow Object Detection API, Apache License 2.0,
trained on COCO. Its boxes and names are in this file number for number, but for half precision and
for ten of its 90 classes that name nothing."""
DATA = """\
* Boxes and names: COCO train2017, by the authors of the detector; not by this project.
* Outlines: 1,726 photographs of COCO, made small: 744 with all objects of 80 categories and 982
  with a person, 7,112 masks together. COCO's annotations are CC BY 4.0. The photographs belong to
  their owners, who put them on Flickr under Creative Commons licences of several kinds, some of
  them non-commercial; none of them is in this file.

No video was trained on; DAVIS, on which the numbers below are measured, least of all."""
LIMITS = """\
* It knows COCO's 80 classes. What is none of them, it leaves out or takes for one of them.
* It sees a picture at 300 x 400 pixels. Small, far, blurred and crowded objects are often missed
  (the detector's authors: AP of small objects 0.01 to 0.09), thin parts are outlined roughly, and
  people in unusual poses are lost.
* After a long absence or among look-alikes, identities are confused.
* It never saw night, fisheye or infrared pictures.
* It may not be relied on where a miss or a mistake harms anybody, nor to identify people: it does
  not know who anybody is."""

MEASURED_BY = "scripts/dev/development_numbers.py"


def main() -> int:
    """Write the three files, or say why not."""
    asked = _arguments()
    try:
        model = changed(read_model(asked.weights), dict(map(_setting, asked.settings)))
        model.size = asked.size or model.size
        recipes = [read_recipe(run) for run in asked.runs]
        numbers = read_json(asked.numbers)
        size = write_weights(asked.assets, model)
        facts = facts_of(model, numbers)
        _write(asked.assets / f"{DEFAULT}.json", json.dumps(facts, indent=1) + "\n")
        history = [
            (recipe, steps_of(run, recipe)) for run, recipe in zip(asked.runs, recipes, strict=True)
        ]
        card = card_of(model, history=history, numbers=numbers, size=size, notes=asked.notes)
        _write(asked.assets / f"{DEFAULT}.md", card)
    except VisError as error:
        print(f"{error}", file=sys.stderr)
        return error.exit_code
    print(f"wrote {DEFAULT}.safetensors ({size / 1e6:.1f} MB), its facts and its card")
    return 0


def read_model(path: Path) -> Model[Any]:
    """What is to ship.

    Raises:
        InputError: it is not there.
        DataError: it is damaged, or of other classes.
    """
    model = weights.load(path)
    if model.class_names != COCO_THINGS:
        raise DataError(f"its classes are {', '.join(model.class_names)}", where=str(path))
    return model


def changed(model: Model[Any], settings: Mapping[str, object]) -> Model[Any]:
    """The same weights with other settings, such as which detections are kept."""
    if not settings:
        return model
    other = models.build(model.name, **dataclasses.asdict(model.config) | settings)
    other.load_state_dict(model.state_dict())
    other.class_names, other.size = model.class_names, model.size
    return other.eval()


def _setting(text: str) -> tuple[str, object]:
    name, _, value = text.partition("=")
    return name, yaml.safe_load(value)


def read_recipe(run: Path) -> str:
    """The text of a training run's recipe.

    Raises:
        InputError: there is none.
        DataError: it was trained on what is not to be trained on.
    """
    try:
        recipe = (run / "config.yaml").read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"there is no recipe ({error.strerror})", where=str(run)) from None
    parts = json.dumps(yaml.safe_load(recipe).get("data", {})).lower()
    if "davis" in parts:
        raise DataError("it was trained on DAVIS, which is non-commercial", where=str(run))
    return recipe


def steps_of(run: Path, recipe: str) -> int:
    """How many steps a run made, which may have been stopped early."""
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    made = [json.loads(line).get("step", 0) for line in lines]
    planned = yaml.safe_load(recipe)["training"]["steps"]
    return int(max(made, default=planned))


def write_weights(assets: Path, model: Model[Any]) -> int:
    """Write the model in half precision; its bytes.

    Raises:
        DataError: it is too large.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "half.safetensors"
        weights.save_model(path, model, half=True)
        content = path.read_bytes()
    if len(content) > LARGEST:
        what = f"it would have {len(content) / 1e6:.1f} MB; at most {LARGEST / 1e6:.0f} ship"
        raise DataError(what, done="Nothing was written.", remedy="Train a smaller one.")
    write_whole(assets / f"{DEFAULT}.safetensors", content, overwrite=True)
    return len(content)


def facts_of(model: Model[Any], numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Its row in the table of models, see `vis.weights.catalogue.Entry`."""
    card = weights.metadata_of(model)
    j, count = _said(numbers["J with the right name"]), numbers["videos"]["J"]
    return {
        "what": "The model that ships with vis: SSD with outlines, the 80 classes of COCO",
        "licence": LICENCE,
        "terms": "Made by this project; see vis/assets/default.md.",
        "data": "COCO train2017 (boxes), 1,726 pictures of it (outlines)",
        "score": f"{j} J with the right name, {count} videos of DAVIS",
        "numbers": sum(tensor.numel() for tensor in model.state_dict().values()),
        "model": card.model,
        "classes": len(card.classes),
        "settings": card.settings,
    }


def card_of(
    model: Model[Any],
    *,
    history: Sequence[tuple[str, int]],
    numbers: Mapping[str, Any],
    size: int,
    notes: str,
) -> str:
    """The model card; `history` has the recipe and the steps of each run, in their order."""
    count = sum(parameter.numel() for parameter in model.parameters())
    return "\n".join(
        [
            "# The model that ships with vis",
            "",
            f"A `{model.name}` with {count / 1e6:.1f} million parameters that finds, outlines,",
            "names and follows the 80 classes of COCO in video, a frame at a time.",
            f"`vis track my.mp4 -o out.mp4` uses it. Licence: {LICENCE}.",
            "",
            f"The file has {size / 1e6:.1f} MB: float16 on the disk, float32 in use.",
            *_section("Where it comes from", ORIGIN),
            *_section("What it learnt from", DATA),
            *_section("How", _order(len(history))),
            *_recipes(history),
            *_section("How good it is", notes or f"Measured by `{MEASURED_BY}`."),
            "",
            *_table(numbers),
            *_section("What it cannot do", LIMITS),
            "",
        ]
    )


def _recipes(history: Sequence[tuple[str, int]]) -> Iterator[str]:
    """The first recipe whole, of each other one what it changed."""
    before: list[str] = []
    for recipe, steps in history:
        lines = _without_places(recipe).rstrip().splitlines()
        changed = [line for line in difflib.ndiff(before, lines) if line[0] in "+-"]
        shown = changed if before else lines
        said = "with these changes" if before else "by this recipe (`vis train -c`)"
        yield from (
            "",
            f"{steps} steps {said}:",
            "",
            "```diff" if before else "```yaml",
            *shown,
            "```",
        )
        before = lines


def _order(count: int) -> str:
    return f"{count} runs, each from where the one before ended." if count > 1 else "One run."


def _without_places(recipe: str) -> str:
    """Absolute paths are those of one machine: their last two parts say enough."""
    return re.sub(r"(?<![\w./])/(?:[\w.-]+/)*([\w.-]+/[\w.-]+)", r"\1", recipe)


def _section(title: str, text: str) -> list[str]:
    return ["", f"## {title}", "", text]


def _table(numbers: Mapping[str, Any]) -> list[str]:
    count, all_of_them = (numbers["videos"][name] for name in ("AP, IDF1, ghosts", "J"))
    plain = {key: value for key, value in numbers.items() if isinstance(value, int | float)}
    speed = numbers["speed"]
    rows = [f"| {key} | {value} |" for key, value in plain.items()]
    rows += [
        f"| AP / AP50 of {name} ({one['objects']} objects) | {_said(one['AP'])} /"
        f" {_said(one['AP50'])} |"
        for name, one in numbers["classes"].items()
        if one["objects"]
    ]
    rows += [f"| frames/s, {speed['cores']} cores, {speed['film']} | {speed['frames/s']} |"]
    rows += [f"| frames/s of the model alone | {speed['frames/s of the model alone']} |"]
    rows += [f"| peak memory, MB | {speed['peak MB']} |"]
    said = (
        f"Percent, of what `vis track` shows by itself; AP, IDF1 and ghosts on {count} videos of"
        f" DAVIS in which every object is annotated, J on {all_of_them}."
    )
    return [said, "", "| number | value |", "|---|---|", *rows]


def _said(value: object) -> str:
    return "none" if value is None else str(value)


def _write(path: Path, text: str) -> None:
    write_whole(path, text.encode(), overwrite=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path, help="of a training run")
    parser.add_argument("--size", type=int, help="pixels of the short side that it sees by itself")
    parser.add_argument(
        "--settings", nargs="*", default=[], help="of the model, such as min_score=0.1"
    )
    parser.add_argument(
        "--runs", type=Path, nargs="+", required=True, help="that made it, in their order"
    )
    parser.add_argument("--numbers", type=Path, required=True, help="of development_numbers.py")
    parser.add_argument("--notes", default="", help="a paragraph above the numbers of the card")
    parser.add_argument("--assets", type=Path, default=ASSETS, help="where to write")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
