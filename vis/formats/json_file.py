"""JSON files: reading that names every fault, and writing that never leaves half a file."""

from __future__ import annotations

import json
import math
import re
import stat
from collections import Counter
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from vis.errors import DataError, InputError, VisError
from vis.file_signatures import foreign_kind
from vis.formats.fields import describe
from vis.formats.non_finite import place_of_constant
from vis.storage.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGEST = 4 * 2**30
"""Bytes; the value takes about five times as much memory (98 MB of polygons: 490 MB)."""
DEEPEST = 64
"""Lists and objects inside each other; no annotation format needs more than eight."""
_UNFINISHED = re.compile(r"tr?u?|fa?l?s?|nu?l?|-|\.|[eE][-+]?|u[0-9a-fA-F]{0,4}|")
"""What is left of a word, number or escape when a file is cut inside it."""
_MAKE_AGAIN = "Make or fetch it again."
_NO_NUMBER = "is not a JSON number"
_CHUNK = 2**22
"""Characters that are read at once; more where one entry of a list is longer."""
_BLANKS = " \t\r\n"


def read_json(path: str | Path, *, largest: int = LARGEST, finite: bool = True) -> Any:
    """The value that a JSON file holds.

    Keys that appear twice in one object and more than 64 levels are refused.

    Args:
        path: of the file.
        largest: bytes of it.
        finite: whether NaN and infinities are refused too; if not, whoever reads the records must.

    Raises:
        InputError: there is no such regular file, or it cannot be read.
        DataError: it is too large, empty, cut off or not JSON; says what it is and where it breaks.
    """
    try:
        return _parse(read_regular(Path(path), largest), finite)
    except VisError as error:
        raise error.at(str(path)) from None


def read_entries(
    path: str | Path, as_list: Callable[[Any], list[Any]], *, finite: bool = True
) -> Iterator[Any]:
    """The entries of a JSON file that is one list, one by one: the whole takes much more memory.

    A fault of the file is found when it is reached, after the entries before it.

    Args:
        path: of the file.
        as_list: gives the list that a value is, or raises; asked where the file may hold no list.
        finite: as for `read_json`.

    Raises:
        InputError: as `read_json`.
        DataError: as `read_json`, or from `as_list`.
    """
    entries_read = 0
    try:
        _check_regular(Path(path), LARGEST, "a JSON file")
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            for entry in _entries(file, finite):
                yield entry
                entries_read += 1
    except (OSError, ValueError, RecursionError):
        # the reader of whole files says exactly what is wrong
        yield from as_list(read_json(path, finite=finite))[entries_read:]


def write_json(path: str | Path, value: object, *, overwrite: bool = False) -> None:
    """Write a value whole or not at all.

    Raises:
        OutputExistsError: `path` is there and `overwrite` is not set.
        OutputError: the disk is full, or the folder is missing or may not be written.
        DataError: `value` holds NaN or an infinity, or is nested too deeply.
    """
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"the value is no JSON ({error})", where=str(path), done="Nothing was written."
        ) from None
    write_whole(path, text.encode("ascii"), overwrite=overwrite)


def read_regular(path: Path, largest: int = LARGEST, what: str = "a JSON file") -> bytes:
    """The content of a regular file; a pipe could wait for ever, a device never end.

    Raises:
        InputError: there is no such regular file, or it cannot be read.
        DataError: it is too large.
    """
    with _input_errors():
        _check_regular(path, largest, what)
        with path.open("rb") as file:
            # no number here: the buffer of `read(n)` has n bytes from the start, however few come
            raw = file.read()
    _check_size(len(raw), largest)
    return raw


def _check_regular(path: Path, largest: int, what: str) -> None:
    # asked before opening: to open a pipe may already wait for ever
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        file_type = "a folder" if stat.S_ISDIR(state.st_mode) else "a pipe, socket or device"
        raise InputError(f"this is {file_type}, not {what}", remedy="Check the path.")
    _check_size(state.st_size, largest)


def _check_size(size: int, largest: int) -> None:
    if size > largest:
        raise DataError(
            f"the file has {size / 2**20:.1f} MB, at most {largest / 2**20:.1f} MB are read; "
            f"it would need about {5 * size / 2**30:.1f} GB of memory",
            remedy="Split it by video.",
        )


@contextmanager
def _input_errors() -> Iterator[None]:
    try:
        yield
    except VisError:
        raise
    except FileNotFoundError:
        raise InputError("there is no such file", remedy="Check the path.") from None
    except ValueError:
        raise InputError("a path cannot contain NUL", remedy="Check the path.") from None
    except OSError as error:
        raise InputError(
            f"the file cannot be read ({error.strerror})", remedy="Check its rights."
        ) from error


