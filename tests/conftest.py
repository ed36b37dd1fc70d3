"""Fixtures that every test may use."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parent.parent.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips and golden numbers beside the project; not redistributable."""
    if not SHARED.is_dir():
        pytest.skip("the folder of real data beside the project is not here")
    return SHARED


@pytest.fixture(scope="session")
def clips(shared: Path) -> Path:
    """The folder of odd real clips."""
    return shared / "data" / "pack_test" / "clips"
