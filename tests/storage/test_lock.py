"""Two processes never own one lock file; what a killed one left stops nobody."""

import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from vis.errors import OutputError, VisWarning
from vis.storage.lock import locked

ROOT = Path(__file__).parents[2]
NOT_HERE = 1 << 30
"""A process that no system has."""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "run.lock"


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_second_one_is_told_who_has_it(lock: Path):
    with locked(lock, where=lock.parent):
        expected = f"process {os.getpid()} on {socket.gethostname()} is writing there"
        with pytest.raises(OutputError, match=expected) as caught, locked(lock, where=lock.parent):
            pytest.fail("two had the file")
        assert caught.value.where == str(lock.parent)
        assert lock.exists()
    assert not lock.exists()
    with locked(lock, where=lock.parent):
        pass


def test_it_is_given_back_after_an_error(lock: Path):
    with pytest.raises(ZeroDivisionError), locked(lock, where=lock):
        raise ZeroDivisionError
    assert not lock.exists()


KILLED = """
import os, sys
from pathlib import Path
from vis.storage.lock import locked
path = Path(sys.argv[1])
with locked(path, where=path):
    os.kill(os.getpid(), 9)
"""


def test_the_file_of_a_killed_process_stops_nobody(lock: Path):
    assert run(KILLED, lock).returncode == -9
    assert lock.exists()
    with locked(lock, where=lock):
        assert json.loads(lock.read_text())["pid"] == os.getpid()


@pytest.mark.parametrize(
    "left",
    [
        json.dumps({"host": "elsewhere", "pid": 1}),
        json.dumps({"host": socket.gethostname(), "pid": os.getpid()}),
        "[" * 100_000,
        "",
    ],
    ids=["elsewhere", "this process", "no JSON that ends", "nothing"],
)
def test_the_lock_counts_not_what_is_written(lock: Path, left: str):
    lock.write_text(left)
    with locked(lock, where=lock):
        lock.write_text(left)
        with pytest.raises(OutputError, match=r"process .*is writing there"):  # noqa: SIM117
            with locked(lock, where=lock):
                pytest.fail("two had the file")


RACE = """
import json, os, sys, time, traceback
from pathlib import Path
from vis.errors import OutputError
from vis.storage.lock import locked
folder, stale = Path(sys.argv[1]), sys.argv[2]
path, inside = folder / "run.lock", folder / "inside"

def compete():
    owned = 0
    while owned < 10:
        try:
            with locked(path, where=folder):
                os.close(os.open(inside, os.O_CREAT | os.O_EXCL))  # fails where two are inside
                owned += 1
                with path.open("r+") as file:
                    file.write(stale)  # as one that was killed here would leave it
                inside.unlink()
        except OutputError:
            time.sleep(0.001)  # as who waits does: seven that spin starve the one inside

path.write_text(stale)
children = []
for _ in range(8):
    if not (child := os.fork()):
        try:
            compete()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    children.append(child)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def test_of_many_that_race_for_a_stale_lock_one_at_a_time_owns_it(tmp_path: Path):
    stale = json.dumps({"host": socket.gethostname(), "pid": NOT_HERE})
    done = run(RACE, tmp_path, stale)
    assert done.returncode == 0, done.stderr


WINDOWS = """
import os, sys, types
from pathlib import Path
from vis.errors import OutputError
from vis.storage.lock import locked
sys.modules["msvcrt"] = types.SimpleNamespace(
    LK_NBLCK=2, locking=lambda handle, mode, size: os.lockf(handle, os.F_TLOCK, size)
)
sys.modules["fcntl"] = None
sys.platform = "win32"
path = Path(sys.argv[1])
with locked(path, where=path):
    if not os.fork():
        try:
            with locked(path, where=path):
                os._exit(1)
        except OutputError as error:
            os._exit(0 if f"process {os.getppid()} on" in str(error) else 2)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
assert not path.exists()
with locked(path, where=path):
    pass
"""


def test_without_fcntl_a_byte_behind_the_text_is_locked(lock: Path):
    done = run(WINDOWS, lock)
    assert done.returncode == 0, done.stderr


def test_a_file_system_without_locks_is_said(lock: Path, monkeypatch: pytest.MonkeyPatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(handle: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.warns(VisWarning, match="knows no locks"), locked(lock, where=lock):
        pass


def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    lock = tmp_path / "nowhere" / "run.lock"
    with pytest.raises(OutputError, match="there is no folder"), locked(lock, where=lock):
        pytest.fail("there was nothing to own")
