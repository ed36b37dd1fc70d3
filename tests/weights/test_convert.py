"""Published names and shapes become ours without a remainder, or nothing is written."""

import argparse
import functools
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from vis import models, weights
from vis.errors import DataError, InputError, UsageError, VisWarning
from vis.weights import converters
from vis.weights.rename import rename

SMALL = {
    "d_model": 128,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "ffn_dim": 16,
    "backbone": "resnet18",
}


def listed(path: Path) -> dict[str, tuple[int, ...]]:
    """A published key list: name -> shape."""
    rows = (line.split("\t") for line in path.read_text().splitlines())
    return {key: tuple(int(n) for n in re.findall(r"\d+", shape)) for key, shape in rows}


def published(family: str, model: torch.nn.Module) -> dict[str, Tensor]:
    """A model's tensors under the published names: the rename table read from right to left."""
    prefix = "vistr." if family == "vistr" else "detr." if model.masks is not None else ""
    outside = ("bbox_attention", "mask_head", "insmask_head")
    found = {}
    for name, tensor in model.state_dict().items():
        key = _published_name(family, name)
        found[key if key.startswith(outside) else prefix + key] = tensor.clone()
    return found


def _published_name(family: str, name: str) -> str:
    ends = {
        "vistr": [("end.offsets", "conv_offset"), ("end.conv", "dcn"), ("end.norm", "gn5")],
        "detr": [("end.conv.conv", "lay5"), ("end.conv.norm", "gn5"), ("end.logit", "out_lay")],
    }[family]
    stages = [(f"stages.{i}.{a}", f"{b}{i + 1}") for i in range(4) for a, b in _KINDS]
    sides = [(f"laterals.{i}", f"adapter{i + 1}") for i in range(3)]
    for ours, theirs in (*ends, *stages, *sides):
        name = name.replace(f"masks.pyramid.{ours}.", f"mask_head.{theirs}.")
    name = name.replace("masks.volume.", "insmask_head.")
    name = name.replace("masks.attention.query", "bbox_attention.q_linear")
    name = name.replace("masks.attention.key", "bbox_attention.k_linear")
    name = name.replace("class_head", "class_embed").replace("projection", "input_proj")
    name = re.sub(r"^queries$", "query_embed.weight", name)
    name = re.sub(r"^box_head\.(\d)", lambda m: f"bbox_embed.layers.{int(m[1]) // 2}", name)
    name = re.sub(r"^transformer\.norm", "transformer.decoder.norm", name)
    name = re.sub(r"^(transformer\.(?:en|de)coder)\.(\d)", r"\1.layers.\2", name)
    name = name.replace("self_attention", "self_attn").replace("cross_attention", "multihead_attn")
    name = name.replace("feedforward.", "").replace("downsample.0.norm", "downsample.1")
    name = re.sub(r"conv(\d)\.norm", r"bn\1", name)
    return re.sub(r"^backbone\.", "backbone.0.body.", name)


_KINDS = (("conv", "lay"), ("norm", "gn"))


@functools.cache
def small(family: str, **settings: Any) -> Any:
    """Shared by the tests, none of which changes it."""
    torch.manual_seed(0)
    shape = (
        {"instance_queries": 3, "classes": 40} if family == "detr" else {"frames": 2, "classes": 40}
    )
    return models.build(family, **(SMALL | shape | {"classes": 40} | settings))


def write(path: Path, tensors: dict[str, Tensor], **rest: object) -> Path:
    torch.save({"model": tensors, **rest}, path)
    return path


@pytest.mark.parametrize(("depth", "count"), [("50", 503), ("101", 758)])
def test_every_published_vistr_key_is_mapped(shared: Path, depth: str, count: int) -> None:
    shapes = listed(shared / "golden" / "keys" / f"vistr_r{depth}_keys.tsv")
    assert len(shapes) == count
    family = converters.get("vistr")
    empty = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    ours, dropped = rename(empty, family)
    assert len(ours) == count and not dropped
    settings = family.settings({name: tuple(t.shape) for name, t in ours.items()}, {})
    assert settings == {
        "frames": 36, "instance_queries": 10, "classes": 40, "d_model": 384, "num_heads": 8,
        "backbone": f"resnet{depth}", "encoder_layers": 6, "decoder_layers": 6, "ffn_dim": 2048,
    }  # fmt: skip
    with torch.device("meta"):
        state = models.build("vistr", **settings).state_dict()
    assert {n: t.shape for n, t in ours.items()} == {n: t.shape for n, t in state.items()}


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("vistr", {}),
        ("vistr", {"num_heads": 16}),
        ("detr", {"masks": True}),
        ("detr", {"masks": False}),
    ],
)
def test_converted_and_loaded_is_the_same_model(
    tmp_path: Path, family: str, settings: dict[str, Any]
) -> None:
    model = small(family, **settings)
    stated = {"instance_queries": 10} if family == "vistr" else {}
    source = write(tmp_path / "x.pth", published(family, model))
    metadata, dropped = weights.convert(family, source, tmp_path / "x.safetensors")
    assert not dropped and metadata.model == family
    loaded = weights.load(tmp_path / "x.safetensors")
    for name, value in {**SMALL, **settings, **stated}.items():
        assert getattr(loaded.config, name) == value
    assert not loaded.training and loaded.class_names == metadata.classes
    for (name, ours), theirs in zip(
        loaded.state_dict().items(), model.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs), name


