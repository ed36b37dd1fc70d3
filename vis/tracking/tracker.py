"""The tracker: windows of predictions in, frames of lasting identities out."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from vis.errors import UsageError
from vis.tracking.active_track import ActiveTrack, frame_tracks
from vis.tracking.association import Pairs, affinity, assign
from vis.tracking.config import Config
from vis.tracking.detections import Detections, detect
from vis.tracking.reid import reidentify
from vis.tracking.state import (
    load_active,
    load_identity,
    load_track,
    save_active,
    save_identity,
    save_track,
)
from vis.tracking.track_state import TrackState
from vis.tracking.windows import Stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.records import ClipPredictions, FrameTracks, Identity
    from vis.tracking.overlap import Bools, Ints


_UNMISTAKABLE = 0.7
"""Agreement in place that needs none in class."""


class Tracker:
    """Joins the predictions of consecutive windows.

    Active tracks are those seen less than `patience` frames ago; they hold two masks and one for
    each frame that the next window may repeat. The gallery holds tracks without masks, to be
    re-identified. Both are bounded by the config; nothing else grows but what `ended` has not
    handed out.

    Args:
        config: how identities are made, kept and given up.
        classes: how many the model knows.
    """

    def __init__(self, config: Config = Config(), *, classes: int) -> None:  # noqa: B008  frozen
        self.config, self.classes = config, classes
        self.stamps: list[Stamp] = []
        """Of the buffered frames: those that are not emitted yet."""
        self.frame_counter = 0
        """Frames emitted so far: the number of the first buffered one. Unlike a stamp's index it
        has no gaps, so that ages and speeds are in frames that the model saw."""
        self.last_index = -1
        """Index of the last frame that was emitted."""
        self.next_id = 0
        self.active: list[ActiveTrack] = []
        """By id."""
        self.gallery: list[TrackState] = []
        """The one that was seen longest ago first."""
        self.removed: list[Identity] = []
        """Forgotten since the last call of `ended`."""

    def step(
        self, predictions: ClipPredictions, stamps: Sequence[Stamp], settled: int
    ) -> list[FrameTracks]:
        """Take in one window.

        Args:
            predictions: of the window; frames beyond the stamps are padding and dropped.
            stamps: of its frames. They may begin with frames of windows before.
            settled: how many of the frames not given out yet no later window repeats.

        Returns:
            Those frames, in order.

        Raises:
            UsageError: the window does not go on where those before it ended, or its predictions
                are of another number of classes or size.
        """
        # both checks come first: a window that is refused has changed nothing
        offset = self._offset(stamps, settled)
        self._check(predictions, len(stamps))
        self.stamps = [*self.stamps[:offset], *stamps]
        detections = detect(predictions, len(stamps), self.config)
        self._identify(detections, offset)
        height, width = predictions.masks.shape[2:]
        frames = self._emit(settled, (height, width))
        self._forget()
        return frames

    def current(self) -> list[Identity]:
        """Those of active tracks as of now, by id."""
        return [track.state.identity() for track in self.active]

    def ended(self) -> list[Identity]:
        """Those that were forgotten since the last call, each once."""
        removed, self.removed = self.removed, []
        return removed

    def finish(self) -> list[Identity]:
        """All that are left, by id; the tracker is then empty, for another video with new ids."""
        left = [*self.gallery, *(track.state for track in self.active)]
        # ids and the frame counter go on: two shots of one video must not share an id
        self.active, self.gallery, self.stamps, self.last_index = [], [], [], -1
        return [state.identity() for state in sorted(left, key=lambda state: state.id)]

    def state_dict(self) -> dict[str, Any]:
        """Everything that it goes on from: plain values and tensors on the CPU."""
        # keys of a file format, see `vis.tracking.state`
        return {
            "classes": self.classes,
            "clock": self.frame_counter,
            "given": self.last_index,
            "next": self.next_id,
            # a time is an exact fraction, which JSON has no number for
            "stamps": [[stamp.index, str(stamp.time)] for stamp in self.stamps],
            "live": [save_active(track) for track in self.active],
            "gallery": [save_track(state) for state in self.gallery],
            "gone": [save_identity(identity) for identity in self.removed],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly where another tracker of the same config and classes was saved.

        Raises:
            UsageError: that one's classes were others.
        """
        if state["classes"] != self.classes:
            raise UsageError(
                f"the state is of {state['classes']} classes, the tracker has {self.classes}",
                remedy="Go on with the model that it was saved with.",
            )
        self.frame_counter, self.last_index = state["clock"], state["given"]
        self.next_id = state["next"]
        self.stamps = [Stamp(index, Fraction(time)) for index, time in state["stamps"]]
        self.active = [load_active(track) for track in state["live"]]
        self.gallery = [load_track(track) for track in state["gallery"]]
        self.removed = [load_identity(identity) for identity in state["gone"]]

    def _offset(self, stamps: Sequence[Stamp], settled: int) -> int:
        """Position of the window's first frame among the buffered ones, or after them."""
        buffered = [stamp.index for stamp in self.stamps]
        here = [stamp.index for stamp in stamps]
        offset = buffered.index(here[0]) if here and here[0] in buffered else len(buffered)
        whole = buffered[:offset] + here
        rising = all(a < b for a, b in pairwise([self.last_index, *whole]))
        # the window must repeat every buffered frame from its first on, and may not end before them
        if not here or not rising or whole[: len(buffered)] != buffered:
            raise UsageError(
                f"a window of the frames {here} does not go on where {buffered} were left",
                remedy="Give every window in order, from the first frame that is not settled.",
            )
        if not 0 <= settled <= len(whole):
            raise UsageError(f"{settled} frames cannot be settled of {len(whole)} that are not yet")
        return offset

    def _check(self, predictions: ClipPredictions, frames: int) -> None:
        classes, (length, *size) = predictions.class_scores.shape[1], predictions.masks.shape[1:]
        if classes != self.classes:
            raise UsageError(f"predictions of {classes} classes, the tracker has {self.classes}")
        if length < frames:
            raise UsageError(f"predictions of {length} frames for {frames} stamps")
        if (
            predictions.embeddings is None
            and not self.config.mask_weight + self.config.class_weight
        ):
            raise UsageError(
                "the tracker links by embeddings alone, and the model has none",
                remedy="Link by masks, or take a model that has them.",
            )
        if self.active and list(self.active[0].last_mask.shape) != size:
            before = list(self.active[0].last_mask.shape)
            raise UsageError(f"masks of {size} cells follow masks of {before} in one video")

    def _identify(self, detections: Detections, offset: int) -> None:
        """Every detection goes on with a track, or begins one, or is dropped as too weak.

        In this order: active tracks, lost ones, new ones. What fits a track that is followed is
        never taken for another that came back.
        """
        pairs, distinct = self._associate(detections, offset)
        for row, column in pairs:
            self._update(self.active[row], detections, column, offset)
        # a low detection goes on with what is followed, and neither begins nor returns (ByteTrack)
        high = detections.scores >= self.config.threshold
        free = np.setdiff1d(np.flatnonzero(high), [column for _, column in pairs])
        idle = np.setdiff1d(np.arange(len(self.active)), [row for row, _ in pairs])
        free = self._reidentify(detections, free, idle, distinct, offset)
        # detections come by score: where there is no room, the least sure are left out
        for column in free[: max(self.config.max_tracks - len(self.active), 0)].tolist():
            state = TrackState(self.next_id, np.zeros(self.classes))
            self.next_id += 1
            self._begin(state, detections, column, offset)
        # one that returned lies at the end; the order of the rows must not tell the past
        self.active.sort(key=lambda track: track.state.id)

    def _associate(self, detections: Detections, offset: int) -> tuple[Pairs, Bools]:
        """Pairs of active track and detection, and which are certainly two objects."""
        if not self.active or not len(detections):
            return [], np.zeros((len(self.active), len(detections)), np.bool_)
        for track in self.active:
            track.move_to(detections.masks[0])
        fit = affinity(self.active, detections, offset, self.frame_counter, self.config)
        allowed = fit.spatial >= self.config.min_iou
        low = detections.scores < self.config.threshold
        allowed &= ~low | (fit.spatial >= self.config.low_min_iou)
        # a name may waver in one place; a cup that a person covers does not become a person
        same_class = fit.class_agreement >= self.config.min_class_agreement
        allowed &= same_class | (fit.spatial >= _UNMISTAKABLE)
        confidence = np.outer([track.state.score for track in self.active], detections.scores)
        pairs = assign(fit.similarity, allowed, self.config.match_threshold, confidence)
        return pairs, fit.distinct

    def _reidentify(
        self, detections: Detections, free: Ints, idle: Ints, distinct: Bools, offset: int
    ) -> Ints:
        """Give detections to lost tracks that came back; those that are left.

        Args:
            detections: of the window.
            free: rows of high ones that go on with no track.
            idle: rows of active tracks that no detection goes on with.
            distinct: `[M N]` of all active tracks and all detections.
            offset: position of the window's first frame among the buffered ones.
        """
        # whoever returns from the gallery needs room among the active; the last seen go first
        room = max(self.config.max_tracks - len(self.active), 0)
        recent = self.gallery[max(len(self.gallery) - room, 0) :]
        lost = [*(self.active[row].state for row in idle.tolist()), *recent]
        if not lost or not len(free):
            return free
        allowed = np.ones((len(lost), len(free)), np.bool_)
        allowed[: len(idle)] = ~distinct[np.ix_(idle, free)]
        first_frame = self.frame_counter + offset
        pairs = reidentify(lost, detections.of(free), allowed, first_frame, self.config)
        for row, column in pairs:
            if row < len(idle):
                self._update(self.active[idle[row]], detections, int(free[column]), offset)
            else:
                self.gallery.remove(lost[row])
                self._begin(lost[row], detections, int(free[column]), offset)
        return np.delete(free, [column for _, column in pairs])

    def _begin(self, state: TrackState, detections: Detections, row: int, offset: int) -> None:
        track = ActiveTrack.empty(state, detections.masks[row])
        self._update(track, detections, row, offset)
        self.active.append(track)

    def _update(self, track: ActiveTrack, detections: Detections, row: int, offset: int) -> None:
        track.update(
            detections,
            row,
            offset,
            first_frame=self.frame_counter + offset,
            history_length=self.config.history_length,
        )

    def _emit(self, frames: int, size: tuple[int, int]) -> list[FrameTracks]:
        """Give out the first buffered frames; the others move up."""
        min_presence = self.config.min_presence
        emitted = [
            frame_tracks(self.active, stamp, frame, min_presence=min_presence, size=size)
            for frame, stamp in enumerate(self.stamps[:frames])
        ]
        self.last_index = self.stamps[frames - 1].index if frames else self.last_index
        self.stamps = self.stamps[frames:]
        self.frame_counter += frames
        for track in self.active:
            track.buffer.drop(frames)
        return emitted

    def _forget(self) -> None:
        """Tracks go to the gallery after `patience`, and from there for good."""
        oldest = self.frame_counter - self.config.patience
        self.gallery += [track.state for track in self.active if track.state.last_seen < oldest]
        self.active = [track for track in self.active if track.state.last_seen >= oldest]
        # of those last seen in the same frame the one of the higher id, the younger, stays longer
        self.gallery.sort(key=lambda state: (state.last_seen, state.id))
        limit = oldest - self.config.memory
        fresh = [state for state in self.gallery if state.last_seen >= limit]
        remembered = fresh[max(len(fresh) - self.config.gallery, 0) :]
        self.removed += [state.identity() for state in self.gallery if state not in remembered]
        self.gallery = remembered
