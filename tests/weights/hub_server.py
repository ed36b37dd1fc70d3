"""A hub on this machine: repositories of a few kB, and what was asked of it."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tests.weights.server import listening, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_secret"


@dataclass
class Hub:
    """One repository, on all of whose revisions the same files lie."""

    name: str
    files: dict[str, bytes]
    revisions: tuple[str, ...] = ("main", "refs/pr/1", COMMIT)
    gated: bool = False
    cut: bool = False
    """Whether bodies of weights end early."""
    address: str = ""
    asked: list[str] = field(default_factory=list)
    """Method and path of each request."""


@contextmanager
def hub(name: str, files: dict[str, bytes]) -> Iterator[Hub]:
    """It serves until the block ends."""
    served = Hub(name, files)

    with listening(lambda request: answer(request, served)) as served.address:
        yield served


def answer(request: BaseHTTPRequestHandler, served: Hub) -> None:
    path = unquote(urlsplit(request.path).path)
    served.asked.append(f"{request.command} {path}")
    api, files = f"/api/models/{served.name}/", f"/{served.name}/resolve/{COMMIT}/"
    if not path.startswith((api, f"/{served.name}/")):
        refuse(request, 404, "RepoNotFound")
    elif served.gated and request.headers.get("Authorization") != f"Bearer {TOKEN}":
        refuse(request, 401, "GatedRepo")
    elif path.startswith(f"{api}revision/"):
        revision = path.removeprefix(f"{api}revision/")
        if revision not in served.revisions:
            refuse(request, 404, "RevisionNotFound")
            return
        siblings = [{"rfilename": file} for file in served.files]
        send_json(request, {"id": served.name, "sha": COMMIT, "siblings": siblings})
    elif path.startswith(f"{api}tree/"):
        send_json(request, [entry(file, body) for file, body in served.files.items()])
    elif path.removeprefix(files) in served.files:
        send_file(request, served, path.removeprefix(files))
    else:
        refuse(request, 404, "EntryNotFound")


def entry(file: str, body: bytes) -> dict[str, Any]:
    return {"type": "file", "path": file, "size": len(body), "oid": digest(body)}


def digest(body: bytes) -> str:
    return hashlib.sha1(body, usedforsecurity=False).hexdigest()


def refuse(request: BaseHTTPRequestHandler, status: int, code: str) -> None:
    send(request, status, {"X-Error-Code": code, "Content-Length": "0"})


def send_json(request: BaseHTTPRequestHandler, content: object) -> None:
    body = json.dumps(content).encode()
    send(request, 200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
    request.wfile.write(body)


def send_file(request: BaseHTTPRequestHandler, served: Hub, file: str) -> None:
    whole = served.files[file]
    begin = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
    body = whole[begin:]
    head = {"ETag": f'"{digest(whole)}"', "X-Repo-Commit": COMMIT, "Content-Length": str(len(body))}
    if begin:
        head["Content-Range"] = f"bytes {begin}-{len(whole) - 1}/{len(whole)}"
    send(request, 206 if begin else 200, head)
    if request.command == "GET":
        cut = served.cut and file.endswith(".safetensors")
        request.wfile.write(body[: 0 if begin else len(body) // 2] if cut else body)
