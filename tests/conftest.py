"""Fixtures that every test may use: real data, and films with their frame number burnt in."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

SHARED = Path(__file__).parent.parent.parent / "shared"
NOT_SHARED = "the folder of real data beside the project is not here"
SLOW = Path(__file__).parent / "slow.txt"
"""Tests that take long, a line each, as scripts/dev/list_slow_tests.py measured them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow: `pytest -m "not slow"` is for while one works."""
    slow = set(SLOW.read_text().split("\n"))
    for item in items:
        # a line names a test, all cases of a test, or a file
        case = item.nodeid
        if {case, case.partition("[")[0], case.partition("::")[0]} & slow:
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say in one line how much was not tested for want of the real data."""
    skipped = terminalreporter.stats.get("skipped", [])
    count = sum(NOT_SHARED in str(report.longrepr) for report in skipped)
    if count:
        terminalreporter.write_line(f"{count} tests were skipped: {NOT_SHARED}")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips and golden numbers beside the project; not redistributable."""
    if not SHARED.is_dir():
        pytest.skip(NOT_SHARED)
    return SHARED


@pytest.fixture(scope="session")
def clips(shared: Path) -> Path:
    """The folder of odd real clips."""
    return shared / "data" / "pack_test" / "clips"


settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

BITS = 8
FRAMES = 60


PATIENCE = 600.0
"""Seconds after which something hangs; no test measures time, this only ends what never would."""


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Processes that are started meanwhile heed SIGINT, and so does this one.

    One that is started in the background may ignore it, which its children would inherit.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def wait_until(condition: Callable[[], object]) -> None:
    """Look until it is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "what was waited for never came"
        time.sleep(0.01)


