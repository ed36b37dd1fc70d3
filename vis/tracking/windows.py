"""Frames of a window: which they are, and what a window and its stride must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vis.errors import UsageError

if TYPE_CHECKING:
    from fractions import Fraction


class Stamp(NamedTuple):
    """Which frame it is, without its pixels."""

    index: int  # type: ignore[assignment]  # a tuple's method that nobody needs here
    """Position among the frames that the source holds; increasing, with gaps."""
    time: Fraction
    """Presentation time in seconds, exact."""


def check_plan(*, window: int, stride: int) -> None:
    """Every frame must be in a window.

    Args:
        window: frames of a window.
        stride: frames between the beginnings of two windows.

    Raises:
        UsageError: the stride leaves frames out, or a number is not positive.
    """
    if window < 1 or stride < 1:
        raise UsageError(
            f"a window of {window} frames every {stride} frames covers nothing",
            remedy="Both must be at least 1.",
        )
    # stride == window is allowed: windows then share no frame, and motion alone joins them
    if stride > window:
        raise UsageError(
            f"a window of {window} frames every {stride} frames leaves {stride - window} out",
            remedy=f"Give a stride of at most {window}.",
        )
