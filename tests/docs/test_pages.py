"""The documentation is true: every block of every page is run, and the site builds strictly."""

import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.docs.blocks import blocks, run
from vis.formats.opening import DataSetKind

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "pages").glob("*.md"))


@pytest.mark.parametrize("page", [*PAGES, DOCS.parent / "README.md"], ids=lambda page: page.stem)
def test_every_block_of_a_page_does_what_it_says(page: Path, desk: Path) -> None:
    namespace: dict[str, Any] = {}
    for block in blocks(page):
        run(block, namespace)


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    done = subprocess.run(
        [*command, "-f", str(DOCS / "mkdocs.yml"), "-d", str(tmp_path / "site")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    pages = {page.with_suffix(".html").name for page in PAGES}
    assert pages <= {file.name for file in (tmp_path / "site").glob("*.html")}


def test_the_page_of_formats_has_a_row_for_every_kind() -> None:
    text = (DOCS / "pages/formats.md").read_text()
    assert [kind for kind in get_args(DataSetKind) if f"\n| `{kind}` |" not in text] == []


def test_the_page_of_models_is_that_of_the_catalogue() -> None:
    script = DOCS.parent / "scripts/dev/write_models_page.py"
    done = subprocess.run([sys.executable, str(script), "--check"], check=False)
    assert done.returncode == 0, "run scripts/dev/write_models_page.py"
