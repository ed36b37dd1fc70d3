"""One YAML is one experiment: model, data, optimisation, training; it holds what differs."""

from __future__ import annotations

import importlib
import re
from copy import copy
from dataclasses import asdict, dataclass, field, fields, make_dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from vis.datasets.config import DataConfig  # noqa: TC001 - the parser reads the annotation
from vis.errors import UsageError
from vis.training.config import Evaluation, Optimisation, Training
from vis.training.config_file import dump_yaml, read_yaml
from vis.training.parser import current, current_option, hints_of, nearest, parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CONFIG = "config.yaml"
"""Of a run's folder: the YAML that repeats it."""


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """Which model, and the settings of its `Config` that differ from the defaults."""

    RENAMED: ClassVar[Mapping[str, str]] = {"start": "init_from"}

    name: str = "tt_srn"
    """One of `vis.models.names()`."""
    init_from: str | None = None
    """Weights to begin with, where they fit: a file, the name of one, such as `default`, or
    `imagenet` for the backbone's."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Fields of the model's `Config`; in YAML they stand beside `name`."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Everything that a run is made by."""

    model: ModelChoice
    data: DataConfig
    optimisation: Optimisation = field(default_factory=Optimisation)
    training: Training = field(default_factory=Training)
    evaluation: Evaluation = field(default_factory=Evaluation)


def read_experiment(path: str | Path, changes: Sequence[str] = ()) -> Experiment:
    """The experiment of a file, with changes such as `["--training.steps", "1000"]`.

    Raises:
        InputError: the file cannot be read.
        DataError: it is no plain YAML, or names a setting by its old and its new name.
        UsageError: a setting is unknown, has the wrong type or cannot be; names its dotted path.
    """
    table, overrides = read_yaml(path), _pairs(changes)
    names = [text for option, text in overrides if option == "model.name"]
    config, kind = _model_kind(names[-1] if names else _name_in(table, path), str(path))
    table = current(kind, table, "", where=str(path))
    options = [current_option(kind, option, text) for option, text in overrides]
    try:
        settings = parse(kind, table, options)
        # what nobody set stays out, also of the run's `config.yaml`: it is the model's own affair
        changed = re.findall(r"^--model\.(\w+)", "\n".join(options), re.MULTILINE)
        model = _choice(settings.model, config, {*table.get("model", {}), *changed})
    except UsageError as error:
        raise error.at(str(path)) from None
    sections = {one.name: getattr(settings, one.name) for one in fields(Experiment)}
    return Experiment(**{**sections, "model": model})


def text_of(experiment: Experiment) -> str:
    """The YAML of an experiment, defaults included; `read_experiment` makes the same of it."""
    table = asdict(experiment)
    table["model"] |= table["model"].pop("settings")
    return dump_yaml(table)


def _name_in(table: Mapping[str, Any], path: str | Path) -> object:
    model = table.get("model", {})
    if not isinstance(model, dict):
        what, remedy = "model is not a table of settings", "Write model: {name: tt_srn}."
        raise UsageError(what, where=str(path), remedy=remedy)
    return model.get("name", ModelChoice().name)


def _model_kind(name: object, where: str) -> tuple[type[Any], type[Any]]:
    """The chosen model's `Config`, and an `Experiment` that has its settings beside its name."""
    from vis import models  # torch, which the manual page does without

    names = models.names()
    if name not in names:
        what = f"model.name is {name!r:.60}"
        raise UsageError(what, where=where, remedy=nearest(str(name), names))
    config: type[Any] = importlib.import_module(f"vis.models.{name}").Config
    model = make_dataclass(
        "Model",
        [*_fields_of(ModelChoice, "settings"), ("classes", int, 1), *_fields_of(config, "classes")],
        kw_only=True,
        namespace={"RENAMED": {**getattr(config, "RENAMED", {}), **ModelChoice.RENAMED}},
    )
    sections = [("model", model, field(default_factory=model)), *_fields_of(Experiment, "model")]
    return config, make_dataclass("Settings", sections, kw_only=True)


def _fields_of(kind: type[Any], left_out: str) -> list[tuple[str, Any, Any]]:
    hints = hints_of(kind)
    # copies, as a dataclass writes into its fields
    return [(one.name, hints[one.name], copy(one)) for one in fields(kind) if one.name != left_out]


def _choice(model: Any, config: type[Any], present: set[str]) -> ModelChoice:
    if "classes" in present:
        raise UsageError("model.classes is not to be set", remedy="The data set states them.")
    settings = {one.name: getattr(model, one.name) for one in fields(config) if one.name in present}
    config(classes=1, **settings)  # refuses what does not go together
    return ModelChoice(name=model.name, init_from=model.init_from, settings=settings)


def _pairs(changes: Sequence[str]) -> list[tuple[str, str]]:
    """`--name value` and `--name=value`."""
    pairs, words = [], iter(changes)
    for word in words:
        name, equals, text = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not name:
            raise UsageError(f"{word!r} is no setting", remedy="Write --section.name VALUE.")
        if name == "model":  # whose name tells which settings there are
            raise UsageError("model is not set as a whole", remedy="Write --model.NAME VALUE.")
        if not equals and (text := next(words, "")) == "":
            raise UsageError(f"{word} needs a value")
        pairs.append((name, text))
    return pairs
