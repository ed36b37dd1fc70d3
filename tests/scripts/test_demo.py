"""The demo: its commands are ones that vis understands."""

import importlib
import importlib.machinery
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from vis.cli.arguments import parse

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module that writes elsewhere."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = importlib.machinery.SourceFileLoader("demo", str(SCRIPTS / "demo"))
    spec = importlib.util.spec_from_loader("demo", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    monkeypatch.setattr(module.environment, "prepare", lambda: sys.executable)
    for name in ("OUT", "NUMBERS", "TRUTH_OUT"):
        monkeypatch.setattr(module, name, tmp_path / name.lower())
    return module


def test_its_commands_are_understood(
    demo: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    demo.NUMBERS.write_text(json.dumps({"AP": 0.5, "AP50": 0.75}))
    ran: list[str] = []

    def run(python: str, *arguments: str) -> int:
        _, package, command, *rest = arguments
        assert package == "vis"
        bound = parse(importlib.import_module(f"vis.cli.{command}").COMMAND, command, rest)
        assert bound is not None
        ran.append(command)
        return 0

    monkeypatch.setattr(demo.environment, "run", run)
    assert demo.demo() == 0
    assert ran == ["track", "evaluate"]
    said = capsys.readouterr().out
    assert str(demo.FILM) in said and "AP 50.0, AP50 75.0" in said
    assert Path(demo.CLIP).is_file() and Path(demo.TRUTH).is_file()
