"""Where in a JSON file NaN or an infinity stands, which JSON does not know but Python writes."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from vis.formats.reading import id_of

_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|NaN|Infinity')
"""Whole texts, so that a word within one is not taken for the number."""


def place_of_constant(text: str) -> str:
    """Record, field and line of the first such number: `annotations[0] (id 1): bbox[2] (line 9)`.

    Empty where the text is no JSON otherwise.
    """
    try:
        place = _place(json.loads(text))
    except (ValueError, RecursionError):
        return ""
    words = (match for match in _WORD.finditer(text) if match[0][0] != '"')
    first = next(words, None)
    # 1e400 is infinite too, and no word
    line = f" (line {text.count(chr(10), 0, first.start()) + 1})" if first else ""
    return f"{place}{line}" if place else ""


def _place(value: Any) -> str | None:
    """The place within a value, "" where it is the number itself; None where there is none."""
    if isinstance(value, float):
        return None if math.isfinite(value) else ""
    if isinstance(value, dict):
        children = [(str(key), child) for key, child in value.items()]
    elif isinstance(value, list):
        children = [(f"[{index}]{id_of(child)}", child) for index, child in enumerate(value)]
    else:
        return None
    for name, child in children:
        place = _place(child)
        if place is not None:
            # a field of a record stands after it, a place in a list close to its name
            return f"{name}{'' if place.startswith('[') or not place else ': '}{place}"
    return None
