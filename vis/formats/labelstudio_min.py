"""Label Studio's JSON-MIN: a record for each annotation, what was drawn under the names of tags.

Kinds and identities of results are not in it: the kind follows from the values, and what a
`<Labels>` of its own names from the position, which both results have.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vis.formats.reading import Reading

SEVERAL = "{} tasks have several annotations: the first counts"
_KINDS = {"sequence": "videorectangle", "rle": "brush", "points": "polygon", "radiusX": "ellipse"}
"""Key that values of one kind alone have -> kind."""
_OF_TASKS = ("data", "annotations", "completions")
_SIDES = ("original_width", "original_height")


def full_tasks(records: object, reading: Reading) -> Iterator[tuple[int, object]]:
    """Place and task of each record, in the form of the full JSON; of a task, the first counts."""
    counts = Counter[str]()
    for place, record in enumerate(records if isinstance(records, list) else []):
        if not isinstance(record, dict) or any(key in record for key in _OF_TASKS):
            yield place, record
            continue
        id_ = str(record.get("id", f"place {place}"))
        counts[id_] += 1
        reading.notes[SEVERAL] += counts[id_] == 2
        if counts[id_] == 1:
            yield place, _task(record)


def _task(record: Mapping[str, Any]) -> dict[str, Any]:
    values = {
        f"{tag} {place}": value
        for tag, stated in record.items()
        if isinstance(stated, list)
        for place, value in enumerate(stated)
        if isinstance(value, dict)
    }
    labelled = {_position(value) for value in values.values() if _has_label(value)}
    results = [
        {"id": id_, "type": _kind(value), "value": value}
        | {key: value[key] for key in _SIDES if key in value}
        for id_, value in values.items()
        if _has_label(value) or _position(value) not in labelled
    ]
    return {"data": record, "annotations": [{"result": results}]}


def _kind(value: Mapping[str, Any]) -> str:
    of_box = "rectangle" if {"x", "y", "width", "height"} <= value.keys() else ""
    return next((kind for key, kind in _KINDS.items() if key in value), of_box)


def _has_label(value: Mapping[str, Any]) -> bool:
    return any(key.endswith("labels") for key in value)


def _position(value: Mapping[str, Any]) -> str:
    """All but the label and the picture's size, as text."""
    keys = sorted(key for key in value if not key.endswith("labels") and key not in _SIDES)
    return json.dumps([[key, value[key]] for key in keys])
