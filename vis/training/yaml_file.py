"""Plain YAML and nothing more: no tags, no anchors, no second keys, and `1e-4` is a number.

What people mean by `on`, `010` or `1:30` differs from what YAML 1.1 makes of them: here they are
texts, true and false are the only truth values, and numbers are decimal.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from vis.errors import DataError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_BYTES = 256 << 10
MAX_DEPTH = 16
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,18})")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_ZERO_FIRST = re.compile(r"[-+]?0[0-9]+")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}


def read_yaml(path: str | Path) -> dict[str, object]:
    """The table in a file.

    Raises:
        InputError: it cannot be read.
        DataError: it is no plain YAML table; names the line.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from None
    try:
        if len(content) > MAX_BYTES:
            raise DataError(f"a configuration has at most {MAX_BYTES} bytes")
        value = parsed(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise DataError("it is not UTF-8 text", where=str(path)) from None
    except DataError as error:
        raise error.at(str(path)) from None
    if not isinstance(value, dict):
        raise DataError("it is not a table of settings", where=str(path))
    return value


def parsed(text: str) -> object:
    """The value that a text spells, such as one on the command line.

    Raises:
        DataError: it is no plain YAML; names the line.
    """
    try:
        events = yaml.parse(text, Loader=yaml.SafeLoader)
        head = [type(next(events)) for _ in range(2)]
        first = next(events)
        if isinstance(first, yaml.StreamEndEvent) or head[1] is yaml.StreamEndEvent:
            return None
        value = _value(first, events, 0)
        next(events)  # the end of the document
        if not isinstance(next(events), yaml.StreamEndEvent):
            raise DataError("there is more than one document in it")
    except StopIteration:
        return None
    except yaml.YAMLError as error:
        words = " ".join(str(error).replace('"<unicode string>", ', "").split())
        raise DataError(f"it is not YAML ({words})") from None
    return value


def written(table: Mapping[str, object], indent: str = "") -> str:
    """YAML of nested tables whose ends are JSON: what `parsed` reads back the same."""
    lines = []
    for name, value in table.items():
        key = (
            name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name not in _WORDS else _json(name)
        )
        if isinstance(value, dict) and value:
            lines.append(f"{indent}{key}:\n{written(value, indent + '  ')}")
        else:
            lines.append(f"{indent}{key}: {_json(value)}\n")
    return "".join(lines)


def _value(event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> object:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
        raise _fault("anchors and aliases are not read", event)
    tag = getattr(event, "tag", None)
    if tag is not None:
        raise _fault(f"tags such as {tag!r} are not read", event)
    if depth >= MAX_DEPTH:
        raise _fault(f"it is nested more than {MAX_DEPTH} deep", event)
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event.value) if event.style is None else event.value
    if isinstance(event, yaml.SequenceStartEvent):
        items = iter(lambda: next(events), None)
        return [_value(item, events, depth + 1) for item in _until(yaml.SequenceEndEvent, items)]
    table: dict[str, object] = {}
    for item in _until(yaml.MappingEndEvent, iter(lambda: next(events), None)):
        key = item.value if isinstance(item, yaml.ScalarEvent) else None
        if key is None or key == "<<":
            raise _fault("a key is not a word", item)
        if key in table:
            raise _fault(f"{key!r} is there twice", item)
        table[key] = _value(next(events), events, depth + 1)
    return table


def _until(kind: type[yaml.Event], events: Iterator[yaml.Event]) -> Iterator[yaml.Event]:
    for event in events:
        if isinstance(event, kind):
            return
        yield event


def _scalar(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) and not _ZERO_FIRST.fullmatch(text):
        return float(text)
    return text


def _fault(what: str, event: yaml.Event) -> DataError:
    assert event.start_mark is not None
    return DataError(what, where=f"line {event.start_mark.line + 1}")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