def _parse(raw: bytes, finite: bool) -> Any:
    _refuse_foreign(raw)
    text = _decode(raw)
    try:
        constant = _refuse_constant if finite else float
        value = json.loads(text, object_pairs_hook=_object, parse_constant=constant)
        if not _is_finite(value) and finite:
            # only to name the number: asking at each one would cost half as much again
            json.loads(text, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise _broken(text, error, len(raw)) from None
    except RecursionError:
        raise _too_deep() from None
    except DataError as error:
        place = place_of_constant(text) if error.what.endswith(_NO_NUMBER) else ""
        raise (error.at(place) if place else error) from None
    except ValueError:
        # what json leaves to int(), which stops at sys.get_int_max_str_digits()
        raise DataError("a whole number has thousands of digits", remedy=_MAKE_AGAIN) from None
    return value


def _entries(file: TextIO, finite: bool) -> Iterator[Any]:
    """The entries of a list, as long as all is well.

    Raises:
        ValueError: it is not, or this is no list.
    """
    constant = _refuse_constant if finite else float
    decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=constant)
    text = file.read(_CHUNK).lstrip(_BLANKS)
    at, after = 1, text[:1]
    while after in ("[", ","):
        try:
            entry, end = decoder.raw_decode(text, _beyond_blanks(text, at))
            end = _beyond_blanks(text, end)
        except ValueError:
            end = len(text)
        after = text[end : end + 1]
        if after not in ("]", ","):
            # cut by the end of what was read, if there is more: -2 may go on with .5
            more = file.read(max(_CHUNK, len(text) - at))
            if not more:
                break
            text, at, after = text[at:] + more, 0, ","
            continue
        if not _is_finite(entry) and finite:
            raise ValueError("infinite")
        yield entry
        at = end + 1
    if after != "]" or text[at:].strip(_BLANKS) or file.read(1):
        raise ValueError("no list, or something after it")


def _beyond_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at


def _refuse_foreign(raw: bytes) -> None:
    kind = foreign_kind(raw[:200])
    if kind is not None:
        raise DataError(f"this is {kind.what}, not JSON", remedy=kind.remedy)
    if not raw.strip(b"\xef\xbb\xbf \t\r\n"):
        raise DataError("the file is empty", remedy=_MAKE_AGAIN)
    if not raw.strip(b"\0"):
        raise DataError(f"the file is {len(raw)} zero bytes", remedy=_MAKE_AGAIN)


def _decode(raw: bytes) -> str:
    try:
        # with a byte order mark, as editors on Windows write it
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        if error.reason == "unexpected end of data":
            raise _cut(len(raw), line) from None
        raise DataError(
            f"byte {error.start} (line {line}) is not UTF-8", remedy="Save it again as UTF-8."
        ) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Python's reader keeps the last of two equal keys and says nothing
    value = dict(pairs)
    if len(value) < len(pairs):
        duplicate = Counter(key for key, _ in pairs).most_common(1)[0][0]
        which = f" with id {describe(value['id'])}" if "id" in value else ""
        raise DataError(
            f"key {duplicate!r:.80} appears twice in one object{which}",
            remedy="Keep one of the two.",
        )
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise DataError(f"{name} {_NO_NUMBER}", remedy="Write a number, or null.")


def _is_finite(value: object) -> bool:
    """Whether no float is infinite, as 1e400 becomes; refuses what is nested too deeply."""
    nodes: list[Any] = [[value]]
    for _ in range(DEEPEST + 1):
        inner: list[Any] = []
        for child in chain.from_iterable(nodes):
            form = type(child)
            if form is list:
                inner.append(child)
            elif form is dict:
                inner.append(child.values())
            elif form is float and math.isinf(child):
                return False
        nodes = inner
    if nodes:
        raise _too_deep()
    return True


def _finite(literal: str) -> float:
    number = float(literal)
    if math.isinf(number):
        raise DataError(f"the number {literal:.40} is too large", remedy="Write a smaller number.")
    return number


def _broken(text: str, error: json.JSONDecodeError, size: int) -> DataError:
    remaining = text[error.pos :].rstrip()
    if error.msg.startswith("Unterminated string") or _UNFINISHED.fullmatch(remaining):
        return _cut(size, text.count("\n") + 1)
    if error.msg == "Extra data":
        what = "a second value follows the first"
    else:
        what = f"this is not JSON: {error.msg}"
    return DataError(f"{what} at line {error.lineno}, column {error.colno}", remedy=_MAKE_AGAIN)


def _cut(size: int, line: int) -> DataError:
    return DataError(
        f"the file is cut off: it ends inside a value, after {size} bytes (line {line})",
        remedy=_MAKE_AGAIN,
    )


def _too_deep() -> DataError:
    return DataError(f"more than {DEEPEST} lists and objects are nested", remedy=_MAKE_AGAIN)
