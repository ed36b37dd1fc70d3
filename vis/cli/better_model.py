"""Once, after a run with the model that ships: which better one is a command away."""

from __future__ import annotations

import socket
import sys

from vis.cli.console import say

BETTER = "rfdetr_seg_nano"
MARKER = "better-model-named"
"""A file in the user's folder of weights: the line is said once, not in every run."""


def say_better_model() -> None:
    """Name it, unless no person reads this, it is there, it was named before, or none can fetch it.

    Nothing is asked of the network, as that could wait: a machine that has no interface but its own
    loop has no network, and of all others `vis weights get` tells itself.
    """
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        return
    from vis.weights.catalogue import entry
    from vis.weights.fetch import weights_folder
    from vis.weights.get import place_of

    better, marker = entry(BETTER), weights_folder() / MARKER
    connected = any(not name.startswith("lo") for _, name in socket.if_nameindex())
    if place_of(better).exists() or not connected:
        return
    try:
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch(exist_ok=False)
    except OSError:
        # Said before, or it could not be remembered: a line in every run is worse than none.
        return
    order = f"vis weights get {BETTER}, then vis track --model {BETTER}"
    say(f"A better model ({better.score}) is there for a command: {order}")
