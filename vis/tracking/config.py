"""Settings of a tracker; nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

from vis.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FRACTIONS = (
    *("threshold", "low_threshold", "min_presence", "nms_iou", "match_threshold"),
    *("min_iou", "low_min_iou", "min_class_agreement"),
    *("reid_threshold", "reid_margin", "reid_radius"),
)
_COUNTS = ("history_length", "max_tracks", "min_length")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How identities are made, kept and given up.

    Scores, similarities and overlaps are 0..1. `threshold` and `low_threshold` divide detections
    into high and low ones (Zhang et al., 2022: ByteTrack, section 3); `low_...` is of the low ones,
    `reid_...` of objects that return.
    """

    RENAMED: ClassVar[Mapping[str, str]] = {
        "weakest": "low_threshold",
        "presence": "min_presence",
        "duplicates": "nms_iou",
        "minimum": "match_threshold",
        "nearest": "min_iou",
        "weak_iou": "low_min_iou",
        "tail": "history_length",
        "recognise": "reid_threshold",
        "margin": "reid_margin",
        "reach": "reid_radius",
        "most": "max_tracks",
    }

    threshold: float = 0.3
    """Score that a new object needs: higher invents fewer, but finds weak ones late or never."""
    low_threshold: float = 0.1
    """Score that a known object needs to go on: lower bridges weak moments, but may follow a
    ghost where the object was."""
    min_presence: float = 0.2
    """Probability of being visible from which a frame shows an object: higher hides more doubtful
    masks, lower shows objects that are not there."""
    nms_iou: float = 0.7
    """Overlap of two detections of one window from which the weaker one is dropped: lower cleans up
    more, but takes two objects that lie over each other for one; 1 keeps all."""
    match_threshold: float = 0.3
    """Similarity that a link needs: higher breaks identities in two, lower mixes them."""
    min_iou: float = 0.1
    """Agreement in place that a link needs whatever else speaks for it: higher loses what moves
    oddly, lower lets identities jump."""
    low_min_iou: float = 0.3
    """The same for a detection whose score would not begin an object: higher gives an object up
    where the model is unsure, lower lets a hidden one pass on to what looks a little like it."""
    min_class_agreement: float = 0.2
    """Agreement of class probabilities that a link needs, unless the place leaves no doubt: higher
    breaks the identity of an object whose name wavers, lower lets it pass on to another thing."""
    mask_weight: float = 1.0
    """Of the place (mask overlap, motion): more trusts where things are, not what they are."""
    class_weight: float = 0.2
    """Of the class: more keeps apart what overlaps, but suffers where the model is unsure."""
    embedding_weight: float = 1.0
    """Of the embeddings, where the model has them: more survives jumps and crossings, but suffers
    where alike objects have alike embeddings."""
    history_length: int = 12
    """Frames of its past that an object's motion is estimated from: more is steadier, less turns
    faster."""
    patience: int = 30
    """Frames, of those that are given, for which an unseen object is expected where its motion
    leads: more bridges longer hiding, less mixes up fewer objects and holds fewer masks."""
    gallery: int = 64
    """Objects that are remembered after that, to be re-identified when they return: more knows more
    of them again, and confuses more; 0 for none."""
    memory: int = 300
    """Given frames for which they are remembered: longer knows later returns, shorter invents
    fewer."""
    reid_threshold: float = 0.5
    """Similarity that a returning object needs: higher gives it a new identity more often, lower
    gives a stranger an old one."""
    reid_margin: float = 0.05
    """By how much the best of several must be better to be taken for a returning object: higher
    gives up more often where objects are alike."""
    reid_radius: float = 0.2
    """Share of the picture's diagonal that an object may appear from its expected place and still
    be re-identified without an embedding: farther knows more of them again, and invents more."""
    min_length: int | None = None
    """Frames that an object must be seen in before it is shown; its first ones are then shown too,
    as frames wait for it, at most this number less one. More drops more short noise; 1 waits for
    nothing. None: 5 for models that look at single frames, 1 for those of clips and regions."""
    max_tracks: int = 200
    """Objects that are followed at once: more costs memory and time in crowds; beyond it the least
    sure new ones are left out."""

    @classmethod
    def by_queries(cls, **settings: Any) -> Self:
        """Windows are joined by their embeddings alone, wherever the objects are.

        For models of queries that look at frames one by one, or at windows that share none
        (Huang et al., 2022: MinVIS); a model must have embeddings. Unlike there, a detection that
        is like nothing known begins an identity, and what is missed is expected for `patience`
        frames.

        Args:
            settings: fields that differ from those of this preset.
        """
        preset = {"mask_weight": 0.0, "class_weight": 0.0, "embedding_weight": 1.0}
        # the gates of place and class would refuse what the embeddings join
        preset |= {"min_iou": 0.0, "low_min_iou": 0.0, "min_class_agreement": 0.0}
        return cls(**(preset | settings))

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing.

        Raises:
            UsageError: which, and what it may be.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            if field.name in _FRACTIONS and not 0 <= value <= 1:
                raise UsageError(f"tracker.{field.name} is {value}", remedy="Give 0 to 1.")
            if field.name in _COUNTS and value < 1:
                raise UsageError(f"tracker.{field.name} is {value}", remedy="Give at least 1.")
            # NaN compares false with everything, so it is refused here: `value < 0` would pass it
            if not value >= 0:
                raise UsageError(f"tracker.{field.name} is {value}", remedy="Give at least 0.")
        if not 0 < self.mask_weight + self.class_weight + self.embedding_weight < float("inf"):
            raise UsageError("tracker: the three weights are all 0 or no numbers")
