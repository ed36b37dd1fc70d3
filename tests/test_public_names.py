"""The public face: names resolve, are documented, and cost nothing until they are used."""

import inspect
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


def test_rooms_are_there_after_the_bare_import():
    code = """
import sys, vis
assert not [name for name in sys.modules if name.startswith("vis.") and name != "vis.version"]
assert "tt_srn" in vis.models.names()
assert callable(vis.load) and callable(vis.track) and callable(vis.evaluate)
assert callable(vis.open_video)
for room in sorted(vis._ROOMS):
    assert getattr(vis, room).__doc__, room
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_option_of_tracking_is_a_field_and_its_help():
    """Nobody who takes options lists them: a field with its sentence is in all of them."""
    from dataclasses import fields

    from vis.inference.options import TrackOptions
    from vis.ops.field_help import field_help

    names = [field.name for field in fields(TrackOptions)]
    assert all(field_help(TrackOptions)[name] for name in names)
    for function in (vis.track, vis.VideoTracker.__init__):
        assert set(names) <= inspect.signature(function).parameters.keys()
    help_text = subprocess.run(
        [sys.executable, "-m", "vis", "track", "--help"], capture_output=True, text=True
    ).stdout
    for name in set(names) - {"tracker", "cuts"}:
        assert f"--{name.replace('_', '-')} " in help_text
    assert "--no-cuts" in help_text


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
        ("import vis.cli; vis.cli.main(['web', '--help'])", {"torch", "av", "gradio"}),
    ],
)
def test_what_is_not_needed_is_not_imported(code: str, unwanted: set[str]):
    check = f"{code}\nimport sys\nsys.exit(', '.join({unwanted!r} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
