"""Runs of two processes, one after the other, for a test that kills them once.

    python sharing.py FOLDER

goes on with the run `killed`, to which all parameters are shared, and begins it where it is not
there; then goes on with the runs of `GOING_ON` from what other numbers of processes wrote.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

import squares
import torch

from vis.training.config import Training
from vis.training.ranks import Ranks, joined

STEPS = 3
SHARED = Training(steps=STEPS, save_every=1, keep=9, log_every=1, ema_decay=0.9, parallel="fsdp")
COPIED = replace(SHARED, parallel="ddp")
GOING_ON = {"unbroken": SHARED, "to ddp": COPIED, "from one": SHARED}


def run(folder: Path, training: Training, ranks: Ranks) -> str:
    """Train to the end; two clips a step, however many processes there are."""
    size = 2 // ranks.world
    loop = squares.loop(
        folder,
        training,
        model=squares.small(dropout=0.0, sine_dropout=0.0),
        feed=lambda a, b: squares.squares(a, b, size=size, rank=ranks.rank, world=ranks.world),
        ranks=ranks,
    )
    loop()
    return squares.digest(loop.state.whole())


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with joined("cpu") as ranks:
        for name, training in {"killed": SHARED, **GOING_ON}.items():
            end = run(folder / name, training, ranks)
            if ranks.first:
                print(name, end, flush=True)


if __name__ == "__main__":
    assert os.environ["WORLD_SIZE"] == "2"
    main(Path(sys.argv[1]))
