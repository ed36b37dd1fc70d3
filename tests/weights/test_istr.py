"""Published ISTR checkpoints become ours without a remainder."""

import re
from pathlib import Path

import pytest
import torch

from vis import models, weights
from vis.errors import DataError
from vis.weights import converters
from vis.weights.converters import family_of
from vis.weights.rename import rename

V1 = {"generation": "v1", "codec": "pca", "mask_side": 28, "code": 60}
V2 = {"generation": "v2", "mask_side": 112, "code": 256}


def listed(path: Path) -> dict[str, torch.Tensor]:
    """A published key list as tensors without numbers."""
    rows = (line.split("\t") for line in path.read_text().splitlines())
    shapes = {key: [int(n) for n in re.findall(r"\d+", shape)] for key, shape in rows}
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


@pytest.mark.parametrize(
    ("name", "count", "codes"),
    [
        ("v1_r50", 628, V1),
        ("v2_pca_r50", 658, V2 | {"codec": "pca"}),
        ("v2_ae_r50", 890, V2 | {"codec": "ae"}),
    ],
)
def test_every_published_key_is_mapped(
    shared: Path, name: str, count: int, codes: dict[str, object]
) -> None:
    tensors = listed(shared / "golden" / "keys" / f"istr_{name}_keys.tsv")
    assert len(tensors) == count
    family = converters.get("istr")
    ours, dropped = rename(tensors, family)
    assert len(ours) == count and not dropped
    settings = family.settings({name: tuple(t.shape) for name, t in ours.items()}, {})
    assert settings == codes | {
        "classes": 80, "backbone": "resnet50", "d_model": 256, "queries": 300, "stages": 6,
        "num_heads": 8, "ffn_dim": 2048, "dynamic": 64,
    }  # fmt: skip
    with torch.device("meta"):
        state = models.build("istr", **settings).state_dict()
    assert {n: t.shape for n, t in ours.items()} == {n: t.shape for n, t in state.items()}


def test_without_stored_codes_they_are_cosines(shared: Path) -> None:
    tensors = listed(shared / "golden" / "keys" / "istr_v2_pca_r50_keys.tsv")
    kept = {key: t for key, t in tensors.items() if not key.startswith("mask_encoding.")}
    family = converters.get("istr")
    ours, _ = rename(kept, family)
    settings = family.settings({name: tuple(t.shape) for name, t in ours.items()}, {})
    assert settings["codec"] == "dct" and settings["mask_side"] == 112


def test_leftovers_are_refused(shared: Path) -> None:
    tensors = listed(shared / "golden" / "keys" / "istr_v1_r50_keys.tsv")
    with pytest.raises(DataError, match=r"1 of 629 names are not of this family: head\.more"):
        rename(tensors | {"head.more": torch.zeros(1)}, converters.get("istr"))


def test_codes_travel_with_the_weights(tmp_path: Path) -> None:
    small = {"d_model": 32, "queries": 3, "stages": 1, "num_heads": 2, "ffn_dim": 8, "dynamic": 4}
    codes = {"generation": "v1", "codec": "pca", "mask_side": 12, "code": 7}
    model = models.build("istr", classes=2, backbone="resnet18", **small, **codes)
    model.codec.fit([torch.rand(40, 12, 12) > 0.5])
    weights.save_model(tmp_path / "x.safetensors", model)
    again = weights.load(tmp_path / "x.safetensors")
    assert again.config == model.config
    for name, value in model.codec.state_dict().items():
        assert torch.equal(again.codec.state_dict()[name], value)


@pytest.mark.parametrize("name", ["istr_v1_r50", "istr_v2_ae_r50", "sotr_r50"])
def test_a_file_is_of_the_family_that_knows_most_of_it(shared: Path, name: str) -> None:
    """Backbone and pyramid alone are half of a SOTR, and ISTR's have the same names."""
    tensors = listed(shared / "golden" / "keys" / f"{name}_keys.tsv")
    assert family_of(tensors) == name.partition("_")[0]
    assert family_of({"layer1.0.conv1.weight": torch.zeros(1)}) is None
