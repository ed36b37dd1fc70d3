"""One step of an ISTR whose batch norms average; each process has a picture of its own.

    python norms.py ddp|fsdp

prints the digest of the averages that each process has after the step, and how far they are from
the mean of what each would have alone.
"""

import sys

import torch
from torch import distributed, nn

from vis import models
from vis.records import Clip, ClipTargets
from vis.training.assemble import assemble, network_of
from vis.training.config import Optimisation, Training
from vis.training.ranks import joined
from vis.training.step import Report, take_step

SMALL = {
    "backbone": "resnet18", "d_model": 32, "queries": 4, "stages": 1, "num_heads": 2, "ffn_dim": 32,
    "dynamic": 8, "mask_side": 32, "code": 12,
}  # fmt: skip


class Picture:
    """A batch of one clip of one frame that only this process sees."""

    names, lost = ("picture",), ()

    def __init__(self, rank: int) -> None:
        frames = torch.rand(1, 1, 3, 64, 64, generator=torch.Generator().manual_seed(rank))
        mask = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
        mask[..., 8:40, 16 : 32 + 8 * rank] = True
        box = torch.tensor([[[16 / 64, 8 / 64, (32 + 8 * rank) / 64, 40 / 64]]])
        self.clip = Clip(frames, torch.tensor([[64, 64]]))
        self.targets = [ClipTargets(torch.zeros(1, dtype=int), box, mask, torch.ones(1, 1) > 0)]


def averages(model: nn.Module) -> torch.Tensor:
    """All running means and variances, one after the other."""
    kinds = ("running_mean", "running_var")
    state = {
        n: t for n, t in model.state_dict().items() if n.endswith(kinds) and "backbone" not in n
    }
    return torch.cat([tensor.flatten() for tensor in state.values()])


def fresh() -> models.Model:
    torch.manual_seed(0)
    return models.build("istr", classes=2, **SMALL).train()


def main(parallel: str) -> None:
    torch.set_num_threads(1)
    training, optimisation = Training(parallel=parallel, ema_decay=0.5), Optimisation()
    with joined("cpu") as ranks:
        alone = fresh()
        picture = Picture(ranks.rank)
        alone.losses(alone(picture.clip), picture.targets)
        model = fresh()
        state = assemble(model, training=training, optimisation=optimisation, ranks=ranks)
        take_step(
            state, network_of(state, ranks), iter([picture]), Report(),
            training=training, optimisation=optimisation, ranks=ranks,
        )  # fmt: skip
        mine = averages(state.model)
        apart = ranks.sum((averages(alone) - mine).abs().max())
        off = (ranks.mean(averages(alone)) - mine).abs().max()
        moving = (averages(state.best) - mine).abs().max()
        all_of_them = [torch.empty_like(mine) for _ in range(ranks.world)]
        distributed.all_gather(all_of_them, mine)
        if ranks.first:
            same = all(torch.equal(mine, other) for other in all_of_them)
            print(int(same), float(off), float(apart), float(moving), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
