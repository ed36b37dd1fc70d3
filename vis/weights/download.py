"""One file over https: it goes on where it broke, is checked, and is whole or not there."""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from http.client import HTTPException, HTTPResponse
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tqdm import tqdm

from vis.errors import DataError, InputError, UsageError, VisError
from vis.storage.append_only_file import write_all
from vis.storage.disk_errors import WHOLE, output_error
from vis.storage.lock import locked
from vis.version import __version__
from vis.weights.digest import BLOCK, Digest, Sums, sums_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from http.client import HTTPMessage
    from pathlib import Path

    from vis.storage.disk_errors import Messages

MAX_BYTES = 8 << 30
WAIT = 30.0
"""Seconds without an answer."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_RESUME_HINT = "What came is kept: the same command goes on from there."
_NO_NETWORK = "Is there a network? Or fetch it by other means and give its path."


def download(
    address: str,
    place: Path,
    *,
    stated: Sequence[Digest] = (),
    unverified: bool = False,
    progress: bool = False,
) -> Sums:
    """Fetch a file; `place` is whole and checked afterwards, or not there.

    Until then it grows in a hidden file beside, from which a later call goes on.

    Args:
        address: over https, or over http from this machine itself.
        place: where it goes; replaced if it is there.
        stated: hashes that it must have. Hugging Face states one while it redirects; it counts too.
        unverified: whether it is taken where nobody states a hash.
        progress: show a bar where standard error is a terminal.

    Raises:
        UsageError: the address is not of https.
        InputError: it cannot be fetched, or nobody states its hash.
        DataError: it has another hash than stated; what came is thrown away.
        OutputError: it cannot be written.
    """
    if not _safe(address):
        raise UsageError("only https is fetched", where=address)
    part = place.with_name(f".{place.name}.part")
    # parts of two versions would make a file that nobody could tell to be wrong
    hint = "" if unverified else _RESUME_HINT
    with _writing(place, hint):
        place.parent.mkdir(parents=True, exist_ok=True)
        # two that fetch the same would write into one another
        with locked(part.with_name(f"{part.name}.lock"), where=place):
            with part.open("a+b", buffering=0) as file:
                digests = [*stated, *_transfer(address, file, hint=hint, progress=progress)]
                sums = sums_of(file)
            try:
                _check(sums, digests, unverified)
            except VisError as error:
                part.unlink()
                raise error.at(address) from None
            part.replace(place)
    return sums


def _check(sums: Sums, digests: Sequence[Digest], unverified: bool) -> None:
    if not digests and not unverified:
        raise InputError("nobody states its hash, so it is not trusted", done="It was thrown away.")
    for digest in digests:
        try:
            sums.check(digest)
        except DataError as error:
            raise DataError(error.what, done="It was thrown away.") from None


@contextmanager
def _writing(place: Path, hint: str) -> Iterator[None]:
    """Errors of the disk as ours; what was fetched stays after an interruption."""
    try:
        yield
    except VisError:
        raise
    except KeyboardInterrupt as stop:
        stop.add_note(hint.removesuffix(".") or "Nothing of it counts")
        raise
    except OSError as error:
        messages: Messages = {
            "full": (WHOLE["full"][0], f"Free some space. {hint}"),
            "other": (WHOLE["other"][0], "Choose another folder by VIS_HOME."),
        }
        raise output_error(error, place, messages) from None


def _transfer(address: str, file: IO[bytes], *, hint: str, progress: bool) -> list[Digest]:
    """Fill `file` with what lies at `address`; the hash that was stated on the way."""
    size = file.seek(0, os.SEEK_END) if hint else 0
    redirects = _Redirects()
    with _reading(address, _NO_NETWORK):
        answer, size = _request(address, size, redirects)
    if answer is not None:
        with closing(answer):
            file.truncate(size)
            _copy(address, answer, file, size, hint=hint, progress=progress)
    os.fsync(file.fileno())
    return redirects.stated


def _copy(
    address: str, answer: HTTPResponse, file: IO[bytes], size: int, *, hint: str, progress: bool
) -> None:
    """Append the answer's body to the `size` bytes that are there."""
    stated = answer.headers.get("Content-Length", "")
    total = size + int(stated) if stated.isdecimal() else None
    _check_size(address, total or 0)
    name, hidden = address.rpartition("/")[2][:40], None if progress else True
    with tqdm(
        total=total, initial=size, desc=name, unit="B", unit_scale=True, disable=hidden
    ) as bar:
        while block := _block(address, answer, hint):
            size += len(block)
            _check_size(address, size)
            write_all(file, block)  # on a full disk, all that fits is kept and in order
            bar.update(len(block))
    if total is not None and size < total:
        what = f"the connection broke after {size / 1e6:.1f} of {total / 1e6:.1f} MB"
        raise InputError(what, where=address, remedy=hint)


def _block(address: str, answer: HTTPResponse, hint: str) -> bytes:
    with _reading(address, hint):
        return answer.read(BLOCK)


def _check_size(address: str, size: int) -> None:
    if size > MAX_BYTES:
        raise InputError(f"it has more than {MAX_BYTES} bytes", where=address)


@contextmanager
def _reading(address: str, remedy: str) -> Iterator[None]:
    """Errors of the network as ours."""
    try:
        yield
    except urllib.error.HTTPError as error:
        what = f"the server answers {error.code} {error.reason}"
        error.close()
        raise InputError(what, where=address, remedy="Has it moved?") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        what = f"it cannot be fetched ({reason})"
        raise InputError(what, where=address, remedy=remedy) from None


def _request(address: str, size: int, redirects: _Redirects) -> tuple[HTTPResponse | None, int]:
    """The answer, None where all is there already, and the place in the file where it begins."""
    head = {"User-Agent": f"vis/{__version__}", "Accept-Encoding": "identity"}
    if size:
        head["Range"] = f"bytes={size}-"
    request = urllib.request.Request(address, headers=head)  # noqa: S310 - `_safe` has seen it
    try:
        answer = _opener(address, redirects).open(request, timeout=WAIT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not size:
            raise
        error.close()
        if error.headers.get("Content-Range", "") == f"bytes */{size}":
            return None, size
        return _request(address, 0, redirects)
    if answer.status != 206 or not size:
        return answer, 0  # it knows no ranges and sends all
    if answer.headers.get("Content-Range", "").startswith(f"bytes {size}-"):
        return answer, size
    answer.close()
    return _request(address, 0, redirects)


def _opener(address: str, redirects: _Redirects) -> Any:
    own = [urllib.request.ProxyHandler({})] if address.startswith("http://") else []
    return urllib.request.build_opener(redirects, *own)


def _safe(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to https alone, and keeps the hash that Hugging Face states while redirecting."""

    def __init__(self) -> None:
        self.stated: list[Digest] = []

    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """Urllib's hook: the request that follows a redirect."""
        if not _safe(newurl) or (newurl.startswith("http://") and req.type == "https"):
            raise urllib.error.URLError(f"it redirects to {newurl[:100]}, which is not https")
        digits = headers.get("X-Linked-ETag", "").strip('"')
        if re.fullmatch(r"[0-9a-f]{64}", digits):
            self.stated = [Digest("sha256", digits)]
        return super().redirect_request(req, fp, code, msg, headers, newurl)
