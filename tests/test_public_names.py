"""The public face: names resolve, are documented, and cost nothing until they are used."""

import subprocess
import sys

import pytest

import vis


@pytest.mark.parametrize("name", [name for name in vis.__all__ if name != "__version__"])
def test_a_public_name_is_there_and_documented(name: str):
    thing = getattr(vis, name)
    assert thing.__doc__
    assert name in dir(vis)


def test_type_checkers_see_the_same_names():
    """The lazy table and the imports for type checkers state the same names."""
    import ast
    from pathlib import Path

    tree = ast.parse(Path(vis.__file__).read_text())
    guarded = next(n for n in tree.body if isinstance(n, ast.If))
    seen = {
        f"{node.module}:{alias.asname}"
        for node in ast.walk(guarded)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {f"{home}:{name}" for name, home in vis._HOME.items()}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        vis.no_such_name  # noqa: B018


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import vis", {"torch", "av", "numpy", "PIL"}),
        ("import vis; vis.open_video", {"torch", "torchvision", "decord", "timm"}),
        ("import vis.cli; vis.cli.main(['draw', '--help'])", {"torch", "av"}),
        ("import vis.cli; vis.cli.main(['probe', '--help'])", {"torch", "av"}),
    ],
)
def test_what_is_not_needed_is_not_imported(code: str, unwanted: set[str]):
    check = f"{code}\nimport sys\nsys.exit(', '.join({unwanted!r} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
