"""Network streams: read over real connections that break, stall and never come back."""

import http.server
import itertools
import threading
import time
import warnings
from itertools import pairwise
from pathlib import Path

import pytest

from vis.errors import DamageWarning, InputError
from vis.video import LiveSettings, live, open_video

QUICK = LiveSettings(timeout=2.0, reconnects=3, backoff=0.05)


class Broken(http.server.BaseHTTPRequestHandler):
    """Serves one file; the first `breaks` answers stop after part of it."""

    film: Path
    breaks = 0
    stall = False

    def do_GET(self):
        data = self.film.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if type(self).breaks:
            type(self).breaks -= 1
            self.wfile.write(data[: len(data) * 2 // 3])
            self.wfile.flush()
            if self.stall:
                time.sleep(4)
            return
        self.wfile.write(data)

    def log_message(self, *_):
        """Tests stay silent."""


@pytest.fixture
def serve():
    servers = []

    def start(film: Path, *, breaks: int = 0, stall: bool = False) -> str:
        handler = type("Handler", (Broken,), {"film": film, "breaks": breaks, "stall": stall})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/film{film.suffix}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_stream_is_read_like_a_file(serve, films, read_code):
    url = serve(films("h264_variable"))
    with open_video(url, live=QUICK, ahead=64) as reader:
        frames = list(reader)
        assert reader.info.live
    assert [read_code(frame.pixels) for frame in frames] == list(range(60))


@pytest.mark.parametrize("stall", [False, True])
def test_a_broken_stream_of_known_length_goes_on_where_it_stopped(serve, films, read_code, stall):
    url = serve(films("h264_variable"), breaks=3, stall=stall)
    settings = LiveSettings(timeout=0.5, backoff=0.05)
    with open_video(url, live=settings, ahead=64) as reader, warnings.catch_warnings():
        warnings.simplefilter("ignore", DamageWarning)  # only some breaks show as errors
        numbers = [read_code(frame.pixels) for frame in reader]
    assert numbers == list(range(60))


def test_times_go_forward_when_an_endless_stream_starts_anew(serve, films):
    url = serve(films("transport"), breaks=1, stall=True)
    settings = LiveSettings(timeout=0.5, backoff=0.05)
    broke = pytest.warns(DamageWarning, match="the connection broke")
    with open_video(url, live=settings, ahead=64) as reader, broke:
        frames = list(reader)
    assert 90 <= len(frames) <= 110  # two thirds of the film, then all of it
    times = [frame.time for frame in frames]
    assert times == sorted(set(times))
    assert [frame.index for frame in frames] == list(range(len(frames)))
    steps = [later - earlier for earlier, later in pairwise(times)]
    assert set(steps[-59:]) == {steps[0]}  # the second showing keeps its own steps
    assert steps[-60] > steps[0]  # and follows the first after a gap


def test_what_a_connection_holds_back_to_look_at_is_no_gap(serve, films, monkeypatch):
    clock, opened = itertools.count(0.0, 0.25), live.LiveSource._open
    monkeypatch.setattr(live, "monotonic", lambda: next(clock))

    def hold_back(source):
        found = opened(source)
        for _ in range(400):  # 100 seconds, after the first packet was sent
            next(clock)
        return found

    monkeypatch.setattr(live.LiveSource, "_open", hold_back)
    url = serve(films("transport"), breaks=1)
    settings = LiveSettings(timeout=2.0, backoff=0.01)
    with open_video(url, live=settings, ahead=64) as reader, pytest.warns(DamageWarning):
        times = [frame.time for frame in reader]
    steps = [later - earlier for earlier, later in pairwise(times)]
    # 100 seconds by the clock, of which the stream had shown none
    assert steps[-60] == pytest.approx(100.5 - times[-61], abs=0.01)


def test_no_connection_is_an_input_error():
    with pytest.raises(InputError, match="no connection") as caught:
        open_video("http://127.0.0.1:9/film.mp4", live=QUICK)
    assert "127.0.0.1" in str(caught.value)


def test_a_missing_camera_is_an_input_error():
    if Path("/dev/video97").exists():
        pytest.skip("this machine has 98 cameras")
    with pytest.raises(InputError, match="camera 97"):
        open_video(97)


def test_closing_wakes_a_reader_that_waits(serve, films):
    url = serve(films("h264_variable"), breaks=99, stall=True)
    settings = LiveSettings(timeout=1.0, reconnects=10_000, backoff=20.0)
    reader = open_video(url, live=settings, ahead=64)
    next(reader)
    reader.close()  # not after all these pauses of 20 seconds
