"""XML files: read whole, without a document type, whose entities could fill the memory."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from vis.errors import DataError, VisError
from vis.formats.json_file import read_regular

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree.ElementTree import Element

LARGEST = 2**29
"""Bytes; the elements take about ten times as much memory."""


def read_xml(path: str | Path, *, largest: int = LARGEST) -> Element:
    """The root of an XML file in UTF-8.

    Raises:
        InputError: there is no such regular file, or it cannot be read.
        DataError: it is too large, no XML, or has a document type or entities of its own.
    """
    try:
        raw = read_regular(Path(path), largest, "an XML file")
        text = raw.decode("utf-8-sig")
        # an entity may name other files, or itself be nested until it fills the memory
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise DataError(
                "it has a document type, which no annotation tool writes",
                remedy="Take <!DOCTYPE ...> out.",
            )
        return ElementTree.fromstring(text)  # noqa: S314
    except UnicodeDecodeError as error:
        fault: VisError = DataError(
            f"byte {error.start} is not UTF-8", remedy="Save it again as UTF-8."
        )
    except ElementTree.ParseError as error:
        line, column = error.position
        fault = DataError(
            f"this is not XML: {error.msg.partition(':')[0]} at line {line}, column {column}",
            remedy="Make or fetch it again.",
        )
    except VisError as error:
        fault = error
    raise fault.at(str(path))


def number(record: Mapping[str, str], key: str) -> float:
    """A finite number under a key.

    Raises:
        DataError: it is missing or none.
    """
    text = record.get(key)
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        stated = "missing" if text is None else f"{text!r:.60}"
        raise DataError(f"{key} is {stated}, not a number", remedy=f"Correct {key}.")
    return value


def whole(record: Mapping[str, str], key: str) -> int:
    """A whole number of 0 or more under a key.

    Raises:
        DataError: it is missing or none.
    """
    value = number(record, key)
    if value < 0 or not value.is_integer():
        raise DataError(f"{key} is {value:g}, not 0, 1, 2 ...", remedy=f"Correct {key}.")
    return int(value)
