"""The plan of the house holds: rooms import only what lies below them, files stay small."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

VIS = Path(__file__).parent.parent / "vis"

RANKS = {
    "errors": 0,
    "records": 0,
    "renamed": 0,
    "strangers": 0,
    "ops": 1,
    "layers": 1,
    "backbones": 2,
    "losses": 2,
    "formats": 2,
    "video": 2,
    "tracking": 2,
    "datasets": 3,
    "models": 3,
    "evaluation": 3,
    "weights": 4,
    "pipeline": 5,
    "training": 6,
    "cli": 7,
}
FILES = sorted(VIS.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(VIS).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Full names of the modules of ours that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "vis" and name != "vis"}


def test_every_room_has_a_rank():
    assert {room_of(path) for path in FILES} - {"__init__", "__main__"} <= set(RANKS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(VIS)))
def test_a_room_imports_only_rooms_below_it(path: Path):
    room = room_of(path)
    if room in ("__init__", "__main__"):
        pytest.skip("the package's face may name every room")
    for name in imports(path):
        other = name.split(".")[1]
        if other in ("__version__", room):
            continue
        same_rank_records = RANKS[room] == 0 and RANKS[other] == 0
        assert RANKS[other] < RANKS[room] or same_rank_records, f"{path} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(VIS)))
def test_files_and_functions_stay_small(path: Path):
    text = path.read_text()
    assert text.count("\n") <= 300
    assert text == "" or ast.get_docstring(ast.parse(text)), "a file opens with one sentence"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = (
                node.end_lineno
                - node.lineno
                + 1
                - len((ast.get_docstring(node) or "").splitlines())
            )
            assert length <= 40, f"{node.name} has {length} lines"


def test_dangerous_calls_stay_where_they_are_guarded():
    """Pickles, unsafe loads and shells appear nowhere but in the one reader written for them."""
    reader = {"weights/restricted_unpickler.py"}
    allowed = {"pickletools": reader, "pickle": reader}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                if name in ("pickle", "pickletools", "dill", "shelve", "marshal"):
                    assert str(path.relative_to(VIS)) in allowed.get(name, ()), f"{path}: {name}"
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("eval", "exec", "os.system", "torch.load", "yaml.load"), path
                assert not any(k.arg == "shell" for k in node.keywords), path


def test_the_architecture_page_has_the_tree_of_today():
    command = [sys.executable, str(VIS.parent / "scripts" / "write_architecture.py"), "--check"]
    done = subprocess.run(command, check=False)
    assert done.returncode == 0, "run scripts/write_architecture.py"


def test_the_readme_stays_short():
    assert (VIS.parent / "README.md").read_text().count("\n") <= 120
