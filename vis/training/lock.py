"""One run, one process group: a second that wants the same folder is told who has it."""

from __future__ import annotations

import json
import os
import socket
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vis.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = "run.lock"
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Own a run's folder; the lock of a process that is provably gone is taken over.

    Raises:
        OutputError: another process has it, or may have it; names host and process.
    """
    path = folder / LOCK
    mine = _me()
    try:
        _take(path, mine)
    except FileExistsError:
        owner = _owner(path)
        if not _gone(owner):
            raise OutputError(
                f"process {owner.get('pid')} on {owner.get('host')} is using this folder",
                where=str(folder),
                done="Nothing was changed.",
                remedy=f"Wait for it, or remove {path} if it is gone.",
            ) from None
        path.unlink(missing_ok=True)
        try:
            _take(path, mine)
        except FileExistsError:
            raise OutputError("another process took this folder", where=str(folder)) from None
    try:
        yield
    finally:
        with suppress(OSError):
            if _owner(path) == mine:
                path.unlink()


def _take(path: Path, mine: dict[str, object]) -> None:
    with path.open("x") as file:
        json.dump(mine, file)


def _me() -> dict[str, object]:
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "boot": _boot(), "began": _began(pid)}


def _owner(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_bytes()[:4096])
    except (OSError, ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}


def _gone(owner: dict[str, object]) -> bool:
    """Only on this machine can that be known: another boot, or no such process of that age."""
    pid = owner.get("pid")
    if owner.get("host") != socket.gethostname() or not isinstance(pid, int) or pid < 1:
        return False
    if owner.get("boot") != _boot():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return owner.get("began") != _began(pid)


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def _began(pid: int) -> str:
    """When a process started, in ticks since boot; "" where the system does not tell."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
