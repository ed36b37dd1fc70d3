"""Random damage to a file: to its values where it is JSON, to words where it is text, to bytes."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 255, 256, 65_536, 10**9, 2**31, 2**63, 2**64, 10**400, 1e308),
    *(0.5, -0.0, 1e-320, float("nan"), float("inf"), "", "0", "nan", "1e999", "\0", "é", "\ud800"),
    *("../../../out.jpg", "/etc/passwd", "C:\\x", "..", ".", "a/../../b", "~", "x" * 70_000),
    *([], {}, [[]], [None], [0] * 1000, [{}], {"": 0}, {"id": 1}, {"size": [60_000, 60_000]}),
    *({"size": [2**31, 2**31], "counts": "0"}, {"size": [1, 1], "counts": [0] * 5000}),
    *([[1e9, 1e9, -1e9, 1e9, 0, 0]], [[float("nan")] * 6], [1, 2, 3, 4], "99999999999999999999"),
)


def damaged(content: bytes, rng: random.Random) -> bytes:
    """A file with one to eight injuries, of its values where it is text, of its bytes else."""
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        if content.lstrip()[:1] in (b"{", b"[") and rng.random() < 0.8:
            content = _value_changed(content, rng)
        elif content.lstrip()[:1] == b"<" or (content.isascii() and rng.random() < 0.7):
            content = _word_changed(content, rng)
        else:
            content = _bytes_changed(content, rng)
    return content


def _value_changed(content: bytes, rng: random.Random) -> bytes:
    try:
        root = [json.loads(content)]
    except (ValueError, RecursionError):
        return _bytes_changed(content, rng)
    places = list(_places(root))
    parent, key = rng.choice(places)
    other, other_key = rng.choice(places)
    match rng.randrange(6):
        case 0 if isinstance(parent, dict):
            del parent[key]
        case 1 if isinstance(parent, list):
            parent.append(json.loads(json.dumps(parent[key])))
        case 2:
            parent[key] = json.loads(json.dumps(other[other_key]))
        case 3 if isinstance(parent[key], int | float):
            with suppress(OverflowError):  # half more than a number that no float holds
                parent[key] += rng.choice((-1, 1, 0.5, 10**6, -(10**12)))
        case 4 if isinstance(parent[key], str) and parent[key]:
            at = rng.randrange(len(parent[key]))
            parent[key] = parent[key][:at] + rng.choice(("", "0", "P", "\n", "/", "\u2028"))
        case _:
            parent[key] = rng.choice(HOSTILE)
    return json.dumps(root[0]).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every list or object with every index or key of it."""
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], list | dict):
            yield from _places(value[key])


def _word_changed(content: bytes, rng: random.Random) -> bytes:
    words = list(re.finditer(rb"[\w.+-]+", content))
    if not words:
        return content + b"\0"
    at = rng.choice(words)
    if rng.random() < 0.2:
        new = rng.choice(words).group()
    else:
        new = str(rng.choice(HOSTILE)).encode("utf-8", "surrogatepass")
    if rng.random() < 0.1:
        new = b"".join((at.group(), rng.choice((b"", b" ", b">", b"</", b'"', b": ")))) * 2
    return content[: at.start()] + new + content[at.end() :]


def _bytes_changed(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content or b"\0")
    at, size = rng.randrange(len(data)), rng.choice((1, 2, 8, 64))
    match rng.randrange(7):
        case 0:
            data[at] ^= 1 << rng.randrange(8)
        case 1:
            data[at : at + size] = rng.randbytes(size)
        case 2:
            del data[at : at + size]
        case 3:
            data[at:at] = data[at : at + size] * rng.choice((1, 1, 50))
        case 4:
            data[at : at + size] = bytes(size)
        case 5:
            data[at : at + size] = b"\xff" * size
        case _:
            del data[at:]
    return bytes(data)
