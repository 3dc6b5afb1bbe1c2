"""`total_variation`: the share of events that would have to fall elsewhere for a field to look like its reference.

Unit: 0 (equal) to 1 (nothing in common): half of the sum of the differences of shares. The plainest to explain: 0.2 of
the classes of predictions means that a fifth of them went to other classes. Bins and categories are those of `psi`.
None when either side has fewer than `min_count` values.

Error: none of the shares; bins end within 2 % of the reference's quantiles. Beyond 1,000 categories, 512 groups of them
are compared, and it may be lower than it is.
"""

import math
from collections.abc import Mapping

from fireline.domain.ranges import SHARE
from fireline.measures.columns import option
from fireline.measures.distributions import Distribution, shares, total_variation
from fireline.measures.drift import BinnedOptions, Drift

EXAMPLE = """
measures:
  moved: {agg: total_variation, of: prediction, baseline: price-direction}
"""


class TotalVariation(Drift):
    """The distance over categories, or bins of the reference."""

    name = "total_variation"
    range = SHARE
    settings: type = BinnedOptions
    kinds = ("numeric", "categorical")

    def distance(self, reference: Distribution, current: Distribution, options: Mapping[str, object]) -> float | None:
        """The distance over bins or categories."""
        sides = shares(reference, current, int(option(options, "bins", 10)))
        return total_variation(*sides) if sides[0] else None

    def chance(self, like: Distribution, noise: float, options: Mapping[str, object]) -> float | None:
        """The mean of half the absolute differences of shares, as normal noise."""
        expected, _ = shares(like, like, int(option(options, "bins", 10)))
        return math.fsum(math.sqrt(share * (1 - share) * noise) for share in expected) / math.sqrt(2 * math.pi)
