"""What a JSON file near YouTube-VIS is, and clear words where another kind was expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vis.errors import DataError
from vis.formats.fields import describe
from vis.formats.video_formats import video_format

if TYPE_CHECKING:
    from collections.abc import Sequence

ANNOTATIONS = "YouTube-VIS annotations"
RESULTS = "YouTube-VIS results"
PICTURES = "COCO annotations of single pictures"
FRAMES = "CocoVID annotations by frame"


def is_results(value: object) -> bool:
    """Whether a JSON value has the outer form of results: a list."""
    return isinstance(value, list)


def is_pictures(value: object) -> bool:
    """Whether a JSON value has the outer form of COCO annotations."""
    return _kind_of_file(value) in (PICTURES, FRAMES)


def lacks_truth(value: object) -> bool:
    """Whether annotations are null or missing, as where the truth of the videos is not public."""
    if not isinstance(value, dict):
        return False
    if _kind_of_object(value) not in (ANNOTATIONS, PICTURES, FRAMES):
        return False
    return value.get("annotations") is None


def annotation_lists(value: object, path: str, keys: Sequence[str]) -> dict[str, list[Any]]:
    """The named top-level lists of an annotation file.

    Raises:
        DataError: the file is of another kind, or one of the lists is missing or empty.
    """
    return _named_lists(value, path, keys, ANNOTATIONS)


def picture_lists(value: object, path: str, keys: Sequence[str]) -> dict[str, list[Any]]:
    """The named top-level lists of a COCO annotation file.

    Raises:
        DataError: the file is of another kind, or one of the lists is missing or empty.
    """
    return _named_lists(value, path, keys, PICTURES)


def result_list(value: object, path: str) -> list[Any]:
    """The records of a results file.

    Raises:
        DataError: the file is of another kind.
    """
    what = _kind_of_file(value)
    if not isinstance(value, list) or what == _PICTURE_RESULTS:
        raise DataError(
            f"this is {what}, not {RESULTS}",
            where=path,
            remedy="Give the list of results that a tracker wrote.",
        )
    return value


_PICTURE_RESULTS = "COCO results of single pictures"
_PREDICTION = " Of this one, vis predict writes what a model detects, for vis submit."


def _named_lists(
    value: object, path: str, keys: Sequence[str], expected: str
) -> dict[str, list[Any]]:
    what = _kind_of_file(value)
    accepted = (PICTURES, FRAMES) if expected == PICTURES else (expected,)
    if what not in accepted or not isinstance(value, dict):
        first = "images" if expected == PICTURES else "videos"
        raise DataError(
            f"this is {what}, not {expected}",
            where=path,
            remedy="Make one of it with vis data convert --to ytvis."
            if video_format(value)
            else f"Give the file that holds {first}, categories and annotations.",
        )
    return {key: _list(value, key, path, expected) for key in keys}


def _kind_of_file(value: object) -> str:
    if isinstance(value, dict):
        return _kind_of_object(value)
    if not isinstance(value, list):
        return describe(value)
    first = value[0] if value and isinstance(value[0], dict) else {}
    if "image_id" in first:
        return _PICTURE_RESULTS
    return RESULTS if "video_id" in first else f"a list of {len(value)}"


def _kind_of_object(value: dict[str, Any]) -> str:
    other = video_format(value)
    if other is not None:
        return f"a file of {other.title}"
    videos = value.get("videos")
    if "videos" in value:
        entries = videos if isinstance(videos, list) else []
        has_file_names = any(isinstance(entry, dict) and "file_names" in entry for entry in entries)
        return ANNOTATIONS if has_file_names or not value.get("images") else FRAMES
    if "images" in value:
        return PICTURES
    keys = ", ".join(map(repr, list(value)[:5]))
    return f"an object with the keys {keys:.200}" if keys else "an empty object"


def _list(value: dict[str, Any], key: str, path: str, expected: str) -> list[Any]:
    entries = value.get(key)
    if key == "annotations" and entries is None:
        stated = "null" if key in value else "missing"
        prediction = _PREDICTION if expected == ANNOTATIONS else ""
        raise DataError(
            f"annotations is {stated}: the truth is not in this file",
            where=path,
            remedy=f"Use a split whose annotations are public.{prediction}",
        )
    # no object in any video is possible, no video and no category are not
    if not isinstance(entries, list) or (not entries and key != "annotations"):
        stated = describe(entries) if key in value else "missing"
        raise DataError(
            f"{key} is {stated}, not a list of {key}", where=path, remedy="Make or fetch it again."
        )
    return entries
