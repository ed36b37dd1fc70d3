"""Single values that tools of tables and of other systems write otherwise, put right."""

from __future__ import annotations

import math
import re
from typing import Any

_NAMES = ("file_name", "file_names")
_NUMBERS = (
    "id", "image_id", "video_id", "category_id", "instance_id", "track_id", "frame_id", "width",
    "height", "length", "iscrowd", "area", "areas", "bbox", "bboxes",
)  # fmt: skip
"""Keys whose values are numbers, or lists of them."""
_NUMBER = re.compile(r"-?\d+(\.\d*)?([eE][-+]?\d+)?")


def slashed_names(record: dict[str, Any]) -> dict[str, Any]:
    """The file names of a record, as Windows writes them, with forward slashes."""
    names = {key: record[key] for key in _NAMES if key in record}
    slashed = {key: _slashed(value) for key, value in names.items()}
    return {} if slashed == names else slashed


def numbers_of_text(record: dict[str, Any]) -> dict[str, Any]:
    """The values of a record that are numbers, where it has text, true or false."""
    values = {key: record[key] for key in _NUMBERS if key in record}
    numbers = {key: _as_number(value) for key, value in values.items()}
    return {key: numbers[key] for key in values if repr(values[key]) != repr(numbers[key])}


def without_nan(value: Any) -> Any:
    """A JSON value with null in place of NaN and infinities, which no JSON file holds."""
    if isinstance(value, dict):
        return {key: without_nan(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_nan(one) for one in value]
    return None if type(value) is float and not math.isfinite(value) else value


def _slashed(value: Any) -> Any:
    if isinstance(value, list):
        return [_slashed(name) for name in value]
    return value.replace("\\", "/") if isinstance(value, str) else value


def _as_number(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_number(one) for one in value]
    if isinstance(value, bool):
        return int(value)
    # text that is no number stays: nobody knows what it means
    if not isinstance(value, str) or not _NUMBER.fullmatch(value.strip()):
        return value
    number = float(value)
    return int(value) if value.strip().lstrip("-").isdigit() else number
