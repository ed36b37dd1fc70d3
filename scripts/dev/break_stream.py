#!/usr/bin/env python3
"""Read a stream over a connection that is lost again and again; say what became of the times.

    python scripts/dev/break_stream.py rtsp://127.0.0.1:8554/film.mp4 --breaks 100 --seed 0

The stream is that of a real server which sends without end, in real time, over TCP and each time
from a key frame on, such as the one of aio-rtsp-toolkit. A relay in front of it cuts the connection
at moments of chance, refuses new ones for a while, or sends nothing more, and notes when the first
pictures of each connection pass. Frames must go on after each gap with increasing times, which say
when they were sent; at the end the relay stays closed, and reading must end by itself with what
came. Exits 1 where it does not.
"""

from __future__ import annotations

import argparse
import json
import random
import select
import socket
import sys
import threading
import time
import warnings
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vis.errors import DamageWarning
from vis.video import LiveSettings, open_video

if TYPE_CHECKING:
    from vis.records import Frame

PATIENCE = LiveSettings(timeout=3.0, reconnects=6, backoff=0.1)
TOLERANCE = 0.5
"""Seconds between the first time after a gap and when it was sent: a busy machine connects late."""


class Relay:
    """Connections to the server pass through; `state` is open, closed or silent."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.server, self.state, self.pairs = server, "open", 0
        self.sent: list[float] = []
        """When the first pictures of each connection passed."""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self.listener.accept()
            if self.state != "open":
                client.close()
                continue
            self.pairs += 1
            threading.Thread(target=self._relay, args=(client, self.pairs), daemon=True).start()

    def _relay(self, client: socket.socket, number: int) -> None:
        with client, socket.create_connection(self.server) as server, suppress(OSError):
            others, began, mute = {client: server, server: client}, False, False
            while number == self.pairs and self.state != "closed":
                for one in select.select([*others], [], [], 0.02)[0]:
                    content = one.recv(65_536)
                    if not content:
                        return
                    if not began and one is server and b"$\0" in content:  # RFC 2326, 10.12
                        began = True
                        self.sent.append(time.monotonic())
                    mute |= self.state == "silent"
                    if not mute:
                        others[one].sendall(content)


class Seen:
    """The frames so far, and which of them are the first ones of a connection."""

    def __init__(self) -> None:
        self.times: list[Fraction] = []
        self.firsts: list[int] = []

    def add(self, frame: Frame, step: Fraction, last: Frame | None) -> None:
        """Note a frame; a busy machine may have left some out between it and the last."""
        if last is None or frame.time - last.time > (frame.index - last.index + 2) * step:
            self.firsts.append(len(self.times))
        self.times.append(frame.time)


def break_it(relay: Relay, breaks: int, rng: random.Random, seen: Seen) -> None:
    """Cut the connection so many times, each after some frames; at last for good."""
    for number in range(breaks + 1):
        frames = rng.randrange(5, 30)
        while len(seen.firsts) <= number or len(seen.times) < seen.firsts[number] + frames:
            time.sleep(0.005)
        silent = rng.random() < 0.1
        relay.state = "closed" if number == breaks or not silent else "silent"
        if number < breaks:
            time.sleep(PATIENCE.timeout + 0.5 if silent else rng.uniform(0.05, 1.0))
            relay.state = "open"


def main() -> int:
    """Read, break, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--breaks", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    parts = urlsplit(options.url)
    relay, seen = Relay((parts.hostname or "127.0.0.1", parts.port or 554)), Seen()
    rng = random.Random(options.seed)  # noqa: S311 - not a secret
    arguments = (relay, options.breaks, rng, seen)
    threading.Thread(target=break_it, args=arguments, daemon=True).start()
    url = f"rtsp://127.0.0.1:{relay.port}{parts.path}"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with open_video(url, live=PATIENCE) as reader:
            last = None
            for frame in reader:
                seen.add(frame, 1 / (reader.info.frame_rate or Fraction(25)), last)
                last = frame
            problems = [problem.what for problem in reader.report.problems]
    firsts = [float(seen.times[place] - seen.times[0]) for place in seen.firsts]
    sent = [when - relay.sent[0] for when in relay.sent]
    errors = [ours - clock for ours, clock in zip(firsts, sent, strict=False)]
    result = {
        "frames": len(seen.times),
        "connections": len(sent),
        "gaps": len(firsts) - 1,
        "gaps that are told": sum("connection" in what for what in problems),
        "gone at the end": problems[-1:] == [p for p in problems if p.startswith("gone")],
        "warnings": sum(issubclass(one.category, DamageWarning) for one in caught),
        "times that do not go forward": sum(b <= a for a, b in pairwise(seen.times)),
        "times after a gap wrong by more than 0.5 s": sum(abs(e) > TOLERANCE for e in errors),
        "mean error": round(sum(errors) / len(errors), 3),
        "largest error": round(max(map(abs, errors)), 3),
        "error after the last gap": round(errors[-1], 3),
        "seconds in all": round(sent[-1], 1),
    }
    print(json.dumps(result, indent=1))
    right = (
        len(firsts) == len(sent) == options.breaks + 1
        and result["gaps that are told"] == options.breaks + 1
        and result["gone at the end"]
        and result["warnings"]
        and not result["times that do not go forward"]
        and not result["times after a gap wrong by more than 0.5 s"]
    )
    return int(not right)


if __name__ == "__main__":
    sys.exit(main())
