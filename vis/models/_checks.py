"""Checks of settings that the models share; each names the setting that it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vis.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable


def check_counts(config: object, names: str) -> None:
    """Refuse numbers below 1; what the configuration lacks or leaves unset (None) passes.

    Args:
        config: of a model.
        names: of its fields, with spaces between them.

    Raises:
        UsageError: one is less.
    """
    for name in names.split():
        value = getattr(config, name, None)
        if value is not None and value < 1:
            raise UsageError(f"{name} is {value}, it must be at least 1")


def check_fractions(config: object, names: str) -> None:
    """Refuse numbers outside 0..1; what the configuration lacks passes.

    Args:
        config: of a model.
        names: of its fields, with spaces between them.

    Raises:
        UsageError: one is outside.
    """
    for name in names.split():
        value = getattr(config, name, 0)
        if not 0 <= value <= 1:
            raise UsageError(f"{name} is {value}, it must be within 0..1")


def check_choice(config: object, name: str, options: Iterable[str]) -> None:
    """Refuse a word that is none of the options.

    Raises:
        UsageError: it is not; the remedy lists them.
    """
    value = getattr(config, name)
    if value not in options:
        raise UsageError(f"{name} is {value!r}", remedy=f"One of: {', '.join(options)}.")
