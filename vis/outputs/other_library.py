"""Libraries that a result can be handed to, where they are installed."""

from __future__ import annotations

import importlib
from typing import Any

from vis.errors import DeviceError


def other_library(name: str) -> Any:
    """The library of this name.

    Raises:
        DeviceError: it is not installed, or cannot be loaded.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DeviceError(
            f"the library {name} cannot be loaded ({error})",
            remedy=f"Install it (pip install {name}).",
        ) from None
