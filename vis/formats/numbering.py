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
"""In `track_extra`, where an object's number is not its place."""


def extra_number(number: int, place: int) -> Extra:
    """What to keep of an object's number, for `numbered` to give it again."""
    return {} if number == place else {KEY: number}


def object_numbers(tracks: Sequence[Track], extra: Mapping[int, Extra]) -> dict[int, int]:
    """Track id -> the number of each object of a video: the kept one, else its place.

    Args:
        tracks: all objects of one video; places are counted by category.
        extra: keys of the tracks beyond ours, by their ids.
    """
    places: Counter[int] = Counter()
    numbers = {}
    for track in tracks:
        places[track.label] += 1
        stated = extra.get(track.id, {}).get(KEY)
        numbers[track.id] = stated if type(stated) is int else places[track.label]
    return numbers


def numbered(
    tracks: Sequence[Track], extra: Mapping[int, Extra], largest: int
) -> list[tuple[int, Track]]:
    """Each track with its kept number, else its place from 1, else the lowest that is free.

    Raises:
        DataError: there are more tracks than numbers.
    """
    if len(tracks) > largest:
        raise DataError(
            f"there are {len(tracks)} objects, at most {largest} can be told apart",
            remedy="Write YouTube-VIS, which has no such limit.",
        )
    given: dict[int, Track] = {}
    left = []
    for place, track in enumerate(tracks, 1):
        stated = extra.get(track.id, {}).get(KEY)
        if type(stated) is int and 0 < stated <= largest and stated not in given:
            given[stated] = track
        else:
            left.append((place, track))
    free = (number for number in range(1, largest + 1) if number not in given)
    for place, track in left:
        given[place if place not in given else next(free)] = track
    order = {track.id: number for number, track in given.items()}
    return [(order[track.id], track) for track in tracks]
