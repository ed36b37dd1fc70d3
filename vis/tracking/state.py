"""A tracker's state as plain values and tensors, for JSON and safetensors."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vis.errors import UsageError
from vis.records import Identity
from vis.tracking.known import Known
from vis.tracking.live import Live
from vis.tracking.pending import Pending
from vis.tracking.windows import Stamp

if TYPE_CHECKING:
    from vis.tracking.tracker import Tracker

State = dict[str, Any]

_KNOWN = ("id", "chances", "frames", "quality", "named", "views", "embedding", "trail")
_PENDING = ("boxes", "weights", "presence", "windows")


def save(tracker: Tracker) -> State:
    """What the tracker does later changes nothing in it: masks are shared, and never changed."""
    return {
        "classes": tracker.classes,
        "clock": tracker.clock,
        "given": tracker.given,
        "next": tracker.next,
        "stamps": [[stamp.index, str(stamp.time)] for stamp in tracker.stamps],
        "live": [
            {
                "known": _plain(one.known, _KNOWN),
                "last": one.last.cpu(),
                "whole": one.whole.cpu(),
                "whole_at": torch.from_numpy(one.whole_at.copy()),
                "pending": {"masks": [mask.cpu() for mask in one.pending.masks]}
                | _plain(one.pending, _PENDING),
            }
            for one in tracker.live
        ],
        "gallery": [_plain(known, _KNOWN) for known in tracker.gallery],
        "gone": [
            _plain(one, ("id", "label", "score", "class_scores", "mean")) for one in tracker.gone
        ],
    }


def load(tracker: Tracker, state: State) -> None:
    """Put a saved state into a tracker.

    Raises:
        UsageError: it is of another number of classes.
    """
    if state["classes"] != tracker.classes:
        raise UsageError(
            f"the state is of {state['classes']} classes, the tracker has {tracker.classes}",
            remedy="Go on with the model that it was saved with.",
        )
    tracker.clock, tracker.given = state["clock"], state["given"]
    tracker.next = state["next"]
    tracker.stamps = [Stamp(index, Fraction(time)) for index, time in state["stamps"]]
    tracker.live = [
        Live(
            Known(**_arrays(one["known"])),
            one["last"],
            one["whole"],
            one["whole_at"].numpy().copy(),
            Pending(
                list(one["pending"]["masks"]),
                **_arrays(one["pending"], but="masks"),
            ),
        )
        for one in state["live"]
    ]
    tracker.gallery = [Known(**_arrays(known)) for known in state["gallery"]]
    tracker.gone = [Identity(**_arrays(one)) for one in state["gone"]]


def _plain(record: Known | Pending | Identity, names: tuple[str, ...]) -> State:
    values = {name: getattr(record, name) for name in names}
    return {name: _plain_value(value) for name, value in values.items() if value is not None}


def _plain_value(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, torch.Tensor):
        return value.cpu().clone()
    return value.item() if isinstance(value, np.generic) else value


def _arrays(state: State, but: str = "") -> dict[str, Any]:
    return {
        name: value.numpy().copy() if isinstance(value, torch.Tensor) else value
        for name, value in state.items()
        if name != but
    }
