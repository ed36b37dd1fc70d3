"""What belongs to one visitor: a private folder, its files by key, and when all of it goes."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

IDLE = 3600.0
"""Seconds after its last use that a session goes, although its page is open."""
GRACE = 60.0
"""Seconds that a session outlives its last page: a page that is loaded anew is closed first."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a visitor."""

    path: Path
    name: str
    """What the visitor calls it; never a part of a path."""


@dataclass(slots=True, eq=False)
class Session:
    """One visitor, who is known by a cookie."""

    folder: Path
    last_use: float
    last_page: float
    files: dict[str, StoredFile] = field(default_factory=dict)
    """By key: whoever asks for a file has the key alone, so that no path comes from outside."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set where the visitor's job is to end."""
    pages: int = 0
    """That are open."""
    is_busy: bool = False
    is_over: bool = False

    def store(self, path: Path, name: str) -> str:
        """The key of a new file in the folder."""
        key = secrets.token_urlsafe(16)
        self.files[key] = StoredFile(path, name)
        return key

    def drop(self, kind: str) -> None:
        """Delete the visitor's files in the subfolder `kind`."""
        folder = self.folder / kind
        stored = list(self.files.items())
        for key in [key for key, file in stored if file.path.is_relative_to(folder)]:
            self.files.pop(key, None)
        shutil.rmtree(folder, ignore_errors=True)

    def new_folder(self, kind: str) -> Path:
        """An empty folder in the subfolder `kind`, which no other user of the machine can read."""
        # one after the other: of `parents` Python makes none but the last private
        for folder in (self.folder, self.folder / kind):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=self.folder / kind))


class Sessions:
    """All visitors, by the secret of their cookie.

    Args:
        root: the folder of their folders.
        clock: seconds that only grow.
    """

    def __init__(self, root: Path, clock: Callable[[], float] = monotonic) -> None:
        self._root, self._clock = root, clock
        self._sessions: dict[str, Session] = {}
        # the server's loop, its threads and the sweeper come here at the same time
        self._lock = threading.Lock()

    def begin(self) -> str:
        """The secret of a new session; its folder is made when something is put there."""
        secret, now = secrets.token_urlsafe(32), self._clock()
        with self._lock:
            # another random name: a path in a log must not be the key to the session
            session = Session(self._root / secrets.token_hex(16), now, now)
            self._sessions[secret] = session
        return secret

    def find(self, secret: str | None) -> Session | None:
        """The session of a secret, if there is one; asking counts as use."""
        with self._lock:
            session = self._sessions.get(secret or "")
            if session is not None:
                session.last_use = self._clock()
        return session

    @contextmanager
    def page(self, session: Session) -> Iterator[None]:
        """While a page of the session is open."""
        with self._lock:
            session.pages += 1
        try:
            yield
        finally:
            with self._lock:
                session.pages -= 1
                session.last_page = self._clock()

    @contextmanager
    def busy(self, session: Session) -> Iterator[None]:
        """While a job of the session runs: the session stays until the job has stopped."""
        with self._lock:
            session.is_busy = True
        try:
            yield
        finally:
            with self._lock:
                session.is_busy, session.last_use = False, self._clock()
                if session.is_over:
                    _remove(session)

    def sweep(self) -> None:
        """End the sessions whose last page was closed, and those that nobody has used for long."""
        now = self._clock()
        with self._lock:
            for secret, session in list(self._sessions.items()):
                left = not session.pages and now - session.last_page > GRACE
                if left or (not session.is_busy and now - session.last_use > IDLE):
                    self._end(secret)

    def close(self) -> None:
        """End all."""
        with self._lock:
            for secret in list(self._sessions):
                self._end(secret)

    def _end(self, secret: str) -> None:
        session = self._sessions.pop(secret)
        session.is_over = True
        session.stop.set()
        if not session.is_busy:
            _remove(session)


def _remove(session: Session) -> None:
    session.files.clear()
    shutil.rmtree(session.folder, ignore_errors=True)
