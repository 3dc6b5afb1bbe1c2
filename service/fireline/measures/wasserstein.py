"""`wasserstein`: how far the values of a field have moved from its reference, on average (the earth mover's distance).

Unit: the field's; with `normed: true` standard deviations of the reference, so that one threshold serves many fields
(0.1 is a usual one). It is the area between the two cumulated shares. Unlike `psi` and `ks` it grows the further values
move, and a few very large ones can move it: for heavy tails compare `psi` too. For numbers. None when either side has
fewer than `min_count` values; normed, also when the reference does not vary.

Error: at most 1 % of the mean size (absolute value) of the field, now and in the reference together.
"""

import math
from collections.abc import Mapping

from pydantic import Field

from fireline.domain.ranges import AMOUNT
from fireline.measures import drift
from fireline.measures.distributions import Distribution, Numbers, wasserstein

EXAMPLE = """
measures:
  moved: {agg: wasserstein, of: features.nswprice, baseline: price-direction, normed: true}
"""


class Options(drift.Options):
    """And the unit."""

    normed: bool = Field(default=False, description="in standard deviations of the reference")


class Wasserstein(drift.Drift):
    """The distance of the middles of buckets."""

    name = "wasserstein"
    range = AMOUNT
    settings: type = Options

    def distance(self, reference: Distribution, current: Distribution, options: Mapping[str, object]) -> float | None:
        """The distance of the middles of buckets, normed if so asked."""
        if not isinstance(reference, Numbers) or not isinstance(current, Numbers):
            return None
        return _normed(wasserstein(reference, current), reference, options)

    def chance(self, like: Distribution, noise: float, options: Mapping[str, object]) -> float | None:
        """The mean distance of two normal noises about the distribution."""
        if not isinstance(like, Numbers):
            return None
        return _normed(math.sqrt(2 * noise / math.pi) * like.spread, like, options)


def _normed(distance: float, reference: Numbers, options: Mapping[str, object]) -> float | None:
    if not options.get("normed"):
        return distance
    return distance / reference.deviation if reference.deviation > 0 else None
