"""Processes that lose each other: the others stop soon, and say who is gone."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, meeting_place

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, signal, sys
from datetime import timedelta
from vis.training import ranks
ranks.PATIENCE, ranks._ROLL_CALL = timedelta(seconds=15), timedelta(seconds=5)
with ranks.joined("cpu") as mine, mine.lost_rank_errors(lambda: 7):
    for turn in range(3):
        if turn == 2 and mine.rank == 1:
            if sys.argv[1] == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            sys.stdin.read()  # until the first has ended
        mine.any(False)
"""


@pytest.mark.parametrize("how", ["killed", "hangs"])
def test_a_lost_process_is_named_by_the_others(how: str):
    env = os.environ | meeting_place() | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    first, other = (
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, how], stderr=subprocess.PIPE, text=True,
            stdin=subprocess.PIPE,
            env=env | {"WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in (0, 1)
    )  # fmt: skip
    _, said = first.communicate(timeout=PATIENCE)
    other.communicate(timeout=PATIENCE)
    last = said.splitlines()[-1]
    words = rf"rank 0 on .*, after step 7: rank 1 \(process {other.pid} on .*\) does not answer"
    assert re.search(words, last), said
