"""The golden numbers of the text: all rows of the quick sections are within their tolerance."""

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

SCRIPTS = Path(__file__).parent
TEXT = "sotr_istr_segmenter_golden.txt"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Loads one of the scripts."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return importlib.import_module


def section(shared: Path, letter: str) -> str:
    """The lines of one section."""
    text = (shared / "golden" / "parts" / TEXT).read_text()
    return next(part for part in re.split(r"^## ", text, flags=re.M) if part[0] == letter)


def test_segmenters_golden_numbers(shared: Path, script: Any):
    rows = script("parity_golden_segmenter").rows
    with torch.no_grad():
        found = list(rows(section(shared, "G"), shared / "golden" / "keys"))
    assert len(found) > 12
    assert [row for row in found if not row[1] <= row[2]] == []


def test_sotrs_golden_targets(shared: Path, script: Any):
    with torch.no_grad():
        found = list(script("parity_golden_sotr").targets(section(shared, "S")))
    assert [row for row in found if not row[1] <= row[2]] == []


def test_a_wrong_number_is_found(shared: Path, script: Any):
    text = section(shared, "G").replace("(500, 0.000540527864)", "(500, 0.000541527864)")
    found = list(script("parity_golden_segmenter").schedule(text))
    assert [name for name, difference, most in found if not difference <= most] == ["G5 step 500"]
