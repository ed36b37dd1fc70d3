"""The field's words: no identifier of ours is one of the words that were retired for them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

VIS = Path(__file__).parent.parent / "vis"

# Bare participles say that something happened to a value, not what it is.
PARTICIPLES = frozenset(
    [
        "asked",
        "begun",
        "chosen",
        "drawn",
        "found",
        "given",
        "gone",
        "heard",
        "held",
        "kept",
        "known",
        "looked",
        "meant",
        "met",
        "named",
        "seen",
        "shown",
        "taken",
        "told",
        "wanted",
    ]
)
# Words of no paper and no library; where an identifier has one of them as a part, it goes too.
HOUSE_WORDS = frozenset(
    [
        "choices",
        "census",
        "footage",
        "guests",
        "inert",
        "lender",
        "linker",
        "looker",
        "manner",
        "mending",
        "merit",
        "mould",
        "oddities",
        "parcel",
        "rehearse",
        "saying",
        "strangers",
        "told",
        "wander",
        "wanted",
    ]
)
# Words that have a standard term in one room alone (the canvas of a GIF is a canvas).
OF_A_ROOM: dict[str, frozenset[str]] = {
    room: frozenset(words.split())
    for rooms, words in {
        "tracking": "answers candidates chances clock evidence live minimum nearest pending"
        " recognise trail trust weakest",
        "models layers losses": "canvas carry encoders heads hidden kernels labelled places"
        " regions reserved scene sight slots slow_start smoothing view w0",
        "backbones": "heads hidden",
        "datasets": "balance exchange filling length part reach spare stops thing turn",
        "training": "accumulate average decay learner meet rate recompute start talk",
        "weights": "card families words",
        "evaluation": "facts following measures meeting repairs story stretch subject team",
        "formats": "losses",
        "video": "belt ledger loan",
        "inference outputs jobs": "film growing outcome screen work",
        "cli": "sheet",
    }.items()
    for room in rooms.split()
}
FILES = sorted(VIS.rglob("*.py"))


def identifiers(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Names that a file gives, and their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield (node.id if isinstance(node, ast.Name) else node.attr), node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno


def is_retired(name: str, room: str) -> bool:
    bare = name.strip("_").lower()
    parts = set(bare.split("_"))
    return bare in PARTICIPLES | OF_A_ROOM.get(room, frozenset()) or bool(parts & HOUSE_WORDS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(VIS)))
def test_no_retired_word(path: Path):
    room = path.relative_to(VIS).parts[0].removesuffix(".py")
    left = [
        f"{path}:{line}: {name}"
        for name, line in identifiers(ast.parse(path.read_text()))
        if is_retired(name, room)
    ]
    assert not left, "\n".join(left)
    assert not is_retired(path.stem, room), f"the file {path} itself"
