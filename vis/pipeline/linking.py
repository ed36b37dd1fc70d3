"""Predictions of windows to the tracks that are shown: the tracker behind the user's choices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vis.tracking import Tracker
from vis.tracking.by_class import ByClass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.pipeline.windows import Window
    from vis.records import ClipPredictions, FrameTracks, Identity
    from vis.tracking import Config


class Linker:
    """A tracker, and of what it says the part that is wanted.

    Args:
        config: of the tracker.
        classes: how many the model has.
        regions: whether what it says are regions of classes, not objects; then nothing is linked.
        threshold: in a frame, objects of a lower score are left out.
        wanted: indices of the classes that are shown; None for all.
    """

    def __init__(
        self,
        config: Config,
        *,
        classes: int,
        regions: bool = False,
        threshold: float,
        wanted: frozenset[int] | None,
    ) -> None:
        self._tracker: Tracker | ByClass = Tracker(config, classes=classes)
        if regions:
            self._tracker = ByClass(classes=classes)
        self._threshold, self._wanted = threshold, wanted
        self._shown: set[int] = set()  # of live objects alone, so bounded

    @torch.inference_mode()
    def step(self, window: Window, predictions: ClipPredictions) -> list[FrameTracks]:
        """The settled frames, in order, once each."""
        frames = self._tracker.step(predictions, window.stamps, window.settled)
        assert [tracks.index for tracks in frames] == [
            stamp.index for stamp in window.stamps[: window.settled]
        ]
        return [self._wanted_of(tracks) for tracks in frames]

    def ended(self) -> list[Identity]:
        """Objects that were shown and are forgotten now, each once."""
        return self._told(self._tracker.ended())

    def finish(self) -> list[Identity]:
        """All that are left, after the last window."""
        return self._told(self._tracker.finish())

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors."""
        return {"tracker": self._tracker.state_dict(), "shown": sorted(self._shown)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was asked."""
        self._tracker.load_state_dict(state["tracker"])
        self._shown = set(state["shown"])

    def _wanted_of(self, tracks: FrameTracks) -> FrameTracks:
        rows = tracks.scores >= self._threshold
        if self._wanted is not None:
            rows &= np.isin(tracks.labels, sorted(self._wanted))
        if not rows.all():
            names = ("ids", "labels", "scores", "boxes", "masks")
            tracks = replace(tracks, **{name: getattr(tracks, name)[rows] for name in names})
        self._shown.update(tracks.ids.tolist())
        return tracks

    def _told(self, identities: list[Identity]) -> list[Identity]:
        told = [one for one in identities if one.id in self._shown]
        self._shown.difference_update(one.id for one in told)
        return [one for one in told if self._wanted is None or one.label in self._wanted]
