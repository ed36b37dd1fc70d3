"""Compare the names and shapes of a file with those of a model; never load a part in silence."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from vis.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Shape = tuple[int, ...]

SHOWN = 5
"""Names listed of each kind of disagreement."""
NEAREST = 3


def check(found: Mapping[str, Shape], wanted: Mapping[str, Shape], *, remedy: str = "") -> None:
    """Pass if both have the same names with the same shapes.

    Raises:
        DataError: lists what is missing (with the nearest names), unexpected or of another shape.
    """
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    shapes = [name for name in wanted if name in found and found[name] != wanted[name]]
    if not (missing or extra or shapes):
        return
    parts = [
        _part("of another shape", [f"{n} is {found[n]}, not {wanted[n]}" for n in shapes]),
        _part("missing", [f"{n} {wanted[n]}{_near(n, extra)}" for n in missing[:SHOWN]], missing),
        _part("unexpected", [f"{n} {found[n]}" for n in extra]),
    ]
    text = "; ".join(part for part in parts if part)
    raise DataError(f"the weights do not fit the model: {text}", remedy=remedy)


def _part(title: str, lines: list[str], names: Iterable[str] | None = None) -> str:
    count = len(list(names)) if names is not None else len(lines)
    if not count:
        return ""
    rest = f", and {count - SHOWN} more" if count > SHOWN else ""
    return f"{count} {title}: " + ", ".join(lines[:SHOWN]) + rest


def _near(name: str, others: list[str]) -> str:
    near = difflib.get_close_matches(name, others, NEAREST)
    return f" (perhaps {' or '.join(near)})" if near else ""
