"""Numbers that know their range (jsonargparse checks it), for the types of settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jsonargparse import typing as numbers

if TYPE_CHECKING:
    PositiveInt = int
    NonNegativeInt = int
    PositiveFloat = float
    NonNegativeFloat = float
    ClosedUnitInterval = float
    Amount = float
    Weight = float
    Byte = int
else:
    PositiveInt = numbers.PositiveInt
    NonNegativeInt = numbers.NonNegativeInt
    PositiveFloat = numbers.PositiveFloat
    NonNegativeFloat = numbers.NonNegativeFloat
    ClosedUnitInterval = numbers.ClosedUnitInterval
    # an infinite rate or weight would pass as a number above 0
    Amount = numbers.restricted_number_type("Amount", float, [(">=", 0), ("<", float("inf"))])
    Weight = numbers.restricted_number_type("Weight", float, [(">", 0), ("<", float("inf"))])
    Byte = numbers.restricted_number_type("Byte", int, [(">=", 0), ("<=", 255)])
