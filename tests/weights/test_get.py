"""Published models by name: licence, hash, conversion; got once, then found by every command."""

import hashlib
import io
import json
import math
from pathlib import Path

import pytest
import torch

from tests.weights.server import Server
from tests.weights.test_convert import published
from vis import models, weights
from vis.cli import main
from vis.errors import DataError, InputError, UsageError
from vis.inference.model_classes import load_model
from vis.weights import catalogue, converters, get
from vis.weights.catalogue import Entry, entries, entry

SIZES = {
    "d_model": 64,
    "encoder_layers": 0,
    "decoder_layers": 1,
    "ffn_dim": 8,
    "instance_queries": 2,
}
NAME = "detr_tiny"


@pytest.fixture(scope="module")
def checkpoint() -> bytes:
    """A small DETR as its authors would publish it."""
    torch.manual_seed(0)
    model = models.build("detr", classes=3, backbone="resnet18", **SIZES)
    buffer = io.BytesIO()
    torch.save({"model": published("detr", model)}, buffer)
    return buffer.getvalue()


@pytest.fixture
def table(
    server: Server,
    checkpoint: bytes,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict:
    """The one row of a table of models, and a way to change it."""
    server.content = checkpoint
    row = {
        "name": NAME,
        "data": "nothing",
        "score": "0 AP",
        "address": f"{server.address}/detr.pth",
        "hash": "sha256:" + hashlib.sha256(checkpoint).hexdigest()[:8],
        "classes": 3,
        "settings": {},
        "numbers": 1,
    }
    said = {"family": "detr", "what": "a DETR", "licence": "Apache-2.0", "terms": "Be kind."}
    assets = tmp_path / "assets"
    assets.mkdir()
    monkeypatch.setattr(catalogue, "ASSETS", assets)

    def write(**changes: object) -> None:
        (assets / "models.json").write_text(
            json.dumps({"families": [said | {"models": [row | changes]}]})
        )

    write()
    return {"write": write, "assets": assets}


def test_got_once_it_is_found_by_name(table: dict, server: Server, folder: Path) -> None:
    path = get(NAME, accepted=True)
    assert path == folder / f"{NAME}.safetensors"
    model = weights.load(NAME)
    assert model.name == "detr" and model.config.instance_queries == 2
    assert sorted(one.name for one in folder.iterdir()) == [path.name, f"{NAME}.source.json"]
    record = json.loads((folder / f"{NAME}.source.json").read_text())
    assert record["sha256"] == hashlib.sha256(server.content).hexdigest()
    assert record["licence"] == "Apache-2.0" and record["bytes"] == len(server.content)
    assert get(NAME, accepted=False) == path and len(server.asked) == 1


def test_the_licence_must_be_accepted(table: dict, server: Server) -> None:
    with pytest.raises(UsageError, match="Be kind"):
        get(NAME, accepted=False)
    assert not server.asked


def test_a_broken_download_goes_on(table: dict, server: Server) -> None:
    server.breaks_after = len(server.content) // 2
    with pytest.raises(InputError, match="connection broke"):
        get(NAME, accepted=True)
    server.breaks_after = None
    assert get(NAME, accepted=True).is_file()
    assert server.asked[-1][1] == f"bytes={len(server.content) // 2}-"


def test_a_wrong_hash_leaves_nothing(table: dict, server: Server, folder: Path) -> None:
    table["write"](hash="md5:000000")
    with pytest.raises(DataError, match="md5 begins with"):
        get(NAME, accepted=True)
    assert not list(folder.iterdir())


def test_what_holds_something_else_leaves_nothing(
    table: dict, server: Server, folder: Path
) -> None:
    server.content = b"<html>Please log in.</html>"
    with pytest.raises(DataError):
        get(NAME, accepted=True, unverified=True)
    table["write"](hash="")
    with pytest.raises(DataError):
        get(NAME, accepted=True, unverified=True)
    assert not list(folder.iterdir())


def test_an_unknown_hash_is_written_down_and_checked_from_then_on(
    table: dict, server: Server, folder: Path
) -> None:
    table["write"](hash="")
    with pytest.raises(UsageError, match="nobody states the hash"):
        get(NAME, accepted=True)
    path = get(NAME, accepted=True, unverified=True)
    path.unlink()
    good, server.content = server.content, server.content + b"!"
    with pytest.raises(DataError, match="sha256 begins with"):
        get(NAME, accepted=True)
    server.content = good
    assert get(NAME, accepted=True) == path


def test_the_users_own_hash_counts(table: dict, server: Server) -> None:
    table["write"](hash="")
    with pytest.raises(DataError):
        get(NAME, accepted=True, sha256="0" * 64)
    get(NAME, accepted=True, sha256=hashlib.sha256(server.content).hexdigest())


def test_a_page_for_people_says_what_to_do(table: dict, server: Server, tmp_path: Path) -> None:
    table["write"](hash="", browser=True)
    with pytest.raises(InputError, match=r"browser, then: .* --file FILE --unverified"):
        get(NAME, accepted=True)
    file = tmp_path / "fetched.pth"
    file.write_bytes(server.content)
    assert get(NAME, accepted=True, file=file, unverified=True).is_file()
    assert file.is_file() and not server.asked
    (file.parent / "weights" / f"{NAME}.safetensors").unlink()
    with pytest.raises(InputError, match="absent"):
        get(NAME, accepted=True, file="absent")


def test_offline_nothing_is_asked(table: dict, server: Server, folder: Path) -> None:
    with pytest.raises(InputError, match=r"Nothing was fetched.*--file"):
        get(NAME, accepted=True, offline=True)
    folder.mkdir()
    (folder / f"{NAME}.download.pth").write_bytes(server.content)
    assert get(NAME, accepted=True, offline=True).is_file()
    assert not server.asked and not (folder / f"{NAME}.download.pth").exists()


def test_the_command_shows_the_licence(table: dict, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "get", NAME]) == UsageError.exit_code
    out, err = capsys.readouterr()
    assert "licence: Apache-2.0. Be kind." in out and "Add --yes" in err
    assert main(["weights", "get", NAME, "--yes"]) == 0
    assert f"{NAME} is in " in capsys.readouterr().out
    assert main(["weights", "get", "detr_tinny"]) == UsageError.exit_code
    assert f"Did you mean '{NAME}'" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("\n", 64), ("", 64)])
