"""Write the tables of docs/pages/models.md: the catalogue, and the shipped model's numbers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vis.weights.catalogue import ASSETS, entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vis.weights.catalogue import Entry

PAGE = Path(__file__).parents[2] / "docs/pages/models.md"
MARK = "<!-- {}, by scripts/dev/write_models_page.py -->\n"
END = "<!-- end of {} -->\n"
PERMISSIVE = ("Apache-2.0", "MIT")
HEADINGS = (
    "## For any use, with the notice",
    "## Weights of no stated licence",
    "## Not for commercial use",
)


def group(one: Entry) -> int:
    """Place of a model's licence among the headings: the freest first."""
    if one.licence in PERMISSIVE:
        return 0
    return 1 if one.licence == "not stated" or one.licence.endswith(" (code)") else 2


def weights_licence(one: Entry) -> str:
    """The licence of the weights, which is not always that of the code."""
    code, said_of_code, _ = one.licence.partition(" (code)")
    return f"not stated; of the code: {code}" if said_of_code else one.licence


def catalogue() -> Iterator[str]:
    """The lines of all tables; a family is a table."""
    listed = sorted(entries(), key=group)
    for what in dict.fromkeys(one.what for one in listed):
        family = [one for one in listed if one.what == what]
        first = listed.index(family[0])
        if first == 0 or group(listed[first - 1]) != group(family[0]):
            yield from (HEADINGS[group(family[0])], "")
        yield from (f"**{what}.** {family[0].terms}", "")
        yield "| name | score, as its authors state it | MB | trained on | weights | command |"
        yield "|---|---|---|---|---|---|"
        yield from (_row(one) for one in family)
        yield ""


def _row(one: Entry) -> str:
    way = "none: it ships" if one.ships else f"`vis weights get {one.name}`"
    way += ", by browser" if one.browser else ""
    size = f"{one.size / 1e6:.0f}"
    return f"| `{one.name}` | {one.score} | {size} | {one.data} | {weights_licence(one)} | {way} |"


def card() -> Iterator[str]:
    """The table of numbers of the shipped model's card, and the sentence before it."""
    text = (ASSETS / "default.md").read_text(encoding="utf-8")
    _, _, section = text.partition("## How good it is\n\n")
    _, _, numbers = section.partition("\n\n")  # a paragraph of what was not reached is before
    yield numbers.partition("\n\n##")[0].strip()
    yield ""


def page(text: str) -> str:
    """The page `text` with the tables of today between their marks."""
    for name, lines in (("the catalogue", catalogue()), ("the card", card())):
        before, rest = text.split(MARK.format(name))
        _, after = rest.split(END.format(name))
        body = "\n".join(lines)
        text = f"{before}{MARK.format(name)}\n{body}\n{END.format(name)}{after}"
    return text


def main() -> int:
    """Write the page; with `--check`, only say whether it is as it should be."""
    old = PAGE.read_text(encoding="utf-8")
    new = page(old)
    if "--check" not in sys.argv:
        PAGE.write_text(new, encoding="utf-8")
        return 0
    return int(old != new)


if __name__ == "__main__":
    sys.exit(main())
