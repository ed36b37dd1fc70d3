"""Configurations as text: YAML without tags, aliases and doubled keys; 1e-4 is a number."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from vis.errors import DataError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_BYTES = 256 << 10
_FLOAT = ("tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"))


def read_yaml(path: str | Path) -> dict[str, Any]:
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
    # a film given by mistake would be read for minutes
    if len(content) > MAX_BYTES:
        raise DataError(f"a configuration has at most {MAX_BYTES} bytes", where=str(path))
    try:
        table = parse_yaml(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise DataError("it is not UTF-8 text", where=str(path)) from None
    except DataError as error:
        raise error.at(str(path)) from None
    if not isinstance(table, dict):
        raise DataError("it is not a table of settings", where=str(path))
    return table


def parse_yaml(text: str) -> Any:
    """The value that a text spells, such as one on the command line.

    Raises:
        DataError: it is no plain YAML; names the line.
    """
    try:
        return _Loader(text).get_single_data()
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f"line {error.problem_mark.line + 1}"
        raise DataError(f"it is not plain YAML ({error.problem})", where=line) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"it is not plain YAML ({' '.join(str(error).split())})") from None


def dump_yaml(table: dict[str, Any]) -> str:
    """YAML of nested tables, tuples as lists, which `parse_yaml` reads back the same."""
    plain = json.loads(json.dumps(table))  # numbers that know their range become plain ones
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Loader(yaml.SafeLoader):
    """Constructs numbers, texts, truth values, None, lists and tables of texts, nothing else."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases, by which a short text unfolds to more than the memory holds, and tags."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        for name in ("anchor", "tag"):
            if getattr(event, name, None) is not None:
                problem = f"{name}s are not read"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that is there twice: the second would win without a word."""
        names = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:str" or key.value in names:
                problem = f"the key {key.value!r:.60} is there twice, or is no text"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            names.add(key.value)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Quotes the texts that the loader would take for something else."""

    def represent_list(self, data: Iterable[Any]) -> yaml.SequenceNode:
        """Numbers and texts in one line, tables each in their own."""
        flow = not any(isinstance(value, dict) for value in data)
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flow)


_Dumper.add_representer(list, _Dumper.represent_list)
for _kind in (_Loader, _Dumper):
    # YAML 1.1 takes 1e-4 for a text, and 2026-01-01 for a date, which no setting is
    _kind.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in pairs if not tag.endswith(":timestamp")]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    _kind.add_implicit_resolver(*_FLOAT, list("-+0123456789."))
