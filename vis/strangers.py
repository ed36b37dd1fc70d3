"""What a file is that is not what was asked for: web pages, pointers and archives."""

from __future__ import annotations

from typing import NamedTuple


class Stranger(NamedTuple):
    """A file of another kind."""

    what: str
    """With its article, for the middle of a sentence."""
    remedy: str


_FETCH = "The download went wrong: fetch the file itself"
_PULL = "Fetch the file itself: git lfs pull"
_UNPACK = "Unpack it and give the file inside"
_ADDRESS = "Give the video's own file or address"
_KINDS = (
    (b"version https://git-lfs", Stranger("a Git LFS pointer", _PULL)),
    (b"<", Stranger("an HTML or XML page", _FETCH)),
    (b"pk\x03\x04", Stranger("a zip archive", _UNPACK)),
    (b"\x1f\x8b", Stranger("a gzip archive", _UNPACK)),
    (b"%pdf", Stranger("a PDF document", _FETCH)),
    (b"\x89hdf", Stranger("an HDF5 file", "Convert it first")),
    (b"#extm3u", Stranger("a playlist", _ADDRESS)),
    (b"[playlist]", Stranger("a playlist", _ADDRESS)),
    (b"\xff\xfe", Stranger("text in UTF-16", "Save it again as UTF-8")),
    (b"\xfe\xff", Stranger("text in UTF-16", "Save it again as UTF-8")),
)


def stranger(head: bytes) -> Stranger | None:
    """What a file is by its first bytes (200 suffice), or None if it is none of these kinds."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return next((kind for sign, kind in _KINDS if start.startswith(sign)), None)
