"""Published SOTR and Segmenter checkpoints: every name and shape becomes ours, or none."""

import re
from pathlib import Path

import pytest
import torch

from vis import backbones, models, weights
from vis.backbones.resnet import RESNETS
from vis.errors import DataError
from vis.formats.semantic_classes import ADE20K, CITYSCAPES
from vis.weights import converters
from vis.weights.rename import rename

Shapes = dict[str, tuple[int, ...]]


def listed(path: Path) -> Shapes:
    """A published key list: name -> shape."""
    rows = (line.split("\t") for line in path.read_text().splitlines())
    return {key: tuple(int(n) for n in re.findall(r"\d+", shape)) for key, shape in rows}


def converted(family: str, shapes: Shapes) -> tuple[dict[str, object], int]:
    """Settings that the shapes tell, and how many names were dropped; the model takes the rest."""
    chosen = converters.get(family)
    empty = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    ours, dropped = rename(empty, chosen)
    settings = chosen.settings({name: tuple(t.shape) for name, t in ours.items()}, {})
    with torch.device("meta"):
        state = models.build(family, **settings).state_dict()
    assert {n: t.shape for n, t in ours.items()} == {n: t.shape for n, t in state.items()}
    return settings, len(dropped)


@pytest.mark.parametrize(("file", "count"), [("b16", 185), ("bdeit16", 188)])
def test_every_published_segmenter_key_is_mapped(shared: Path, file: str, count: int):
    shapes = listed(shared / "golden" / "keys" / f"segmenter_{file}_mask_ade_keys.tsv")
    assert len(shapes) == count
    settings, dropped = converted("segmenter", shapes)
    assert dropped == (2 if file == "b16" else 4)
    told = {
        key: settings[key] for key in ("classes", "d_model", "depth", "num_heads", "patch", "image")
    }
    assert told == {
        "classes": 150, "d_model": 768, "depth": 12, "num_heads": 12, "patch": 16, "image": 512,
    }  # fmt: skip
    assert settings["distilled"] == (file == "bdeit16")
    assert (settings["window"], settings["decoder"], settings["decoder_depth"]) == (512, "mask", 2)


def segmenter(*, width: int = 64, side: int = 4, classes: int = 19, linear: bool = False) -> Shapes:
    """A small checkpoint under the published names."""
    block = {
        "norm1.weight": (width,), "norm1.bias": (width,), "norm2.weight": (width,),
        "norm2.bias": (width,),
        "attn.qkv.weight": (3 * width, width), "attn.qkv.bias": (3 * width,),
        "attn.proj.weight": (width, width), "attn.proj.bias": (width,),
        "mlp.fc1.weight": (4 * width, width), "mlp.fc1.bias": (4 * width,),
        "mlp.fc2.weight": (width, 4 * width), "mlp.fc2.bias": (width,),
    }  # fmt: skip
    encoder = {
        "encoder.cls_token": (1, 1, width),
        "encoder.pos_embed": (1, 1 + side * side, width),
        "encoder.patch_embed.proj.weight": (width, 3, 16, 16),
        "encoder.patch_embed.proj.bias": (width,),
        "encoder.norm.weight": (width,),
        "encoder.norm.bias": (width,),
        **{f"encoder.blocks.0.{name}": shape for name, shape in block.items()},
    }
    if linear:
        return encoder | {"decoder.head.weight": (classes, width), "decoder.head.bias": (classes,)}
    return encoder | {
        "decoder.cls_emb": (1, classes, width),
        "decoder.proj_patch": (width, width),
        "decoder.proj_classes": (width, width),
        "decoder.proj_dec.weight": (width, width),
        "decoder.proj_dec.bias": (width,),
        "decoder.decoder_norm.weight": (width,),
        "decoder.decoder_norm.bias": (width,),
        "decoder.mask_norm.weight": (classes,),
        "decoder.mask_norm.bias": (classes,),
        **{f"decoder.blocks.0.{name}": shape for name, shape in block.items()},
    }


def test_a_segmenter_tells_its_windows_classes_and_pixels(tmp_path: Path):
    tensors = {key: torch.randn(shape) for key, shape in segmenter(side=48).items()}
    torch.save({"model": tensors, "n_cls": 19, "epoch": 3}, tmp_path / "x.pth")
    card, _ = weights.convert("segmenter", tmp_path / "x.pth", tmp_path / "x.safetensors")
    assert card.classes == CITYSCAPES
    model = weights.load(tmp_path / "x.safetensors")
    config = model.config
    assert (config.image, config.window, config.stride) == (768, 768, 512)
    assert config.mean == config.deviation == (0.5, 0.5, 0.5)


