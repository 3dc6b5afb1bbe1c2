"""Ranges: between which bounds the values of a measure lie, so that a senseless condition is found when written."""

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Range:
    """From `least` to `most`, both included.

    `exact`: values are counted, or are numbers of the events themselves, so that equality with a number says
    something. Of a calculated number (a mean, a share, a quantile) equality with a fraction is an accident.
    """

    least: float = -math.inf
    most: float = math.inf
    exact: bool = False


SHARE = Range(0.0, 1.0)
"""Shares and probabilities."""
AMOUNT = Range(0.0)
"""What is never negative: rates, distances, ages."""
COUNTED = Range(0.0, exact=True)
"""How many."""
CALCULATED = Range()
"""Any number, made of others: a mean, a slope."""
REPORTED = Range(exact=True)
"""Any number, as events said it."""


@runtime_checkable
class Ranged(Protocol):
    """What a measure family may say besides. Without it nothing is claimed of what conditions do with its values."""

    @property
    def range(self) -> Range:
        """The bounds of every value that `read` or `compare` gives, whatever the events and the settings."""
        ...
