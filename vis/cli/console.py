"""lines, tables and lists of faults, as the commands print them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vis.errors import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.errors import DataError


def say(line: str) -> None:
    """Print a line; control characters from files are made visible."""
    sys.stdout.write(f"{printable(line)}\n")


def say_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows of as many cells each, in columns."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())


def say_faults(faults: Sequence[DataError]) -> None:
    """Print faults, those with the same remedy together."""
    groups: dict[str, list[DataError]] = {}
    for fault in faults:
        groups.setdefault(fault.remedy, []).append(fault)
    for remedy, same in groups.items():
        say(f"{len(same)} x {remedy or 'No remedy is known.'}")
        for fault in same:
            say(f"    {fault.where}: {fault.what}" if fault.where else f"    {fault.what}")
        say("")
