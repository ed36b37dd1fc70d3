"""`vis web`: a page in the browser that tracks what visitors bring."""

from __future__ import annotations

import sys

from vis.cli.arguments import Command
from vis.cli.console import say
from vis.errors import EXIT_OK


def web(
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    models: list[str] | None = None,
    device: str = "auto",
    max_mb: int = 200,
    max_seconds: int = 120,
) -> int:
    """Serve a page on which a browser brings videos and gets them back annotated.

    A video is dropped or recorded by the camera of the browser; model, classes and threshold are
    picked there. The annotated video plays beside the original, a line for each object jumps to
    where it is in sight, and every format of vis track can be downloaded. One job runs at a time,
    the others wait and see their place.

    Each visitor has a private folder, which goes when the page is closed, or after an hour without
    use; nobody gets the files of another. The page loads nothing from elsewhere, and nothing is
    sent anywhere. Ctrl-C ends the server and removes everything.

    Args:
        host: Address to listen at; the usual one is reached from this machine alone. 0.0.0.0 opens
            the page to everybody in the network, without a password and without encryption;
            browsers lend it no camera then.
        port: To listen at; 0 for any that is free.
        models: Weight files, or names of some, to choose from; without it, the one that ships.
        device: auto, cpu, cuda, cuda:1, ...
        max_mb: Megabytes of a video, at most.
        max_seconds: Seconds of a video, at most.
    """
    from vis.web.server import serve
    from vis.web.work import Limits

    limits = Limits(max_mb, max_seconds)

    def ready(address: str) -> None:
        say(f"the page is at {address}; Ctrl-C ends it")
        sys.stdout.flush()

    serve(host=host, port=port, models=models, device=device, limits=limits, ready=ready)
    return EXIT_OK


COMMAND = Command(
    web,
    """
    vis web
    vis web --port 8000 --models mine.safetensors default --max-seconds 30
    vis web --host 0.0.0.0 --max-mb 50
    """,
)
