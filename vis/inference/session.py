"""Predictions of windows to the tracks that are written: the tracker behind the user's options."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vis.tracking import Tracker
from vis.tracking.by_class import ByClass
from vis.tracking.by_query import ByQuery
from vis.tracking.confirmation import Confirmation, rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.inference.windows import Window
    from vis.records import ClipPredictions, FrameTracks, Identity
    from vis.tracking import Config


class TrackerSession:
    """A tracker, and of its tracks those that the options ask for.

    Args:
        config: of the tracker.
        num_classes: of the model.
        is_semantic: whether predictions are regions of classes; then nothing is linked.
        by_query: whether the model's queries stay with their objects; nothing is linked either.
        threshold: an object is left out until its score reaches it; the score never falls.
        classes: indices of the classes that are written; None for all.
    """

    def __init__(
        self,
        config: Config,
        *,
        num_classes: int,
        is_semantic: bool = False,
        by_query: bool = False,
        threshold: float,
        classes: frozenset[int] | None,
    ) -> None:
        self._tracker: Tracker | ByClass | ByQuery = Tracker(config, classes=num_classes)
        if is_semantic:
            self._tracker = ByClass(classes=num_classes)
        elif by_query:
            self._tracker = ByQuery(config, classes=num_classes)
        self._confirmation = Confirmation(config.min_length or 1)
        self._threshold, self._classes = threshold, classes
        # identity -> class as last written; of active tracks alone, so bounded
        self._written: dict[int, int] = {}

    @property
    def waiting(self) -> int:
        """How many frames wait for an object to be confirmed: the last before the next window."""
        return len(self._confirmation.frames)

    def first_waiting(self, following: int) -> int:
        """Index of the first frame that waits; `following` where none does."""
        frames = self._confirmation.frames
        return frames[0].index if frames else following

    @torch.inference_mode()
    def step(self, window: Window, predictions: ClipPredictions) -> list[FrameTracks]:
        """The frames that are ready, in order, once each.

        Those are settled, and no object in them is still to be confirmed. At a cut all identities
        end, and the frames before it are ready.
        """
        # before the window is taken: none of its frames may meet an identity of the old shot
        ready = self.end_shot() if window.cut else []
        frames = self._tracker.step(predictions, window.stamps, window.settled)
        assert [tracks.index for tracks in frames] == [
            stamp.index for stamp in window.stamps[: window.settled]
        ]
        ready += [self._selected(tracks) for tracks in self._confirmation.add(frames)]
        self._confirmation.end(self._tracker.ended())
        return ready

    def end_shot(self) -> list[FrameTracks]:
        """The frames that still wait, at a cut or after the last window; all identities end."""
        frames = self._confirmation.flush()
        self._confirmation.end([*self._tracker.ended(), *self._tracker.finish()])
        return [self._selected(tracks) for tracks in frames]

    def ended(self) -> list[Identity]:
        """Objects that were written and are forgotten now, each once."""
        return self._as_written(self._confirmation.ended())

    def finish(self) -> list[Identity]:
        """All that are left, after the last window; frames that still wait are dropped."""
        self._confirmation.drop()
        self._confirmation.end([*self._tracker.ended(), *self._tracker.finish()])
        return self.ended()

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors."""
        return {
            "tracker": self._tracker.state_dict(),
            "confirmation": self._confirmation.state_dict(),
            "written": [list(pair) for pair in sorted(self._written.items())],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was asked."""
        self._tracker.load_state_dict(state["tracker"])
        self._confirmation.load_state_dict(state["confirmation"])
        self._written = dict(state["written"])

    def _selected(self, tracks: FrameTracks) -> FrameTracks:
        # the score never falls, so whoever is written once is written in all later frames
        rows = tracks.scores >= self._threshold
        if self._classes is not None:
            rows &= np.isin(tracks.labels, sorted(self._classes))
        if not rows.all():
            tracks = rows_of(tracks, rows)
        self._written.update(zip(tracks.ids.tolist(), tracks.labels.tolist(), strict=True))
        return tracks

    def _as_written(self, identities: list[Identity]) -> list[Identity]:
        """Those that were written; of a class among the options, even if the last is none of it."""
        written = [
            (one, self._written.pop(one.id)) for one in identities if one.id in self._written
        ]
        return [
            one
            if self._classes is None or one.label in self._classes
            else replace(one, label=label)
            for one, label in written
        ]
