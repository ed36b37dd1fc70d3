"""Folders as transformers saves them: names, settings, class names, pixels, shards, refusals."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import vis
from vis import models, weights
from vis.backbones.swin import SWINS, Size
from vis.cli import main
from vis.errors import DataError, InputError, UsageError
from vis.inference.options import TrackOptions
from vis.inference.resolved_options import resolve
from vis.models._pixels import Resize
from vis.weights import converters
from vis.weights.convert import read_model
from vis.weights.converters._hub_mask2former import WRITES
from vis.weights.hub_form import HubForm, split
from vis.weights.preprocessor import read_preprocessor
from vis.weights.rename import first_of

SMALL: dict[str, Any] = {
    "backbone": "resnet18",
    "d_model": 128,
    "instance_queries": 3,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "ffn_dim": 8,
    "num_heads": 8,
}
FAMILIES = {
    "hf_detr_r50_panoptic": "detr",
    "hf_detr_r50_no_timm": "detr",
    "hf_detr_r101": "detr",
    "hf_deformable_detr_r50": "deformable_detr",
    "hf_deformable_detr_r50_refine": "deformable_detr",
    "hf_deformable_detr_r50_two_stage": "deformable_detr",
    "hf_mask2former_r50_coco": "mask2former",
    "hf_mask2former_swin_t_coco": "mask2former",
    "hf_mask2former_swin_s_coco": "mask2former",
}
Changed = Callable[..., Path]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny DETR with masks, as transformers would save it."""
    torch.manual_seed(0)
    model = models.build("detr", classes=2, masks=True, **SMALL)
    model.class_names = ("cat", "")
    folder = tmp_path_factory.mktemp("tiny") / "folder"
    weights.export(model, folder)
    return folder


@pytest.fixture
def changed(tiny: Path, tmp_path: Path) -> Changed:
    """A copy of the folder with other values in one of its files; None takes a key away."""

    def make(file: str = "config.json", **values: object) -> Path:
        folder = tmp_path / "changed"
        shutil.copytree(tiny, folder, dirs_exist_ok=True)
        content = json.loads((folder / file).read_text()) | values
        kept = {key: value for key, value in content.items() if value is not None}
        (folder / file).write_text(json.dumps(kept))
        return folder

    return make


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_name_is_the_published_one(shared: Path, name: str):
    family = converters.get(FAMILIES[name])
    lines = (shared / "golden" / "keys" / f"{name}_map.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines]
    for theirs, published, part in rows:
        if published == "-":
            assert first_of(family.dropped, theirs)
        else:
            assert family.published(theirs) == (published if part == "-" else f"{published} {part}")
    assert converters.family_of([row[0] for row in rows]) == FAMILIES[name]


def test_a_folder_is_a_model(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    model = vis.load(tiny)
    assert (model.name, model.class_names, model.size) == ("detr", ("cat", ""), 800)
    assert main(["weights", "convert", str(tiny), str(tmp_path / "a.safetensors")]) == 0
    assert "with --preprocess hub short 800, longest 1333" in capsys.readouterr().out
    again = vis.load(tmp_path / "a.safetensors")
    assert again.config == model.config and again.pixels == model.pixels
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])
    # one of its files stands for the folder
    assert read_model(tiny / "model.safetensors").metadata == read_model(tiny).metadata


def test_what_is_exported_comes_back(tiny: Path, tmp_path: Path):
    model = vis.load(tiny)
    weights.export(model, tmp_path / "again")
    for path in tiny.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    with pytest.raises(UsageError, match="a tt_srn is not written for transformers"):
        weights.export(models.build("tt_srn", classes=1, backbone="resnet18"), tmp_path / "other")


