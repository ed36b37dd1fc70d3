"""The table of shared lines: right on a package made for it, and it knows every model."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from vis import models

SCRIPTS = Path(__file__).parents[2] / "scripts" / "dev"

FILES = {
    "__init__.py": "",
    "models/__init__.py": "from made.ops.pure import anything\n",
    "models/_both.py": "from made import ops\nX = 1\n",
    "models/one.py": '''"""A model.

Of two lines here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from made.layers.block import Block  # the block
from made.models._both import X

if TYPE_CHECKING:
    from made.layers.unused import Nothing


def build(a: int) -> str:
    """Not counted."""
    # nor this
    text = """
    counted"""
    return text
''',
    "models/two.py": "import made.models._both\n\n\ndef build():\n    from made.losses import L\n",
    "layers/__init__.py": "",
    "layers/block.py": "from other.layers import unused\nBlock = (\n    1,\n\n    2,\n)\n",
    "layers/unused.py": "Nothing = 0\n",
    "losses/__init__.py": "from made.losses.sum import L\n",
    "losses/sum.py": "L = 1\nM = 2\n",
    "ops/__init__.py": "",
    "ops/pure.py": "anything = 1\n",
}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec = importlib.util.spec_from_file_location("shared_lines", SCRIPTS / "shared_lines.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "shared_lines", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def package(tmp_path: Path) -> Path:
    root = tmp_path / "made"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_made_up_package_is_counted_by_hand(script: Any, package: Path) -> None:
    one, two = script.reaches(package)
    block, both, losses = ("layers/block.py", "models/_both.py", "losses/__init__.py")
    assert one.own == {package / block: 5, package / "models/one.py": 11}
    assert one.shared == {package / both: 2, package / "ops/__init__.py": 0}
    assert two.own == {
        package / losses: 1, package / "losses/sum.py": 2, package / "models/two.py": 3
    }  # fmt: skip
    assert two.shared == one.shared
    assert list(script.markdown([one, two])) == [
        "| model | own lines | own files | shared lines | models | losses | layers | backbones"
        " | ops | rest | own share |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        "| one | 16 | 2 | 2 | 2 | 0 | 0 | 0 | 0 | 0 | 89% |",
        "| two | 6 | 3 | 2 | 2 | 0 | 0 | 0 | 0 | 0 | 75% |",
    ]


def test_all_models_are_in_the_table(script: Any, capsys: pytest.CaptureFixture[str]) -> None:
    script.main()
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split()[1] for row in rows] == models.names()
