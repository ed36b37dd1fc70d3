"""A running server of the page, and a browser before it, where this machine has both."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PATIENCE, heeding_interrupts
from vis.video import VideoWriter, open_video

ROOT = Path(__file__).parent.parent.parent
CHROMIUM = shutil.which("chromium")
FRAMES = 24


@dataclass(frozen=True)
class Server:
    address: str
    folder: Path
    """Where it keeps what visitors bring."""
    process: subprocess.Popen[str]

    def files(self) -> list[Path]:
        # unlike rglob, walk bears with folders that go meanwhile
        return [Path(place, name) for place, _, names in os.walk(self.folder) for name in names]


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The beginning of the sample."""
    return beginning(tmp_path_factory.mktemp("film") / "holiday.mp4", FRAMES)


@pytest.fixture(scope="session")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Work for so long that another visitor waits."""
    return beginning(tmp_path_factory.mktemp("film") / "long.mp4", 4 * FRAMES)


def beginning(path: Path, frames: int) -> Path:
    with (
        open_video(ROOT / "data" / "sample" / "clip.mp4") as reader,
        VideoWriter(path, info=reader.info) as writer,
    ):
        for frame in islice(reader, frames):
            writer.write(frame)
    return path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`vis web` at a free port; afterwards it has ended by Ctrl-C and left nothing."""
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("gradio is not installed here")
    folder = tmp_path_factory.mktemp("server")
    command = [sys.executable, "-m", "vis", "web", "--port", "0", "--device", "cpu"]
    with heeding_interrupts():
        process = subprocess.Popen(
            [*command, "--max-mb", "2", "--max-seconds", "5"],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": str(folder), "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("the page is at http://127.0.0.1:"), line
        yield Server(line.split()[4].rstrip(";"), folder, process)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        # torch makes a folder of its own
        assert not [one for one in folder.iterdir() if not one.name.startswith("torch")]
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium without a window."""
    if importlib.util.find_spec("playwright") is None or CHROMIUM is None:
        pytest.skip("there is no chromium with playwright here")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # a container's root has no sandbox of its own
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()