def test_safetensors_and_half_precision_sources_are_read(tmp_path: Path) -> None:
    model = small("detr")
    tensors = {key: tensor.half() for key, tensor in published("detr", model).items()}
    safetensors.torch.save_file(tensors, tmp_path / "source")
    weights.convert("detr", tmp_path / "source", tmp_path / "x.safetensors")
    loaded = weights.load(tmp_path / "x.safetensors")
    assert loaded.queries.dtype == torch.float32
    assert torch.equal(loaded.queries, model.queries.half().float())


def test_stated_and_stored_arguments_divide_the_queries(tmp_path: Path) -> None:
    tensors = published("vistr", small("vistr", frames=4, instance_queries=5))
    args = argparse.Namespace(num_frames=4, num_ins=5, lr=1e-4)
    stored = write(tmp_path / "stored.pth", tensors, args=args)
    plain = write(tmp_path / "plain.pth", tensors)
    for source, settings in (
        (stored, {}),
        (plain, {"frames": 4}),
        (plain, {"instance_queries": 5}),
    ):
        metadata, _ = weights.convert("vistr", source, tmp_path / "x", overwrite=True, **settings)
        assert (metadata.settings["frames"], metadata.settings["instance_queries"]) == (4, 5)
    metadata, _ = weights.convert("vistr", plain, tmp_path / "y")
    assert (metadata.settings["frames"], metadata.settings["instance_queries"]) == (2, 10)
    for settings in ({"frames": 3}, {"instance_queries": 6}, {"frames": 2, "instance_queries": 5}):
        with pytest.raises(UsageError, match=r"20 queries.*--frames"):
            weights.convert("vistr", plain, tmp_path / "z", **settings)
    assert not (tmp_path / "z").exists()


def test_old_vistr_weights_are_refused_with_the_reason(tmp_path: Path) -> None:
    tensors = published("vistr", small("vistr", classes=39))
    source = write(tmp_path / "x.pth", tensors)
    with pytest.raises(DataError, match="tennis_racket and no object"):
        weights.convert("vistr", source, tmp_path / "y")
    names = [f"thing {i}" for i in range(39)]  # somebody's own 39 classes are not old weights
    metadata, _ = weights.convert("vistr", source, tmp_path / "y", class_names=names)
    assert metadata.classes == tuple(names)


def test_dropped_names_are_listed_with_reasons(tmp_path: Path) -> None:
    tensors = published("detr", small("detr"))
    tensors["backbone.0.body.bn1.num_batches_tracked"] = torch.tensor(5)
    source = write(tmp_path / "x.pth", tensors)
    metadata, dropped = weights.convert("detr", source, tmp_path / "y")
    assert metadata.settings["backbone"] == "resnet18"
    (row,) = dropped
    assert row[0].endswith("num_batches_tracked") and "frozen" in row[1]


def test_dilation_is_stated_as_shapes_do_not_tell_it(tmp_path: Path) -> None:
    model = small("detr", backbone="resnet50_dc5")
    source = write(tmp_path / "x.pth", published("detr", model))
    for stated, backbone in (({}, "resnet50"), ({"backbone": "resnet50_dc5"}, "resnet50_dc5")):
        metadata, _ = weights.convert("detr", source, tmp_path / "y", overwrite=True, **stated)
        assert metadata.settings["backbone"] == backbone


def test_nothing_is_converted_in_part(tmp_path: Path) -> None:
    good = published("detr", small("detr", masks=True))
    weight = "detr.transformer.decoder.layers.0.linear2.weight"
    cases = {
        r"1 missing: transformer.decoder.0.feedforward.linear2.weight": {
            key: value for key, value in good.items() if key != weight
        },
        r"1 of another shape: transformer.decoder.0.feedforward.linear2.weight is \(128, 8\)": {
            **good, weight: good[weight][:, :8]
        },
        r"1 of \d+ names are not of this family: detr.extra \(1,\)": {
            **good, "detr.extra": torch.ones(1)
        },
        "becomes 'queries'": {**good, "query_embed.weight": good["detr.query_embed.weight"]},
        "are not finite": {**good, weight: good[weight] * float("nan")},
        "no queries": {key: v for key, v in good.items() if "query" not in key},
    }  # fmt: skip
    for reason, tensors in cases.items():
        source = write(tmp_path / "x.pth", tensors)
        with pytest.raises(DataError, match=reason):
            weights.convert("detr", source, tmp_path / "y")
    assert not (tmp_path / "y").exists()


