"""`vis models`: the models there are, what they cost, and how to get them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vis.cli.arguments import Command
from vis.cli.console import say, say_table
from vis.errors import EXIT_OK, DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vis.weights.catalogue import Entry

_HEAD = ("name", "MB", "M numbers", "frames/s", "score", "trained on", "licence", "how to get it")


def models(*, only: list[str] | None = None, measure: bool = False, device: str = "auto") -> int:
    """List the models there are: the one that ships with vis, and those that others published.

    Scores are those that the authors state, each on its own data. MB is the size of our file,
    frames/s that of the model alone on this machine, at the size and in the windows that vis track
    takes; decoding and drawing go on beside it.

    Args:
        only: Names of models; the others are left out.
        measure: Measure the frames/s here, without fetching anything; some take minutes.
        device: Where to measure: auto, cpu, cuda, cuda:1.
    """
    from vis import models as trainable
    from vis.weights.catalogue import entries, entry

    listed = entries() if only is None else [entry(name) for name in only]
    rows = [_HEAD, *_rows(listed, device if measure else None)]
    for group in dict.fromkeys(one.what for one in listed):
        say(group)
        group_rows = [row for row, one in zip(rows[1:], listed, strict=True) if one.what == group]
        say_table([_padded(row, rows) for row in (_HEAD, *group_rows)])
        say("")
    if only is None:
        _say_hashes(listed)
        say(f"To train: {', '.join(trainable.names())}; see vis train --help.")
    return EXIT_OK


def _say_hashes(listed: list[Entry]) -> None:
    """How many files can be compared with what their authors published."""
    fetched = [one for one in listed if not (one.ships or one.of_hub)]
    stated = sum(one.digest is not None or one.inside is not None for one in fetched)
    say(f"vis weights get checks the published hash of {stated} of {len(fetched)} files; of the")
    say("others nobody states one, nor of hf: names, which state no revision either: the newest is")
    say("loaded, and its commit written down. hf:OWNER/NAME@COMMIT is always the same file.")
    say("")


def _rows(listed: list[Entry], device: str | None) -> Iterator[tuple[str, ...]]:
    for one in listed:
        yield (
            one.name,
            f"{one.size / 1e6:.0f}",
            f"{one.numbers / 1e6:.1f}",
            "" if device is None else _rate(one, device),
            one.score,
            one.data,
            one.licence,
            _way(one),
        )


def _padded(row: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Columns are as wide in every group."""
    widths = [max(len(one[place]) for one in rows) for place in range(len(_HEAD))]
    return [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]


def _way(model: Entry) -> str:
    from vis.weights.get import place_of

    if model.ships:
        return "ships with vis"
    if model.of_hub:
        return f"vis track --model {model.name}"
    if place_of(model).is_file():
        return "is here"
    if model.browser:
        return f"by browser: vis weights get {model.name} says how"
    return f"vis weights get {model.name}"


def _rate(model: Entry, device: str) -> str:
    from vis import models as built
    from vis.inference.speed import frames_per_second

    network = built.build(model.model, classes=model.classes, **model.settings)
    try:
        return f"{frames_per_second(network, device=device):.2g}"
    except (DeviceError, MemoryError) as error:
        return "too large" if isinstance(error, MemoryError) else f"no ({error.what})"


COMMAND = Command(
    models,
    """
    vis models
    vis models --only default detr_r50_panoptic --measure
    """,
)
