"""Masks of pictures that were seen upright, turned to what their record speaks of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vis.ops import rle
from vis.ops.pictures import FAULTS, SIDEWAYS, as_stored, orientation_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vis.records import Track


def on_their_side(tracks: Sequence[Track], pictures: Sequence[Path]) -> list[Track] | None:
    """Tracks of upright pictures as the files of these store them.

    Args:
        tracks: of the video.
        pictures: its frames.

    Returns:
        The tracks, or None where EXIF data do not lay every picture on its side.
    """
    try:
        orientations = [orientation_of(path) for path in pictures]
    except FAULTS:
        return None
    if not pictures or not set(orientations) <= set(SIDEWAYS):
        return None
    return [
        replace(
            track,
            masks={
                frame: rle.encode(as_stored(rle.decode(mask), orientations[frame]))
                for frame, mask in track.masks.items()
            },
        )
        for track in tracks
    ]
