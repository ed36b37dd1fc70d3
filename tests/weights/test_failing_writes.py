"""Every write of `vis weights get` and of a conversion fails once: what is there is whole."""

import contextlib
import hashlib
import importlib.util
import json
import sys
from pathlib import Path

import pytest

from tests.formats.conftest import sound_truth
from tests.weights.server import Server
from vis.errors import VisError
from vis.formats.converting import convert
from vis.weights import fetch
from vis.weights.fetch import imagenet_file

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script():
    """`scripts/dev/fail_writes.py`."""
    path = ROOT / "scripts" / "dev" / "fail_writes.py"
    spec = importlib.util.spec_from_file_location("fail_writes", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["full", "drive", "short", "fsync"])
def test_weights_are_whole_or_not_there(script, server: Server, folder: Path, monkeypatch, kind):
    digits = hashlib.sha256(server.content).hexdigest()[:8]
    monkeypatch.setattr(fetch, "_address", lambda name: f"{server.address}/{name}-{digits}.pth")
    at, failed = 0, True
    while failed and at < 30:
        at += 1
        said = None
        with script.failing(folder, kind, at) as fault:
            try:
                imagenet_file("resnet50", download=True)
            except VisError as error:
                said = error
        assert said is None or (str(folder) in str(said) and said.remedy)
        failed = fault.failed
        for path in folder.glob("resnet50-*.pth"):
            assert path.read_bytes() == server.content
        assert imagenet_file("resnet50", download=True).read_bytes() == server.content
        for path in folder.iterdir():
            path.unlink()
    assert at > 1


@pytest.mark.parametrize("to", ["ytvis", "labelme", "davis"])
def test_a_converted_set_is_whole_or_not_there(script, tmp_path: Path, to: str):
    source, whole = tmp_path / "truth.json", tmp_path / "sets" / "whole"
    source.write_text(json.dumps(sound_truth()))
    whole.parent.mkdir()
    convert(source, whole, to=to)
    expected = whole.read_bytes() if whole.is_file() else script.contents(whole)
    for kind, at in (("full", 1), ("drive", 2), ("short", 1), ("fsync", 1), ("fsync", 2)):
        out = whole.with_name(f"{kind}{at}")
        with script.failing(whole.parent, kind, at), contextlib.suppress(VisError):
            convert(source, out, to=to)
        if not out.is_file() and not script.contents(out):  # an empty folder is in nobody's way
            convert(source, out, to=to)
        assert expected == (out.read_bytes() if out.is_file() else script.contents(out))