@pytest.mark.parametrize("backbone", ["resnet18", "swin_smallest"])
def test_a_mask2former_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backbone: str):
    monkeypatch.setitem(SWINS, "swin_smallest", Size(16, (2, 2, 2, 2), (1, 2, 2, 4), 3))
    small = {"backbone": backbone, "d_model": 64, "mask_width": 16, "queries": 3, "depth": 2}
    small |= {"pixel_depth": 1, "pixel_ffn_dim": 8, "ffn_dim": 8}
    model = models.build("mask2former", classes=2, task="instance", **small)
    model.class_names = ("cat", "")
    weights.export(model, tmp_path / "out")
    again = vis.load(tmp_path / "out")
    assert again.config == model.config and again.class_names == model.class_names
    assert again.state_dict().keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"task": "video"}, "no mask2former of clips"),
        ({"d_model": 32}, "need 64 channels"),
        ({"backbone": "convnext_atto"}, "no mask2former on convnext_atto"),
    ],
)
def test_what_transformers_has_not_is_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
):
    stated = {"task": "instance", "backbone": "resnet18", "depth": 1, "pixel_depth": 1}
    model = models.build("mask2former", classes=2, **(stated | settings))
    with pytest.raises(UsageError, match=message):
        weights.export(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", sorted(n for n in FAMILIES if "mask2former" in n))
def test_what_is_written_is_what_is_read(shared: Path, name: str):
    family = converters.get("mask2former")
    lines = (shared / "golden" / "keys" / f"{name}_map.tsv").read_text().splitlines()
    for theirs, published, _ in (line.split("\t") for line in lines):
        if published != "-":
            ours = family.ours(published)
            assert ours is not None
            row = first_of(WRITES, ours)
            assert row is not None
            assert theirs in [part for part, _ in split(row, torch.zeros(3))]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"auto_map": {}}, "auto_map"),
        ({"model_type": "yolos"}, "model_type is 'yolos', but .* those of detr"),
        ({"use_swiglu_ffn": True}, "use_swiglu_ffn"),
        ({"position_embedding_type": "learned"}, "position_embedding_type is 'learned'"),
        ({"d_model": 64}, "d_model is 64, but the tensors are of d_model 128"),
        ({"num_queries": 7}, "num_queries is 7, .* instance_queries 3"),
        ({"encoder_attention_heads": 4}, "encoder_attention_heads is 4, decoder_att.* 8"),
        ({"encoder_attention_heads": 16, "decoder_attention_heads": 16}, "is 16, .*heads 8"),
        ({"backbone": "resnet50"}, "backbone is 'resnet50', .* 'resnet18'"),
        ({"backbone_config": {"model_type": "swin"}}, "backbone_config.model_type is 'swin'"),
        ({"id2label": {"0": "a"}}, "id2label names 1 classes, .* has 2"),
        ({"id2label": {"1": "a", "2": "b"}}, "keys of id2label"),
    ],
)
def test_contradictions_name_both_values(changed: Changed, values: Any, message: str):
    with pytest.raises(DataError, match=message):
        vis.load(changed(**values))


@pytest.mark.parametrize(
    ("values", "backbone"),
    [
        ({"backbone": "timm/resnet18.a1_in1k"}, "resnet18"),
        ({"backbone": "microsoft/resnet-18", "use_timm_backbone": False}, "resnet18"),
        (
            {
                "backbone": None,
                "backbone_config": {
                    "model_type": "resnet", "depths": [2, 2, 2, 2], "layer_type": "basic",
                },
            },
            "resnet18",
        ),
        (
            {
                "backbone": None,
                "backbone_config": {"model_type": "timm_backbone", "backbone": "resnet18"},
            },
            "resnet18",
        ),
    ],
)  # fmt: skip
def test_a_backbone_has_three_forms(changed: Changed, values: Any, backbone: str):
    assert read_model(changed(**values)).metadata.settings["backbone"] == backbone


def test_dilation_is_known_from_the_settings_alone():
    form = converters.get("detr").hub
    assert isinstance(form, HubForm)
    nested = {"model_type": "timm_backbone", "backbone": "resnet50", "output_stride": 16}
    for config in ({"backbone": "resnet50", "dilation": True}, {"backbone_config": nested}):
        values = {claim.setting: claim.value for claim in form.claims(config)}
        assert values["backbone"] == "resnet50_dc5"


def test_classes_that_nobody_named_are_numbered(changed: Changed):
    assert vis.load(changed(id2label=None)).class_names == ("class 0", "class 1")
    labels = {"1": "LABEL_1", "0": "LABEL_0"}
    assert vis.load(changed(id2label=labels)).class_names == ("class 0", "class 1")
    assert vis.load(changed(id2label={"1": "b", "0": "a"})).class_names == ("a", "b")


