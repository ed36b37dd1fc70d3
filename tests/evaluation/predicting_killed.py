"""A process that predicts a split and is killed on the way; torchrun may start several of it.

Usage: predicting_killed.py SPLIT OUTPUT RANK VIDEO: RANK is killed at its VIDEO-th video, from 1;
with 0 nobody is.
"""

import os
import signal
import sys

from tests.inference.knowing import HEIGHT, Knowing
from vis.evaluation import prediction_file
from vis.evaluation.distributed import launched

predict_video = prediction_file.predict_video


def main(split: str, output: str, rank: int, last: int) -> None:
    videos = 0

    def predict_or_die(*arguments, **settings):
        nonlocal videos
        videos += 1
        if videos == last and int(os.environ.get("RANK", "0")) == rank:
            os.kill(os.getpid(), signal.SIGKILL)
        return predict_video(*arguments, **settings)

    prediction_file.predict_video = predict_or_die
    with launched() as processes:
        summary = prediction_file.predict_file(
            Knowing(6), split, output, resume=True, distributed=processes,
            device="cpu", size=HEIGHT,
        )  # fmt: skip
        if processes.is_first:
            print("resumed", summary.resumed)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
