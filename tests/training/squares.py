"""Squares that move over noise, a small model of clips, and a run of it as a program.

    python squares.py FOLDER STEPS [FIELD=VALUE ...]

prints `ready`, then trains or goes on, and prints a digest of the model at the end.
"""

import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from vis import models
from vis.backbones.twins import TWINS, Size
from vis.records import Clip, ClipTargets
from vis.training import checkpoint
from vis.training.assemble import assemble, network_of
from vis.training.config import Optimisation, Training
from vis.training.loop import CHECKPOINTS, Loop
from vis.training.ranks import ALONE, Ranks, joined
from vis.training.schedules import Schedule

T, SIDE = 2, 32
SMALL = {
    "frames": T, "instance_queries": 3, "d_model": 128, "num_heads": 8,
    "encoder_layers": 1, "decoder_layers": 1, "ffn_dim": 32,
    "backbone": "twins_of_squares",
}  # fmt: skip
FAST = Optimisation(
    lr=1e-3, backbone_lr=1e-3, max_grad_norm=1.0, schedule=Schedule(kind="cosine", warmup=3)
)
TWINS["twins_of_squares"] = Size((16, 32, 32, 64), (1, 2, 2, 4), (1, 1, 1, 2))


@dataclass(frozen=True)
class Batch:
    step: int
    clip: Clip
    targets: list[ClipTargets]
    names: list[str]
    lost: tuple[str, ...] = ()


def sample(rng: np.random.Generator) -> tuple[np.ndarray, ClipTargets]:
    """One clip of two squares, a dark one of class 0 and a bright one of class 1."""
    frames = rng.random((T, 3, SIDE, SIDE), dtype=np.float32) * 0.2 + 0.4
    N = 2
    boxes, masks = np.zeros((N, T, 4), np.float32), np.zeros((N, T, SIDE, SIDE), bool)
    for n in range(N):
        size = int(rng.integers(8, 14))
        x, y = rng.integers(0, SIDE - size - 2, 2)
        for t in range(T):
            masks[n, t, y : y + size, x + t : x + t + size] = True
            boxes[n, t] = np.array([x + t, y, x + t + size, y + size]) / SIDE
            frames[t, :, y : y + size, x + t : x + t + size] = n
    parts = (np.arange(N), boxes, masks, np.ones((N, T), bool))
    return frames, ClipTargets(*(torch.from_numpy(part) for part in parts))


def squares(
    start: int, stop: int, *, size: int = 2, rank: int = 0, world: int = 1, clips: int = 4
) -> Iterator[Batch]:
    """Batches whose every clip is a function of the batch's number and the clip's place in it."""
    for number in range(start, stop):
        places = range(rank * size, (rank + 1) * size)
        chosen = [(number * size * world + place) % clips for place in places]
        made = [sample(np.random.default_rng([7, index])) for index in chosen]
        frames = torch.from_numpy(np.stack([frames for frames, _ in made]))
        clip = Clip(frames, torch.full((size, 2), SIDE))
        yield Batch(number, clip, [t for _, t in made], [f"square {index}" for index in chosen])


def small(**settings) -> models.Model:
    torch.manual_seed(0)
    return models.build("tt_srn", classes=2, **(SMALL | settings))


def loop(
    folder: Path,
    training: Training,
    *,
    model=None,
    feed=squares,
    optimisation: Optimisation = FAST,
    ranks: Ranks = ALONE,
) -> Loop:
    """A run in the folder, from its newest checkpoint or from the start."""
    model = small() if model is None else model
    state = assemble(model, training=training, optimisation=optimisation, ranks=ranks)
    found = checkpoint.newest(folder / CHECKPOINTS)
    if found is not None:
        state.restore(found)
    folder.mkdir(exist_ok=True)
    return Loop(
        state=state,
        network=network_of(state, ranks),
        feed=feed,
        folder=folder,
        training=training,
        optimisation=optimisation,
        ranks=ranks,
    )


def digest(model: torch.nn.Module) -> str:
    numbers = (value.numpy().tobytes() for value in model.state_dict().values())
    return hashlib.sha256(b"".join(numbers)).hexdigest()


def main(folder: Path, steps: int, *fields: str) -> None:
    torch.set_num_threads(1)
    training = Training(steps=steps, save_every=1, keep=9, log_every=1, ema_decay=0.9)
    for name, value in (text.split("=") for text in fields):
        training = replace(training, **{name: type(getattr(training, name))(value)})
    print("ready", flush=True)
    calm = {"dropout": 0.0, "sine_dropout": 0.0} if "PLAIN" in os.environ else {}
    with joined("cpu") as ranks:
        run = loop(
            folder,
            training,
            model=small(**calm),
            feed=lambda a, b: squares(a, b, size=1, rank=ranks.rank, world=ranks.world),
            ranks=ranks,
        )
        run()
        whole = run.state.whole()
        if ranks.first:
            print(digest(run.state.model), digest(whole), flush=True)


if __name__ == "__main__":
    assert os.environ.get("OMP_NUM_THREADS") == "1"
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
