"""The hub: ids, cache, offline, tokens, and what a repository can be wrong in; on this machine."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import vis
from tests.weights.hub_server import COMMIT, TOKEN, Hub, hub
from vis import models, weights
from vis.cli import main
from vis.errors import DataError, InputError, UsageError
from vis.weights.convert import read_model
from vis.weights.hub import Fetched, fetch
from vis.weights.hub_id import HubId, hub_id

NAME = "owner/tiny-detr"
SMALL = {
    "backbone": "resnet18",
    "d_model": 32,
    "instance_queries": 3,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "ffn_dim": 8,
    "num_heads": 4,
}
CARD = b"---\nlicense: apache-2.0\ntags: [vision]\n---\n# A card\n"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of transformers with a tiny DETR of chance."""
    torch.manual_seed(0)
    model = models.build("detr", classes=2, **SMALL)
    model.class_names = ("cat", "")
    folder = tmp_path_factory.mktemp("hub") / "tiny"
    weights.export(model, folder)
    return folder


@pytest.fixture
def served(tiny: Path) -> Iterator[Hub]:
    """A hub with the tiny DETR."""
    files = {path.name: path.read_bytes() for path in tiny.iterdir()}
    with hub(NAME, files | {"README.md": CARD, "other.bin": b"x" * 100}) as running:
        yield running


def get(served: Hub, tmp_path: Path, text: str = f"hf:{NAME}", **kwargs: Any) -> Fetched:
    return fetch(hub_id(text), endpoint=served.address, cache=tmp_path / "cache", **kwargs)


def test_an_id_has_up_to_four_parts():
    assert hub_id("hf:a/b") == HubId("a/b")
    assert hub_id("hf:a/b@refs/pr/1:x/y.pth") == HubId("a/b", "refs/pr/1", "x/y.pth")
    assert hub_id("hf:a/b:w.pth") == HubId("a/b", "main", "w.pth")
    assert hub_id(f"hf:a/b@{COMMIT}").is_pinned and not hub_id("hf:a/b").is_pinned
    assert str(hub_id("hf:a/b@v1:w.pth")) == "hf:a/b@v1:w.pth"


@pytest.mark.parametrize(
    "text",
    ["hf:a", "hf:a/b/c", "hf:a/..", "hf:a/b@", "hf:a/b@../x", "hf:a/b:", "hf:a/b:../w.pth",
     "hf:a/b:*.pth", "hf:/b", "hf:a/b.git", "hf:a b/c", "hf:a/b@x?y"],
)  # fmt: skip
def test_what_is_no_id_is_refused_before_any_request(text: str):
    with pytest.raises(UsageError, match="names no model of the hub"):
        vis.load(text)


def test_a_repository_is_fetched_once_and_says_whence_it_came(served: Hub, tmp_path: Path):
    fetched = get(served, tmp_path)
    read = read_model(fetched)
    assert read.metadata.classes == ("cat", "")
    assert read.metadata.origin == {
        "repository": NAME, "revision": "main", "commit": COMMIT, "licence": "apache-2.0",
    }  # fmt: skip
    assert not any("other.bin" in path for path in served.asked)
    # again: of a branch one request, of a commit none
    served.asked.clear()
    get(served, tmp_path)
    assert len(served.asked) == 1
    get(served, tmp_path, f"hf:{NAME}@{COMMIT}")
    assert len(served.asked) == 1


def test_a_branch_may_have_a_slash(served: Hub, tmp_path: Path):
    assert get(served, tmp_path, f"hf:{NAME}@refs/pr/1").origin["revision"] == "refs/pr/1"
    with pytest.raises(InputError, match="no revision 'v9'"):
        get(served, tmp_path, f"hf:{NAME}@v9")


def test_it_works_when_the_server_is_gone(tiny: Path, tmp_path: Path):
    files = {path.name: path.read_bytes() for path in tiny.iterdir()}
    with hub(NAME, files) as running:
        get(running, tmp_path)
    assert vis.load(Path(get(running, tmp_path).path)).name == "detr"
    with pytest.raises(InputError, match="not wholly in the hub's cache"):
        get(running, tmp_path, "hf:owner/never-fetched")


def test_a_cache_made_by_hand_serves_offline(tiny: Path, tmp_path: Path):
    folder = tmp_path / "hub" / f"models--{NAME.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    (folder / "blobs").mkdir()
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for number, path in enumerate(tiny.iterdir()):
        blob = folder / "blobs" / str(number)
        blob.write_bytes(path.read_bytes())
        (snapshot / path.name).symlink_to(blob)
    code = "import sys, vis; model = vis.load(sys.argv[1]); print(model.name, model.class_names)"
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, f"hf:{NAME}"], env=environment, capture_output=True, text=True
    )
    assert done.stdout == "detr ('cat', '')\n", done.stderr


