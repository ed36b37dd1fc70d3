"""The sentence under each field of a dataclass, for manual pages."""

from __future__ import annotations

import ast
import inspect
from dataclasses import fields
from typing import Any


def field_help(kind: type[Any]) -> dict[str, str]:
    """Field -> the text under it in the source, as one line; those of base classes first.

    Raises:
        OSError: the source is not there, as in a frozen program.
    """
    sentences: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        [node] = ast.parse(inspect.cleandoc(inspect.getsource(base))).body
        assert isinstance(node, ast.ClassDef)
        for field, text in zip(node.body, node.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
            ):
                sentences[field.target.id] = " ".join(str(text.value.value).split())
    return {field.name: sentences.get(field.name, "") for field in fields(kind)}
