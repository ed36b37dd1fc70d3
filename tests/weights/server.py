"""A server on this machine that behaves as it is told, and counts what it was asked."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Server:
    """What lies at every path, and how it is sent."""

    content: bytes
    status: int = 200
    ranges: bool = True
    breaks_after: int | None = None
    """Bytes of a body after which the connection is closed."""
    redirect: tuple[str, dict[str, str]] | None = None
    """Where to, with further headers; of paths that begin with /moved."""
    stated_length: int | None = None
    address: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and range of each request."""


@contextmanager
def serving(content: bytes) -> Iterator[Server]:
    server = Server(content)
    with listening(lambda request: answer(request, server)) as server.address:
        yield server


@contextmanager
def listening(respond: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Its address; every GET and HEAD goes to `respond` until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            respond(self)

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_address[1]}"
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def answer(request: BaseHTTPRequestHandler, server: Server) -> None:
    stated = request.headers.get("Range", "")
    server.asked.append((request.path, stated))
    if server.redirect and request.path.startswith("/moved"):
        target, headers = server.redirect
        send(request, 302, {"Location": target, "Content-Length": "0"} | headers)
        return
    if server.status != 200:
        send(request, server.status, {"Content-Length": "0"})
        return
    size, begin = len(server.content), 0
    if stated and server.ranges:
        begin = int(stated.removeprefix("bytes=").removesuffix("-"))
        if begin >= size:
            send(request, 416, {"Content-Range": f"bytes */{size}", "Content-Length": "0"})
            return
    body = server.content[begin:]
    length = {"Content-Length": str(server.stated_length or len(body))}
    where = {"Content-Range": f"bytes {begin}-{size - 1}/{size}"} if begin else {}
    send(request, 206 if begin else 200, length | where)
    if server.breaks_after is not None:
        body = body[: server.breaks_after]
    request.wfile.write(body)


def send(request: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.end_headers()
