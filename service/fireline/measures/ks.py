"""`ks`: the Kolmogorov-Smirnov statistic: the largest gap between the cumulated shares of a field and its reference.

Unit: 0 to 1: with 0.2, at some value a fifth more of the events lie below (or above) it than in the reference. It needs
no bins, sees shifts of the middle better than of the tails, and says nothing of how far values moved. With
`result: p_value` it is the probability of at least that statistic when nothing has drifted: Kolmogorov's limit with
Stephens' correction, within 0.02 from 100 values on. With many events the p-value is
small for drifts that matter to nobody: prefer the statistic. For numbers. None when either side has fewer than
`min_count` values.

Error: never above the exact statistic, and below it by at most the share that the two sides have in one bucket of the
sketch, 2 % of the number wide (the smaller share of the two): 0.01 or less where values spread over an octave or more.
"""

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from fireline.domain.ranges import SHARE
from fireline.measures import drift
from fireline.measures.distributions import Distribution, Numbers, by_chance, kolmogorov_smirnov

EXAMPLE = """
measures:
  drift: {agg: ks, of: features.nswprice, baseline: price-direction}
"""


class Options(drift.Options):
    """And which result."""

    result: Literal["statistic", "p_value"] = Field(default="statistic", description="the statistic, or its p-value")


class Ks(drift.Drift):
    """The statistic at the borders of buckets."""

    name = "ks"
    range = SHARE
    settings: type = Options

    def distance(self, reference: Distribution, current: Distribution, options: Mapping[str, object]) -> float | None:
        """The statistic, or its p-value."""
        if not isinstance(reference, Numbers) or not isinstance(current, Numbers):
            return None
        statistic = kolmogorov_smirnov(reference, current)
        if options.get("result") == "p_value":
            return by_chance(statistic, reference.total, current.total)
        return statistic

    def chance(self, like: Distribution, noise: float, options: Mapping[str, object]) -> float | None:
        """The mean of Kolmogorov's distribution; nothing of a p-value."""
        return None if options.get("result") == "p_value" else _MEAN * math.sqrt(noise)


_MEAN = math.sqrt(math.pi / 2) * math.log(2)
"""The mean of Kolmogorov's distribution."""
