"""Compare the names and shapes of a file with those of a model; never load a part in silence."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from vis.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Shape = tuple[int, ...]

MAX_LISTED = 5
"""Names listed of each kind of disagreement."""
NEAREST = 3


def check(actual: Mapping[str, Shape], expected: Mapping[str, Shape], *, remedy: str = "") -> None:
    """Pass if both have the same names with the same shapes.

    Raises:
        DataError: lists what is missing (with the nearest names), unexpected or of another shape.
    """
    missing = [name for name in expected if name not in actual]
    extra = [name for name in actual if name not in expected]
    shapes = [name for name in expected if name in actual and actual[name] != expected[name]]
    if not (missing or extra or shapes):
        return
    listed = [f"{n} {expected[n]}{_near(n, extra)}" for n in missing[:MAX_LISTED]]
    parts = [
        _part("of another shape", [f"{n} is {actual[n]}, not {expected[n]}" for n in shapes]),
        _part("missing", listed, missing),
        _part("unexpected", [f"{n} {actual[n]}" for n in extra]),
    ]
    text = "; ".join(part for part in parts if part)
    raise DataError(f"the weights do not fit the model: {text}", remedy=remedy)


def _part(title: str, lines: list[str], names: Iterable[str] | None = None) -> str:
    count = len(list(names)) if names is not None else len(lines)
    if not count:
        return ""
    rest = f", and {count - MAX_LISTED} more" if count > MAX_LISTED else ""
    return f"{count} {title}: " + ", ".join(lines[:MAX_LISTED]) + rest


def _near(name: str, others: list[str]) -> str:
    near = difflib.get_close_matches(name, others, NEAREST)
    return f" (perhaps {' or '.join(near)})" if near else ""
