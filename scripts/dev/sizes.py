"""How large the house is: `python scripts/dev/sizes.py [ROOT]`, to be compared before and after.

Lines, files and functions of `vis/`, comments for each 1,000 lines, by room; the files of ours that
the two roads load (the command that tracks, the training loop), as their imports say; lines of
`scripts/`. Only the text is read, so that an old revision is measured by the same rules.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from pathlib import Path

ROADS = {
    "vis track": (("cli", "jobs", "inference", "outputs", "pipeline"), "vis.cli.track"),
    "vis train": (("cli", "training", "datasets"), "vis.cli.train"),
}
"""The rooms whose files make up a road, and the file in which it begins."""


def comments_of(text: str) -> int:
    """Comments that are for people, not for tools."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    notes = [one.string for one in tokens if one.type == tokenize.COMMENT]
    return sum(not note.startswith(("# noqa", "# type:")) for note in notes)


def functions_of(text: str) -> list[int]:
    """Lines of each function."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]
    return [(node.end_lineno or node.lineno) - node.lineno + 1 for node in nodes]


def modules_of(folder: Path) -> dict[str, Path]:
    """Name of each module -> its file."""
    paths = sorted(folder.rglob("*.py"))
    names = [".".join(path.relative_to(folder.parent).with_suffix("").parts) for path in paths]
    return {name.removesuffix(".__init__"): path for name, path in zip(names, paths, strict=True)}


def imports_of(path: Path, modules: dict[str, Path]) -> set[str]:
    """Modules of ours that a file loads when it runs: those for types alone do not count."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = [ast.Pass()]
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names & modules.keys()


def road(start: str, rooms: tuple[str, ...], modules: dict[str, Path]) -> set[str]:
    """The files of some rooms that can be reached from one."""
    reached, ahead = set(), [start]
    while ahead:
        name = ahead.pop()
        if name in reached or name.split(".")[1] not in rooms:
            continue
        reached.add(name)
        ahead += [one for one in imports_of(modules[name], modules) if "." in one]
    return {name for name in reached if modules[name].name != "__init__.py"}


def main() -> int:
    """Print all of it."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2]
    modules = modules_of(root / "vis")
    texts = {path: path.read_text() for path in modules.values()}
    print(f"{'room':<12} {'lines':>6} {'files':>6} {'functions':>10} {'comments/1000':>14}")
    rooms: dict[str, list[Path]] = {}
    for path in texts:
        inner = path.relative_to(root / "vis").parts
        rooms.setdefault(inner[0] if len(inner) > 1 else "(top)", []).append(path)
    for room, paths in [*sorted(rooms.items()), ("all", list(texts))]:
        lines = sum(texts[path].count("\n") for path in paths)
        count = sum(len(functions_of(texts[path])) for path in paths)
        rate = 1000 * sum(comments_of(texts[path]) for path in paths) / max(1, lines)
        print(f"{room:<12} {lines:>6} {len(paths):>6} {count:>10} {rate:>14.1f}")
    lengths = sorted(length for text in texts.values() for length in functions_of(text))
    print(f"functions: median {lengths[len(lengths) // 2]} lines, longest {lengths[-1]}")
    for name, (of_rooms, start) in ROADS.items():
        files = road(start, of_rooms, modules)
        lines = sum(texts[modules[one]].count("\n") for one in files)
        print(f"road of {name}: {len(files)} files, {lines} lines of {', '.join(of_rooms)}")
    scripts = [path for path in (root / "scripts").rglob("*") if path.is_file()]
    top = sum(path.parent.name == "scripts" for path in scripts)
    lines = sum(path.read_bytes().count(b"\n") for path in scripts if path.suffix != ".jpg")
    print(f"scripts: {len(scripts)} files, {top} of them at the top, {lines} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
