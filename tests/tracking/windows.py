"""The plain way to cut a stream into windows, which the tests compare with."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from vis.tracking.windows import check_plan

Item = TypeVar("Item")


class Window(NamedTuple, Generic[Item]):
    """One clip's worth of a stream."""

    items: tuple[Item, ...]
    """At least one; fewer than a whole window only where the stream is shorter or ends here."""
    settled: int
    """How many of the first items no later window repeats; all of them in the last window."""
    last: bool


def starts(length: int | None, *, window: int, stride: int) -> Iterator[int]:
    """Where each window begins, the first at 0; without end where the length is None.

    There are as many windows as it takes to cover every frame, and no more.

    Raises:
        UsageError: the stride leaves frames out, or a number is not positive.
    """
    check_plan(window=window, stride=stride)
    start = 0
    while length is None or start == 0 < length or start + window - stride < length:
        yield start
        start += stride


def in_windows(items: Iterable[Item], *, window: int, stride: int) -> Iterator[Window[Item]]:
    """The items in windows that begin where `starts` says.

    It holds one window and one item more, by which it knows the last window without being told.

    Raises:
        UsageError: the stride leaves items out, or a number is not positive.
    """
    check_plan(window=window, stride=stride)
    stream = iter(items)
    held = list(islice(stream, window + 1))
    while len(held) > window:
        yield Window(tuple(held[:window]), stride, last=False)
        held = held[stride:]
        held += islice(stream, stride)
    if held:
        yield Window(tuple(held), len(held), last=True)