def test_at_a_terminal_it_is_asked(
    table: dict, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    assert main(["weights", "get", NAME]) == code


def test_a_known_name_that_is_not_here_says_how_to_get_it(table: dict) -> None:
    with pytest.raises(InputError, match=f"vis weights get {NAME}"):
        weights.load(NAME)


def small() -> models.Model:
    torch.manual_seed(0)
    model = models.build("detr", classes=2, backbone="resnet18", **SIZES)
    model.class_names = ("cat", "dog")
    return model


def test_the_model_that_ships(table: dict, folder: Path) -> None:
    with pytest.raises(InputError, match="'default'"):
        weights.load("default")
    stated = {"what": "ours", "licence": "Apache-2.0", "terms": "", "data": "", "score": ""}
    stated |= {"numbers": 5, "model": "detr", "classes": 2, "settings": {}}
    weights.save_model(table["assets"] / "default.safetensors", small(), half=True)
    (table["assets"] / "default.json").write_text(json.dumps(stated))
    assert weights.load("default").class_names == ("cat", "dog")
    first = entries()[0]
    assert first.ships and first.name == "default" and get("default", accepted=False).is_file()

    assert load_model(None).class_names == ("cat", "dog")


def test_half_precision_is_float32_in_use(tmp_path: Path) -> None:
    model, path = small(), tmp_path / "half.safetensors"
    weights.save_model(path, model, half=True)
    weights.save_model(tmp_path / "whole.safetensors", model)
    assert path.stat().st_size < 0.55 * (tmp_path / "whole.safetensors").stat().st_size
    for name, tensor in weights.load(path).state_dict().items():
        expected = model.state_dict()[name]
        assert tensor.dtype == expected.dtype
        assert torch.allclose(tensor, expected, rtol=1e-3, atol=1e-7)
    with torch.no_grad():
        model.queries.fill_(1e6)
    with pytest.raises(DataError, match=r"'queries' holds 1e\+06, too large for half"):
        weights.save_model(path, model, half=True, overwrite=True)


def test_the_types_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights.save_model(tmp_path / "half.safetensors", small(), half=True)
    assert main(["weights", "inspect", str(tmp_path / "half.safetensors")]) == 0
    assert " float16" in capsys.readouterr().out


def test_the_shipped_table_is_true() -> None:
    """Names are used once, families can be converted, and the numbers are those of the models."""
    rows = [one for one in entries() if not one.ships]
    assert len({one.name for one in rows}) == len(rows) >= 59
    assert {one.family for one in rows} <= set(weights.converters.names())
    built: dict[str, int] = {}
    for one in rows:
        assert one.address.startswith("https://")
        # Inria's host and the hub send files to anybody, and nobody states their hashes
        unstated = one.family in ("segmenter", "videomt", "eomt")
        assert one.browser or one.of_hub or (one.digest is None) == unstated
        assert one.terms and one.licence and one.data and one.score
        if one.digest is not None:
            whole = len(one.digest.digits) == {"sha256": 64, "md5": 32}[one.digest.kind]
            assert whole or one.digest.digits in one.address, "the file's name states it"
        built.setdefault(key(one), one.numbers)
        assert built[key(one)] == one.numbers


def key(one: Entry) -> str:
    return f"{one.model} {one.classes} {one.settings}"


@pytest.mark.parametrize(
    "name",
    [
        "vistr_r50", "detr_r50_dc5_panoptic", "mask2former_swin_t_coco", "sotr_r101_dcn",
        "deformable_detr_r50_two_stage", "istr_v1_r50", "istr_dct_r101", "istr_ae_swin_l",
        "segmenter_base_patch8", "segmenter_base_deit_mask", "segmenter_large_mask_cityscapes",
        "ssd_mobilenet_v2_coco", "rfdetr_seg_nano", "rfdetr_seg_2xlarge",
        "videomt_s_2019", "videomt_b_2019", "eomt_s_coco_panoptic",
    ],
)  # fmt: skip
def test_the_stated_settings_build_the_stated_model(name: str) -> None:
    one = entry(name)
    with torch.device("meta"):
        model = models.build(one.model, classes=one.classes, **one.settings)
    shapes = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    assert sum(math.prod(shape) for shape in shapes.values()) == one.numbers
    told = converters.get(one.family).settings(shapes, {})
    for key in told.keys() - {"task", "things"} - ({"backbone"} if "dc5" in name else set()):
        assert told[key] == getattr(model.config, key), "the file tells another"
