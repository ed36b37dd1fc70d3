"""The wheel, built from the sources or from the sdist, has all that the package needs."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["from the sources", "from the sdist"])
def wheel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left beside the sources."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    shutil.copytree(ROOT / "vis", source / "vis", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    if request.param == "from the sdist":
        build = "from setuptools import build_meta; build_meta.build_sdist('dist')"
        subprocess.run([sys.executable, "-c", build], check=True, capture_output=True, cwd=source)
        (source,) = (source / "dist").iterdir()
        assert source.name.startswith("vis_kit-") and source.name.endswith(".tar.gz")
    command = [sys.executable, "-m", "pip", "wheel", str(source), "--no-deps", "-q"]
    command += ["--no-build-isolation", "--disable-pip-version-check", "-w", str(folder / "out")]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = (folder / "out").iterdir()
    return path


def test_it_holds_every_file_of_the_package(wheel: Path) -> None:
    assert wheel.name.startswith("vis_kit-")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = (path for path in (ROOT / "vis").rglob("*") if path.is_file())
    there = {str(path.relative_to(ROOT)) for path in sources if "__pycache__" not in path.parts}
    assert names == there


def test_the_model_that_ships_is_found_in_it(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = "import vis; print(vis.__file__); print(len(vis.load('default').class_names))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    place, classes = done.stdout.split()
    assert Path(place).is_relative_to(tmp_path) and classes == "80"
