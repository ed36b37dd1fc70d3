"""One YAML is one experiment: model, data, optimisation, training; it holds what differs."""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vis.datasets.config import DataConfig  # noqa: TC001 - `made` reads the annotation
from vis.errors import UsageError, VisError
from vis.training.config import Evaluation, Optimisation, Training
from vis.training.settings import made, plain, put
from vis.training.yaml_file import parsed, read_yaml, written

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """Which model, and the settings of its `Config` that differ from the defaults."""

    name: str = "tt_srn"
    """One of `vis.models.names()`."""
    start: str | None = None
    """Weights to begin with, where they fit: a file, the name of one, such as `default`, or
    `imagenet` for the backbone's."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Fields of the model's `Config`; in YAML they stand beside `name`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """Everything that a run is told."""

    model: ModelChoice
    data: DataConfig
    optimisation: Optimisation = field(default_factory=Optimisation)
    training: Training = field(default_factory=Training)
    evaluation: Evaluation = field(default_factory=Evaluation)


def read_experiment(path: str | Path, changes: Sequence[str] = ()) -> Experiment:
    """The experiment of a file, with changes such as `["--training.steps", "1000"]`.

    Raises:
        InputError: the file cannot be read.
        DataError: it is no plain YAML.
        UsageError: a setting is unknown, has the wrong type or cannot be; names its dotted path.
    """
    table = read_yaml(path)
    for name, text in _pairs(changes):
        try:
            put(table, name, parsed(text))
        except VisError as error:
            raise UsageError(error.what, where=f"--{name}") from None
    try:
        return _experiment(table)
    except UsageError as error:
        raise error.at(str(path)) from None


def text_of(experiment: Experiment) -> str:
    """The YAML of an experiment, defaults included; `read_experiment` makes the same of it."""
    table = plain(experiment)
    settings = table["model"].pop("settings")
    table["model"] |= settings
    return written(table)


def _experiment(table: dict[str, object]) -> Experiment:
    model = table.get("model", {})
    if not isinstance(model, dict):
        raise UsageError("model is not a table of settings", remedy="Write model: {name: tt_srn}.")
    rest = {name: value for name, value in model.items() if name not in ("name", "start")}
    chosen = {name: model[name] for name in model if name not in rest}
    rest = _current(chosen.get("name"), rest)
    found = made(Experiment, {**table, "model": {**chosen, "settings": rest}})
    _check_model(found.model)
    return found


def _current(name: object, settings: dict[str, object]) -> dict[str, object]:
    """Settings by today's names, where there is such a model; if not, `_check_model` says so."""
    from vis import models

    if name not in models.names():
        return settings
    return models.current_settings(str(name), settings, where="model")


def _check_model(choice: ModelChoice) -> None:
    """Names and types of its settings, by its `Config`; the data set states the classes."""
    from vis import models

    names = models.names()
    if choice.name not in names:
        near = difflib.get_close_matches(choice.name, names, n=1)
        remedy = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names)}."
        raise UsageError(f"model.name is {choice.name!r}", remedy=remedy)
    if "classes" in choice.settings:
        raise UsageError("model.classes is not to be set", remedy="The data set states them.")
    config: type[Any] = importlib.import_module(f"vis.models.{choice.name}").Config
    made(config, {**choice.settings, "classes": 1}, "model")


def _pairs(changes: Sequence[str]) -> list[tuple[str, str]]:
    """`--name value` and `--name=value`."""
    pairs, rest = [], list(changes)
    while rest:
        word = rest.pop(0)
        name, equals, text = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not name:
            raise UsageError(f"{word!r} is no setting", remedy="Write --section.name VALUE.")
        if not equals:
            if not rest:
                raise UsageError(f"{word} needs a value")
            text = rest.pop(0)
        pairs.append((name, text))
    return pairs
