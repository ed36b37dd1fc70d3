"""Parts of models against published ones, and the script does fail where they differ."""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPTS = Path(__file__).parent
PARTS = {
    "pixel_decoder": 4,
    "decoder_image_B3": 2,
    "decoder_video_T3": 10,
    "position": 2,
    "resnet_d2_blocks": 1,
    "swin_100x90": 4,
    "criterion_video": 10,
    "rfdetr_criterion": 37,
    "videomt_tiny_T3": 3,
}


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return importlib.import_module("parity_parts")


@pytest.mark.parametrize("part", PARTS)
def test_published_parts_are_met(parts: Any, shared: Path, part: str) -> None:
    rows = list(parts.rows_of(shared / "golden" / "parts" / f"{part}.npz"))
    assert len(rows) == PARTS[part]
    assert all(difference < 1e-5 for _, difference in rows), rows


def test_other_outputs_fail(
    parts: Any, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with np.load(shared / "golden" / "parts" / "position.npz") as stored:
        arrays = dict(stored)
    arrays["out.sine2d_c32"] = arrays["out.sine2d_c32"] + 2e-4
    np.savez(tmp_path / "position.npz", **arrays)
    monkeypatch.setattr(sys, "argv", ["parity_parts.py", str(tmp_path / "position.npz")])
    assert parts.main() == 1
    monkeypatch.setattr(sys, "argv", ["parity_parts.py", str(tmp_path / "unknown.npz")])
    assert parts.main() == 1
