"""From tables of settings to typed dataclasses, by jsonargparse; faults name the dotted path."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import typing
from argparse import ArgumentError
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar

from jsonargparse import ArgumentParser

from vis.errors import DataError, UsageError
from vis.renamed import with_current_names
from vis.training.config_file import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Kind = TypeVar("Kind")
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "tuple": "a list",
    "dict": "a table",
    "NoneType": "null",
    "PositiveInt": "a whole number above 0",
    "NonNegativeInt": "a whole number of at least 0",
    "PositiveFloat": "a number above 0",
    "NonNegativeFloat": "a number of at least 0",
    "ClosedUnitInterval": "a number from 0 to 1",
    "Amount": "a finite number of at least 0",
    "Weight": "a finite number above 0",
    "Byte": "a whole number from 0 to 255",
}
# jsonargparse names types and values in texts alone; what is not known here is passed on as it is
_KIND = re.compile(
    r"(?:Expected an? |Not of type )(?:<class '(?:\w+\.)*|typing\.(?=Literal))?"
    r"([^:'.\n]+(?:(?<=\[)'[^]]+])?)"
)
_VALUE = re.compile(
    r"(?:Got|Given) value: (.*)|: (\S+) (?:does not|not an?) |: (?:.*: )?('.*')$", re.M
)


def parse(kind: type[Kind], table: Mapping[str, Any], changes: Sequence[str] = ()) -> Kind:
    """A dataclass from values by its own names, as `current` makes them, and its defaults.

    Args:
        kind: dataclass, with dataclasses in it.
        table: values by its own names, as `current` makes them.
        changes: such as `["--training.steps=1000"]`, by its own names; they win.

    Raises:
        UsageError: a value has another type or is out of its range, or one is missing.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind)
    parser.add_argument("--config", action="config")
    try:
        settings = parser.parse_args([f"--config={json.dumps(table)}", *changes])
        del settings["config"]
        return kind(**vars(parser.instantiate(settings)))
    except UsageError:
        raise
    except (ArgumentError, ValueError) as error:
        # what a dataclass itself refuses is wrapped, where null could stand in its place
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, UsageError):
            cause = cause.__cause__ or cause.__context__
        raise cause or UsageError(_readable(str(error))) from None


def current(hint: Any, value: Any, path: str, *, where: str) -> Any:
    """The value of a setting with today's names on every level (see `vis.renamed`).

    Args:
        hint: type of the setting; only dataclasses, alone, optional or in a tuple, are looked into.
        value: as read from YAML; a table may leave settings out.
        path: dotted, of the value.
        where: the file or option that it comes from.

    Raises:
        UsageError: a key is unknown, or a table or value is missing.
        DataError: a setting is there by its old and its new name.
    """
    kind, many = dataclass_of(hint)
    # jsonargparse takes null for any setting of a table, and leaves out what is no table
    if value is None and NoneType not in typing.get_args(hint):
        raise UsageError(f"{path} is null, not a value", where=where)
    if isinstance(value, dict) and kind is None and typing.get_origin(hint) is not dict:
        raise UsageError(f"{path} has no settings of its own", where=where)
    if many and isinstance(value, list):
        items = enumerate(value)
        return [current(kind, item, f"{path}[{n}]", where=where) for n, item in items]
    if kind is None or value is None or many:
        return value
    if not isinstance(value, dict):
        raise UsageError(f"{path} is {value!r:.60}, not a table of settings", where=where)
    hints = hints_of(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    table = with_current_names(kind, value, where=f"{where}: {path}" if path else where)
    for name in table:
        if name not in names:
            what = f"there is no setting {joined(path, name)}"
            raise UsageError(what, where=where, remedy=nearest(name, names))
    return {
        name: current(hints[name], item, joined(path, name), where=where)
        for name, item in table.items()
    }


def current_option(kind: type[Any], option: str, text: str) -> str:
    """`--a.b=VALUE` with today's names, in the option and in a table that is its value.

    Raises:
        UsageError, DataError: as `current`; or the value is no YAML.
    """
    where, names = f"--{option}", option.split(".")
    try:
        value = parse_yaml(text)
    except DataError as error:
        raise UsageError(error.what, where=where) from None
    for name in reversed(names):
        value = {name: value}
    value = current(kind, value, "", where=where)
    for level in range(len(names)):
        ((names[level], value),) = value.items()
    return f"--{'.'.join(names)}={value if isinstance(value, str) else json.dumps(value)}"


def hints_of(kind: type[Any]) -> dict[str, Any]:
    """The types of a dataclass's fields."""
    # `RENAMED` is annotated by what only a type checker imports
    return typing.get_type_hints(kind, localns={"Mapping": dict})


def dataclass_of(hint: Any) -> tuple[type[Any] | None, bool]:
    """The dataclass that a type is, or may be, and whether it is a tuple of them."""
    for part in (hint, *typing.get_args(hint)):
        if dataclasses.is_dataclass(part) and isinstance(part, type):
            return part, typing.get_origin(hint) is tuple
    return None, False


def nearest(name: str, names: Iterable[str]) -> str:
    """What to write instead of an unknown name."""
    near = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names)}."


def joined(path: str, name: str) -> str:
    """The dotted path of a setting below another."""
    return f"{path}.{name}" if path else name


def _readable(message: str) -> str:
    """Jsonargparse's complaint, which has a line for each level and each type, as one."""
    path = ".".join(re.findall(r'Parser key "(.*?)"', message))
    if missing := re.search(r"are required: ([\w.]+)", message):
        return f"{joined(path, missing[1])} is missing"
    what = re.split(r'Parser key ".*?":', message)[-1].strip()
    value, kinds = _VALUE.search(what), _KIND.findall(what)
    if value is None or not kinds:
        return f"{path}: {' '.join(what.split()):.300}"
    if not what.startswith("Does not validate"):  # against any type of several
        kinds = kinds[:1]
    words = [_WORDS.get(kind, kind).replace("tuple with", "a list of") for kind in kinds]
    words = [re.sub(r"^Literal\[(.*)\]$", r"one of \1", word).replace("'", "") for word in words]
    return f"{path} is {next(filter(None, value.groups())):.60}, not {' or '.join(words)}"
