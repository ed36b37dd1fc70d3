"""What a file is that is not what was asked for: web pages, pointers and archives."""

from __future__ import annotations

from typing import NamedTuple


class FileKind(NamedTuple):
    """A kind of file that is none of ours."""

    what: str
    """With its article, for the middle of a sentence."""
    remedy: str


_FETCH = "The download went wrong: fetch the file itself"
_PULL = "Fetch the file itself: git lfs pull"
_UNPACK = "Unpack it and give the file inside"
_ADDRESS = "Give the video's own file or address"
_SIGNATURES = (
    (b"version https://git-lfs", FileKind("a Git LFS pointer", _PULL)),
    (b"<", FileKind("an HTML or XML page", _FETCH)),
    (b"pk\x03\x04", FileKind("a zip archive", _UNPACK)),
    (b"\x1f\x8b", FileKind("a gzip archive", _UNPACK)),
    (b"%pdf", FileKind("a PDF document", _FETCH)),
    (b"\x89hdf", FileKind("an HDF5 file", "Convert it first")),
    (b"#extm3u", FileKind("a playlist", _ADDRESS)),
    (b"[playlist]", FileKind("a playlist", _ADDRESS)),
    (b"\xff\xfe", FileKind("text in UTF-16", "Save it again as UTF-8")),
    (b"\xfe\xff", FileKind("text in UTF-16", "Save it again as UTF-8")),
)


def foreign_kind(head: bytes) -> FileKind | None:
    """What a file is by its first bytes (200 suffice), or None if it is none of these kinds."""
    # a page of HTML may begin with a byte order mark and blanks, and in capitals
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return next((kind for signature, kind in _SIGNATURES if start.startswith(signature)), None)
