"""`vis data`: check data sets, convert them, split them and look at them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vis.cli.arguments import Command, Group
from vis.errors import EXIT_DAMAGED, EXIT_OK, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vis.errors import DataError
    from vis.formats.census import Census


def check(paths: list[str], /, *, frames: str | None = None, decode: bool = False) -> int:
    """Read data sets whole, list everything that is wrong, and count what they hold.

    A data set is a JSON file in the layout of YouTube-VIS or COCO or a folder with one, a DAVIS
    folder, or a MOTS folder. Each record is read and each picture is looked at: it must be there,
    inside its folder, readable, and of the size that its record states. Faults with the same
    remedy stand together. The exit code is 1 if anything is wrong.

    Args:
        paths: Annotation files or folders.
        frames: The folder that the file names are relative to, if it is not beside the file.
        decode: Decode every picture whole instead of reading its header alone; slower.
    """
    from vis.formats.census import census
    from vis.formats.checking import check as check_set

    wrong = False
    for path in paths:
        result = check_set(path, frames, read_film=_film, decode=decode)
        wrong |= bool(result.faults)
        _say_faults(result.faults)
        for oddity in result.oddities:
            _say(f"note: {oddity}")
        kind = "no data set" if result.found is None else result.found.kind
        if result.found is not None:
            _say_census(census(result.found.annotations))
        count = len(result.faults)
        verdict = f"{count} fault{'s' * (count > 1)}" if count else "nothing is wrong"
        _say(f"{path} ({kind}): {verdict}")
    return EXIT_DAMAGED if wrong else EXIT_OK


def _film(path: Path) -> tuple[int, int, int]:
    from vis.video import open_video

    with open_video(str(path)) as reader:
        return reader.info.width, reader.info.height, len(reader.times)


def _say_faults(faults: Sequence[DataError]) -> None:
    groups: dict[str, list[DataError]] = {}
    for fault in faults:
        groups.setdefault(fault.remedy, []).append(fault)
    for remedy, same in groups.items():
        _say(f"{len(same)} x {remedy or 'No remedy is known.'}")
        for fault in same:
            _say(f"    {fault.where}: {fault.what}" if fault.where else f"    {fault.what}")
        _say("")


def _say_census(found: Census) -> None:
    head = ("id", "category", "videos", "objects", "crowds", "masks", "median area")
    rows = [
        (
            str(row.id),
            row.name,
            str(row.videos),
            str(row.objects),
            str(row.crowds or ""),
            str(row.masks),
            f"{row.share:.2%}" if row.masks else "",
        )
        for row in found.categories
    ]
    _say_table([head, *rows])
    few, middle, many = found.lengths
    sizes = [f"{width} x {height} ({count})" for (width, height), count in found.sizes]
    others = f" and {len(sizes) - 6} others" if len(sizes) > 6 else ""
    hidden = found.occlusion
    _say(f"videos     {found.videos}, of them without an object {found.unmarked}")
    _say(f"frames     {found.frames}; a video has {few} to {many}, half of them up to {middle:g}")
    _say(f"objects    {found.objects} with {found.masks} masks; {found.crowds} crowds")
    _say(f"sizes      {', '.join(sizes[:6])}{others}")
    _say(
        f"occlusion  {hidden.hidden:.1%} of the frames of a life hidden, "
        f"{hidden.returning} objects return, boxes overlap by {hidden.overlap:.3f}"
    )


def _say_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        _say("  ".join(cells).rstrip())


def _say(line: str) -> None:
    sys.stdout.write(f"{printable(line)}\n")


COMMAND = Group(
    "Check data sets, and make others of them.",
    {
        "check": Command(
            check,
            """
            vis data check data/sample
            vis data check ytvis/train/instances.json
            vis data check annotations/instances_train2017.json --frames train2017 --decode
            """,
        ),
    },
)
