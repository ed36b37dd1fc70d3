"""`serve`: the page on an address of this machine until somebody ends it; nothing is left."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
import tempfile
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vis.errors import DeviceError, UsageError
from vis.inference.model_classes import load_model
from vis.inference.predictor import device_of
from vis.web.sessions import Sessions
from vis.weights.catalogue import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vis.models import Model
    from vis.web.work import Limits

_ASSETS = Path(__file__).parents[1] / "assets"
_SWEEP = 15.0
"""Seconds from one look for sessions that are over to the next."""


def serve(
    *,
    host: str,
    port: int,
    models: Sequence[str] | None,
    device: str,
    limits: Limits,
    ready: Callable[[str], None],
) -> None:
    """Serve the page until the process is interrupted.

    Args:
        host: address to listen at.
        port: to listen at; 0 for any that is free.
        models: names or files of the models to choose from; None for the one that ships.
        device: that they run on.
        limits: for what visitors bring.
        ready: is given the address of the page, before the first request is taken.

    Raises:
        DeviceError: gradio is not installed, or there is no such device.
        UsageError: the address cannot be had; or a model is not there.
        InputError, DataError: as `load_model`.
    """
    if importlib.util.find_spec("gradio") is None:
        raise DeviceError(
            "gradio is not installed here", remedy="Install it: pip install 'vis-kit[web]'."
        )
    device_of(device)
    with (
        closing(_listen(host, port)) as listener,
        tempfile.TemporaryDirectory(prefix="vis-web-", ignore_cleanup_errors=True) as root,
    ):
        names = models or [DEFAULT]
        by_name = {Path(one).stem: load_model(one) for one in names}
        if len(by_name) < len(names):
            raise UsageError("two models have the same name", remedy="Rename one of the files.")
        bound = listener.getsockname()[1]
        # gradio makes folders for files of its own there, which it never gets
        os.environ["GRADIO_TEMP_DIR"] = str(Path(root) / "gradio")
        with _sessions(Path(root) / "visitors") as sessions:
            app = application(
                sessions, by_name, device=device, limits=limits, cookie=f"vis-{bound}"
            )
            ready(f"http://{f'[{host}]' if ':' in host else host}:{bound}")
            _run(app, listener)


def application(
    sessions: Sessions,
    models: dict[str, Model[Any]],
    *,
    device: str,
    limits: Limits,
    cookie: str,
) -> Any:
    """The ASGI application: gradio's page behind the door."""
    # before the import: gradio reads them once; it calls home otherwise
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import gradio
    from fastapi import FastAPI

    from vis.web.door import Door
    from vis.web.page import Page

    page = Page(sessions, models, device=device, limits=limits, cookie=cookie)
    style, script = ((_ASSETS / name).read_text() for name in ("web.css", "web.js"))
    app = gradio.mount_gradio_app(
        FastAPI(openapi_url=None, docs_url=None, redoc_url=None),
        page.blocks(),
        path="/",
        head=f"<style>{style}</style><script>{script}</script>",
        footer_links=[],
        show_error=False,
        max_file_size=limits.bytes,
        ssr_mode=False,
        theme=gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
    )
    return Door(app, sessions, limits=limits, cookie=cookie)


def _run(app: Any, listener: socket.socket) -> None:
    import uvicorn

    # pages keep a connection open: without a limit the end would wait for the last of them
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, ws="none")
    uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def _sessions(root: Path) -> Iterator[Sessions]:
    """Sessions that are swept now and then, and all end with the block."""
    sessions, over = Sessions(root), threading.Event()

    def sweep() -> None:
        while not over.wait(_SWEEP):
            sessions.sweep()

    thread = threading.Thread(target=sweep, daemon=True)
    thread.start()
    try:
        yield sessions
    finally:
        over.set()
        thread.join()
        sessions.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            # the port of a server that has just ended; on Windows it would share a live one
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # from now on requests wait, so that the address may be told
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise UsageError(
            f"nothing can listen at {host}, port {port} ({error})",
            remedy="Choose another --host or --port; 0 is any free port.",
        ) from None
    return listener
