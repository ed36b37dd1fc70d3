"""Every model names its blocks: none is whole on every process, and none is changed by sharing."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import distributed, nn

from vis import backbones, models
from vis.training.assemble import checkpoint_activations
from vis.training.loss_module import LossModule
from vis.training.ranks import ALONE
from vis.training.sharding import gathered, shard

MOST = 0.5
"""Share of a model's parameters that may ever be whole at once beside the rest of the model."""
REAL = {
    "deformable_detr": [{}, {"refine": True, "two_stage": True}],
    "detr": [{}, {"masks": True}],
    "istr": [{}],
    "mask2former": [{}, {"backbone": "swin_large"}, {"backbone": "dat_base"}],
    "rf_detr": [{}],
    "segmenter": [{}, {"decoder": "linear"}],
    "sotr": [{}, {"layers": "pure", "backbone": "convnext_tiny"}],
    "ssd_mask": [{}, {"masks": False}],
    "tt_srn": [{}, {"backbone": "swin_tiny_patch4_window7_224"}],
    "videomt": [{}, {"task": "instance"}],
    "vistr": [{}, {"backbone": "resnet101_dc5"}],
}


def units(model: models.Model) -> list[int]:
    """Parameters that are whole at once: of what is in no block, then of each block."""
    owners = dict.fromkeys(model.parameters(), 0)
    for number, block in enumerate(model.shard_blocks(), 1):
        for parameter in block.parameters():
            assert owners[parameter] == 0, "two blocks have the same parameter"
            owners[parameter] = number
    sizes = [0] * (1 + max(owners.values()))
    for parameter, owner in owners.items():
        sizes[owner] += parameter.numel()
    return sizes


def test_every_model_is_asked():
    assert set(REAL) == set(models.names())


@pytest.mark.parametrize(
    ("name", "settings"),
    [(name, one) for name, several in REAL.items() for one in several],
    ids=str,
)
def test_no_model_is_whole_on_every_process(name: str, settings: dict):
    with torch.device("meta"):
        model = models.build(name, classes=40, **settings)
    sizes = units(model)
    assert max(sizes) < MOST * sum(sizes)


@pytest.mark.parametrize(
    "name",
    ["resnet18", "resnet50_dc5", "twins_svt_small", "swin_tiny", "dat_tiny", "convnext_tiny",
     "efficientnet_b0", "regnety_040", "resnet26"],
)  # fmt: skip
def test_backbones_are_blocks_but_for_a_little(name: str):
    with torch.device("meta"):
        backbone = backbones.build(name)
    whole = set(backbone.parameters())
    for block in backbone.shard_blocks():
        whole -= set(block.parameters())
    assert sum(p.numel() for p in whole) < 0.3 * sum(p.numel() for p in backbone.parameters())


@pytest.fixture(scope="module")
def group() -> Iterator[None]:
    """A group of this process alone, which shares with itself."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def gradients(
    model: models.Model, small, *, shared: bool, again: bool = False, half: bool = False
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Losses and gradients of one step."""
    clip = small.clip(model)
    learner = LossModule(model.train(), "bf16" if half else "fp32")
    for part in model.modules():
        if isinstance(part, nn.Dropout) or type(part).__name__ in ("StochasticDepth", "DropPath"):
            part.eval()
    if shared:
        shard(learner, replace(ALONE, device=torch.device("cpu")), half=half)
    if again:
        checkpoint_activations(model)
    torch.manual_seed(0)
    losses = learner(clip, small.targets(clip))
    sum(losses.values()).backward()
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return losses, {name: gathered(gradient) for name, gradient in found.items()}


@pytest.mark.parametrize("again", [False, True], ids=["kept", "recomputed"])
def test_a_model_in_shares_learns_the_same(case: str, small, group, again: bool):
    model = small.make(case)
    losses, expected = gradients(deepcopy(model), small, shared=False)
    shared_losses, found = gradients(model, small, shared=True, again=again)
    for name, loss in losses.items():
        torch.testing.assert_close(shared_losses[name], loss, rtol=1e-4, atol=1e-5)
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["vistr", "sotr", "istr", "mask2former"])
def test_matrices_that_are_sent_in_half_precision_change_nothing(kind: str, small, group):
    model = small.make(kind)
    losses, expected = gradients(deepcopy(model), small, shared=False, half=True)
    shared_losses, found = gradients(model, small, shared=True, half=True)
    for name, loss in losses.items():
        torch.testing.assert_close(shared_losses[name], loss, rtol=1e-3, atol=1e-3)
    for name, gradient in found.items():
        # single numbers depend on which kernel took them in half precision
        apart = (gradient - expected[name]).norm()
        assert apart <= 0.05 * expected[name].norm() + 1e-4, name
