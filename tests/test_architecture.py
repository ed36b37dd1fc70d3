"""The plan of the house holds: rooms import only what lies below them, files stay small."""

import ast
import subprocess
import sys
from pathlib import Path

VIS = Path(__file__).parent.parent / "vis"

RANKS = {
    "errors": 0,
    "records": 0,
    "renamed": 0,
    "version": 0,
    "file_signatures": 0,
    "ops": 1,
    "layers": 1,
    "storage": 1,
    "backbones": 2,
    "losses": 2,
    "formats": 2,
    "video": 2,
    "tracking": 2,
    "datasets": 3,
    "models": 3,
    "weights": 4,
    "outputs": 5,
    "export": 5,
    "inference": 6,
    "evaluation": 7,
    "jobs": 7,
    "training": 8,
    "web": 9,
    "cli": 10,
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


def test_a_room_imports_only_rooms_below_it():
    wrong = []
    for path in FILES:
        room = room_of(path)
        if room in ("__init__", "__main__"):
            continue  # the package's face may name every room
        others = {name: name.split(".")[1] for name in imports(path)}
        wrong += [
            f"{path} imports {name}"
            for name, other in others.items()
            if other not in ("__version__", room)
            and RANKS[other] >= RANKS[room]
            and not RANKS[room] == RANKS[other] == 0
        ]
    assert not wrong, "\n".join(wrong)


def test_files_and_functions_stay_small():
    wrong = []
    for path in FILES:
        text = path.read_text()
        tree = ast.parse(text)
        if text.count("\n") > 300:
            wrong.append(f"{path} has {text.count(chr(10))} lines")
        if text and not ast.get_docstring(tree):
            wrong.append(f"{path} opens without a sentence")
        wrong += [
            f"{path}: {node.name} has {length_of(node)} lines"
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length_of(node) > 40
        ]
    assert not wrong, "\n".join(wrong)


def length_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    assert node.end_lineno is not None
    docstring = (ast.get_docstring(node) or "").splitlines()
    return node.end_lineno - node.lineno + 1 - len(docstring)


def test_dangerous_calls_stay_where_they_are_guarded():
    """Pickles, unsafe loads and shells appear nowhere but in the one reader written for them."""
    guarded = {"weights/restricted_unpickler.py"}
    allowed = {"pickletools": guarded, "pickle": guarded}
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
    script = VIS.parent / "scripts" / "dev" / "write_architecture.py"
    done = subprocess.run([sys.executable, str(script), "--check"], check=False)
    assert done.returncode == 0, "run scripts/dev/write_architecture.py"


def test_the_readme_stays_short():
    assert (VIS.parent / "README.md").read_text().count("\n") <= 120
