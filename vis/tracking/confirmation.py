"""Frames that wait until it is known which of their objects last, and the one score of a track."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vis.records import FrameTracks, Identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ROWS = ("ids", "labels", "scores", "boxes", "masks")


@dataclass(slots=True)
class TrackStats:
    """One object as far as the settled frames go."""

    frames: int = 0
    """Settled frames that show it."""
    label: int = 0
    mean: float = 0.0
    """Its running mean score in the newest of them."""
    score: float = 0.0
    """The highest of these means since it is confirmed: never falls. 0 before."""


class Confirmation:
    """Frames in, and the same frames out, with objects that were seen in enough frames alone.

    A frame waits while an object in it may still become confirmed, but for no more than
    `min_length - 1` frames after it, so that a track is shown from its beginning: all of it where
    no frame misses it, else what does not lie farther back than that. As many frames are held at
    most, and a few numbers of each object that has not ended.

    The score of a track is one number: the highest mean, of those over its frames so far, since it
    is confirmed. It never falls, so what was once shown for its score stays.

    Args:
        min_length: frames that an object must be seen in.
    """

    def __init__(self, min_length: int) -> None:
        self.min_length = min_length
        self.frames: deque[FrameTracks] = deque()
        """Held back, the oldest first."""
        self._stats: dict[int, TrackStats] = {}
        self._ended: list[Identity] = []
        self._length = 0  # frames of the shot so far

    def add(self, frames: Iterable[FrameTracks]) -> list[FrameTracks]:
        """Take settled frames, with running means as scores; those that need not wait any more."""
        for frame in frames:
            self._count(frame)
            self.frames.append(frame)
        ready: list[FrameTracks] = []
        while self.frames and not self._waits(self.frames[0]):
            ready.append(self._confirmed(self.frames.popleft(), self.min_length))
        return ready

    def flush(self) -> list[FrameTracks]:
        """The frames that are left at the end of a shot or stream.

        In one that is shorter than `min_length`, objects count that all of its frames show.
        """
        enough = min(self.min_length, self._length)
        for stats in self._stats.values():
            if stats.frames >= enough:
                stats.score = max(stats.score, stats.mean)
        ready = [self._confirmed(frame, enough) for frame in self.frames]
        self.frames.clear()
        self._length = 0
        return ready

    def drop(self) -> None:
        """Forget the frames that wait: nobody asks for them any more."""
        self.frames.clear()

    def end(self, identities: Iterable[Identity]) -> None:
        """Take objects that will not come again."""
        self._ended += identities

    def ended(self) -> list[Identity]:
        """Those of them that no waiting frame shows, each once, with their last score."""
        waiting = {identity for frame in self.frames for identity in frame.ids.tolist()}
        ready = [one for one in self._ended if one.id not in waiting]
        self._ended = [one for one in self._ended if one.id in waiting]
        return [self._with_track_score(one) for one in ready]

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors."""
        # keys and the fields of `TrackStats` are a file format: states lie in run folders
        return {
            "frames": [_plain(frame) for frame in self.frames],
            "objects": [[key, asdict(one)] for key, one in sorted(self._stats.items())],
            "ended": [
                asdict(one) | {"class_scores": torch.from_numpy(one.class_scores.copy())}
                for one in self._ended
            ],
            "length": self._length,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another one of the same setting was saved."""
        self.frames = deque(_frame(plain) for plain in state["frames"])
        self._stats = {key: TrackStats(**one) for key, one in state["objects"]}
        self._ended = [
            Identity(**(one | {"class_scores": one["class_scores"].numpy().copy()}))
            for one in state["ended"]
        ]
        self._length = state["length"]

    def _count(self, frame: FrameTracks) -> None:
        self._length += 1
        rows = zip(frame.ids.tolist(), frame.labels.tolist(), frame.scores.tolist(), strict=True)
        for identity, label, mean in rows:
            stats = self._stats.setdefault(identity, TrackStats())
            stats.frames, stats.label, stats.mean = stats.frames + 1, label, mean
            # means before it is confirmed do not count: a single sure frame is noise as a rule
            if stats.frames >= self.min_length:
                stats.score = max(stats.score, mean)

    def _waits(self, frame: FrameTracks) -> bool:
        left = self.min_length - len(self.frames)  # frames that it may still wait for
        counts = (self._stats[identity].frames for identity in frame.ids.tolist())
        # what could not be confirmed even by every frame to come is not waited for
        return left > 0 and any(n < self.min_length <= n + left for n in counts)

    def _confirmed(self, frame: FrameTracks, enough: int) -> FrameTracks:
        """The frame with what is known by now of its objects that were seen often enough."""
        # the label and score of now, not of the frame: the frames after it were seen already
        stats = [self._stats[identity] for identity in frame.ids.tolist()]
        rows = np.array([one.frames >= enough for one in stats], np.bool_)
        frame = replace(
            frame,
            labels=np.array([one.label for one in stats], np.int64),
            scores=np.array([one.score for one in stats], np.float32),
        )
        return frame if rows.all() else rows_of(frame, rows)

    def _with_track_score(self, one: Identity) -> Identity:
        # popped: an id never comes again, and the numbers of each would add up without bound
        stats = self._stats.pop(one.id, None)
        return one if stats is None else replace(one, score=stats.score)


def rows_of(frame: FrameTracks, rows: np.ndarray[Any, np.dtype[np.bool_]]) -> FrameTracks:
    """The frame with these of its objects alone, `[N]`."""
    return replace(frame, **{name: getattr(frame, name)[rows] for name in _ROWS})


def _plain(frame: FrameTracks) -> dict[str, Any]:
    rows = {name: torch.from_numpy(getattr(frame, name).copy()) for name in _ROWS}
    return {"index": frame.index, "time": str(frame.time), **rows}


def _frame(plain: Mapping[str, Any]) -> FrameTracks:
    rows = {name: plain[name].numpy().copy() for name in _ROWS}
    return FrameTracks(index=plain["index"], time=Fraction(plain["time"]), **rows)
