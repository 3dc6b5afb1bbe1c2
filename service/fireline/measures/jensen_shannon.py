"""`jensen_shannon`: the Jensen-Shannon distance of a field from its reference, in shares of bins or categories.

Unit: none: with `base: 2` 0 (equal) to 1 (nothing in common); with base b up to sqrt(ln 2 / ln b). It is the root of
the divergence, as SciPy's `jensenshannon`, and a metric; with `form: divergence` it is the divergence itself (in bits,
with base 2). Bins and categories are those of `psi`, and categories that one side lacks need no floor. None when either
side has fewer than `min_count` values.

Error: none of the shares; bins end within 2 % of the reference's quantiles. Beyond 1,000 categories, 512 groups of them
are compared, and it may be lower than it is.
"""

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from fireline.domain.ranges import AMOUNT
from fireline.measures.columns import option
from fireline.measures.distributions import Distribution, jensen_shannon, shares
from fireline.measures.drift import BinnedOptions, Drift
from fireline.measures.psi import bins_of

EXAMPLE = """
measures:
  drift: {agg: jensen_shannon, of: prediction, kind: categorical, against: {window: 7d, offset: 1d}}
"""


class Options(BinnedOptions):
    """Those of `psi`, and the form."""

    form: Literal["distance", "divergence"] = Field(
        default="distance", description="the `distance` is the root of the `divergence`"
    )
    base: float = Field(default=2.0, gt=1.0, le=100.0, description="the base of the logarithm; 2.718281828 for nats")


class JensenShannon(Drift):
    """The distance over bins of the reference."""

    name = "jensen_shannon"
    range = AMOUNT
    settings: type = Options
    kinds = ("numeric", "categorical")

    def distance(self, reference: Distribution, current: Distribution, options: Mapping[str, object]) -> float | None:
        """The distance, or the divergence."""
        sides = shares(reference, current, int(option(options, "bins", 10)))
        return _formed(jensen_shannon(*sides), options) if sides[0] else None

    def chance(self, like: Distribution, noise: float, options: Mapping[str, object]) -> float | None:
        """An eighth of what `psi` has, in the form that was asked for."""
        return _formed(noise * (bins_of(like, options) - 1) / 8, options)


def _formed(nats: float, options: Mapping[str, object]) -> float:
    divergence = nats / math.log(option(options, "base", 2.0))
    return divergence if options.get("form") == "divergence" else math.sqrt(divergence)
