"""Write the tree of `vis/` into ARCHITECTURE.md, a line for each file: its first sentence."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "ARCHITECTURE.md"
BEGIN = "<!-- the tree, by scripts/dev/write_architecture.py -->\n"
END = "<!-- end of the tree -->\n"
WIDTH = 40


def first_sentence(path: Path) -> str:
    """The summary line of a file's docstring, without its stop."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return text.split("\n\n")[0].replace("\n", " ").removesuffix(".")


def tree(folder: Path) -> str:
    """Folders before what lies in them, each file by its whole path from the top of the project."""
    lines = []
    for path in sorted(folder.rglob("*.py"), key=lambda path: (str(path.parent), path.name)):
        name = str(path.relative_to(folder.parent))
        if path.name == "__init__.py" and path.parent != folder:
            lines.append("")
            name = f"{path.parent.relative_to(folder.parent)}/"
        lines.append(f"{name:<{WIDTH}} {first_sentence(path)}")
    return "\n".join(lines)


def page(text: str) -> str:
    """The page `text` with the tree of today between its two marks."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n```\n{tree(ROOT / 'vis')}\n```\n\n{END}{after}"


def main() -> int:
    """Write the page; with `--check`, only say whether it is as it should be."""
    old = PAGE.read_text()
    new = page(old)
    if "--check" not in sys.argv:
        PAGE.write_text(new)
        return 0
    return int(old != new)


if __name__ == "__main__":
    sys.exit(main())
