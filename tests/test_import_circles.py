"""No circle of imports among the files of a room, nor of the rooms, type-only imports included."""

import ast
from pathlib import Path

import pytest

VIS = Path(__file__).parent.parent / "vis"


def module_of(path: Path) -> str:
    parts = path.relative_to(VIS.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(VIS.rglob("*.py"))}
ROOMS = sorted({name.split(".")[1] for name in MODULES if "." in name})


def imports(path: Path) -> set[str]:
    """Modules of ours that a file imports: at its top, under TYPE_CHECKING or inside functions.

    `from vis.room import name` leads to the file of `name` where that is a module or where the
    room's `__init__` takes it from one; else to the `__init__` itself.
    """
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {origin(node.module, alias.name) for alias in node.names}
    return modules & MODULES.keys() - {module_of(path)}


def origin(module: str, name: str) -> str:
    """The module that a name of another module comes from."""
    if f"{module}.{name}" in MODULES:
        return f"{module}.{name}"
    path = MODULES.get(module)
    if path is not None and path.name == "__init__.py":
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return origin(node.module, alias.name)
    return module


IMPORTS = {name: imports(path) for name, path in MODULES.items()}


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The sets of nodes that all reach one another, each of two or more, by Tarjan (1972)."""
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    components: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = lowest[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in stack:
                lowest[node] = min(lowest[node], index[other])
        if lowest[node] == index[node]:
            component = []
            while not component or component[-1] != node:
                component.append(stack.pop())
            if len(component) > 1:
                components.append(sorted(component))

    for node in graph:
        if node not in index:
            visit(node)
    return components


@pytest.mark.parametrize("room", ROOMS)
def test_files_of_a_room_import_one_another_in_one_direction(room: str):
    prefix = f"vis.{room}"
    files = {n for n in MODULES if n == prefix or n.startswith(f"{prefix}.")}
    left = circles({name: IMPORTS[name] & files for name in files})
    assert not left, "\n".join(" <-> ".join(circle) for circle in left)


def test_rooms_import_one_another_in_one_direction():
    rooms: dict[str, set[str]] = {room: set() for room in ROOMS}
    for name, others in IMPORTS.items():
        if "." in name:
            room = name.split(".")[1]
            rooms[room] |= {o.split(".")[1] for o in others if "." in o} - {room}
    left = circles(rooms)
    assert not left, "\n".join(" <-> ".join(circle) for circle in left)


def test_a_circle_is_seen():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}
    assert circles(graph) == [["b", "c"]]
