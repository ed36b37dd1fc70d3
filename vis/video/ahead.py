"""An iterator that works ahead in a thread of its own, by a bounded number of items."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class _BoundedQueue(Generic[T]):
    """What the two threads share; the worker holds this and never the iterator's owner."""

    def __init__(self, items: Iterator[T], depth: int, drop_oldest: bool) -> None:
        self.items, self.depth, self.drop_oldest = items, depth, drop_oldest
        self.ready: deque[T] = deque()
        # no queue.Queue: closing wakes both sides, and a camera's full queue drops its oldest
        self.changed = threading.Condition()
        self.stopped = self.finished = False
        # written before `finished` and read after it: the condition's lock orders the two
        self.error: BaseException | None = None
        self.dropped = 0

    def work(self) -> None:
        try:
            for item in self.items:
                if not self.put(item):
                    break
                del item  # the reader's alone now; the next one may be long in coming
        except BaseException as error:  # noqa: BLE001 - handed to the reading thread, all of it
            self.error = error
        finally:
            close = getattr(self.items, "close", None)  # a generator frees its file here
            if close is not None:
                close()
            with self.changed:
                self.finished = True
                self.changed.notify_all()

    def put(self, item: T) -> bool:
        with self.changed:
            if self.drop_oldest and len(self.ready) >= self.depth:
                self.ready.popleft()
                self.dropped += 1
            while len(self.ready) >= self.depth and not self.stopped:
                self.changed.wait()
            if self.stopped:
                return False
            self.ready.append(item)
            self.changed.notify_all()
            return True


class Ahead(Iterator[T]):
    """Runs `items` in a thread, at most `depth` of them ahead of the reader.

    An error inside `items` is raised by `next` after the items before it. Closing, or dropping the
    last reference, stops the thread. With `drop_oldest` a full queue loses its oldest item instead
    of waiting, which is right for a camera: see `dropped`.
    """

    def __init__(self, items: Iterator[T], *, depth: int, drop_oldest: bool = False) -> None:
        assert depth >= 1
        self._queue = _BoundedQueue(items, depth, drop_oldest)
        # a daemon: a decoder that waits for a dead network must not keep the interpreter alive
        self._thread = threading.Thread(target=self._queue.work, name="vis-ahead", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Items lost because the reader was too slow."""
        return self._queue.dropped

    def __next__(self) -> T:
        queue = self._queue
        with queue.changed:
            while not queue.ready and not queue.finished:
                queue.changed.wait()
            if queue.ready and not queue.stopped:
                item = queue.ready.popleft()
                queue.changed.notify_all()
                return item
        if queue.error is not None:
            error, queue.error = queue.error, None
            raise error
        raise StopIteration

    def close(self, patience: float = 5.0) -> None:
        """Stop the thread; wait at most `patience` seconds for a call that it is inside of."""
        with self._queue.changed:
            self._queue.stopped = True
            self._queue.ready.clear()
            self._queue.changed.notify_all()
        # the collector may run `__del__` in the worker itself, which cannot wait for itself
        if threading.current_thread() is not self._thread:
            # no longer: a call inside FFmpeg cannot be interrupted, and frees all when it returns
            self._thread.join(patience)

    def __del__(self) -> None:
        if hasattr(self, "_thread"):
            self.close(patience=0.0)
