"""One owner at a time: lock files whose lock ends with their process, however that ends."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from vis.errors import OutputError, VisWarning
from vis.storage.disk_errors import WHOLE, output_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCKED_ELSEWHERE = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}
_NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL}
"""What file systems answer that know no locks, such as Lustre mounted without flock."""
_FAR = 1 << 30
"""Windows locks bytes, and nobody else can read those: this one lies behind what is written."""


@contextmanager
def locked(path: Path, *, where: Path) -> Iterator[None]:
    """Own a lock file while the block runs; it is gone afterwards.

    The system ends the lock with its process, so a file that a killed one left stops nobody. What
    is written in the file only tells others whom to wait for.

    Args:
        path: the lock file, in a folder that is there. On Windows it must not lie in a folder that
            is deleted meanwhile.
        where: what it stands for, in messages.

    Raises:
        OutputError: another process owns it, named with its host; or it cannot be made.
    """
    handle = _open_locked(path, where)
    try:
        _write_owner(handle)
        yield
    finally:
        if sys.platform == "win32":  # where nobody can delete what is open
            os.close(handle)
            _remove(path)
        else:
            _remove(path)
            os.close(handle)


def _open_locked(path: Path, where: Path) -> int:
    while True:
        with output_errors(path, WHOLE, done="Nothing was written."):
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            with output_errors(path, WHOLE, done="Nothing was written."):
                free = _try_lock(handle, path)
            if not free:
                raise OutputError(
                    f"{_owner(handle)} is writing there",
                    where=str(where),
                    done="Nothing was changed.",
                    remedy="Wait until it ends, or stop it.",
                )
            if _is_at(handle, path):
                return handle
        except BaseException:
            os.close(handle)
            raise
        # its owner removed the file after we had opened it: the next comer locks another one
        os.close(handle)


def _try_lock(handle: int, path: Path) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, _FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _LOCKED_ELSEWHERE:
            return False
        if error.errno not in _NO_LOCKS:
            raise
        warnings.warn(
            f"the file system of {path.parent} knows no locks: nothing keeps a second process out",
            VisWarning,
            stacklevel=5,
        )
    return True


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _write_owner(handle: int) -> None:
    text = json.dumps({"host": socket.gethostname(), "pid": os.getpid()})
    with suppress(OSError):  # a full disk: the lock holds all the same
        os.lseek(handle, 0, os.SEEK_SET)
        # cut afterwards: ext4 writes a file that was emptied through to the disk when it is closed
        os.ftruncate(handle, os.write(handle, text.encode()))


def _owner(handle: int) -> str:
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        owner = json.loads(os.read(handle, 4096))
        return f"process {owner['pid']} on {owner['host']}"
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return "another process"


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
