"""Batch norms of several processes keep one running average."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, meeting_place

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_after_a_step_all_have_the_mean_of_what_each_saw(parallel: str):
    path = os.pathsep.join([str(ROOT), *sys.path])
    here = {"OMP_NUM_THREADS": "1", "PYTHONPATH": path, "WORLD_SIZE": "2"}
    env = os.environ | meeting_place() | here
    first, other = (
        subprocess.Popen(
            [sys.executable, HERE / "norms.py", parallel],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=env | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in (0, 1)
    )  # fmt: skip
    try:
        out, errors = first.communicate(timeout=PATIENCE)
        other.communicate(timeout=PATIENCE)
    finally:
        for process in (first, other):
            process.kill()
    assert first.returncode == 0, errors
    same, off, apart, moving = (float(word) for word in out.split())
    assert same == 1.0
    assert off < 1e-5 < 1e-3 < apart, "the mean, and what each saw differs"
    assert moving == 0.0, "the model to use has them too"
