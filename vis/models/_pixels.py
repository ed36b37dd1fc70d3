"""How the pixels of a model are prepared, where its checkpoint says so: colours, and their size."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from vis.layers.padding import DEVIATION, MEAN

if TYPE_CHECKING:
    from collections.abc import Mapping

Colour = tuple[float, float, float]
"""Of red, green and blue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """The size that a checkpoint's own preprocessor brings pictures to.

    Either the short side is stated, or height and width, which pictures are squeezed to.
    """

    short: int | None = None
    longest: int | None = None
    """Pixels that the long side may have at most."""
    height: int | None = None
    width: int | None = None
    bicubic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """Of one model."""

    mean: Colour = MEAN
    """Subtracted from pixels in 0..1."""
    deviation: Colour = DEVIATION
    """What is left is divided by it."""
    resize: Resize | None = None
    """What the preprocessor beside the weights states, for whoever asks for it."""

    def stated(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """From what `stated` gave; the usual ones where nothing was."""
        resize = content.get("resize")
        return cls(
            mean=tuple(content.get("mean", MEAN)),
            deviation=tuple(content.get("deviation", DEVIATION)),
            resize=None if resize is None else Resize(**resize),
        )


USUAL = Pixels()
"""ImageNet's colours, and no word of a size."""
