"""One pass over the records of a file: the first fault is raised, or all of them are collected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from vis.errors import DataError
from vis.formats.fields import kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Reading:
    """The file that is read, and what becomes of its faults."""

    path: str
    faults: list[DataError] | None = None
    """Takes every fault, in the order of the file; None: the first one is raised."""

    def records(
        self, values: Sequence[object], name: str, parse: Callable[[object], Record]
    ) -> Iterator[Record]:
        """`parse(value)` of each of the list `name` that is sound.

        Raises:
            DataError: of the first faulty record, placed in the file, unless faults are collected.
        """
        for index, value in enumerate(values):
            try:
                record = parse(value)
            except DataError as error:
                self._keep(error, f"{name}[{index}]{_id_of(value)}")
            else:
                yield record

    def _keep(self, error: DataError, place: str) -> None:
        placed = error.at(f"{self.path}: {place}")
        assert isinstance(placed, DataError)
        if self.faults is None:
            raise placed from None
        self.faults.append(placed)


def _id_of(value: object) -> str:
    return f" (id {kind(value['id'])})" if isinstance(value, dict) and "id" in value else ""
