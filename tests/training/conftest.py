"""The squares of `squares.py`, for every test of this folder."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

PROGRAM = Path(__file__).parent / "squares.py"


@pytest.fixture(scope="session")
def squares() -> ModuleType:
    """The module, which is a program of its own for tests that kill it."""
    spec = importlib.util.spec_from_file_location("training_squares", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """So small, threads cost more than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
