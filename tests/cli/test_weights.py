"""`vis weights`: its two commands, what they print, and how they fail."""

from pathlib import Path

import pytest
import torch

from vis import models, weights
from vis.cli import main
from vis.cli.arguments import parse
from vis.cli.weights import COMMAND
from vis.errors import DataError, InputError, OutputExistsError, UsageError


def run(name: str, *arguments: str) -> int:
    command = COMMAND.commands[name]
    bound = parse(command, f"vis weights {name}", list(arguments))
    assert bound is not None
    return command.function(*bound.args, **bound.kwargs)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A published checkpoint of a small DETR of boxes."""
    sizes = {
        "d_model": 64,
        "encoder_layers": 0,
        "decoder_layers": 1,
        "ffn_dim": 8,
        "instance_queries": 2,
    }
    model = models.build("detr", classes=3, backbone="resnet18", **sizes)
    tensors = {}
    for name, tensor in model.state_dict().items():
        key = name.replace("projection", "input_proj").replace("class_head", "class_embed")
        key = {"queries": "query_embed.weight"}.get(key, key)
        for ours, theirs in (("0", "0"), ("2", "1"), ("4", "2")):
            key = key.replace(f"box_head.{ours}", f"bbox_embed.layers.{theirs}")
        key = key.replace("transformer.norm", "transformer.decoder.norm")
        key = key.replace("decoder.0.", "decoder.layers.0.").replace("feedforward.", "")
        key = key.replace("self_attention", "self_attn").replace(
            "cross_attention", "multihead_attn"
        )
        key = key.replace("backbone.", "backbone.0.body.").replace("conv1.norm", "bn1")
        key = key.replace("conv2.norm", "bn2").replace("downsample.0.norm", "downsample.1")
        tensors[key] = tensor
    tensors["backbone.0.body.bn1.num_batches_tracked"] = torch.tensor(1)
    torch.save({"model": tensors, "epoch": 4}, tmp_path / "x.pth")
    return tmp_path / "x.pth"


def test_convert_and_inspect(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names, out = source.with_name("names.txt"), source.with_name("out.safetensors")
    names.write_text("cat\ndog\nbird \x1b\n")
    assert run("convert", "detr", str(source), str(out), "--classes", str(names)) == 0
    text = capsys.readouterr().out
    assert "detr, 3 classes" in text and '"resnet18"' in text
    assert "dropped backbone.0.body.bn1.num_batches_tracked: counts" in text
    assert weights.load(out).class_names[:2] == ("cat", "dog")
    assert run("inspect", str(out), "--tensors") == 0
    text = capsys.readouterr().out
    assert "classes   3: cat, dog, bird" in text and "\x1b" not in text
    assert "float32   [2, 64]                queries" in text
    assert run("inspect", str(source)) == 0
    text = capsys.readouterr().out
    assert "torch zip" in text and "states    epoch = 4" in text
    assert "tensors  backbone.0" in text


def test_faults_are_named(source: Path) -> None:
    out = str(source.with_name("out"))
    with pytest.raises(UsageError, match=r"destination.*vis weights convert --help"):
        run("convert", "detr", str(source))
    with pytest.raises(UsageError, match="'vistr'"):
        run("convert", "vitr", str(source), out)
    with pytest.raises(UsageError, match="backbone"):
        run("convert", "detr", str(source), out, "--backbone", "resnet5000")
    with pytest.raises(DataError, match="fit the model"):
        run("convert", "detr", str(source), out, "--backbone", "resnet50")
    with pytest.raises(InputError, match=r"absent\.txt"):
        run("convert", "detr", str(source), out, "--classes", "absent.txt")
    source.with_name("names").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="UTF-8"):
        run("convert", "detr", str(source), out, "--classes", str(source.with_name("names")))
    with pytest.raises(OutputExistsError):
        run("convert", "detr", str(source), str(source))
    assert not Path(out).exists()


def test_the_command_line_leads_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights"]) == 0
    assert "convert" in capsys.readouterr().out
    assert main(["weights", "inspect", "absent.pth"]) == InputError.exit_code
    assert "absent.pth" in capsys.readouterr().err
    for name, words in (("convert", "[FAMILY] SOURCE DESTINATION"), ("inspect", "FILE")):
        assert main(["weights", name, "--help"]) == 0
        page = capsys.readouterr().out
        assert words in page and f"  vis weights {name} " in page.split("examples:")[1]


def test_init_starts_a_model_from_another(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names, start = source.with_name("names.txt"), source.with_name("start.safetensors")
    names.write_text("cat\ndog\n")
    given = source.with_name("detr.safetensors")
    assert run("convert", "detr", str(source), str(given), "--classes", str(_three(names))) == 0
    sizes = [
        "d_model=64",
        "encoder_layers=0",
        "decoder_layers=1",
        "ffn_dim=8",
        "instance_queries=5",
        "backbone=resnet18",
    ]
    order = ("init", "detr", str(given), str(start), "--classes", str(names), "--settings")
    assert run(*order, *sizes) == 0
    with pytest.raises(UsageError, match="NAME=VALUE"):
        run(*order, "width")
    text = capsys.readouterr().out
    assert "tensors taken" in text and "class_head" in text
    fresh, old = weights.load(start), weights.load(given)
    assert fresh.class_names == ("cat", "dog")
    taken, whole = fresh.state_dict(), old.state_dict()
    assert all(torch.equal(taken[n], whole[n]) for n in whole if n.startswith("backbone."))
    assert taken["queries"].shape[0] == 5


def _three(names: Path) -> Path:
    path = names.with_name("three.txt")
    path.write_text("a\nb\nc\n")
    return path
