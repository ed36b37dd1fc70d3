"""Queries that stay with their objects: a query is an identity from its birth to its death."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.special import softmax

from vis.errors import UsageError
from vis.records import FrameTracks, Identity
from vis.tracking.overlap import soft_iou
from vis.tracking.state import load_identity, save_identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from vis.records import ClipPredictions
    from vis.tracking.config import Config
    from vis.tracking.overlap import Bools, Floats
    from vis.tracking.windows import Stamp


@dataclass(slots=True, eq=False)
class Slot:
    """A query that shows an object, or has lost it from sight lately."""

    id: int
    logit_sum: Floats
    """`[K + 1]` over all frames since its birth, those that do not show it too, as published."""
    frames: int
    """Frames in the sum."""
    last_seen: int
    """Number of the last frame that showed it."""
    class_probs: Floats
    """`[K]` of the mean logits, as of that frame."""

    def identity(self) -> Identity:
        """As of the last frame that showed it."""
        # argmax takes the first of equals: ties go to the lower class index
        label, score = int(self.class_probs.argmax()), float(self.class_probs.max())
        probs = self.class_probs.astype(np.float32)
        return Identity(self.id, label, score, class_scores=probs, mean=score)


class ByQuery:
    """A `Tracker` for models that go on from frame to frame; nothing is linked here.

    A query is born with a new id where its class is sure and its mask no other's. It is the same
    object as long as it was seen less than `patience` frames ago; then the id is never given again,
    whatever the query shows next. The score is the class's probability by the mean of the logits.
    Held are a few numbers a query.

    Args:
        config: `threshold`, `low_threshold`, `nms_iou`, `patience` and `max_tracks` count.
        classes: how many the model knows.
    """

    def __init__(self, config: Config, *, classes: int) -> None:
        self.config, self.classes = config, classes
        self.frame_counter = 0
        """Frames so far; unlike a stamp's index it has no gaps."""
        self.next_id = 0
        self.slots: dict[int, Slot] = {}
        """Query -> what it shows."""
        self.removed: list[Identity] = []
        """Ended since the last call of `ended`."""

    def step(
        self, predictions: ClipPredictions, stamps: Sequence[Stamp], settled: int
    ) -> list[FrameTracks]:
        """The objects of the next frames; as `Tracker.step`.

        Raises:
            UsageError: the predictions have no `query_logits`, or of other classes, or the next
                window would show a frame again.
        """
        logits = predictions.query_logits
        if logits is None:
            raise UsageError(
                "the model says nothing of its queries from frame to frame",
                remedy="Link by masks, or take a model that does, such as videomt.",
            )
        if logits.shape[2] != self.classes + 1:
            raise UsageError(f"{logits.shape[2] - 1} classes, the tracker has {self.classes}")
        if settled != len(stamps):
            raise UsageError("a query goes on from frame to frame: windows must share none")
        # one copy to the host for all frames
        each = logits.cpu().double().numpy()
        return [self._frame(predictions, each[:, t], t, stamp) for t, stamp in enumerate(stamps)]

    def current(self) -> list[Identity]:
        """Those that are held as of now, by id."""
        slots = sorted(self.slots.values(), key=lambda slot: slot.id)
        return [slot.identity() for slot in slots]

    def ended(self) -> list[Identity]:
        """Those that ended since the last call, each once."""
        removed, self.removed = self.removed, []
        return removed

    def finish(self) -> list[Identity]:
        """All that are left, by id; ready for another shot or video, with new ids."""
        left = self.current()
        self.slots = {}
        return left

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors."""
        slots = [
            {
                "query": query,
                "id": slot.id,
                "frames": slot.frames,
                "last_seen": slot.last_seen,
                "logit_sum": torch.from_numpy(slot.logit_sum.copy()),
                "class_probs": torch.from_numpy(slot.class_probs.copy()),
            }
            for query, slot in sorted(self.slots.items())
        ]
        return {
            "queries_of": self.classes,
            "counter": self.frame_counter,
            "next": self.next_id,
            "slots": slots,
            "gone": [save_identity(identity) for identity in self.removed],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly where another one of the same config and classes was saved.

        Raises:
            UsageError: that one's classes were others, or it was no tracker by queries.
        """
        if state.get("queries_of") != self.classes:
            raise UsageError("the state is of other classes, or of another kind of tracker")
        self.frame_counter, self.next_id = state["counter"], state["next"]
        self.slots = {one["query"]: _slot(one) for one in state["slots"]}
        self.removed = [load_identity(identity) for identity in state["gone"]]

    def _frame(
        self, predictions: ClipPredictions, logits: Floats, t: int, stamp: Stamp
    ) -> FrameTracks:
        masks = predictions.masks[:, t]
        scores = _class_probs(logits).max(axis=1)
        # present without a mask is not visible: there would be nothing to draw or encode
        inside = (masks > 0.5).flatten(1).any(dim=1).cpu().numpy()
        visible = inside & (scores >= self.config.low_threshold)
        for query, slot in self.slots.items():
            self._go_on(slot, logits[query], is_visible=bool(visible[query]))
        self._bear(scores, logits, inside, masks)
        emitted = self._emitted(predictions, t, stamp)
        self.frame_counter += 1
        self._forget()
        return emitted

    def _go_on(self, slot: Slot, logits: Floats, *, is_visible: bool) -> None:
        slot.logit_sum = slot.logit_sum + logits
        slot.frames += 1
        if is_visible:
            slot.last_seen = self.frame_counter
            slot.class_probs = _class_probs(slot.logit_sum / slot.frames)

    def _bear(self, scores: Floats, logits: Floats, inside: Bools, masks: Tensor) -> None:
        """Free queries that are sure begin, the surest first, unless another shows the same."""
        free = np.setdiff1d(
            np.flatnonzero(inside & (scores >= self.config.threshold)), list(self.slots)
        )
        # stable: of equal scores the lower query begins first
        for query in free[np.argsort(-scores[free], kind="stable")].tolist():
            if len(self.slots) >= self.config.max_tracks:
                return
            others = [q for q, slot in self.slots.items() if slot.last_seen == self.frame_counter]
            overlaps = soft_iou(masks[query][None].float(), masks[others].float())
            # at 1 nothing is a duplicate, not even an exact copy
            limit = self.config.nms_iou
            if limit < 1 and others and float(overlaps.max()) >= limit:
                continue
            probs = _class_probs(logits[query])
            self.slots[query] = Slot(self.next_id, logits[query], 1, self.frame_counter, probs)
            self.next_id += 1

    def _emitted(self, predictions: ClipPredictions, t: int, stamp: Stamp) -> FrameTracks:
        now = [(q, slot) for q, slot in self.slots.items() if slot.last_seen == self.frame_counter]
        now.sort(key=lambda pair: pair[1].id)
        rows = [query for query, _ in now]
        identities = [slot.identity() for _, slot in now]
        return FrameTracks(
            index=stamp.index,
            time=stamp.time,
            ids=np.array([one.id for one in identities], np.int64),
            labels=np.array([one.label for one in identities], np.int64),
            scores=np.array([one.score for one in identities], np.float32),
            boxes=predictions.boxes[rows, t].cpu().float().numpy(),
            masks=predictions.masks[rows, t].cpu().float().numpy(),
        )

    def _forget(self) -> None:
        oldest = self.frame_counter - self.config.patience
        lost = [query for query, slot in self.slots.items() if slot.last_seen < oldest]
        # by id, so that the order does not tell which query it was
        identities = [self.slots.pop(query).identity() for query in lost]
        self.removed += sorted(identities, key=lambda one: one.id)


def _class_probs(logits: Floats) -> Floats:
    """`[... K + 1]` -> `[... K]`, without "no object"."""
    return np.asarray(softmax(logits, axis=-1)[..., :-1])


def _slot(plain: dict[str, Any]) -> Slot:
    return Slot(
        plain["id"],
        plain["logit_sum"].numpy().copy(),
        plain["frames"],
        plain["last_seen"],
        plain["class_probs"].numpy().copy(),
    )
