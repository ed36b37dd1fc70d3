"""How much of each model is its own, and how much it shares: `python scripts/dev/shared_lines.py`.

From each file of `vis/models` on, imports are followed within the package. A file that one model
alone reaches is its own, config and build included; what two or more reach is shared. Lines are
those that bear code: no empty ones, comments or docstrings; imports for the type checker alone are
not followed. One Markdown table is printed.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOMS = ("models", "losses", "layers", "backbones", "ops")
"""Columns of what is shared; all other rooms are one column."""
SILENT = {"COMMENT", "NL", "NEWLINE", "INDENT", "DEDENT", "ENDMARKER"}
"""Tokens that are no code."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What one model is made of."""

    name: str
    own: dict[Path, int]
    shared: dict[Path, int]
    """File -> its lines of code."""


def main() -> None:
    """Print the table."""
    print("\n".join(markdown(reaches(Path(__file__).parents[2] / "vis"))))


def reaches(package: Path) -> list[Reach]:
    """One for each file of the folder `models` whose name does not begin with an underscore."""
    models = sorted(p for p in (package / "models").glob("*.py") if not p.name.startswith("_"))
    found = {path: reached(path, package) for path in models}
    users = Counter(path for files in found.values() for path in files)
    sizes = {path: lines_of_code(path.read_text(encoding="utf-8")) for path in users}
    return [
        Reach(
            model.stem,
            {path: sizes[path] for path in sorted(files) if users[path] == 1},
            {path: sizes[path] for path in sorted(files) if users[path] > 1},
        )
        for model, files in found.items()
    ]


def reached(start: Path, package: Path) -> set[Path]:
    """The file and all of the package that it imports, directly or not."""
    files, waiting = set(), [start]
    while waiting:
        path = waiting.pop()
        if path not in files:
            files.add(path)
            waiting += imported(ast.parse(path.read_text(encoding="utf-8")), package)
    return files


def imported(node: ast.AST, package: Path) -> Iterator[Path]:
    """Files of the package that code imports when it runs, wherever in it."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    if isinstance(node, ast.Import | ast.ImportFrom):
        around = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            top, *parts = f"{around}{alias.name}".split(".")
            if top == package.name:
                yield from _file_of(parts, package)
    for child in ast.iter_child_nodes(node):
        yield from imported(child, package)


def _file_of(parts: list[str], package: Path) -> list[Path]:
    """The module, or the one that a name lies in."""
    whole = package.joinpath(*parts)
    places = [whole, whole.parent] if len(parts) > 1 else [whole]
    tried = (path for p in places for path in (p.with_suffix(".py"), p / "__init__.py"))
    return next(([path] for path in tried if path.is_file()), [])


def lines_of_code(text: str) -> int:
    """How many lines bear code."""
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if tokenize.tok_name[token.type] not in SILENT:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def markdown(found: list[Reach]) -> Iterator[str]:
    """The table, a model a row."""
    heads = ("model", "own lines", "own files", "shared lines", *ROOMS, "rest", "own share")
    yield f"| {' | '.join(heads)} |"
    yield "|---" + "|---:" * (len(heads) - 1) + "|"
    for one in found:
        own, shared = sum(one.own.values()), sum(one.shared.values())
        rooms: Counter[str] = Counter()
        for path, size in one.shared.items():
            rooms[path.parent.name if path.parent.name in ROOMS else "rest"] += size
        numbers = (own, len(one.own), shared, *(rooms[room] for room in (*ROOMS, "rest")))
        yield f"| {one.name} | {' | '.join(map(str, numbers))} | {own / (own + shared):.0%} |"


if __name__ == "__main__":
    main()
