"""Which parameter learns at which rate, and what an optimiser remembers."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from vis import models
from vis.errors import DataError, UsageError
from vis.training.config import Optimisation
from vis.training.experiment import read_experiment, text_of
from vis.training.optimise import (
    optimiser_of,
    optimiser_tensors,
    parameter_groups,
    restore_optimiser,
    set_rates,
)
from vis.training.parser import parse

CONFIGS = Path(__file__).parents[2] / "configs"


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
    found = parameter_groups(model, Optimisation(lr=1e-3, backbone_lr=1e-4))
    names = [name for group in found for name in group["names"]]
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert sorted(names) == sorted(trained) and len(set(names)) == len(names)
    rates = groups(lr=1e-3, backbone_lr=1e-4)
    assert all(
        rate == (1e-4 if name.startswith("backbone.") else 1e-3)
        for name, (rate, _) in rates.items()
    )


def test_norms_and_biases_decay_unless_told_otherwise():
    assert {decay for _, decay in groups(weight_decay=0.1).values()} == {0.1}
    spared = {
        name for name, (_, d) in groups(weight_decay=0.1, decay_norms=False).items() if d == 0
    }
    assert spared == {
        "backbone.0.bias", "backbone.1.weight", "backbone.1.bias", "head.0.bias",
        "head.1.weight", "head.1.bias", "head.2.bias",
    }  # fmt: skip


def test_embeddings_and_biases_decay_as_told():
    """Mask2Former: norms and embeddings do not, other biases do."""
    model = Small()
    model.queries = nn.Embedding(2, 3)
    settings = Optimisation(
        weight_decay=0.1, decay_norms=False, decay_biases=True, decay_embeddings=False
    )
    found = parameter_groups(model, settings)
    spared = {name for group in found if not group["weight_decay"] for name in group["names"]}
    assert spared == {
        "backbone.1.weight", "backbone.1.bias", "head.1.weight", "head.1.bias", "queries.weight",
    }  # fmt: skip


def test_a_backbone_rate_of_zero_freezes_it():
    assert all(not name.startswith("backbone") for name in groups(backbone_lr=0))
    with pytest.raises(UsageError, match=r"optimisation\.lr"):
        groups(backbone_lr=0, lr=0)


def test_factors_find_parameters_by_whole_words_of_their_names():
    rates = {"head.0": 0.1, "bias": 0.5, "back*.1": 0.25}
    found = {
        name: rate for name, (rate, _) in groups(lr=1.0, backbone_lr=1.0, lr_factors=rates).items()
    }
    assert found == {
        "backbone.0.weight": 1.0, "backbone.0.bias": 0.5, "backbone.1.weight": 0.25,
        "backbone.1.bias": 0.125, "head.0.weight": 0.1, "head.0.bias": 0.05,
        "head.1.weight": 1.0, "head.1.bias": 0.5, "head.2.weight": 1.0, "head.2.bias": 0.5,
    }  # fmt: skip
    assert "head.0.weight" not in groups(lr_factors={"head.0": 0.0})


def test_factors_of_the_decay_find_parameters_alike():
    factors = {"head.*bias": 0.0, "backbone.1": 0.5}
    found = groups(weight_decay=0.1, decay_factors=factors)
    assert {name: decay for name, (_, decay) in found.items() if decay != 0.1} == {
        "backbone.1.weight": 0.05, "backbone.1.bias": 0.05,
        "head.0.bias": 0.0, "head.1.bias": 0.0, "head.2.bias": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize("option", ["lr_factors", "decay_factors"])
@pytest.mark.parametrize(
    ("part", "words"),
    [("hed", "mean head"), ("ead", "_factors.ead: no parameter"), ("head.9", "head")],
)
def test_a_factor_of_no_parameter_is_refused(option: str, part: str, words: str):
    with pytest.raises(UsageError, match=words):
        groups(**{option: {part: 0.1}})


@pytest.mark.parametrize("factor", [-0.1, float("nan"), float("inf")])
def test_an_impossible_factor_is_refused(factor: float):
    with pytest.raises(UsageError, match=r"lr_factors is .*, not a finite number"):
        parse(Optimisation, {"lr_factors": {"head": factor}})


def test_deformable_detr_learns_as_published_where_to_look():
    """Of each attention the offsets and, of the decoder, the reference; a tenth of the rate."""
    experiment = read_experiment(CONFIGS / "deformable_detr_coco.yaml")
    model = models.build("deformable_detr", classes=3, backbone="resnet18")
    found = parameter_groups(model, experiment.optimisation)
    slow = {
        name for group in found if group["base"] == pytest.approx(2e-5) for name in group["names"]
    }
    slow = {name for name in slow if not name.startswith("backbone.")}
    assert len(slow) == 2 * (6 + 6) + 2
    assert {name.split(".")[-2] for name in slow} == {"sampling_offsets", "reference"}


def test_rf_detr_learns_as_published_layer_by_layer():
    """Of the trunk, what lies deeper learns faster; there alone, something does not decay."""
    experiment = read_experiment(CONFIGS / "rf_detr_seg_coco.yaml")
    with torch.device("meta"):
        model = models.build("rf_detr", classes=3)
    found = parameter_groups(model, experiment.optimisation)
    by_name = {n: (group["lr"], group["weight_decay"]) for group in found for n in group["names"]}
    assert len(by_name) == len(list(model.parameters()))
    spared = re.compile(r"bias|norm|cls_token|positions|patch")
    for name, (lr, decay) in by_name.items():
        trunk = name.startswith("backbone.")
        if trunk:
            block = re.match(r"backbone\.blocks\.(\d+)", name)
            depth = 1 + int(block[1]) if block else 14 * name.startswith("backbone.norm")
            expected = 1.5e-4 * 0.49 * 0.8 ** (14 - depth)
        else:
            expected = 7e-5 if name.startswith(("decoder", "queries.place")) else 1e-4
        assert lr == pytest.approx(expected), name
        assert decay == (0 if trunk and spared.search(name) else 1e-4), name


def test_runs_from_before_there_were_factors_go_on(tmp_path: Path):
    """A run repeats its configuration from its folder; without `lr_factors` it is as it was."""
    path = tmp_path / "config.yaml"
    whole = text_of(read_experiment(CONFIGS / "deformable_detr_coco.yaml"))
    assert "reference: 0.1" in whole
    lines = [line for line in whole.splitlines() if "sampling_offsets" not in line]
    path.write_text(
        "\n".join(one for one in lines if "reference" not in one and "lr_factors:" not in one)
    )
    assert read_experiment(path).optimisation.lr_factors == {}


@pytest.mark.parametrize("name", ["lr", "weight_decay", "max_grad_norm", "momentum", "backbone_lr"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_impossible_numbers_are_refused(name: str, value: float):
    with pytest.raises(UsageError, match=name):
        parse(Optimisation, {name: value})


def step(model: nn.Module, optimiser: torch.optim.Optimizer, number: int) -> None:
    generator = torch.Generator().manual_seed(number)
    set_rates(optimiser, 1 / (1 + number))
    optimiser.zero_grad()
    model(torch.randn(5, 2, generator=generator)).square().mean().backward()
    optimiser.step()


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_restored_it_goes_on_bit_for_bit(kind: str):
    settings = Optimisation(kind=kind, lr=0.1, backbone_lr=0.01)
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
