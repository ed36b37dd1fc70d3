"""The manual page of settings: each with its default and the sentence under it in the source."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import json
import textwrap
import typing
from typing import Any, Literal

from vis.training.settings import plain


def sheet(kind: type[Any], path: str = "") -> str:
    """A line for each setting of a dataclass, nested ones included, by dotted name."""
    sentences = _sentences(kind)
    hints = typing.get_type_hints(kind)
    lines = []
    for field in dataclasses.fields(kind):
        name = f"{path}.{field.name}" if path else field.name
        hint = hints[field.name]
        inner, optional, many = _inner(hint)
        if inner is not None and not (optional or many):
            lines.append(sheet(inner, name))
            continue
        words = [sentences.get(field.name, ""), _choices(hint), _default(field)]
        text = " ".join(word for word in words if word)
        lines.append(f"  --{name}\n{textwrap.indent(textwrap.fill(text, 88), ' ' * 8)}\n")
        if inner is not None:
            lines.append(sheet(inner, f"{name}[]" if many else name))
    return "".join(lines)


def _inner(hint: Any) -> tuple[type[Any] | None, bool, bool]:
    """The dataclass within a type, whether it may be none, and whether there is a list of it."""
    parts = [part for part in typing.get_args(hint) if part not in (type(None), Ellipsis)]
    for part in (hint, *parts):
        if dataclasses.is_dataclass(part) and isinstance(part, type):
            return part, type(None) in typing.get_args(hint), typing.get_origin(hint) is tuple
    return None, False, False


def _sentences(kind: type[Any]) -> dict[str, str]:
    """Field -> the text under it; of the classes it inherits from, too."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        body = typing.cast("ast.ClassDef", ast.parse(inspect.getsource(base)).body[0]).body
        for field, after in itertools.pairwise(body):
            match field, after:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[name] = " ".join(text.split())
    return found


def _choices(hint: Any) -> str:
    if typing.get_origin(hint) is not Literal:
        return ""
    return f"One of {', '.join(map(str, typing.get_args(hint)))}."


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return f"(default: {json.dumps(plain(field.default))})"
    if field.default_factory is not dataclasses.MISSING:
        return f"(default: {json.dumps(plain(field.default_factory()))})"
    return "(required)"
