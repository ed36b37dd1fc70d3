"""Masks of pictures that were seen upright, turned to what their record speaks of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import Image

from vis.ops import rle
from vis.ops.pictures import FAULTS, FORMATS, SIDEWAYS, as_stored, orientation_of

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
    orientations = []
    for path in pictures:
        try:
            with Image.open(path, formats=FORMATS) as picture:
                orientations.append(orientation_of(picture))
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