def test_a_linear_segmenter_and_its_distilled_pixels():
    settings, _ = converted("segmenter", segmenter(linear=True, classes=150))
    assert settings["decoder"] == "linear"
    assert converters.get("segmenter").class_names(150) == ADE20K
    shapes = segmenter() | {"encoder.dist_token": (1, 1, 64), "encoder.pos_embed": (1, 18, 64)}
    settings, _ = converted("segmenter", shapes)
    assert settings["mean"] == pytest.approx((0.485020, 0.456, 0.406), abs=1e-6)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"decoder.strange": (3,)}, "not of this family"),
        ({"encoder.pos_embed": (1, 16, 64)}, "no square"),
        ({"encoder.norm.bias": (63,)}, "shape"),
    ],
)
def test_a_segmenter_with_anything_left_over_is_refused(
    tmp_path: Path, change: Shapes, reason: str
):
    tensors = {key: torch.zeros(shape) for key, shape in (segmenter() | change).items()}
    torch.save(tensors, tmp_path / "x.pth")
    with pytest.raises(DataError, match=reason):
        weights.convert("segmenter", tmp_path / "x.pth", tmp_path / "x.safetensors")
    assert not (tmp_path / "x.safetensors").exists()


def sotr(shared: Path, backbone: str) -> Shapes:
    """The published names of SOTR with another backbone."""
    shapes = listed(shared / "golden" / "keys" / "sotr_r50_keys.tsv")
    shapes = {key: s for key, s in shapes.items() if not key.startswith("backbone.bottom_up.")}
    with torch.device("meta"):
        state = backbones.build(backbone).state_dict()
    for name, value in state.items():
        key = re.sub(r"^layer(\d)", lambda m: f"res{int(m[1]) + 1}", name)
        key = re.sub(r"^conv1", "stem.conv1", key).replace("downsample.0", "shortcut")
        key = key.replace("conv2.offsets", "conv2_offset")
        shapes[f"backbone.bottom_up.{key}"] = tuple(value.shape)
    return shapes


@pytest.mark.parametrize(
    ("backbone", "count"),
    [
        ("resnet50_msra", 549),
        ("resnet101_msra", 536 + 268),
        ("resnext101_32x8d", 536 + 268),
        ("resnet101_msra_dcn", 596 + 268),
    ],
)
def test_every_sotr_key_is_mapped_whatever_its_backbone(shared: Path, backbone: str, count: int):
    shapes = sotr(shared, backbone)
    assert len(shapes) == count
    settings, dropped = converted("sotr", shapes)
    assert settings["backbone"] == backbone and not dropped
    assert settings["classes"] == 80 and settings["depth"] == 12


def test_which_blocks_are_deformable_their_offsets_tell(shared: Path):
    shapes = sotr(shared, "resnet101_msra_dcn")
    some = {
        key: s
        for key, s in shapes.items()
        if "offset" not in key or re.search(r"res\d\.(0|3|6)\.", key)
    }
    assert len(some) < len(shapes)
    assert converted("sotr", some)[0]["backbone"] == "resnet101_msra_dcn"


def test_offsets_that_change_nothing_change_nothing():
    torch.manual_seed(0)
    plain = backbones.build("resnet50_msra")
    tensors = {f"backbone.{name}": value for name, value in plain.state_dict().items()}
    first = "backbone.layer2.0.conv2.offsets"
    tensors[f"{first}.weight"] = torch.zeros(27, 128, 3, 3)
    tensors[f"{first}.bias"] = torch.cat((torch.zeros(18), torch.full((9,), 30.0)))
    whole = converters.get("sotr").adapt(tensors)
    net = backbones.build("resnet50_msra_dcn")
    state = {name[9:]: value for name, value in whole.items()}
    state["conv1.weight"] = plain.state_dict()["conv1.weight"]
    net.load_state_dict(state)
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        for one, other in zip(net(x), plain(x), strict=True):
            torch.testing.assert_close(one, other)
    assert "resnet50_msra_dcn" in RESNETS


def test_the_pixels_of_resnext_are_over_the_deviation_already():
    adapt = converters.get("sotr").adapt
    first = torch.randn(64, 3, 7, 7)
    plain = {
        "backbone.conv1.weight": first,
        "backbone.layer1.0.conv2.weight": torch.zeros(64, 64, 3, 3),
    }
    grouped = plain | {"backbone.layer1.0.conv2.weight": torch.zeros(256, 8, 3, 3)}
    assert torch.equal(adapt(grouped)["backbone.conv1.weight"], first.flip(1))
    assert not torch.equal(adapt(plain)["backbone.conv1.weight"], first.flip(1))
