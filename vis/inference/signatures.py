"""Functions that take the fields of `TrackOptions` as settings, and say so where help is asked."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, TypeVar

from vis.inference.options import TrackOptions
from vis.ops.field_help import field_help

if TYPE_CHECKING:
    from collections.abc import Callable

_Function = TypeVar("_Function", bound="Callable[..., Any]")
_RAISES = "    Raises:\n"


def with_options(function: _Function) -> _Function:
    """Show the fields of `TrackOptions` in the signature and the docstring of a function.

    Its `**settings` take their place, so that a new option needs no edit of it.
    """
    signature = inspect.signature(function)
    parameters = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    for field in fields(TrackOptions):
        default = inspect.Parameter.empty if field.default is MISSING else field.default
        parameters.append(
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=field.type
            )
        )
    # what `help`, editors and notebooks show; calls still go through `**settings`
    function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    before, raises, after = (function.__doc__ or "").partition(_RAISES)
    sentences = "".join(
        textwrap.fill(
            f"{name}: {sentence}", 100, initial_indent=" " * 8, subsequent_indent=" " * 12
        )
        + "\n"
        for name, sentence in field_help(TrackOptions).items()
    )
    function.__doc__ = f"{before.rstrip()}\n{sentences}\n{raises}{after}"
    return function
