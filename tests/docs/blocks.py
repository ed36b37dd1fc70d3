"""The blocks of a page of the documentation, and how each is run."""

import contextlib
import importlib
import io
import re
import shlex
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vis.cli import main
from vis.cli.arguments import Group, parse

FENCE = re.compile(
    r"(?:^<!-- test: (?P<note>.+?) -->\n+)?"
    r"^```(?P<kind>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$",
    re.M | re.S,
)


@dataclass(frozen=True)
class Block:
    """A fenced block; `note` is the comment above it: `not run, WHY` or `add ARGUMENTS`."""

    kind: str
    text: str
    title: str | None
    note: str | None
    line: int


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start("kind")) + 1
        yield Block(match["kind"], match["text"], match["title"], match["note"], line)


def run(block: Block, namespace: dict[str, Any]) -> None:
    """Do what a reader does with the block, in the current folder."""
    if block.title is not None:  # a file that the page tells the reader to write
        Path(block.title).parent.mkdir(parents=True, exist_ok=True)
        Path(block.title).write_text(block.text)
    elif block.kind == "python" and not _is_not_run(block):
        exec(compile(block.text, f"line {block.line}", "exec"), namespace)
    elif block.kind == "console":
        for command, output in _commands(block.text):
            _run_command(command, output, block)
    else:
        assert block.kind in ("text", "python"), f"line {block.line}: a block of {block.kind}"


def _is_not_run(block: Block) -> bool:
    return block.note is not None and block.note.startswith("not run, ")


def _commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command of a console and what the page shows below it."""
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, _, output = part.partition("\n")
        yield command.split("  #")[0].strip(), output.strip()


def _run_command(command: str, output: str, block: Block) -> None:
    words = shlex.split(command)
    if _is_not_run(block):
        if "vis" in words:  # what is not run must at least be understood
            words = words[words.index("vis") + 1 :]
            _parse(words)
        return
    assert words[0] == "vis", f"line {block.line}: {command} is neither run nor said not to be"
    if block.note is not None and block.note.startswith("add "):
        words += shlex.split(block.note.removeprefix("add "))
    printed = io.StringIO()
    before = signal.getsignal(signal.SIGTERM)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = main(words[1:])
    signal.signal(signal.SIGTERM, before)
    assert code == 0, f"line {block.line}: {command}: {code}\n{printed.getvalue()}"
    for line in output.splitlines():
        assert _pattern(line).search(printed.getvalue()), (
            f"line {block.line}: {line!r} is not what {command} prints:\n{printed.getvalue()}"
        )


def _pattern(line: str) -> re.Pattern[str]:
    """`...` stands for whatever is there, and blanks for any blanks."""
    parts = [r"\s+".join(map(re.escape, part.split())) for part in line.split("...")]
    return re.compile(r"[\s\S]*?".join(parts))


def _parse(words: list[str]) -> None:
    name, *rest = words
    command = importlib.import_module(f"vis.cli.{name}").COMMAND
    if isinstance(command, Group):
        command, rest = command.commands[rest[0]], rest[1:]
    parse(command, f"vis {name}", rest)
