"""Fit an ISTR's mask codes to a data set: `fit_mask_codes.py CONFIG.yaml START.safetensors`.

Writes a model to begin with (`model.init_from` of the YAML): fresh, or with the weights that the
YAML starts from, but its codes are those of the masks of `data.sources`, each cut out by its box.
`pca` is fitted in closed form in one pass; `ae` learns for some rounds, as published: Adam, dice
alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from vis import models
from vis.datasets.open import open_dataset
from vis.errors import UsageError, VisError
from vis.formats.opening import open_set
from vis.layers.learned_codes import LearnedCodes
from vis.layers.mask_codes import PrincipalCodes
from vis.losses.code_loss import dice
from vis.ops.crops import cut_out
from vis.ops.rle import decode_box
from vis.training.experiment import read_experiment
from vis.weights import initialise, save_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vis.records import RLE
    from vis.training.experiment import Experiment

RATE, DROPS, DROP = 1e-3, (1 / 3, 2 / 3), 0.1
"""Of learned codes: the rate falls to a tenth after a third of the rounds, and after two."""


def main() -> int:
    """Fit, say how well, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("config", type=Path, metavar="CONFIG.yaml")
    parser.add_argument("output", type=Path, metavar="START.safetensors")
    parser.add_argument("--masks", type=int, help="fit to so many, drawn at random; all by default")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=30, help="over all masks, of learned codes")
    parser.add_argument("--device", default="cpu", help="pca of 112 x 112 cells wants 4 GB of it")
    options = parser.parse_args()
    try:
        fitted(options)
    except VisError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def fitted(options: argparse.Namespace) -> None:
    """Read, fit, save.

    Raises:
        UsageError: the model has no codes that could be fitted.
    """
    experiment = read_experiment(options.config)
    torch.manual_seed(experiment.training.seed)
    names = open_dataset(experiment.data).names
    model = models.build(experiment.model.name, classes=len(names), **experiment.model.settings)
    model.class_names = names
    if experiment.model.init_from is not None:
        print(initialise(model, experiment.model.init_from, download=True))
    codec = getattr(model, "codec", None)
    masks = drawn(experiment, options.masks)
    if isinstance(codec, PrincipalCodes):
        codec.to(options.device)
        share = codec.fit(tqdm(batches(masks, codec.side, options), "masks", disable=None))
        print(f"{len(masks)} masks: {codec.length} numbers keep {share:.3f} of the variance")
    elif isinstance(codec, LearnedCodes):
        learn(codec.to(options.device), masks, options)
    else:
        raise UsageError("this model has no codes to be fitted", remedy="Set codec to pca or ae.")
    save_model(options.output, model.cpu())


def drawn(experiment: Experiment, most: int | None) -> list[RLE]:
    """All masks of the data set but crowds, in random order; at most so many."""
    found = [
        mask
        for part in experiment.data.sources
        for tracks in open_set(part.path, part.frames).annotations.tracks.values()
        for track in tracks
        if not track.crowd
        for mask in track.masks.values()
    ]
    order = np.random.default_rng(experiment.training.seed).permutation(len(found))
    return [found[i] for i in order[:most]]


def batches(masks: Sequence[RLE], side: int, options: argparse.Namespace) -> Iterator[Tensor]:
    """`[N m m]` bool on the device."""
    for first in range(0, len(masks), options.batch):
        made = [cropped(mask, side) for mask in masks[first : first + options.batch]]
        yield torch.cat([one for one in made if one.any()]).to(options.device)


def cropped(mask: RLE, side: int) -> Tensor:
    """`[1 m m]` bool: what its tight box shows, as ISTR's targets are cut out."""
    part, _ = decode_box(mask)
    # a margin: at the border, cells see what is outside
    page = torch.from_numpy(np.pad(part, 1))
    height, width = page.shape
    box = torch.tensor([1 / width, 1 / height, 1 - 1 / width, 1 - 1 / height])
    return cut_out(page[None], torch.zeros(1), box[None], side)


def learn(codec: LearnedCodes, masks: Sequence[RLE], options: argparse.Namespace) -> None:
    """Encoder and decoder together, without the maps that the decoder sees later."""
    codec.requires_grad_(True)
    optimiser = torch.optim.Adam(codec.parameters(), lr=RATE)
    steps = [round(share * options.rounds) for share in DROPS]
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, steps, DROP)
    for number in range(options.rounds):
        codec.train()
        codec.encoder.train()
        losses = []
        for batch in tqdm(batches(masks, codec.side, options), f"round {number}", disable=None):
            loss = dice(codec.decode(codec.encode(batch), None), batch).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        schedule.step()
        print(f"round {number}: dice loss {np.mean(losses):.4f}", flush=True)
    codec.encoder.requires_grad_(False)
    codec.eval()


if __name__ == "__main__":
    sys.exit(main())
