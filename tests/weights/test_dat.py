"""Published DAT++ classifiers: told, converted to a backbone's file, and models start from both."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vis import backbones, models, weights
from vis.backbones.dat import DATS, Size
from vis.cli import main
from vis.errors import DataError
from vis.weights import converters

SIZES = {
    "d_model": 64,
    "encoder_layers": 0,
    "decoder_layers": 1,
    "ffn_dim": 8,
    "instance_queries": 2,
}
NEW = re.compile(r"backbone\.norms\.[012]\.")
"""Of the levels that a classifier does not name pictures by."""
_AT = r"stages\.(\d)\.(\d)\."
NAMES = (
    (r"stem\.([14])\.(.+)", r"patch_proj.\1.norm.\2"),
    (r"stem\.(.+)", r"patch_proj.\1"),
    (r"downs\.(\d)\.1\.(.+)", r"down_projs.\1.1.norm.\2"),
    (r"downs\.(.+)", r"down_projs.\1"),
    (r"norms\.3\.(.+)", r"cls_norm.norm.\1"),
    (_AT + r"local\.(.+)", r"stages.\1.local_perception_units.\2.\3"),
    (_AT + r"mlp\.local\.(.+)", r"stages.\1.mlps.\2.dwc.\3"),
    (_AT + r"mlp\.(linear\d)\.(.+)", r"stages.\1.mlps.\2.\3.0.\4"),
    (_AT + r"attention\.(qkv|proj)\.(.+)", r"stages.\1.attns.\2.\3.\4"),
    (_AT + r"attention\.rpb", r"stages.\1.attns.\2.rpb"),
    (_AT + r"attention\.table", r"stages.\1.attns.\2.rpe_table"),
    (_AT + r"attention\.offsets\.1\.(.+)", r"stages.\1.attns.\2.conv_offset.1.norm.\3"),
    (_AT + r"attention\.offsets\.(.+)", r"stages.\1.attns.\2.conv_offset.\3"),
    (_AT + r"attention\.(query|key|value)\.(.+)", r"stages.\1.attns.\2.proj_\3.\4"),
    (_AT + r"attention\.out\.(.+)", r"stages.\1.attns.\2.proj_out.\3"),
)  # fmt: skip


@pytest.fixture(autouse=True)
def small_dat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATS, "dat_smallest", Size(16, 2, 1, (2, 2, 2, 1), 0.0))
    torch.manual_seed(0)


def their_name(name: str) -> str:
    norm = re.fullmatch(_AT + r"norm([12])\.(.+)", name)
    if norm:
        return f"stages.{norm[1]}.layer_norms.{2 * int(norm[2]) + int(norm[3]) - 1}.norm.{norm[4]}"
    pattern, replacement = next(row for row in NAMES if re.fullmatch(row[0], name))
    return re.sub(r"_(q|k|v)(uery|ey|alue)", r"_\1", re.sub(pattern, replacement, name))


def published(net: torch.nn.Module) -> dict[str, Tensor]:
    """Its tensors as a classifier's under the published names."""
    state = {n: t for n, t in net.state_dict().items() if not re.match(r"norms\.[012]", n)}
    head = {"cls_head.weight": torch.zeros(7, 128), "cls_head.bias": torch.zeros(7)}
    return {their_name(name): tensor.clone() for name, tensor in state.items()} | head


@pytest.fixture
def net() -> torch.nn.Module:
    net = backbones.build("dat_smallest").eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return net


@pytest.fixture
def source(net: torch.nn.Module, tmp_path: Path) -> Path:
    torch.save({"model": published(net), "epoch": 3}, tmp_path / "dat.pth")
    return tmp_path / "dat.pth"


@pytest.mark.parametrize("converted", [True, False])
def test_models_start_from_the_file_as_it_is_and_converted(
    net: torch.nn.Module, source: Path, converted: bool
):
    start = source
    if converted:
        start = source.with_name("dat.safetensors")
        card, dropped = weights.convert("dat", source, start)
        assert (card.model, card.settings) == ("backbone", {"name": "dat_smallest"})
        assert [name for name, _ in dropped] == ["cls_head.weight", "cls_head.bias"]
    model = models.build("detr", classes=2, backbone="dat_smallest", **SIZES).eval()
    taken = weights.initialise(model, start)
    fresh = {name for name in taken.missing if name.startswith("backbone.")}
    assert fresh == {n for n in (f"backbone.{name}" for name in net.state_dict()) if NEW.match(n)}
    frames = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        assert torch.equal(model.backbone(frames)[3], net(frames)[3])
    other = models.build("detr", classes=2, backbone="resnet18", **SIZES)
    with pytest.raises(DataError, match=r"backbone dat_smallest, the model's is resnet18\. Set"):
        weights.initialise(other, start)


def test_the_command_line_tells_what_it_is(source: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["weights", "inspect", str(source)]) == 0
    said = capsys.readouterr().out
    assert f"family    dat: vis weights convert dat {source} OUT.safetensors" in said
    out = source.with_name("dat.safetensors")
    assert main(["weights", "convert", "dat", str(source), str(out)]) == 0
    start = f"a backbone: vis train ... --model.backbone dat_smallest --model.init_from {out}"
    assert start in capsys.readouterr().out
    assert main(["weights", "inspect", str(out)]) == 0
    said = capsys.readouterr().out
    assert start in said and "classes" not in said
    with pytest.raises(DataError, match=r"no model but a backbone, dat_smallest.*model\.init_from"):
        weights.load(out)


def test_tables_of_larger_pictures_are_brought_to_size(net: torch.nn.Module, source: Path):
    tensors = published(net)
    key = "stages.0.attns.1.rpe_table"
    heads, *sides = tensors[key].shape
    tensors[key] = torch.full((heads, *(2 * side + 1 for side in sides)), 0.25)
    torch.save({"model": tensors}, source)
    out = source.with_name("dat.safetensors")
    weights.convert("dat", source, out)
    model = models.build("detr", classes=2, backbone="dat_smallest", **SIZES)
    weights.initialise(model, out)
    table = model.backbone.stages[0][1].attention.table
    assert list(table.shape) == [heads, *sides]
    torch.testing.assert_close(table.detach(), torch.full_like(table, 0.25))


def test_other_sizes_and_other_names_are_refused(net: torch.nn.Module, source: Path):
    out, tensors = source.with_name("x.safetensors"), published(net)
    wide = tensors | {"patch_proj.3.weight": torch.zeros(96, 8, 3, 3)}
    for change, words in (
        (wide, r"begins with 96 channels is not known \(dat_tiny 64, dat_base 128"),
        (tensors | {"stages.0.strange": torch.zeros(1)}, r"not of this family: stages\.0\.strange"),
        ({n: t for n, t in tensors.items() if "rpb" not in n}, "missing: backbone"),
    ):
        torch.save({"model": change}, source)
        with pytest.raises(DataError, match=words):
            weights.convert("dat", source, out)
        assert not out.exists()


def test_published_attentions_have_the_names_of_the_family(shared: Path):
    family = converters.get("dat")
    with np.load(shared / "golden" / "parts" / "dat_pp_s2.npz") as stored:
        names = [key.removeprefix("w.") for key in stored if key.startswith("w.")]
    ours = {family.ours(f"stages.1.attns.1.{name}") for name in names}
    place = "stages.1.1.attention."
    wanted = {n for n in backbones.build("dat_smallest").state_dict() if n.startswith(place)}
    assert ours == {f"backbone.{name}" for name in wanted} and len(names) == 14
