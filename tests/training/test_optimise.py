"""Which parameter learns at which rate, and what an optimiser remembers."""

import pytest
import torch
from torch import nn

from vis.errors import DataError, UsageError
from vis.training.config import Optimisation
from vis.training.optimise import (
    optimiser_of,
    optimiser_tensors,
    parameter_groups,
    restore_optimiser,
    set_rates,
)


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))
        self.head = nn.Sequential(nn.Linear(3, 4), nn.GroupNorm(2, 4), nn.Linear(4, 1))
        self.frozen = nn.Parameter(torch.zeros(2), requires_grad=False)

    def forward(self, x):
        return self.head(self.backbone(x))


def groups(**settings) -> dict[str, tuple[float, float]]:
    """Parameter -> rate and decay."""
    return {
        name: (group["lr"], group["weight_decay"])
        for group in parameter_groups(Small(), Optimisation(**settings))
        for name in group["names"]
    }


def test_each_trainable_parameter_is_in_one_group_with_its_rate():
    model = Small()
    found = parameter_groups(model, Optimisation(rate=1e-3, backbone_rate=1e-4))
    names = [name for group in found for name in group["names"]]
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert sorted(names) == sorted(trained) and len(set(names)) == len(names)
    rates = groups(rate=1e-3, backbone_rate=1e-4)
    assert all(
        rate == (1e-4 if name.startswith("backbone.") else 1e-3)
        for name, (rate, _) in rates.items()
    )


def test_norms_and_biases_decay_unless_told_otherwise():
    assert {decay for _, decay in groups(decay=0.1).values()} == {0.1}
    spared = {name for name, (_, d) in groups(decay=0.1, decay_norms=False).items() if d == 0}
    assert spared == {
        "backbone.0.bias", "backbone.1.weight", "backbone.1.bias", "head.0.bias",
        "head.1.weight", "head.1.bias", "head.2.bias",
    }  # fmt: skip


def test_embeddings_and_biases_decay_as_told():
    """Mask2Former: norms and embeddings do not, other biases do."""
    model = Small()
    model.queries = nn.Embedding(2, 3)
    settings = Optimisation(decay=0.1, decay_norms=False, decay_biases=True, decay_embeddings=False)
    found = parameter_groups(model, settings)
    spared = {name for group in found if not group["weight_decay"] for name in group["names"]}
    assert spared == {
        "backbone.1.weight", "backbone.1.bias", "head.1.weight", "head.1.bias", "queries.weight",
    }  # fmt: skip


def test_a_backbone_rate_of_zero_freezes_it():
    assert all(not name.startswith("backbone") for name in groups(backbone_rate=0))
    with pytest.raises(UsageError, match=r"optimisation\.rate"):
        groups(backbone_rate=0, rate=0)


@pytest.mark.parametrize("name", ["rate", "decay", "clip", "momentum", "backbone_rate"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_impossible_numbers_are_refused(name: str, value: float):
    with pytest.raises(UsageError, match=name):
        Optimisation(**{name: value})


def step(model: nn.Module, optimiser: torch.optim.Optimizer, number: int) -> None:
    generator = torch.Generator().manual_seed(number)
    set_rates(optimiser, 1 / (1 + number))
    optimiser.zero_grad()
    model(torch.randn(5, 2, generator=generator)).square().mean().backward()
    optimiser.step()


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_restored_it_goes_on_bit_for_bit(kind: str):
    settings = Optimisation(kind=kind, rate=0.1, backbone_rate=0.01)
    torch.manual_seed(0)
    model = Small()
    optimiser = optimiser_of(model, settings)
    for number in range(3):
        step(model, optimiser, number)
    again = Small()
    again.load_state_dict(model.state_dict())
    other = optimiser_of(again, settings)
    remembered = {name: t.clone() for name, t in optimiser_tensors(optimiser).items()}
    restore_optimiser(other, remembered)
    for number in range(3, 6):
        step(model, optimiser, number)
        step(again, other, number)
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    fresh = Small()
    fresh.load_state_dict(model.state_dict())
    assert not optimiser_tensors(optimiser_of(fresh, settings))


def test_what_belongs_to_another_model_is_refused():
    optimiser = optimiser_of(Small(), Optimisation())
    with pytest.raises(DataError, match=r"tail\.weight"):
        restore_optimiser(optimiser, {"tail.weight/exp_avg": torch.zeros(2)})
    with pytest.raises(DataError, match=r"head\.0\.weight"):
        restore_optimiser(optimiser, {"head.0.weight/exp_avg": torch.zeros(2)})
