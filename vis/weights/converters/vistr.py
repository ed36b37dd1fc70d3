"""Published VisTR checkpoints (names `vistr.*` and those of the mask branch)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vis.errors import DataError, UsageError
from vis.weights.classes import YOUTUBE_VIS_2019, numbered
from vis.weights.converters._trunk import DROPPED, MASKS, size, trunk, trunk_settings
from vis.weights.rename import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.weights.rename import Shapes

SLOTS = 10
"""Instances of a clip in every published model."""
RESERVED, NO_OBJECT = 1, 1
"""Rows of the class head before and after the classes."""
OLD_ROWS = 41


def settings(shapes: Shapes, arguments: Mapping[str, int]) -> dict[str, object]:
    """All of `Config` that a checkpoint tells; frames and slots only by their product.

    Raises:
        DataError: a tensor that has to be there is not, or the weights are of the old kind.
        UsageError: the queries do not divide into frames and slots.
    """
    rows = size(shapes, "class_head.weight", 0)
    if rows == OLD_ROWS and "classes" not in arguments:
        raise DataError(
            f"the class head has {OLD_ROWS} rows: these are VisTR weights from before 2021-04-23,"
            " whose row 40 means both tennis_racket and no object",
            done="They are refused, as no converted file could tell the two apart.",
            remedy="Take the weights that were published later; they have 42 rows.",
        )
    frames, slots = _frames_and_slots(size(shapes, "queries", 0), arguments)
    return {
        **trunk_settings(shapes, arguments),
        "frames": frames,
        "instance_queries": slots,
        "classes": rows - RESERVED - NO_OBJECT,
    }


def class_names(count: int) -> tuple[str, ...]:
    """YouTube-VIS 2019's names, for as many classes as the published model has."""
    return YOUTUBE_VIS_2019 if count == len(YOUTUBE_VIS_2019) else numbered(count)


def _frames_and_slots(queries: int, arguments: Mapping[str, int]) -> tuple[int, int]:
    """What the user states counts first, then what the file states, then the published slots."""
    frames, slots = arguments.get("frames"), arguments.get("instance_queries")
    if frames is None and slots is None:
        frames, slots = arguments.get("num_frames"), arguments.get("num_ins", SLOTS)
    if frames is None:
        frames = queries // max(slots or SLOTS, 1)
    if slots is None:
        slots = queries // max(frames, 1)
    if frames < 1 or frames * slots != queries:
        raise UsageError(
            f"{queries} queries are not {frames} frames of {slots} slots",
            remedy="State frames and slots (--frames, --slots) as the model was trained.",
        )
    return frames, slots


FAMILY = Family(
    model="vistr",
    renames=(
        *trunk(r"vistr\."),
        *MASKS,
        (r"mask_head\.conv_offset\.(weight|bias)", r"masks.pyramid.end.offsets.\1"),
        (r"mask_head\.dcn\.weight", r"masks.pyramid.end.conv.weight"),
        (r"mask_head\.gn5\.(weight|bias)", r"masks.pyramid.end.norm.\1"),
        (r"insmask_head\.(\d)\.(weight|bias)", r"masks.volume.\1.\2"),
    ),
    dropped=DROPPED,
    settings=settings,
    class_names=class_names,
)
