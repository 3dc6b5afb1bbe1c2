"""Two distributions side by side: what the measures of drift compute, from sketches of either side.

Numbers are known by logarithmic buckets (`log_buckets`), whose grid is the same on both sides: what lies up to a border
is counted exactly, and only where within its bucket (2 % wide) a number lies is not known.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from fireline.measures import category_counts, log_buckets

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Shares = Sequence[float]
"""The shares of bins or categories, which sum to 1."""

FLOOR = 1e-4
"""What the population stability index takes for a share that is smaller, so that an empty bin has a logarithm."""


@dataclass(frozen=True, eq=False)  # without slots, for what is worked out once of a reference and kept
class Numbers:
    """Counts of numbers by bucket: `passed[i]` of all `total` lie in `places[i]` or a bucket below."""

    low: float
    high: float
    places: list[float]
    passed: list[float]

    @property
    def total(self) -> float:
        """How many numbers."""
        return self.passed[-1]

    @cached_property
    def grid(self) -> "NDArray[np.float64]":
        """`places` as an array."""
        import numpy as np

        return np.array(self.places, dtype=np.float64)

    @cached_property
    def below(self) -> "NDArray[np.float64]":
        """The share of numbers in the first k buckets, for k from 0 on."""
        import numpy as np

        return np.array([0.0, *self.passed], dtype=np.float64) / self.total

    @cached_property
    def values(self) -> "NDArray[np.float64]":
        """The number that stands for those of each bucket: within 1 % of each."""
        import numpy as np

        return np.clip(log_buckets.middles(self.grid), self.low, self.high)

    @cached_property
    def deviation(self) -> float:
        """The standard deviation (of the population, as NumPy's `std`)."""
        import numpy as np

        weights = np.diff(self.below)
        mean = float(weights @ self.values)
        return math.sqrt(float(weights @ np.square(self.values - mean)))

    @cached_property
    def spread(self) -> float:
        """The integral of sqrt(F (1 - F)) over the numbers: how far distributions of samples stray from F."""
        import numpy as np

        share = self.below[1:-1]
        return float(np.diff(self.values) @ np.sqrt(share * (1.0 - share)))


@dataclass(frozen=True, slots=True, eq=False)
class Categories:
    """Counts by category."""

    state: category_counts.State
    total: int


Distribution = Numbers | Categories


def distribution(state: object) -> Distribution | None:
    """What a state tells; None of an empty one."""
    if not state:
        return None
    if isinstance(state, dict):
        counts: dict[str, int] = state["counts"]
        return Categories({"level": state["level"], "counts": counts}, sum(counts.values()))
    assert isinstance(state, list)
    return Numbers(float(state[0]), float(state[1]), state[2::2], list(accumulate(state[3::2])))


def shares(reference: Distribution, current: Distribution, bins: int) -> tuple[Shares, Shares]:
    """The shares of both sides, by the same bins (quantiles of the reference) or categories; nothing of two kinds."""
    match reference, current:
        case Numbers(), Numbers():
            return _binned(reference, edges := edges_of(reference, bins)), _binned(current, edges)
        case Categories(), Categories():
            return _shares_of_categories(reference, current)
        case _:
            return (), ()


def edges_of(reference: Numbers, bins: int) -> list[float]:
    """The buckets after which bins end, so that each of `bins` holds about as much of the reference.

    The first and the last bin have no end. Where a bin's worth of the reference piles up in its lowest or highest
    bucket, what lies beyond gets a bin of its own: else nothing could be seen there. Fewer bins where values repeat.
    """
    places, passed, total = reference.places, reference.passed, reference.total
    found: dict[float, None] = {}
    if passed[0] * bins >= total:
        found[places[0] - 1] = None
    for k in range(1, bins):
        wanted = k * total / bins
        at = bisect_left(passed, wanted)
        if at and wanted - passed[at - 1] <= passed[at] - wanted:
            at -= 1
        found[places[at]] = None
    last = passed[-1] - (passed[-2] if len(passed) > 1 else 0.0)
    if last * bins < total:
        found.pop(places[-1], None)
    else:
        found[places[-1]] = None
    return list(found)


def _binned(numbers: Numbers, edges: Sequence[float]) -> Shares:
    places, passed, total = numbers.places, [0.0, *numbers.passed], numbers.total
    ends = [0.0, *[passed[bisect_right(places, edge)] for edge in edges], total]
    return [(high - low) / total for low, high in pairwise(ends)]


def _shares_of_categories(reference: Categories, current: Categories) -> tuple[Shares, Shares]:
    level = max(reference.state["level"], current.state["level"])
    left = category_counts.at_level(reference.state, level)
    right = category_counts.at_level(current.state, level)
    names = sorted(left.keys() | right.keys())
    return _by_name(left, names, reference.total), _by_name(right, names, current.total)


def _by_name(counts: Mapping[str, int], names: Sequence[str], total: int) -> Shares:
    return [counts.get(name, 0) / total for name in names]


def stability_index(reference: Shares, current: Shares) -> float:
    """The population stability index: the sum of (c - r) ln(c / r); 0 for equal shares."""
    pairs = [(max(r, FLOOR), max(c, FLOOR)) for r, c in zip(reference, current, strict=True)]
    return math.fsum((c - r) * math.log(c / r) for r, c in pairs)


def jensen_shannon(reference: Shares, current: Shares) -> float:
    """The Jensen-Shannon divergence in nats: half of either side's divergence from the mean of both; 0 to ln 2."""
    pairs = [(share, (r + c) / 2) for r, c in zip(reference, current, strict=True) for share in (r, c)]
    return max(0.0, math.fsum(share * math.log(share / mean) for share, mean in pairs if share > 0) / 2)


def total_variation(reference: Shares, current: Shares) -> float:
    """Half of the sum of the differences of shares: the share that would have to change; 0 to 1."""
    return min(1.0, math.fsum(abs(c - r) for r, c in zip(reference, current, strict=True)) / 2)


def kolmogorov_smirnov(reference: Numbers, current: Numbers) -> float:
    """The largest difference of the two cumulated shares at a border of buckets; 0 to 1."""
    import numpy as np

    here = reference.below[1:] - current.below[np.searchsorted(current.grid, reference.grid, side="right")]
    there = current.below[1:] - reference.below[np.searchsorted(reference.grid, current.grid, side="right")]
    return float(max(np.abs(here).max(), np.abs(there).max()))


def by_chance(statistic: float, reference: float, current: float) -> float:
    """The probability of at least that Kolmogorov-Smirnov statistic for so many values of one distribution.

    The limit of Kolmogorov, with the correction of Stephens (JRSS B 32, 1970) for few values.
    """
    n = math.sqrt(reference * current / (reference + current))
    scaled = (n + 0.12 + 0.11 / n) * statistic
    if scaled < 0.2:
        return 1.0
    terms = [2 * (-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 30)]
    return min(1.0, max(0.0, math.fsum(terms)))


def wasserstein(reference: Numbers, current: Numbers) -> float:
    """How far values would have to be moved, on average: the area between the two cumulated shares; in their unit."""
    import numpy as np

    every = np.sort(np.concatenate([reference.values, current.values]), kind="stable")
    left = reference.below[np.searchsorted(reference.values, every[:-1], side="right")]
    right = current.below[np.searchsorted(current.values, every[:-1], side="right")]
    return float(np.diff(every) @ np.abs(left - right))
