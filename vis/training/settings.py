"""From plain values to typed dataclasses; every fault names the dotted path of the setting."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union

from vis.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = TypeVar("Kind")
_WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def made(kind: type[Kind], value: object, path: str = "") -> Kind:
    """A dataclass, or any value of the type `kind`, from numbers, texts, lists and tables.

    Args:
        kind: a dataclass of int, float, bool, str, Literal, tuple, dict, unions and dataclasses.
        value: as read from YAML.
        path: of the value, such as `training.steps`.

    Raises:
        UsageError: a value has another type, or a key is unknown; names path and nearest key.
    """
    made_of: Kind = _made(kind, value, path)
    return made_of


def plain(value: Any) -> Any:
    """The way back: dataclasses become tables, tuples become lists."""
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def put(table: dict[str, object], path: str, value: object) -> None:
    """Set `a.b.c` in nested tables, making those that are missing.

    Raises:
        UsageError: a part of the path is no table.
    """
    *outer, last = path.split(".")
    for depth, name in enumerate(outer):
        inner = {} if table.get(name) is None else table[name]
        table[name] = inner
        if not isinstance(inner, dict):
            raise UsageError(f"{'.'.join(outer[: depth + 1])} has no settings of its own")
        table = inner
    table[last] = value


def _made(kind: Any, value: object, path: str) -> Any:
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any or kind is object:
        return value
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind, value, path)
    if origin is Literal:
        if value not in parts or isinstance(value, bool) != isinstance(parts[0], bool):
            raise _wrong(path, value, f"one of {', '.join(map(str, parts))}")
        return value
    if origin in (Union, types.UnionType):
        return _union(parts, value, path)
    if origin is tuple:
        return _tuple(parts, value, path)
    if origin is dict:
        if not isinstance(value, dict):
            raise _wrong(path, value, "a table")
        return {name: _made(parts[1], item, f"{path}.{name}") for name, item in value.items()}
    return _simple(kind, value, path)


def _dataclass(kind: type[Any], value: object, path: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong(path, value, "a table of settings")
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    for name in value:
        if name not in fields:
            raise UsageError(
                f"there is no setting {_joined(path, name)}", remedy=_near(name, fields)
            )
    for name, field in fields.items():
        bare = field.default is field.default_factory is dataclasses.MISSING
        if bare and name not in value:
            raise UsageError(f"{_joined(path, name)} is missing")
    return kind(
        **{name: _made(hints[name], item, _joined(path, name)) for name, item in value.items()}
    )


def _union(parts: Sequence[Any], value: object, path: str) -> Any:
    if value is None and type(None) in parts:
        return None
    rest = [part for part in parts if part is not type(None)]
    if len(rest) == 1:
        return _made(rest[0], value, path)
    for part in rest:
        try:
            return _made(part, value, path)
        except UsageError:
            continue
    raise _wrong(path, value, " or ".join(_WORDS.get(part, str(part)) for part in rest))


def _tuple(parts: Sequence[Any], value: object, path: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong(path, value, "a list")
    kinds = [parts[0]] * len(value) if parts[-1] is Ellipsis else list(parts)
    if len(kinds) != len(value):
        raise _wrong(path, value, f"a list of {len(kinds)}")
    items = enumerate(zip(kinds, value, strict=True))
    return tuple(_made(kind, item, f"{path}[{index}]") for index, (kind, item) in items)


def _simple(kind: Any, value: object, path: str) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise _wrong(path, value, _WORDS.get(kind, str(kind)))
    return value


def _wrong(path: str, value: object, wanted: str) -> UsageError:
    return UsageError(f"{path} is {value!r:.60}, not {wanted}")


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _near(name: str, names: Sequence[str] | dict[str, Any]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names)}."
