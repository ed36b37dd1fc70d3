"""A signal is a request: the step is finished and saved first; a second one is obeyed at once."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether somebody asked to stop."""

    def __init__(self) -> None:
        self.number: int | None = None

    def __bool__(self) -> bool:
        return self.number is not None


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Within, SIGINT and SIGTERM only set the request; after it they are what they were.

    The signal is sent again at the end, so that whoever handled it before does so now.
    """
    request = StopRequest()
    # Python lets only the main thread set handlers; elsewhere a signal keeps its old meaning
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, _frame: FrameType | None) -> None:
        # the second one: whoever asks twice does not want to wait for the step
        if request:
            restore()
            signal.raise_signal(number)
        request.number = number

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield request
    finally:
        restore()
    if request.number is not None:
        signal.raise_signal(request.number)
