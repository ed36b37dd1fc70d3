"""One pass over the records of a file: the first fault is raised, or all of them are collected."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from vis.errors import DataError
from vis.formats.fields import describe
from vis.formats.prefixes import renamed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from vis.errors import VisError


class Identified(Protocol):
    """A record with an id of its own."""

    @property
    def id(self) -> int:
        """Unique among the records of its list."""


Record = TypeVar("Record")
Listed = TypeVar("Listed", bound=Identified)


@dataclass(frozen=True, slots=True)
class Reading:
    """The file that is read, and what becomes of its faults."""

    path: str
    faults: list[DataError] | None = None
    """Takes every fault, in the order of the file; None: the first one is raised."""
    refused: dict[str, set[object]] = field(default_factory=dict)
    """Ids of the faulty records, by the name of their list."""
    prefixes: Mapping[str, str] = field(default_factory=dict)
    """Beginning of a file name -> what stands for it."""
    notes: Counter[str] = field(default_factory=Counter)
    """Sentences about what is legal and yet matters, with {} for how often."""

    def file_name(self, name: str) -> str:
        """A file name as it is on this disk, by the longest of `prefixes` that it begins with."""
        return renamed(name, self.prefixes)

    def records(
        self,
        values: Iterable[object],
        name: str,
        parse: Callable[[object], Record],
        needs: Mapping[str, str] | None = None,
    ) -> Iterator[Record]:
        """`parse(value)` of each of the list `name` that is sound.

        Args:
            values: of the list.
            name: of the list.
            parse: makes a record of a value.
            needs: key of a record -> list of the record that it names. What names a faulty one is
                left out without a fault of its own, which would hide the cause among consequences.

        Raises:
            DataError: of the first faulty record, placed in the file, unless faults are collected.
        """
        for index, value in enumerate(values):
            try:
                record = parse(value)
            except DataError as error:
                self.refused.setdefault(name, set()).add(_stated(value, "id"))
                if not self._follows(value, needs or {}):
                    self.collect(error, f"{name}[{index}]{id_of(value)}")
            else:
                yield record

    def by_id(
        self, values: Sequence[object], name: str, parse: Callable[[object], Listed]
    ) -> dict[int, Listed]:
        """The sound records of the list `name` by their ids; an id that is taken is a fault.

        Raises:
            DataError: as `records`.
        """
        table: dict[int, Listed] = {}
        for record in self.records(values, name, lambda value: with_unique_id(parse(value), table)):
            table[record.id] = record
        return table

    def _follows(self, value: object, needs: Mapping[str, str]) -> bool:
        ids = ((_stated(value, key), self.refused.get(table, ())) for key, table in needs.items())
        return any(stated is not None and stated in refused for stated, refused in ids)

    def collect(self, error: VisError, where: str) -> None:
        """Collect a fault of the record at `where`, or raise it; a file that it lacks is one too.

        Raises:
            DataError: the error, placed in the file, unless faults are collected.
        """
        # raised by a record within this one: it has its place already
        placed = self.faults is None and error.where.startswith(self.path)
        located = error if placed else error.at(f"{self.path}: {where}")
        if not isinstance(located, DataError):
            located = DataError(located.what, where=located.where, remedy=located.remedy)
        if self.faults is None:
            raise located from None
        self.faults.append(located)


def kinds_of(faults: Iterable[DataError]) -> dict[str, int]:
    """How many faults there are of each kind, the most frequent first.

    Faults are of one kind if they differ only in numbers and quoted text.
    """
    # text before numbers: a quoted name may have digits in it
    shapes = (_NUMBER.sub("N", _QUOTED.sub("'...'", fault.what)) for fault in faults)
    return dict(Counter(shapes).most_common())


_QUOTED = re.compile(r"'[^']*'")
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[-+]?\d+)?")


def with_unique_id(record: Listed, used_ids: Mapping[int, object]) -> Listed:
    """`record`, if no earlier one has its id.

    Raises:
        DataError: it is.
    """
    if record.id in used_ids:
        raise DataError(
            f"id {record.id} belongs to an earlier record already",
            remedy="Give each record an id of its own.",
        )
    return record


@contextmanager
def before_writing(path: str | Path) -> Iterator[None]:
    """Place a fault of what shall be written in the file that then is not."""
    try:
        yield
    except DataError as error:
        error.done = "Nothing was written."
        raise error.at(str(path)) from None


def _stated(value: object, key: str) -> object:
    """What can be an id, even a wrong one, under a key of a record; else None."""
    stated = value.get(key) if isinstance(value, dict) else None
    return stated if isinstance(stated, int | float | str) else None


def id_of(value: object) -> str:
    """` (id 40)`, where the record has one."""
    return f" (id {describe(value['id'])})" if isinstance(value, dict) and "id" in value else ""
