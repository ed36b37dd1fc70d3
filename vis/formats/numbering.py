"""Numbers of objects within a video, for the formats in which a pixel or a line holds one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from vis.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vis.formats.ytvis_records import Extra
    from vis.records import Track

KEY = "object_number"
"""In `track_extra`, where an object's number is not its position."""


def extra_number(number: int, position: int) -> Extra:
    """What to keep of an object's number, for `assign_numbers` to give it again."""
    return {} if number == position else {KEY: number}


def object_numbers(tracks: Sequence[Track], extra: Mapping[int, Extra]) -> dict[int, int]:
    """Track id -> the number of each object of a video: the kept one, else its position.

    Args:
        tracks: all objects of one video; positions are counted by category.
        extra: keys of the tracks beyond ours, by their ids.
    """
    positions: Counter[int] = Counter()
    numbers = {}
    for track in tracks:
        # by category, as MOTS numbers them; DAVIS has one category
        positions[track.label] += 1
        stated = extra.get(track.id, {}).get(KEY)
        numbers[track.id] = stated if type(stated) is int else positions[track.label]
    return numbers


def assign_numbers(
    tracks: Sequence[Track], extra: Mapping[int, Extra], largest: int
) -> list[tuple[int, Track]]:
    """Each track with its kept number, else its position from 1, else the lowest that is free.

    Raises:
        DataError: there are more tracks than numbers.
    """
    if len(tracks) > largest:
        raise DataError(
            f"there are {len(tracks)} objects, at most {largest} can be told apart",
            remedy="Write YouTube-VIS, which has no such limit.",
        )
    by_number: dict[int, Track] = {}
    unnumbered = []
    for position, track in enumerate(tracks, 1):
        stated = extra.get(track.id, {}).get(KEY)
        if type(stated) is int and 0 < stated <= largest and stated not in by_number:
            by_number[stated] = track
        else:
            unnumbered.append((position, track))
    # kept numbers first: an object that has none must not take that of one that comes later
    free = (number for number in range(1, largest + 1) if number not in by_number)
    for position, track in unnumbered:
        by_number[position if position not in by_number else next(free)] = track
    order = {track.id: number for number, track in by_number.items()}
    return [(order[track.id], track) for track in tracks]
