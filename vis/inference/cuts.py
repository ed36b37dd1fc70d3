"""Hard cuts: frames that are unlike all of the last few, whatever moved, shook or flashed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from vis.inference.frame_look import FrameLook, unlikeness, unlikeness_in_light

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

THRESHOLD = 0.188
"""Of the unlikeness beyond what motion explains, from which a frame begins a new shot."""
REMEMBERED = 4
"""Frames that a new one is compared with: more than a flash lasts."""

_USUAL = 0.1
"""Unlikeness of frames of one shot, where nothing is known of it yet."""
_RESTLESS = 0.5
"""Share of what the last frames changed that a frame is forgiven: what moves fast goes on to."""
_MISSED = 0.2
"""What this share grows by for each frame in between that tells of no shot."""


class Memory(NamedTuple):
    """What is kept of the frames before; never more than `REMEMBERED` of them."""

    looks: tuple[FrameLook, ...] = ()
    """The newest last."""
    changes: tuple[float, ...] = ()
    """Unlikeness of the last of them, each to those before it."""
    skipped: int = 0
    """Frames since then that tell of no shot: of a plain colour, or perhaps of a flash."""
    bright: int = 0
    """How many of these may be of a flash."""

    def state(self) -> dict[str, Any]:
        """Plain values and tensors."""
        pictures = {"cells": [one.cells for one in self.looks], "changes": list(self.changes)}
        return pictures | {"skipped": self.skipped, "bright": self.bright}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Memory:
        """What `state` gave."""
        looks = tuple(FrameLook(cells) for cells in state["cells"])
        return cls(looks, tuple(state["changes"]), state["skipped"], state["bright"])


class CutDetector:
    """Says of each frame whether a new shot begins with it; knows no frame that comes later.

    A frame is compared in ways that a change of exposure does not touch, see `unlikeness`. It
    begins a shot if it is unlike each of the last few frames, for after a flash the old shot goes
    on, and clearly more so than they are among each other, for a fast pan goes on as it began.
    Plain frames (black, white) begin none and are not remembered, so that a cut by way of black is
    found at the first picture after it. Frames that are suddenly near white may be a flash: if they
    are more than three, they begin a shot with the fourth.

    Args:
        memory: of the frames before the first.
    """

    def __init__(self, memory: Memory = Memory()) -> None:  # noqa: B008  frozen
        self.memory = memory
        """Of the frames so far; what another one goes on from."""

    def step(self, small: Tensor) -> bool:
        """Take the next frame, `[3 h w]` uint8, and say whether it begins a new shot."""
        look = FrameLook.of(small)
        looks, _, skipped, bright = self.memory
        flashes = bool(looks) and bright < REMEMBERED - 1 and look.flashes(looks[-1])
        # black and white resemble every frame of a dark or bright shot: no evidence either way
        if look.is_plain or flashes:
            most = min(skipped + 1, REMEMBERED)
            self.memory = self.memory._replace(skipped=most, bright=bright + flashes)
            return False
        # after frames that told nothing, motion has had longer to change the picture
        forgiven = _RESTLESS + _MISSED * skipped
        bound = THRESHOLD + forgiven * max(self.memory.changes, default=_USUAL)
        change = _least(look, looks, bound)
        if change > bound:
            self.memory = Memory((look,))
            return True
        # the first frame of a shot has nothing before it, so it says nothing of the shot's motion
        changes = (*self.memory.changes, change) if looks else ()
        self.memory = Memory((*looks[1 - REMEMBERED :], look), changes[1 - REMEMBERED :])
        return False


def _least(look: FrameLook, before: tuple[FrameLook, ...], bound: float) -> float:
    """Unlikeness to the first, from the newest on, that is within the bound, or the least."""
    if not before:
        return 0.0
    least = 1.0
    # the newest first: in a shot without flashes one comparison suffices
    for one in reversed(before):
        least = min(least, unlikeness(look, one))
        if least <= bound:
            return least
    return min(least, unlikeness_in_light(look, before[-1]))