def meeting_place() -> dict[str, str]:
    """Where the processes of a run find one another: a port that nobody has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}


def coded(number: int, width: int = 160, height: int = 96) -> np.ndarray:
    """A picture whose vertical bands, dark or bright, spell the number; the rest moves."""
    picture = np.full((height, width, 3), 96, np.uint8)
    for bit in range(BITS):
        left, right = width * bit // BITS, width * (bit + 1) // BITS
        picture[: height // 2, left:right] = 220 if number >> bit & 1 else 30
    x = number * 2 % (width - 8)
    picture[height // 2 + 8 : height // 2 + 24, x : x + 8] = (230, 60, 40)
    return picture


def code_of(picture: np.ndarray) -> int:
    """The number that `coded` burnt in."""
    height, width = picture.shape[:2]
    number = 0
    for bit in range(BITS):
        middle = int(width * (bit + 0.5) / BITS)
        patch = picture[height // 8 : height * 3 // 8, middle - 3 : middle + 3]
        number |= int(patch.mean() > 125) << bit
    return number


@dataclass(frozen=True)
class Kind:
    """How to make a film."""

    suffix: str
    codec: str
    pixel_format: str = "yuv420p"
    options: dict[str, str] = field(default_factory=dict)
    size: tuple[int, int] = (160, 96)
    stamp: Callable[[int], int] = lambda number: number
    tick: Fraction = Fraction(1, 25)


def uneven(number: int) -> int:
    """Milliseconds of a variable rate: steps of 20 to 90."""
    return number * 40 + (number * number * 7) % 37


KINDS = {
    "h264": Kind(".mp4", "libx264", options={"g": "12", "bf": "2"}),
    "h264_one_group": Kind(".mp4", "libx264", options={"g": "250", "bf": "3"}),
    "h264_open_groups": Kind(
        ".mp4", "libx264", options={"x264-params": "open-gop=1:keyint=12:bframes=3:b-adapt=0"}
    ),
    "h264_2997": Kind(
        ".mp4", "libx264", stamp=lambda n: n * 1001, tick=Fraction(1, 30000), options={"g": "10"}
    ),
    "h264_variable": Kind(
        ".mkv", "libx264", stamp=uneven, tick=Fraction(1, 1000), options={"g": "15"}
    ),
    "h264_late": Kind(".mp4", "libx264", stamp=lambda n: n + 125),
    "h264_444_odd": Kind(".mp4", "libx264", "yuv444p", size=(161, 97), options={"g": "12"}),
    "h264_10bit": Kind(".mp4", "libx264", "yuv420p10le", options={"g": "12"}),
    "hevc": Kind(".mp4", "libx265", options={"x265-params": "keyint=12:open-gop=0:log-level=none"}),
    "hevc_10bit": Kind(
        ".mkv", "libx265", "yuv420p10le", {"x265-params": "keyint=12:open-gop=1:log-level=none"},
        tick=Fraction(1, 1000), stamp=lambda n: n * 40,
    ),
    "transport": Kind(".ts", "libx264", options={"g": "12"}),
    "transport_open": Kind(
        ".ts", "libx264", options={"x264-params": "open-gop=1:keyint=12:bframes=3:b-adapt=0"}
    ),
    "transport_mpeg2": Kind(".ts", "mpeg2video", options={"g": "12", "bf": "2"}),
    "av1": Kind(
        ".mkv", "libsvtav1", options={"preset": "12", "svtav1-params": "keyint=16", "crf": "20"},
        tick=Fraction(1, 1000), stamp=lambda n: n * 40,
    ),
    "vp9": Kind(
        ".webm", "libvpx-vp9", options={"g": "16", "deadline": "realtime", "cpu-used": "8"},
        tick=Fraction(1, 1000), stamp=lambda n: n * 40,
    ),
    "vp8_hidden": Kind(
        ".webm", "libvpx", options={"g": "16", "auto-alt-ref": "1", "lag-in-frames": "16"},
        tick=Fraction(1, 1000), stamp=lambda n: n * 40,
    ),
    "mpeg4": Kind(".mp4", "mpeg4", options={"g": "12", "bf": "2"}),
    "mpeg4_avi": Kind(".avi", "mpeg4", options={"g": "12", "bf": "2"}),
    "mjpeg_avi": Kind(".avi", "mjpeg", "yuvj420p"),
    "gif": Kind(".gif", "gif", "rgb8", tick=Fraction(1, 100), stamp=lambda n: n * 4),
    "prores": Kind(".mov", "prores_ks", "yuv422p10le"),
    "raw_h264": Kind(".h264", "libx264", options={"g": "12"}),
    "one_frame": Kind(".mp4", "libx264"),
}  # fmt: skip


@contextmanager
def usual_priority() -> Iterator[None]:
    """Whatever the block does, this thread is scheduled as before afterwards.

    SVT-AV1 turns the thread that opens it into a real-time one where it may, as for root: it, and
    all that it starts, would take the processor from everybody else, and who spins, for ever.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)


def write_film(path: Path, kind: Kind, frames: int = FRAMES) -> None:
    with usual_priority(), av.open(str(path), "w") as out:
        stream = out.add_stream(kind.codec, rate=25, options=dict(kind.options))
        stream.width, stream.height = kind.size
        stream.pix_fmt = kind.pixel_format
        stream.time_base = stream.codec_context.time_base = kind.tick
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(coded(number, *kind.size), format="rgb24")
            frame.pts, frame.time_base = kind.stamp(number), kind.tick
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`films(kind)` is the path of a film, made when first asked for."""
    folder = tmp_path_factory.mktemp("films")

    def film(name: str) -> Path:
        kind = KINDS[name]
        path = folder / f"{name}{kind.suffix}"
        if not path.exists():
            write_film(path, kind, 1 if name == "one_frame" else FRAMES)
        return path

    return film


@pytest.fixture(scope="session")
def kinds() -> dict[str, Kind]:
    return KINDS


@pytest.fixture(scope="session")
def read_code() -> Callable[[np.ndarray], int]:
    return code_of


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """The path of a small TT-SRN's weight file, with weights of chance."""
    import torch

    from vis import models
    from vis.weights import save_model

    torch.manual_seed(3)
    small = {
        "d_model": 128,
        "num_heads": 8,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "ffn_dim": 64,
    }
    model = models.build(
        "tt_srn", classes=3, backbone="resnet18", frames=4, instance_queries=4, **small
    )
    model.class_names = ("cat", "dog", "person")
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_model(path, model)
    return path
