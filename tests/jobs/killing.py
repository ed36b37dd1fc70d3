"""Runs that are killed at random moments and gone on with; a process of its own, that forks.

Usage: killing.py FILM FOLDER KILLS SEED [online]
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from tests.inference.knowing import Knowing
from tests.inference.test_online import OPTIONS, tiny
from vis.inference.options import TrackOptions
from vis.jobs.job import RunOptions
from vis.jobs.many import plan_jobs, track_all

ONLINE = "online" in sys.argv[5:]
"""Whether the model goes on from frame to frame."""
SAVE = ("video", "json", "jsonl", "coco", "mots", "davis", "csv", "frames")


def run(film: Path, folder: Path, *, resume: bool) -> None:
    """One run to its end, in this process."""
    wanted = plan_jobs([str(film)], folder, SAVE)
    run_options = RunOptions(device="cpu", resume=resume, checkpoint=2)
    model, options = Knowing(6), TrackOptions(size=96)
    if ONLINE:
        model, options = tiny(), TrackOptions(cuts=False, **OPTIONS)
    for job_result in track_all(wanted, model, options=options, run_options=run_options):
        if job_result.error is not None:
            raise job_result.error


def begun(film: Path, folder: Path, *, resume: bool) -> int:
    """The number of a process that does it."""
    child = os.fork()
    if child:
        return child
    try:
        run(film, folder, resume=resume)
    except BaseException as error:  # noqa: BLE001 - told by the exit code
        sys.stderr.write(f"{folder.name}: {error!r}\n")
        os._exit(1)
    os._exit(0)


def main(film: Path, folder: Path, kills: int, seed: int) -> None:
    torch.set_num_threads(1)
    draw = random.Random(seed)
    began = time.monotonic()
    assert os.waitpid(begun(film, folder / "whole", resume=False), 0)[1] == 0
    length = time.monotonic() - began
    for number in range(kills):
        out, tries = folder / f"killed-{number}", 1 + number % 3
        for _ in range(tries):
            child = begun(film, out, resume=True)
            time.sleep(draw.uniform(0.0, length))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        states = sorted((out / ".film.part").glob("state-*.json"))
        pieces = len(list((out / ".film.part").glob("film-*")))
        assert os.waitpid(begun(film, out, resume=True), 0)[1] == 0, out
        print(f"{out.name}: {tries} kills, {len(states)} states, {pieces} pieces")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
