"""Tracks as plain values and tensors, for JSON and safetensors, and back.

The keys are those of states that lie in run folders and at users: they stay when a field of a
record gets another name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vis.records import Identity
from vis.tracking.active_track import ActiveTrack
from vis.tracking.frame_buffer import FrameBuffer
from vis.tracking.track_state import TrackState

if TYPE_CHECKING:
    from collections.abc import Mapping

State = dict[str, Any]

# field -> key
_TRACK = {
    "id": "id",
    "class_prob_sum": "chances",
    "frames": "frames",
    "score_sum": "quality",
    "label_prob_sum": "named",
    "windows": "views",
    "embedding": "embedding",
    "history": "trail",
}
_BUFFER = {name: name for name in ("boxes", "weights", "presence", "windows")}
_IDENTITY = {name: name for name in ("id", "label", "score", "class_scores", "mean")}


def save_active(track: ActiveTrack) -> State:
    """Plain values of an active track.

    What the tracker does later changes nothing in it: masks are shared, and never changed.
    """
    return {
        "known": save_track(track.state),
        "last": track.last_mask.cpu(),
        "whole": track.full_mask.cpu(),
        "whole_at": torch.from_numpy(track.full_position.copy()),
        "pending": {"masks": [mask.cpu() for mask in track.buffer.masks]}
        | _save(track.buffer, _BUFFER),
    }


def load_active(state: State) -> ActiveTrack:
    """The track that `save_active` was given; its masks lie on the CPU."""
    buffer = {key: value for key, value in state["pending"].items() if key != "masks"}
    return ActiveTrack(
        load_track(state["known"]),
        state["last"],
        state["whole"],
        state["whole_at"].numpy().copy(),
        FrameBuffer(list(state["pending"]["masks"]), **_load(buffer, _BUFFER)),
    )


def save_track(track: TrackState) -> State:
    """Plain values of a track without masks."""
    return _save(track, _TRACK)


def load_track(state: State) -> TrackState:
    """The track that `save_track` was given."""
    return TrackState(**_load(state, _TRACK))


def save_identity(identity: Identity) -> State:
    """Plain values of an identity."""
    return _save(identity, _IDENTITY)


def load_identity(state: State) -> Identity:
    """The identity that `save_identity` was given."""
    return Identity(**_load(state, _IDENTITY))


def _save(record: object, keys: Mapping[str, str]) -> State:
    values = {key: getattr(record, field) for field, key in keys.items()}
    # None is left out, so that the field's default stands when it is loaded
    return {key: _plain(value) for key, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        # copied: some arrays are changed in place later
        return torch.from_numpy(value.copy())
    # numpy's scalars are no JSON
    return value.item() if isinstance(value, np.generic) else value


def _load(state: State, keys: Mapping[str, str]) -> dict[str, Any]:
    fields = {key: field for field, key in keys.items()}
    return {
        fields[key]: value.numpy().copy() if isinstance(value, torch.Tensor) else value
        for key, value in state.items()
    }
