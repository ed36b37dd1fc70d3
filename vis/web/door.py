"""What stands before gradio: visitors are known by a cookie, and get their own files alone."""

from __future__ import annotations

import json
import re
import shutil
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response

from vis.jobs.sources import VIDEO_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from vis.web.sessions import Session, Sessions
    from vis.web.work import Limits

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

# what the page asks gradio for; its other roads (proxy=, deep links, API, monitoring) stay shut
_GRADIO = re.compile(
    r"/(config|theme\.css|favicon\.ico|manifest\.json|(assets|static|svelte)/.*"
    r"|gradio_api/(startup-events|cancel|reset|queue/data))?"
)
_FILE = re.compile(r"/(?:file/|gradio_api/file=)([\w-]+)")
_UPLOAD, _JOIN = "/gradio_api/upload", "/gradio_api/queue/join"
_FORM = 1 << 16
"""Bytes around a file in an upload, and of any other request."""
# no font, script or picture from elsewhere, whatever a version of gradio puts into its page
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:;"
    " connect-src 'self' blob: data:; worker-src 'self' blob:; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:;"
    " frame-ancestors 'self'; form-action 'self'; base-uri 'self'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class Door:
    """The ASGI application around gradio's.

    Args:
        app: gradio's.
        sessions: of the visitors.
        limits: for what visitors bring.
        cookie: name of the cookie that has the secret of a session.
    """

    def __init__(self, app: Any, sessions: Sessions, *, limits: Limits, cookie: str) -> None:
        self._app, self._sessions, self._limits = app, sessions, limits
        self._cookie = cookie

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            try:
                await self._serve(scope, receive, send)
            except ClientDisconnect:
                pass  # who has left needs no response
            except HTTPException as refusal:
                response = PlainTextResponse(refusal.detail, refusal.status_code)
                await response(scope, receive, send)

    async def _serve(self, scope: Any, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path, secret = scope["path"], _secret(request, self._cookie)
        session = self._sessions.find(secret)
        file = _FILE.fullmatch(path)
        is_new = session is None and path == "/"
        if is_new:
            secret = self._sessions.begin()
        elif session is None and (file or path in (_UPLOAD, _JOIN)):
            raise HTTPException(403, "This page was left for too long. Load it again.")
        send = _with_headers(send, f"{self._cookie}={secret}" if is_new else None)
        if path == _UPLOAD and session is not None:
            response = await self._upload(scope, receive, session)
            await response(scope, receive, send)
        elif file is not None and session is not None:
            await _file(session, file[1])(scope, receive, send)
        elif path == _JOIN:
            await self._app(scope, _replay(await _plain_body(scope, receive)), send)
        elif path == f"{_UPLOAD}_progress":
            # the browser shows that it uploads; an empty stream is the end of the matter
            await Response(media_type="text/event-stream")(scope, receive, send)
        elif path.startswith("/gradio_api/heartbeat/") and session is not None:
            with self._sessions.page(session):
                await self._app(scope, receive, send)
        elif _GRADIO.fullmatch(path):
            await self._app(scope, receive, send)
        else:
            raise HTTPException(404, "There is nothing here.")

    async def _upload(self, scope: Any, receive: Receive, session: Session) -> Response:
        """Take the one file of a form; its name and its kind are the visitor's words alone."""
        most = self._limits.bytes
        too_large = f"The file is larger than {self._limits.megabytes} MB. Cut it, or shrink it."
        limited = _limited(receive, most + _FORM, too_large)
        async with Request(scope, limited).form(max_files=1, max_fields=1) as form:
            file = form.get("files")
            if file is None or isinstance(file, str):
                raise HTTPException(400, "There is no file in this form.")
            if (file.size or 0) > most:
                raise HTTPException(413, too_large)
            name = Path(file.filename or "video").name
            ending = Path(name).suffix.lower()
            if session.is_busy:
                raise HTTPException(409, "Your job still runs. Cancel it first.")
            await run_in_threadpool(session.drop, "uploads")
            path = session.new_folder("uploads") / "video"
            # an ending that we know tells formats apart which begin alike
            path = path.with_suffix(ending if ending in VIDEO_SUFFIXES else "")
            await run_in_threadpool(_copy, file.file, path)
        return JSONResponse([session.store(path, name)])


def _secret(request: Request, name: str) -> str | None:
    try:
        morsel = SimpleCookie(request.headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return None if morsel is None else morsel.value


def _file(session: Session, key: str) -> Response:
    stored = session.files.get(key)
    if stored is None or not stored.path.is_file():
        raise HTTPException(404, "This file is not here any more. Track the video again.")
    headers = {"cache-control": "private, no-store"}
    if stored.name and not stored.path.is_relative_to(session.folder / "uploads"):
        return FileResponse(stored.path, headers=headers, filename=stored.name)
    return FileResponse(stored.path, headers=headers)


def _copy(source: Any, path: Path) -> None:
    with path.open("xb") as target:
        shutil.copyfileobj(source, target, 1 << 20)


def _limited(receive: Receive, most: int, refusal: str) -> Receive:
    """The same, until more bytes come than may."""
    count = 0

    async def limited() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        if count > most:
            raise HTTPException(413, refusal)
        return message

    return limited


async def _plain_body(scope: Any, receive: Receive) -> bytes:
    """The body of an event, which holds no file: gradio would fetch what such a record names."""
    body: bytes = await Request(scope, _limited(receive, _FORM, "The request is too large.")).body()
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict) or not _is_plain(event.get("data")):
        raise HTTPException(400, "This is no event of the page.")
    return body


def _is_plain(data: object) -> bool:
    """Whether it is a list of texts, numbers, and lists of these."""
    if not isinstance(data, list):
        return False
    parts = [part for one in data for part in (one if isinstance(one, list) else [one])]
    return not any(isinstance(part, dict | list) for part in parts)


def _replay(body: bytes) -> Receive:
    """The body once more."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _with_headers(send: Send, cookie: str | None) -> Send:
    # Lax: a link from elsewhere opens the page of the same visitor
    extra = [(b"set-cookie", f"{cookie}; Path=/; HttpOnly; SameSite=Lax".encode())]

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", []), *_HEADERS, *(extra if cookie else [])]
            message = {**message, "headers": headers}
        await send(message)

    return sent