def test_a_gated_repository_wants_a_token(
    served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    served.gated = True
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(InputError, match=r"huggingface\.co/owner/tiny-detr, and set HF_TOKEN") as e:
        get(served, tmp_path)
    assert "hf_wrong" not in str(e.value)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fetched = get(served, tmp_path)
    assert TOKEN not in str(fetched)


def test_a_repository_that_is_not_there(served: Hub, tmp_path: Path):
    with pytest.raises(InputError, match="no such repository"):
        get(served, tmp_path, "hf:owner/other")
    with pytest.raises(InputError, match=r"no file 'w\.pth'"):
        get(served, tmp_path, f"hf:{NAME}:w.pth")


def test_other_bytes_of_the_same_length_are_found(served: Hub, tmp_path: Path):
    whole = served.files["model.safetensors"]
    served.files["model.safetensors"] = bytes(len(whole))
    with pytest.raises(DataError, match=r"model\.safetensors"):
        read_model(get(served, tmp_path))


def test_settings_are_judged_before_weights_are_fetched(served: Hub, tmp_path: Path):
    config = json.loads(served.files["config.json"]) | {"auto_map": {"AutoModel": "m.M"}}
    served.files["config.json"] = json.dumps(config).encode()
    with pytest.raises(DataError, match="no code of a repository is ever run"):
        get(served, tmp_path)
    assert not any("safetensors" in path for path in served.asked)


def test_pickles_are_fetched_only_where_there_are_no_safetensors(
    served: Hub, tiny: Path, tmp_path: Path
):
    from safetensors.torch import load_file

    file = io.BytesIO()
    torch.save(load_file(tiny / "model.safetensors"), file)
    served.files["pytorch_model.bin"] = file.getvalue()
    get(served, tmp_path)
    assert not any("pytorch_model" in path for path in served.asked)
    del served.files["model.safetensors"]
    read = read_model(fetch(hub_id(f"hf:{NAME}"), endpoint=served.address, cache=tmp_path / "b"))
    assert read.metadata.model == "detr"
    # the same, cached, with the server gone
    again = fetch(hub_id(f"hf:{NAME}"), endpoint="http://127.0.0.1:9", cache=tmp_path / "b")
    assert (again.path / "pytorch_model.bin").is_file()


def test_one_file_of_a_repository(served: Hub, tmp_path: Path, tiny: Path):
    """Such as several models in one: here one of ours."""
    model = vis.load(tiny)
    weights.save_model(tmp_path / "mine.safetensors", model)
    served.files["mine.safetensors"] = (tmp_path / "mine.safetensors").read_bytes()
    fetched = get(served, tmp_path, f"hf:{NAME}:mine.safetensors")
    assert fetched.origin["file"] == "mine.safetensors"
    assert weights.inspect(fetched.path).model_metadata is not None


def test_the_commands_take_ids(served: Hub, tmp_path: Path):
    """In a process of its own: the library reads its environment when it is imported."""
    environment = os.environ | {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": served.address}
    # another test of this process may have turned the network off
    environment["HF_HUB_OFFLINE"] = "0"
    code = """
import sys
from vis.cli import main
source, out = sys.argv[1:]
for command in (["get", source], ["convert", source, out], ["inspect", out], ["inspect", source]):
    assert main(["weights", *command]) == 0
"""
    out = tmp_path / "ours.safetensors"
    command = [sys.executable, "-c", code, f"hf:{NAME}", str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("licence   apache-2.0") == 3
    assert done.stdout.count(f"commit    {COMMIT}") == 3
    assert f"{out}: vis, " in done.stdout and ": transformers, safetensors, " in done.stdout


def test_a_body_that_is_cut_off_is_an_error_in_one_line(served: Hub, tmp_path: Path):
    served.cut = True
    with pytest.raises(InputError, match=r"cannot be fetched .* goes on from there"):
        get(served, tmp_path)
    served.cut = False
    assert read_model(get(served, tmp_path)).metadata.model == "detr"


def test_the_command_line_says_what_is_wrong(capsys: pytest.CaptureFixture[str]):
    assert main(["track", "a.mp4", "-o", "b.mp4", "--model", "hf:nothing"]) != 0
    assert "hf:OWNER/NAME" in capsys.readouterr().err
