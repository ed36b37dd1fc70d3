"""Two runs never share a folder; a dead one's lock stops nobody."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vis.errors import OutputError
from vis.training.lock import LOCK, locked


def test_a_second_one_is_told_who_has_it(tmp_path: Path):
    with locked(tmp_path):
        with pytest.raises(OutputError, match=f"process {os.getpid()} on"), locked(tmp_path):
            pytest.fail("two had the folder")
        assert (tmp_path / LOCK).exists()
    assert not (tmp_path / LOCK).exists()
    with locked(tmp_path):
        pass


def test_it_is_given_back_after_an_error(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    assert not (tmp_path / LOCK).exists()


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path):
    code = (
        "import os, sys; from pathlib import Path; from vis.training.lock import locked\n"
        "with locked(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=root, check=False)
    assert done.returncode == -9 and (tmp_path / LOCK).exists()
    with locked(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()


@pytest.mark.parametrize(
    ("change", "free"),
    [
        ({"boot": "another"}, True),
        ({"began": "1"}, True),
        ({"host": "elsewhere"}, False),
        ({"host": "elsewhere", "boot": "another"}, False),
        ({"pid": "x"}, False),
    ],
)
def test_only_what_is_provably_gone_counts_as_gone(tmp_path: Path, change: dict, free: bool):
    with locked(tmp_path):
        owner = json.loads((tmp_path / LOCK).read_text())
    (tmp_path / LOCK).write_text(json.dumps(owner | change))
    if free:
        with locked(tmp_path):
            assert (tmp_path / LOCK).exists()
    else:
        with pytest.raises(OutputError), locked(tmp_path):
            pytest.fail("the folder was taken")


def test_a_lock_that_nobody_can_read_is_respected(tmp_path: Path):
    (tmp_path / LOCK).write_text("[" * 100)
    with pytest.raises(OutputError, match=r"remove .*run\.lock"), locked(tmp_path):
        pytest.fail("the folder was taken")
