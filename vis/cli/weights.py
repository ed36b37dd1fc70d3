"""`vis weights`: convert published weights into our files, and tell what a weight file holds."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vis.cli.arguments import Command
from vis.errors import EXIT_OK, DataError, InputError, UsageError, printable

if TYPE_CHECKING:
    from vis.weights import Summary

MAX_NAMES = 1_000_000
"""Bytes of a file of class names."""


def weights(
    action: Literal["convert", "inspect"],
    names: list[str],
    /,
    *,
    frames: int | None = None,
    slots: int | None = None,
    heads: int | None = None,
    backbone: str | None = None,
    classes: str | None = None,
    tensors: bool = False,
    overwrite: bool = False,
) -> int:
    """Convert published weights, or tell what a weight file holds.

    `convert FAMILY IN OUT` turns a published checkpoint (.pth, .pkl or safetensors) of the family
    detr or vistr into a file that `vis` loads. Nothing in IN is executed. Every name in it is
    mapped, or dropped for a stated reason, every parameter is filled; or nothing is written.
    `inspect FILE` reads any weight file and tells its format, its model and its tensors.

    Args:
        action: `convert` or `inspect`.
        names: FAMILY IN OUT for `convert`, FILE for `inspect`.
        frames: Frames of a clip that the model was trained with, if not as published (VisTR 36).
        slots: Instances of a clip that the model was trained with, if not as published (VisTR 10).
        heads: Attention heads, if not 8.
        backbone: Name of the backbone, where shapes do not tell it (dilated ones).
        classes: A text file with one class name a line, if the classes are not the published ones.
        tensors: List every tensor of the file (inspect).
        overwrite: Replace OUT if it is there (convert).
    """
    if action == "inspect":
        (path,) = _taken(names, "FILE")
        return _inspect(path, tensors)
    family, source, destination = _taken(names, "FAMILY", "IN", "OUT")
    from vis.weights import convert

    stated = {"frames": frames, "slots": slots, "heads": heads, "backbone": backbone}
    card, dropped = convert(
        family,
        source,
        destination,
        class_names=None if classes is None else _lines(Path(classes)),
        overwrite=overwrite,
        **{name: value for name, value in stated.items() if value is not None},
    )
    _say(f"{destination}: {card.model}, {len(card.classes)} classes, {_pairs(card.settings)}")
    for name, reason in dropped:
        _say(f"dropped {name}: {reason}")
    return EXIT_OK


def _taken(names: list[str], *wanted: str) -> list[str]:
    if len(names) != len(wanted):
        raise UsageError(
            f"{len(names)} names where {len(wanted)} are expected: {' '.join(wanted)}",
            remedy="See vis weights --help",
        )
    return names


def _inspect(path: str, tensors: bool) -> int:
    from vis.weights import inspect

    summary = inspect(path)
    _say(f"{path}: {summary.format}, {len(summary.tensors)} tensors, {summary.numbers:,} numbers")
    if summary.card is not None:
        _say(f"model     {summary.card.model}")
        _say(f"settings  {_pairs(summary.card.settings)}")
        named = ", ".join(name for name in summary.card.classes if name)
        _say(f"classes   {len(summary.card.classes)}: {named}")
    for name, text in summary.metadata.items():
        _say(f"states    {name} = {text}")
    for line in _every(summary) if tensors else _parts(summary):
        _say(line)
    return EXIT_OK


def _parts(summary: Summary) -> list[str]:
    """One line for all tensors whose names begin alike."""
    parts = Counter(".".join(name.split(".")[:2]) for name in summary.tensors)
    return [f"{count:>6} tensors  {part}" for part, count in parts.items()]


def _every(summary: Summary) -> list[str]:
    return [
        f"{str(dtype).removeprefix('torch.'):<9} {list(shape)!s:<22} {name}"
        for name, (shape, dtype) in summary.tensors.items()
    ]


def _lines(path: Path) -> list[str]:
    """The names in a text file; an empty line is an index that names nothing."""
    try:
        if path.stat().st_size > MAX_NAMES:
            raise DataError(f"more than {MAX_NAMES} bytes of class names", where=str(path))
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise DataError("the class names are not UTF-8 text", where=str(path)) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from None
    return [line.strip() for line in lines]


def _pairs(settings: dict[str, object]) -> str:
    return ", ".join(f"{name} {json.dumps(value)}" for name, value in settings.items())


def _say(line: str) -> None:
    sys.stdout.write(f"{printable(line)}\n")


COMMAND = Command(
    weights,
    """
    vis weights convert vistr vistr_r50.pth vistr_r50.safetensors
    vis weights convert detr detr-r50-panoptic-00ce5173.pth detr.safetensors
    vis weights convert vistr mine.pth mine.safetensors --frames 12 --classes names.txt
    vis weights inspect vistr_r50.safetensors --tensors
    """,
)
