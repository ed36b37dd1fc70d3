"""Published VidEoMT and EoMT names, the authors' and transformers', become ours whole."""

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from vis import models, weights
from vis.errors import DataError
from vis.weights import converters
from vis.weights.rename import first_of, rename

NO_PART = "-"
SMALL = {"d_model": 64, "depth": 3, "num_heads": 1, "queries": 5, "image": 64, "classes": 40}


def listed(path: Path) -> dict[str, tuple[int, ...]]:
    """A published key list: name -> shape."""
    rows = (line.split("\t") for line in path.read_text().splitlines())
    return {key: tuple(int(n) for n in re.findall(r"\d+", shape)) for key, shape in rows}


@pytest.mark.parametrize(
    ("keys", "family", "expected"),
    [
        ("videomt_s_ytvis19", "videomt", (384, 12, 6, 3, 640, 40)),
        ("videomt_l_ytvis19", "videomt", (1024, 24, 16, 4, 640, 40)),
        ("hf_videomt_s_ytvis19", "videomt", (384, 12, 6, 3, 640, 40)),
        ("hf_videomt_b_ytvis19", "videomt", (768, 12, 12, 3, 640, 40)),
        ("hf_videomt_l_ytvis19", "videomt", (1024, 24, 16, 4, 640, 40)),
        ("hf_eomt_l_coco_instance", "eomt", (1024, 24, 16, 4, 640, 80)),
        ("hf_eomt_s_coco_panoptic", "eomt", (384, 12, 6, 3, 640, 133)),
    ],
)
def test_every_published_key_is_mapped(
    shared: Path, keys: str, family: str, expected: tuple[int, ...]
) -> None:
    shapes = listed(shared / "golden" / "keys" / f"{keys}_keys.tsv")
    assert converters.family_of(shapes) == family
    empty = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    ours, _ = rename(empty, converters.get(family))
    settings = converters.get(family).settings({n: tuple(t.shape) for n, t in ours.items()}, {})
    names = ("d_model", "depth", "num_heads", "query_depth", "image", "classes")
    assert tuple(settings[name] for name in names) == expected
    with torch.device("meta"):
        state = models.build("videomt", **settings).state_dict()
    assert {n: t.shape for n, t in ours.items()} == {n: t.shape for n, t in state.items()}


@pytest.mark.parametrize("keys", ["hf_videomt_s_ytvis19", "hf_eomt_l_coco_instance"])
def test_transformers_names_are_what_the_published_table_says(shared: Path, keys: str) -> None:
    family = converters.get("eomt" if "eomt_l" in keys else "videomt")
    for line in (shared / "golden" / "keys" / f"{keys}_map.tsv").read_text().splitlines():
        theirs, original, part = line.split("\t")
        if first_of(family.dropped, theirs):
            continue
        assert family.ours(original) is not None
        assert family.published(theirs) == (original if part == NO_PART else f"{original} {part}")


def published(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """A video model's tensors by the authors' names."""
    named = {}
    for name, tensor in tensors.items():
        for ours, theirs in (
            ("backbone.patch.", "backbone.patch_embed.proj."),
            ("backbone.registers", "backbone.reg_token"),
            ("backbone.positions", "backbone.pos_embed"),
            ("queries.weight", "q.weight"),
            ("enlarge", "conv1"),
            ("smooth", "conv2"),
        ):
            name = name.replace(ours, theirs)
        name = name.replace("backbone.", "encoder.backbone.") if name[:4] == "back" else name
        named[f"backbone.{name}"] = tensor
    return named


def test_converted_and_loaded_is_the_same_model(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = models.build("videomt", **SMALL)
    tensors = published(model.state_dict()) | {"criterion.empty_weight": torch.ones(41)}
    torch.save({"model": tensors}, tmp_path / "x.pth")
    metadata, dropped = weights.convert("videomt", tmp_path / "x.pth", tmp_path / "y.safetensors")
    assert metadata.model == "videomt" and len(metadata.classes) == 40
    assert [name for name, _ in dropped] == ["criterion.empty_weight"]
    again = weights.load(tmp_path / "y.safetensors")
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("backbone.encoder.backbone.blocks.0.layer_scale1.lambda1", "DINOv3"),
        ("layers.0.mlp.up_proj.weight", "DINOv3"),
        ("layers.0.attention.q_proj.weight", "the part k is missing"),
        ("backbone.unheard.weight", "not of this family"),
    ],
)
def test_what_is_not_read_is_named(extra: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        rename({extra: torch.zeros(2, 2)}, converters.get("videomt"))


def test_a_folder_of_transformers_states_what_shapes_do_not_tell(
    shared: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = models.build("videomt", **(SMALL | {"num_heads": 2, "query_depth": 2}))
    tensors = transformers_names(shared, published(model.state_dict()))
    save_file(tensors, tmp_path / "model.safetensors")
    config = {"model_type": "videomt", "num_attention_heads": 2, "num_blocks": 2}
    labels = {str(n): f"class {n}" for n in range(40)}
    (tmp_path / "config.json").write_text(json.dumps(config | {"id2label": labels}))
    metadata, _ = weights.convert("videomt", tmp_path, tmp_path / "y.safetensors")
    assert (metadata.settings["num_heads"], metadata.settings["query_depth"]) == (2, 2)
    assert metadata.size == 448 and metadata.classes[3] == "class 3"
    again = weights.load(tmp_path / "y.safetensors").state_dict()
    assert all(torch.equal(again[name], value) for name, value in model.state_dict().items())
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden_size": 128}))
    with pytest.raises(DataError, match="hidden_size is 128"):
        weights.convert("videomt", tmp_path, tmp_path / "z.safetensors")


def transformers_names(shared: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The authors' tensors as transformers has them, by the published table."""
    path = shared / "golden" / "keys" / "hf_videomt_s_ytvis19_map.tsv"
    named = {}
    for theirs, original, part in (row.split("\t") for row in path.read_text().splitlines()):
        if original in tensors:
            tensor = tensors[original]
            third = tensor if part == NO_PART else tensor.chunk(3)["qkv".index(part)]
            named[theirs] = third.clone()
    positions = "embeddings.position_embeddings.weight"
    return named | {positions: named[positions][0]}


def test_pictures_start_clips(tmp_path: Path) -> None:
    torch.manual_seed(0)
    pictures = models.build("videomt", **SMALL, task="instance")
    names = tuple(f"class {n}" for n in range(40))
    pictures.class_names = names
    weights.save_model(tmp_path / "stage1.safetensors", pictures)
    clips = models.build("videomt", **SMALL)
    clips.class_names = names
    report = weights.initialise(clips, tmp_path / "stage1.safetensors")
    assert set(report.missing) == {"query_updater.weight", "query_updater.bias"}
    assert torch.equal(clips.class_head.weight, pictures.class_head.weight)
