"""Compare SOTR, ISTR, Segmenter and their backbones with the golden numbers of a text file.

`parity.py` calls this. Each section of the file has a script of its own; weights are drawn from the
published names, and all runs in float64, where the numbers were taken.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from parity import Row

SECTIONS = {
    "B": "parity_golden_backbones",
    "S": "parity_golden_sotr",
    "I": "parity_golden_istr",
    "G": "parity_golden_segmenter",
}
"""Letter of a section -> script with a `rows(text, keys)`."""


def rows_of(path: Path) -> Iterator[Row]:
    """All rows of the file, section by section."""
    keys = path.parent.parent / "keys"
    for part in re.split(r"^## ", path.read_text(), flags=re.M)[1:]:
        script = importlib.import_module(SECTIONS[part[0]])
        with torch.no_grad():
            yield from script.rows(part, keys)
