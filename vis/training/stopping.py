"""A signal is a wish: the step is finished and saved first; a second one is obeyed at once."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Wish:
    """Whether somebody asked to stop."""

    def __init__(self) -> None:
        self.number: int | None = None

    def __bool__(self) -> bool:
        return self.number is not None


@contextmanager
def asked_to_stop() -> Iterator[Wish]:
    """Within, SIGINT and SIGTERM only set the wish; after it they are what they were.

    The signal is sent again at the end, so that whoever handled it before does so now.
    """
    wish = Wish()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, _frame: FrameType | None) -> None:
        if wish:
            restore()
            signal.raise_signal(number)
        wish.number = number

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield wish
    finally:
        restore()
    if wish.number is not None:
        signal.raise_signal(wish.number)
