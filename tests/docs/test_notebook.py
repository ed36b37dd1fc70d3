"""The notebook runs from top to bottom, and shows what it says."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]


@pytest.mark.filterwarnings("ignore")  # of the kernel's own libraries
def test_the_notebook_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(ROOT / "docs/notebooks/track.ipynb", as_version=4)
    home = tmp_path / "docs/notebooks"  # it writes beside itself
    home.mkdir(parents=True)
    shutil.copytree(ROOT / "data/sample", tmp_path / "data/sample")
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(home)}}).execute()
    shown = [
        output["data"]["text/html"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "text/html" in output.get("data", {})
    ]
    assert len(shown) == 4 and "<img" in shown[0] and "person" in shown[2]
    assert {path.name for path in home.iterdir()} == {"one.mp4", "one.coco.json"}
