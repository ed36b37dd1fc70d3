"""Width and height that a record does not state, read from the first picture that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vis.errors import DataError
from vis.formats.fields import is_number
from vis.formats.paths import inside
from vis.formats.picture_size import picture_size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def with_size(record: dict[str, Any], folders: Sequence[Path]) -> dict[str, Any]:
    """A record of a picture or video with the size of its picture, where it states none.

    All stays as it was where a size is stated, even a wrong one, or no picture can be read.

    Args:
        record: with `file_name` or `file_names`.
        folders: that its names may be relative to; the first that holds the picture counts.
    """
    # a 0, or NaN, is what tools write that did not look
    if all((side := record.get(key)) and is_number(side) for key in ("width", "height")):
        return record
    names = record.get("file_names") or [record.get("file_name")]
    if not isinstance(names, list) or not isinstance(names[0], str):
        return record
    for folder in folders:
        try:
            path = inside(folder, names[0])
            if path.is_file():
                height, width = picture_size(path)
                return {**record, "width": width, "height": height}
        except (DataError, OSError):
            continue
    return record
