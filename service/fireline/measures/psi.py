"""`psi`: the population stability index: how far a field has drifted from its reference, by bins or categories.

Unit: none; 0 is no drift. By custom, from 0.1 on a drift is small and from 0.25 on it is large. Numbers are put into
`bins` of about equal share of the reference; of categories each is a bin, and those that only one side has count too.
It is the sum of (c - r) ln(c / r) over the bins, c and r being the shares now and in the reference; a share below
0.0001 counts as 0.0001. None when either side has fewer than `min_count` values. Without any drift it is about
(bins - 1) (1 / n + 1 / m) for n values and m in the reference; the signal says so when they are few.

Error: none of the shares: the sketch counts exactly what lies between its borders. The bins end at the border of the
sketch that is nearest to the reference's quantile, at most 2 % of the number away from it. Beyond 1,000 categories, 512
groups of them are compared, and the index may be lower than it is.
"""

from collections.abc import Mapping

from fireline.domain.ranges import AMOUNT
from fireline.measures.columns import option
from fireline.measures.distributions import Categories, Distribution, shares, stability_index
from fireline.measures.drift import BinnedOptions, Drift

EXAMPLE = """
measures:
  drift: {agg: psi, of: features.nswprice, baseline: price-direction, bins: 10}
"""


class Psi(Drift):
    """The index over bins of the reference."""

    name = "psi"
    range = AMOUNT
    settings: type = BinnedOptions
    kinds = ("numeric", "categorical")

    def distance(self, reference: Distribution, current: Distribution, options: Mapping[str, object]) -> float | None:
        """The index over bins or categories."""
        sides = shares(reference, current, int(option(options, "bins", 10)))
        return stability_index(*sides) if sides[0] else None

    def chance(self, like: Distribution, noise: float, options: Mapping[str, object]) -> float | None:
        """(bins - 1) (1 / n + 1 / m): the mean of the chi-square distribution, which it nears."""
        return noise * (bins_of(like, options) - 1)


def bins_of(like: Distribution, options: Mapping[str, object]) -> int:
    """How many bins, at most, hold something."""
    match like:
        case Categories(state=state):
            return len(state["counts"])
        case numbers:
            return min(int(option(options, "bins", 10)), len(numbers.places))
