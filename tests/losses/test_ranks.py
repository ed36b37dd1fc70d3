"""Two training processes with as many clips, but not instances, learn what one with all does."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PATIENCE

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from dataclasses import replace
import torch
from torch import distributed
from tests.losses.conftest import make_scene
from vis.losses.matching import DETR_COST, VISTR_COST, Matcher
from vis.losses.outputs import LayerOutput, SequenceOutput
from vis.losses.set_loss import SetLoss

rank, store, counts = int(sys.argv[1]), sys.argv[2], [int(n) for n in sys.argv[3].split(",")]
torch.set_num_threads(1)
LOSSES = [SetLoss(Matcher(DETR_COST)), SetLoss(Matcher(VISTR_COST), eps=1e-6)]


def gradients(loss, part):
    output, targets = make_scene(5, instances=counts, sizes=[(8, 12)] * len(counts))
    targets[0] = replace(targets[0], labelled=torch.tensor([True, True, False, True, True, True]))
    leaves = [output.masks, *(x for layer in output.layers for x in (layer.logits, layer.boxes))]
    for leaf in leaves:
        leaf.requires_grad_()
    layers = [LayerOutput(layer.logits[part], layer.boxes[part]) for layer in output.layers]
    seen = SequenceOutput(layers, output.masks[part], output.padded_size, output.sizes[part])
    terms = loss(seen, targets[part])
    torch.stack(list(terms.values())).sum().backward()
    return torch.stack([terms[name].detach() for name in sorted(terms)]), leaves


alone = [gradients(loss, slice(None)) for loss in LOSSES]
distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
half = len(counts) // 2
for loss, (terms, leaves) in zip(LOSSES, alone):
    found, shares = gradients(loss, slice(rank * half, (rank + 1) * half))
    for mine, whole in [(found, terms), *((x.grad, y.grad) for x, y in zip(shares, leaves))]:
        distributed.all_reduce(mine)
        torch.testing.assert_close(mine / 2, whole, rtol=1e-6, atol=1e-9)
print("equal")
distributed.destroy_process_group()
"""


@pytest.mark.parametrize("instances", ["1,4", "0,3", "2,0,5,5", "0,0"])
def test_two_processes_equal_one_with_all_clips(tmp_path: Path, instances: str) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(rank), str(tmp_path / "store"), instances],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for rank in range(2)
    ]
    ends = [process.communicate(timeout=PATIENCE)[0].strip() for process in running]
    assert ends == ["equal"] * 2
