"""A researcher adds a head in two files: `vis/models/toy.py`, as it is written here, and a YAML."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, ClassVar

import pytest
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from vis import backbones, models, weights
from vis.layers.positions import SinePositions3D
from vis.layers.prediction_heads import mlp
from vis.layers.transformer import Transformer
from vis.losses.matching import DETR_COST, Matcher
from vis.losses.set_loss import SetLoss
from vis.models._masks import DenseMasks
from vis.models._output import Output
from vis.models._sequence import SequenceModel, Settings, check

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vis.layers.transformer import Memory
    from vis.models._masks import BackboneFeatures
    from vis.records import Clip

# --- vis/models/toy.py ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Settings):
    """The settings that all models of instance queries have, and one of its own."""

    frames: int = 4
    """The most of a clip."""
    mask_dim: int = 16
    """Channels of mask embeddings and mask features."""


class DotProductHead(nn.Module):
    """The new head: a mask is a query's embedding times the features of stride 4.

    Args:
        d_model: channels of the queries.
        channels: of the backbone's map of stride 4.
        mask_dim: channels of embeddings and features.
    """

    def __init__(self, d_model: int, channels: int, mask_dim: int) -> None:
        super().__init__()
        self.lateral = nn.Conv2d(channels, mask_dim, 1)
        self.embedding = mlp(d_model, mask_dim)

    def lateral_maps(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Of the maps of strides 4, 8 and 16, the first alone: `[F D h w]`."""
        return [self.lateral(levels[0])]

    def deferred(self, queries: Tensor, features: BackboneFeatures, memory: Memory) -> DenseMasks:
        """Masks of the queries `[B T N C]`."""
        del memory
        maps = rearrange(features.laterals[0], "(b t) d h w -> b t d h w", b=len(queries))
        return DenseMasks(torch.einsum("btnd,btdhw->bnthw", self.embedding(queries), maps))


class Toy(SequenceModel):
    """DETR's parts over a clip, with the new head."""

    name: ClassVar[str] = "toy"

    def forward(self, clip: Clip) -> Output:
        """Compute the figure of the paper that is being written."""
        T = clip.frames.shape[1]
        features = self.features(clip)
        memory = self.encode(features, frames=T)
        states = self.decode(memory, frames=T)
        layers = self.predict(states)
        assert self.masks is not None
        masks = self.masks.deferred(states[-1], features, memory)
        return self.finish(Output(layers, masks, features.padded_size, clip.sizes))


def build(config: Config) -> Toy:
    """The model with fresh weights."""
    check(config, masks=False)
    backbone = backbones.build(config.backbone)
    return Toy(
        classes=config.classes,
        frames=config.frames,
        instance_queries=config.instance_queries,
        d_model=config.d_model,
        backbone=backbone,
        positions=SinePositions3D(config.d_model),
        transformer=Transformer(
            config.d_model,
            num_heads=config.num_heads,
            encoder_layers=config.encoder_layers,
            decoder_layers=config.decoder_layers,
            ffn_dim=config.ffn_dim,
            dropout=config.dropout,
            activation=functional.relu,
        ),
        class_head=nn.Linear(config.d_model, config.classes + 1),
        box_head=mlp(config.d_model, 4),
        masks=DotProductHead(config.d_model, backbone.channels[0], config.mask_dim),
        loss=SetLoss(Matcher(DETR_COST), config.weights()),
        selection=config.selection(background_rows=0),
        chunk=config.chunk,
    ).with_config(config)


# --- what comes for free -------------------------------------------------------------------------

SIZES = {"backbone": "resnet18", "d_model": 32, "num_heads": 4, "ffn_dim": 32}
SIZES |= {"encoder_layers": 1, "decoder_layers": 2, "instance_queries": 5}


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, small: SimpleNamespace) -> Toy:
    """The model out of the catalogue, as if its file lay in the folder."""
    file = ModuleType("vis.models.toy")
    vars(file).update(Config=Config, build=build)
    monkeypatch.setitem(sys.modules, file.__name__, file)
    monkeypatch.setattr(models, "names", lambda: ["toy"])
    torch.manual_seed(0)
    model = models.build("toy", classes=small.classes, **SIZES)
    assert isinstance(model, Toy)
    return model


def test_it_learns_from_a_step(toy: Toy, small: SimpleNamespace):
    clip, before = small.clip(toy), {n: p.detach().clone() for n, p in toy.named_parameters()}
    optimiser = torch.optim.SGD((p for p in toy.parameters() if p.requires_grad), lr=1e-3)
    terms = toy.train().losses(toy(clip), small.targets(clip))
    assert {"mask_focal", "mask_dice"} <= terms.keys()
    first = torch.stack(list(terms.values())).sum()
    first.backward()
    optimiser.step()
    learnt = {name for name, p in toy.named_parameters() if not torch.equal(p, before[name])}
    assert {name for name in before if name.startswith("masks.")} <= learnt


def test_it_predicts_through_the_contract(toy: Toy, small: SimpleNamespace):
    clip = small.clip(toy)
    T = clip.frames.shape[1]
    with torch.inference_mode():
        predictions = toy.eval().predictions(toy(clip), clip)
    assert len(predictions) == len(clip.sizes)
    for made, (height, width) in zip(predictions, clip.sizes.tolist(), strict=True):
        N = len(made.scores)
        assert N > 0 and made.boxes.shape == (N, T, 4)
        assert made.masks.shape == (N, T, round(height / 4), round(width / 4))


def test_it_is_saved_and_loaded(toy: Toy, small: SimpleNamespace, tmp_path: Path):
    weights.save_model(tmp_path / "toy.safetensors", toy)
    loaded = weights.load(tmp_path / "toy.safetensors")
    clip = small.clip(toy)
    with torch.inference_mode():
        said, again = toy.eval()(clip), loaded(clip)
    assert torch.equal(said.layers[-1].logits, again.layers[-1].logits)
    assert torch.equal(said.dense().masks, again.dense().masks)
