"""Hashes of files: what is stated of one, in whole or by its first digits, and what it has."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import IO

from vis.errors import DataError, UsageError

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Digest:
    """A hash, or how it begins."""

    kind: str
    """`sha256` or `md5`."""
    digits: str
    """Hexadecimal, lower case: the first ones at least."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What was found in a file."""

    size: int
    """Bytes."""
    sha256: str
    md5: str

    def check(self, stated: Digest) -> None:
        """Pass if the file has the stated hash.

        Raises:
            DataError: it has another.
        """
        actual = self.sha256 if stated.kind == "sha256" else self.md5
        if not actual.startswith(stated.digits):
            begin = len(stated.digits[:16])
            raise DataError(
                f"its {stated.kind} begins with {actual[:begin]}, not {stated.digits[:16]}"
            )


def digest(text: str) -> Digest:
    """From `sha256:e632da11`, as the table of models writes it."""
    kind, _, digits = text.partition(":")
    assert kind in ("sha256", "md5") and re.fullmatch(r"[0-9a-f]{6,64}", digits), text
    return Digest(kind, digits)


def whole_sha256(text: str) -> Digest:
    """From what a user gives.

    Raises:
        UsageError: it is no whole sha256.
    """
    digits = text.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise UsageError(f"{text!r:.80} is no sha256", remedy="It has 64 hexadecimal digits.")
    return Digest("sha256", digits)


def sums_of(file: IO[bytes]) -> Sums:
    """Of a file from its beginning."""
    file.seek(0)
    size, sha256 = 0, hashlib.sha256()
    md5 = hashlib.md5(usedforsecurity=False)  # of some published files nothing else is known
    while block := file.read(BLOCK):
        size += len(block)
        sha256.update(block)
        md5.update(block)
    return Sums(size, sha256.hexdigest(), md5.hexdigest())
