"""Where in a JSON file NaN or an infinity stands, which JSON does not know but Python writes."""

from __future__ import annotations

import json
import math
from typing import Any

from vis.formats.reading import id_of


def place_of_constant(text: str) -> str:
    """The record and field of the first such number, as `annotations[0] (id 1): bbox[2]`.

    Empty where the text is no JSON otherwise.
    """
    try:
        return _place(json.loads(text)) or ""
    except (ValueError, RecursionError):
        return ""


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