def test_shards_are_one_model(changed: Changed):
    folder = changed()
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {"model-1-of-2.safetensors": names[::2], "model-2-of-2.safetensors": names[1::2]}
    for file, part in parts.items():
        save_file({name: tensors[name] for name in part}, folder / file)
    places = {name: file for file, part in parts.items() for name in part}
    index = folder / "model.safetensors.index.json"

    def load(**changes: str) -> Any:
        index.write_text(json.dumps({"weight_map": places | changes}))
        return vis.load(folder)

    assert load().name == "detr"
    with pytest.raises(DataError, match=r"has no 'x', which the index says"):
        load(x="model-1-of-2.safetensors")
    with pytest.raises(DataError, match=r"'\.\./model' is not beside its index"):
        load(x="../model")
    with pytest.raises(InputError, match=r"model-3\.safetensors"):
        load(x="model-3.safetensors")
    del places[names[0]]
    with pytest.raises(DataError, match="of which the index says nothing"):
        load()


def test_missing_and_extra_tensors_are_named(changed: Changed):
    folder = changed()
    # copies: the oldest safetensors maps the file, which is written anew below
    tensors = {n: t.clone() for n, t in load_file(folder / "model.safetensors").items()}

    def load(changes: dict[str, Any]) -> Any:
        merged = {n: t for n, t in (tensors | changes).items() if t is not None}
        save_file(merged, folder / "model.safetensors")
        return vis.load(folder)

    key = "detr.model.decoder.layers.0.self_attn.k_proj.weight"
    with pytest.raises(DataError, match="the part k is missing"):
        load({key: None})
    with pytest.raises(DataError, match="do not fit each other"):
        load({key: torch.zeros(4, 32)})
    with pytest.raises(DataError, match=r"names are not of this family: detr\.extra"):
        load({"detr.extra": torch.zeros(1)})
    with pytest.raises(DataError, match=r"1 missing: projection\.bias"):
        load({"detr.model.input_projection.bias": None})
    with pytest.raises(DataError, match="save_original_format"):
        load({"detr.model.encoder.layers.0.self_attn.o_proj.weight": torch.zeros(1)})
    # what early versions wrote beside frozen norms
    counter = "detr.model.backbone.conv_encoder.model.bn1.num_batches_tracked"
    assert load({counter: torch.tensor(0)}).name == "detr"


def test_a_kind_that_nobody_knows_is_named(tmp_path: Path):
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"has no config\.json"):
        vis.load(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "sam3"}')
    with pytest.raises(DataError, match="model_type 'sam3' is not read here"):
        vis.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "resize"),
    [
        ({}, None),
        ({"size": 800, "max_size": 1333}, Resize(short=800, longest=1333)),
        ({"size": {"shortest_edge": 640, "longest_edge": 640}}, Resize(short=640, longest=640)),
        ({"size": {"height": 384, "width": 384}, "resample": 3},
         Resize(height=384, width=384, bicubic=True)),
        ({"size": 800, "do_resize": False}, None),
    ],
)  # fmt: skip
def test_sizes_are_stated_in_three_forms(content: Any, resize: Resize | None):
    assert read_preprocessor(content).resize == resize


def test_colours_are_honoured(changed: Changed):
    """Half-grey pixels come to 0 where the mean says so; bytes may not be scaled before."""
    usual = read_preprocessor({"rescale_factor": 0.00392156862745098})
    assert usual == read_preprocessor({})
    grey = {"image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    unscaled = {"image_mean": [127.5] * 3, "image_std": [63.75] * 3, "do_rescale": False}
    for content in (grey, unscaled):
        model = vis.load(changed("preprocessor_config.json", **content))
        pixels = model.normalize(torch.full((1, 3, 1, 2), 0.75), None, torch.float32)
        assert torch.allclose(pixels, torch.ones_like(pixels))
    with pytest.raises(DataError, match="image_std"):
        read_preprocessor({"image_std": [0, 1, 1]})
    with pytest.raises(DataError, match="resample is 1"):
        read_preprocessor({"size": 8, "resample": 1})


def test_whose_size_is_taken_is_an_option(changed: Changed):
    import numpy as np

    model = vis.load(changed("preprocessor_config.json", size={"height": 24, "width": 48}))
    usual = resolve(TrackOptions(), model)
    assert (usual.short, usual.height) == (800, None)
    squeezed = resolve(TrackOptions(preprocess="hub"), model)
    frame = np.zeros((90, 100, 3), np.uint8)
    assert squeezed.predictor(model, device="cpu").resize(frame).shape == (3, 24, 48)
    assert squeezed.state()["height"] == 24
    with pytest.raises(UsageError, match="size and preprocess hub"):
        TrackOptions(preprocess="hub", size=100)
    model.pixels = read_preprocessor({})
    with pytest.raises(UsageError, match="no preprocessor that states a size"):
        resolve(TrackOptions(preprocess="hub"), model)
