"""The manual page of settings: each with its default and the sentence under it in the source."""

from __future__ import annotations

import dataclasses
import json
import textwrap
import typing
from typing import Any, Literal

from vis.ops.field_help import field_help
from vis.training.parser import dataclass_of, hints_of, joined


def settings_help(kind: type[Any], path: str = "") -> str:
    """A line for each setting of a dataclass, nested ones included, by dotted name."""
    sentences, hints = field_help(kind), hints_of(kind)
    lines = []
    for field in dataclasses.fields(kind):
        name, hint = joined(path, field.name), hints[field.name]
        inner, many = dataclass_of(hint)
        if inner is not None and inner is hint:
            lines.append(settings_help(inner, name))
            continue
        parts = [sentences[field.name], _options(hint), _default(field)]
        text = " ".join(" ".join(parts).split())
        lines.append(f"  --{name}\n{textwrap.indent(textwrap.fill(text, 88), ' ' * 8)}\n")
        if inner is not None:
            lines.append(settings_help(inner, f"{name}[]" if many else name))
    return "".join(lines)


def _options(hint: Any) -> str:
    if typing.get_origin(hint) is not Literal:
        return ""
    return f"One of {', '.join(map(str, typing.get_args(hint)))}."


def _default(field: dataclasses.Field[Any]) -> str:
    default = field.default
    if default is dataclasses.MISSING:
        if field.default_factory is dataclasses.MISSING:
            return "(required)"
        default = field.default_factory()
    if dataclasses.is_dataclass(default) and not isinstance(default, type):
        default = dataclasses.asdict(default)
    return f"(default: {json.dumps(default)})"
