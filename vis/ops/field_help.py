"""The sentence under each field of a dataclass, for manual pages."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import docstring_parser


def field_help(kind: type[Any]) -> dict[str, str]:
    """Field -> the text under it in the source, as one line; "" where there is none."""
    sentences: dict[str, str] = {}
    # the library reads the text of one class; a field may be that of a base
    for base in reversed(kind.__mro__[:-1]):
        page = docstring_parser.parse_from_object(base)
        sentences |= {entry.arg_name: entry.description or "" for entry in page.params}
    return {field.name: " ".join(sentences.get(field.name, "").split()) for field in fields(kind)}
