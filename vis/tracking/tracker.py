"""The tracker: windows of predictions in, frames of lasting identities out."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from vis.errors import UsageError
from vis.tracking.candidates import Candidates, take
from vis.tracking.config import Config
from vis.tracking.known import Known
from vis.tracking.link import Pairs, assign, compare
from vis.tracking.live import Live, frame_tracks
from vis.tracking.recognise import recognise
from vis.tracking.state import load, save

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.records import ClipPredictions, FrameTracks, Identity
    from vis.tracking.overlap import Bools, Ints
    from vis.tracking.windows import Stamp


_UNMISTAKABLE = 0.7
"""Agreement in place that needs none in class."""


class Tracker:
    """Joins the predictions of consecutive windows.

    Live objects are those seen less than `patience` frames ago; they hold one mask and one for each
    frame that the next window may repeat. The gallery holds objects without masks, to be known
    again. Both are bounded by the config; nothing else grows but what `ended` has not handed out.

    Args:
        config: how identities are made, kept and given up.
        classes: how many the model knows.
    """

    def __init__(self, config: Config = Config(), *, classes: int) -> None:  # noqa: B008  frozen
        self.config, self.classes = config, classes
        self.stamps: list[Stamp] = []
        self.clock = 0
        self.given = -1
        self.next = 0
        self.live: list[Live] = []
        self.gallery: list[Known] = []
        self.gone: list[Identity] = []

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
        offset = self._offset(stamps, settled)
        self._check(predictions, len(stamps))
        self.stamps = [*self.stamps[:offset], *stamps]
        found = take(predictions, len(stamps), self.config)
        self._identify(found, offset)
        height, width = predictions.masks.shape[2:]
        frames = self._give(settled, (height, width))
        self._forget()
        return frames

    def standing(self) -> list[Identity]:
        """The live ones as of now, by id."""
        return [one.known.identity() for one in self.live]

    def ended(self) -> list[Identity]:
        """Those that were forgotten since the last call, each once."""
        gone, self.gone = self.gone, []
        return gone

    def finish(self) -> list[Identity]:
        """All that are left, by id; the tracker is then empty, for another video with new ids."""
        left = [*self.gallery, *(one.known for one in self.live)]
        self.live, self.gallery, self.stamps, self.given = [], [], [], -1
        return [known.identity() for known in sorted(left, key=lambda known: known.id)]

    def state_dict(self) -> dict[str, Any]:
        """Everything that it goes on from: plain values and tensors on the CPU."""
        return save(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly where another tracker of the same config and classes was saved.

        Raises:
            UsageError: that one's classes were others.
        """
        load(self, state)

    def _offset(self, stamps: Sequence[Stamp], settled: int) -> int:
        """The place of the window's first frame among the pending ones, or after them."""
        held = [stamp.index for stamp in self.stamps]
        here = [stamp.index for stamp in stamps]
        offset = held.index(here[0]) if here and here[0] in held else len(held)
        whole = held[:offset] + here
        rising = all(a < b for a, b in pairwise([self.given, *whole]))
        if not here or not rising or whole[: len(held)] != held:
            raise UsageError(
                f"a window of the frames {here} does not go on where {held} were left",
                remedy="Give every window in order, from the first frame that is not settled.",
            )
        if not 0 <= settled <= len(whole):
            raise UsageError(f"{settled} frames cannot be settled of {len(whole)} that are not yet")
        return offset

    def _check(self, predictions: ClipPredictions, frames: int) -> None:
        classes, (held, *size) = predictions.class_scores.shape[1], predictions.masks.shape[1:]
        if classes != self.classes:
            raise UsageError(f"predictions of {classes} classes, the tracker has {self.classes}")
        if held < frames:
            raise UsageError(f"predictions of {held} frames for {frames} stamps")
        if (
            predictions.embeddings is None
            and not self.config.mask_weight + self.config.class_weight
        ):
            raise UsageError(
                "the tracker links by embeddings alone, and the model has none",
                remedy="Link by masks, or take a model that has them.",
            )
        if self.live and list(self.live[0].last.shape) != size:
            before = list(self.live[0].last.shape)
            raise UsageError(f"masks of {size} cells follow masks of {before} in one video")

    def _identify(self, found: Candidates, offset: int) -> None:
        """Every answer goes on with an object, or begins one, or is dropped as too weak."""
        pairs, apart = self._link(found, offset)
        for row, column in pairs:
            self._take(self.live[row], found, column, offset)
        strong = found.scores >= self.config.threshold
        free = np.setdiff1d(np.flatnonzero(strong), [column for _, column in pairs])
        idle = np.setdiff1d(np.arange(len(self.live)), [row for row, _ in pairs])
        free = self._recognise(found, free, idle, apart, offset)
        for column in free[: max(self.config.most - len(self.live), 0)].tolist():
            known = Known(self.next, np.zeros(self.classes))
            self.next += 1
            self._begin(known, found, column, offset)
        self.live.sort(key=lambda one: one.known.id)

    def _link(self, found: Candidates, offset: int) -> tuple[Pairs, Bools]:
        """Pairs of live object and answer, and which are certainly two objects."""
        if not self.live or not len(found):
            return [], np.zeros((len(self.live), len(found)), np.bool_)
        for one in self.live:
            one.near(found.masks[0])
        evidence = compare(self.live, found, offset, self.clock, self.config)
        allowed = evidence.place >= self.config.nearest
        weak = found.scores < self.config.threshold
        allowed &= ~weak | (evidence.place >= self.config.weak_iou)
        # a name may waver in one place; a cup that a person covers does not become a person
        alike = evidence.kind >= self.config.min_class_agreement
        allowed &= alike | (evidence.place >= _UNMISTAKABLE)
        trust = np.outer([one.known.score for one in self.live], found.scores)
        return assign(evidence.similarity, allowed, self.config.minimum, trust), evidence.apart

    def _recognise(
        self, found: Candidates, free: Ints, idle: Ints, apart: Bools, offset: int
    ) -> Ints:
        """Give answers to lost objects that came back; what is left of the answers."""
        room = max(self.config.most - len(self.live), 0)
        back = self.gallery[max(len(self.gallery) - room, 0) :]
        lost = [*(self.live[row].known for row in idle.tolist()), *back]
        if not lost or not len(free):
            return free
        allowed = np.ones((len(lost), len(free)), np.bool_)
        allowed[: len(idle)] = ~apart[np.ix_(idle, free)]
        pairs = recognise(lost, found.of(free), allowed, self.clock + offset, self.config)
        for row, column in pairs:
            if row < len(idle):
                self._take(self.live[idle[row]], found, int(free[column]), offset)
            else:
                self.gallery.remove(lost[row])
                self._begin(lost[row], found, int(free[column]), offset)
        return np.delete(free, [column for _, column in pairs])

    def _begin(self, known: Known, found: Candidates, row: int, offset: int) -> None:
        one = Live.begun(known, found.masks[row])
        self._take(one, found, row, offset)
        self.live.append(one)

    def _take(self, one: Live, found: Candidates, row: int, offset: int) -> None:
        one.take(found, row, offset, clock=self.clock + offset, tail=self.config.tail)

    def _give(self, frames: int, size: tuple[int, int]) -> list[FrameTracks]:
        """Give out the first pending frames; the others move up."""
        presence = self.config.presence
        given = [
            frame_tracks(self.live, stamp, place, presence=presence, size=size)
            for place, stamp in enumerate(self.stamps[:frames])
        ]
        self.given = self.stamps[frames - 1].index if frames else self.given
        self.stamps = self.stamps[frames:]
        self.clock += frames
        for one in self.live:
            one.pending.drop(frames)
        return given

    def _forget(self) -> None:
        """Objects go to the gallery after `patience`, and from there for good."""
        oldest = self.clock - self.config.patience
        self.gallery += [one.known for one in self.live if one.known.seen < oldest]
        self.live = [one for one in self.live if one.known.seen >= oldest]
        self.gallery.sort(key=lambda known: (known.seen, known.id))
        fresh = [known for known in self.gallery if known.seen >= oldest - self.config.memory]
        kept = fresh[max(len(fresh) - self.config.gallery, 0) :]
        self.gone += [known.identity() for known in self.gallery if known not in kept]
        self.gallery = kept
