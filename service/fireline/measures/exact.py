"""Exact sums of floats, as states that merge in any order to the same state.

A sum is kept as its one greedy expansion: the correctly rounded sum, then the correctly rounded rest, until nothing is
left (mostly two or three floats). `math.fsum` is correctly rounded over all its inputs, so the expansion depends on
the exact value of the sum alone, never on the order of the events or on how batches were cut.
"""

import math
from collections.abc import Iterable

Expansion = list[float]


def expand(values: Iterable[float]) -> Expansion:
    """The expansion of the exact sum of finite `values`; the empty list is zero."""
    rest = list(values)
    parts: Expansion = []
    while total := math.fsum(rest):
        parts.append(total)
        rest.append(-total)
    return parts


def total(parts: Expansion) -> float:
    """The sum, correctly rounded."""
    return parts[0] if parts else 0.0
