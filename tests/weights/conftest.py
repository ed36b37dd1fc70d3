"""A server of weights on this machine, and a folder of weights of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.weights.server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    """It sends 700 kB that do not repeat."""
    content = b"".join(n.to_bytes(4, "big") for n in range(175_000))
    with serving(content) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where weights are kept; it is not there yet."""
    monkeypatch.setenv("VIS_HOME", str(tmp_path / "weights"))
    return tmp_path / "weights"