def test_wrong_families_and_settings_are_usage_errors(tmp_path: Path) -> None:
    source = write(tmp_path / "x.pth", published("detr", small("detr")))
    with pytest.raises(UsageError, match=r"no family 'dtr'.*mean 'detr'"):
        weights.convert("dtr", source, tmp_path / "y")
    with pytest.raises(UsageError, match=r"no family 'x'.*detr,.*vistr"):
        weights.convert("x", source, tmp_path / "y")
    with pytest.raises(DataError, match="not of this family"):
        weights.convert("vistr", source, tmp_path / "y")
    with pytest.raises(UsageError, match="no setting 'slotz'"):
        weights.convert("detr", source, tmp_path / "y", slotz=3)
    with pytest.raises(UsageError, match="2 class names for a model of 40"):
        weights.convert("detr", source, tmp_path / "y", class_names=["a", "b"])
    with pytest.raises(InputError, match="absent"):
        weights.convert("detr", tmp_path / "absent", tmp_path / "y")


def test_a_summary_tells_what_a_file_holds(tmp_path: Path) -> None:
    model = small("detr")
    args = argparse.Namespace(lr=1e-4, lists=[1, 2])
    source = write(tmp_path / "x.pth", published("detr", model), args=args, epoch=3)
    weights.convert("detr", source, tmp_path / "y")
    count = sum(tensor.numel() for tensor in model.state_dict().values())
    theirs, ours = weights.inspect(source), weights.inspect(tmp_path / "y")
    assert theirs.numbers == ours.numbers == count
    assert theirs.format == "torch zip" and theirs.model_metadata is None
    assert theirs.metadata == {"args.lr": "0.0001", "args.lists": "list of 2", "epoch": "3"}
    assert ours.format == "vis" and ours.model_metadata is not None
    assert ours.model_metadata.model == "detr"


def test_a_file_whose_model_has_changed_is_refused_with_the_shapes(tmp_path: Path) -> None:
    model = small("detr")
    metadata = weights.metadata_of(model)
    metadata.settings["instance_queries"] = 5
    weights.save(tmp_path / "x", metadata, model.state_dict())
    with pytest.raises(DataError, match=r"queries is \(3, 128\), not \(5, 128\)"):
        weights.load(tmp_path / "x")


def test_settings_by_their_old_names_are_read_with_a_warning(tmp_path: Path) -> None:
    model = small("vistr")
    metadata = weights.metadata_of(model)
    renamed = {new: old for old, new in type(model.config).RENAMED.items()}
    old = {renamed.get(name, name): value for name, value in metadata.settings.items()}
    old_metadata = replace(metadata, settings=old)
    weights.save(tmp_path / "x", old_metadata, model.state_dict())
    with pytest.warns(VisWarning) as caught:
        loaded = weights.load(tmp_path / "x")
    texts = [str(warning.message) for warning in caught]
    assert any("x: 'slots' is called 'instance_queries' today" in text for text in texts)
    assert len(texts) == len(renamed)
    assert loaded.config == model.config and "slots" in old


def test_the_model_that_ships_is_loaded_without_a_warning(recwarn: pytest.WarningsRecorder):
    weights.load("default")
    assert not recwarn.list


@pytest.mark.parametrize(
    ("setting", "value"),
    [("d_model", "wide"), ("d_model", 1 << 60), ("vote", 3), ("instance_queries", None)],
)
def test_forged_settings_are_refused(tmp_path: Path, setting: str, value: object) -> None:
    model = small("detr")
    metadata = weights.metadata_of(model)
    metadata.settings[setting] = value
    weights.save(tmp_path / "x", metadata, model.state_dict())
    with pytest.raises((DataError, UsageError), match="x: "):
        weights.load(tmp_path / "x")


def test_models_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIS_HOME", str(tmp_path))
    model = small("detr")
    weights.save_model(tmp_path / "mine.safetensors", model)
    loaded = weights.load("mine")
    assert loaded.class_names[39] == "class 39" and torch.equal(loaded.queries, model.queries)
    with pytest.raises(InputError, match=r"'yours'.*There are: mine\."):
        weights.load("yours")


def test_class_names_are_those_of_the_data(shared: Path) -> None:
    import json

    from vis.weights.classes import COCO, YOUTUBE_VIS_2019

    path = shared / "data" / "pack_train" / "coco_mini" / "instances.json"
    listed = {c["id"]: c["name"] for c in json.loads(path.read_text())["categories"]}
    assert {i: name for i, name in enumerate(COCO) if name} == listed
    assert len(set(YOUTUBE_VIS_2019)) == 40
    assert YOUTUBE_VIS_2019[39] == "tennis_racket" and YOUTUBE_VIS_2019[0] == "person"
