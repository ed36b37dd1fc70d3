"""The order in which a person lists numbered files."""

from __future__ import annotations

import re


def natural(name: str) -> list[tuple[int, str]]:
    """A sorting key by which `frame2` comes before `frame10`."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if place % 2 else (-1, part) for place, part in enumerate(parts)]
