"""Typed access to the keys of a JSON object; a refusal says what is there and what should be."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, TypeGuard

from vis.errors import DataError
from vis.ops.rle_checks import LONGEST_SIDE, MOST_PIXELS

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_ID = 2**63 - 1
"""Identities travel in int64 arrays."""
MOST_FRAMES = 10**6
"""Of a video whose frames a file counts and does not list; more is a slip that costs memory."""
ADD_SIZE = "Add the size of the picture; vis data check with --fix reads it there."
_LONGEST_NAME = 255
"""Bytes of a file or folder on every usual disk; asked about a longer one, the system fails."""
LARGEST_INTEGER = 2**1023
"""JSON's whole numbers may have 4,000 digits; beyond this one no float holds them."""


def json_object(value: object) -> dict[str, Any]:
    """`value` if it is a JSON object.

    Raises:
        DataError: it is something else.
    """
    if not isinstance(value, dict):
        raise DataError(
            f"this is {describe(value)}, not an object", remedy="Write the record anew."
        )
    return value


def integer(record: Mapping[str, Any], key: str, *, low: int = 0, high: int = LARGEST_ID) -> int:
    """A whole number within bounds; neither text nor true pass for one, 3.0 is 3.

    Raises:
        DataError: the key is missing, of another kind or out of bounds.
    """
    value = _present(record, key)
    # tools that keep ids in columns of floats write 3.0; beyond 2**53 such a number is not exact
    if type(value) is float and value.is_integer() and abs(value) <= 2**53:
        value = int(value)
    # not isinstance: true and false are ints to it
    if type(value) is not int:
        raise DataError(
            f"{key} is {describe(value)}, not a whole number",
            remedy=f"Write {key} as 1, 2, 3 ... ; of text, vis data check with --fix does it."
            if isinstance(value, str | bool)
            else f"Write {key} as 1, 2, 3 ...",
        )
    if not low <= value <= high:
        limits = f"{low} to {high}" if high < LARGEST_ID else f"{low} or more"
        raise DataError(f"{key} is {describe(value)}, not {limits}", remedy=f"Correct {key}.")
    return value


def is_crowd(record: Mapping[str, Any]) -> bool:
    """Whether the record is of a crowd; missing or null it is not.

    Raises:
        DataError: `iscrowd` is something else than 0 or 1.
    """
    return record.get("iscrowd") is not None and integer(record, "iscrowd", high=1) == 1


def score(record: Mapping[str, Any], key: str) -> float:
    """A number from 0 to 1.

    Raises:
        DataError: the key is missing, no number, not finite or out of bounds.
    """
    value = _present(record, key)
    # false of NaN too
    if not is_number(value) or not 0 <= value <= 1:
        raise DataError(
            f"{key} is {describe(value)}, not a number from 0 to 1", remedy="Correct it."
        )
    return float(value)


def text(record: Mapping[str, Any], key: str) -> str:
    """Text that is not empty.

    Raises:
        DataError: the key is missing, not text, or empty.
    """
    value = _present(record, key)
    if not isinstance(value, str) or not value:
        raise DataError(f"{key} is {describe(value)}, not a name", remedy=f"Write {key} as text.")
    return value


def json_list(record: Mapping[str, Any], key: str, length: int | None = None) -> list[Any]:
    """A list, of one entry for each of the `length` frames where that is given.

    Raises:
        DataError: the key is missing, not a list, or of another length.
    """
    value = _present(record, key)
    if not isinstance(value, list):
        raise DataError(f"{key} is {describe(value)}, not a list", remedy=f"Write {key} as a list.")
    if length is not None and len(value) != length:
        raise DataError(
            f"{key} has {len(value)} entries but the video has {length} frames",
            remedy="Write one entry for each frame, null where there is nothing.",
        )
    return value


def is_number(value: object) -> TypeGuard[float]:
    """Whether `value` is a finite number; true and false are none."""
    is_integer = type(value) is int and abs(value) <= LARGEST_INTEGER
    return is_integer or (type(value) is float and math.isfinite(value))


def known_id(record: Mapping[str, Any], key: str, table: Mapping[int, object], listed: str) -> int:
    """An id that the table of the records called `listed` holds.

    Raises:
        DataError: it is missing, no id, or not in the table.
    """
    value = integer(record, key)
    if value not in table:
        raise DataError(
            f"{key} {value} names no sound record among {listed}",
            remedy=f"Add it there, or correct {key}.",
        )
    return value


def sides(
    record: Mapping[str, Any], remedy: str = "Add the size of the picture."
) -> tuple[int, int]:
    """(height, width) of a picture; `remedy` is for where one is missing.

    Raises:
        DataError: a side is missing or no mask may be so large.
    """
    missing = [side for side in ("height", "width") if record.get(side) is None]
    if missing:
        raise DataError(
            f"{' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} missing",
            remedy=remedy,
        )
    height = integer(record, "height", low=1, high=LONGEST_SIDE)
    width = integer(record, "width", low=1, high=LONGEST_SIDE)
    if width * height > MOST_PIXELS:
        raise DataError(
            f"width x height is {width} x {height}, more than {MOST_PIXELS} pixels",
            remedy="Correct the size.",
        )
    return height, width


def unknown_keys(record: Mapping[str, Any], known_keys: set[str]) -> dict[str, Any]:
    """The keys that we do not know, to be kept as they are."""
    return {key: value for key, value in record.items() if key not in known_keys}


def check_frame_name(name: object) -> None:
    """Refuse a frame's file name that could lead out of the folder of its data set.

    Raises:
        DataError: not text, or no relative path with forward slashes.
    """
    if not isinstance(name, str) or not name:
        raise DataError(f"a file name is {describe(name)}", remedy="Write it as text.")
    reason = _danger(name)
    if reason:
        raise DataError(
            f"the file name {_short(name)} {reason}",
            remedy="Write file names relative to the folder of the frames, with forward slashes, "
            "or say what stands for their beginning: --frames-prefix BEGINNING=",
        )


def frame_name(value: object) -> str:
    """A frame's file name with forward slashes, whichever system wrote it.

    Raises:
        DataError: not text, or no relative path.
    """
    # no tool of annotation means a backslash within a name, and Windows allows none
    name = value.replace("\\", "/") if isinstance(value, str) else value
    check_frame_name(name)
    return str(name)


def describe(value: object) -> str:
    """`value` in a few words, however large or strange it is."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f"text {_short(value)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, int):
        # int() of thousands of digits cannot even be written
        return str(value) if abs(value) < 10**20 else "a number of more than 20 digits"
    return repr(value) if isinstance(value, float) else type(value).__name__


def _present(record: Mapping[str, Any], key: str) -> Any:
    if key not in record:
        raise DataError(f"{key} is missing", remedy=f"Add {key}.")
    return record[key]


def _danger(name: str) -> str:
    if "\0" in name:
        return "contains NUL"
    # a separator on Windows alone: the same file would lie elsewhere there
    if "\\" in name:
        return "contains a backslash"
    if name.startswith("/"):
        return "is an absolute path"
    if re.match(r"[A-Za-z]:", name):
        return "starts with a drive letter"
    if max(len(part.encode("utf-8", "replace")) for part in name.split("/")) > _LONGEST_NAME:
        return f"has a part of more than {_LONGEST_NAME} bytes"
    return "leads out of its folder by '..'" if ".." in name.split("/") else ""


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
