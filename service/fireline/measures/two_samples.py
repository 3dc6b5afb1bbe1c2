"""Tests of two samples: how likely a difference as large is by chance, when both come from the same source.

Each gives the probability of a difference at least as large on the given side: `both`, or only where the treatment is
`higher`, or `lower`, than the control.
"""

import math
from typing import NamedTuple

_ENOUGH = 1e-15
_TINY = 1e-300
_STEPS = 10_000


class Sample(NamedTuple):
    """How many, their mean, and their variance (divided by one less than there are)."""

    many: int
    mean: float
    variance: float


def proportions(hits: int, of: int, control_hits: int, control_of: int, side: str) -> float:
    """The pooled two-proportion z-test, by the normal distribution; 1 where all or none are hits.

    Source: Fleiss, Statistical Methods for Rates and Proportions (1981), without correction for continuity. Rough where
    fewer than about five hits, or five misses, are expected in an arm.
    """
    pooled = (hits + control_hits) / (of + control_of)
    spread = math.sqrt(pooled * (1.0 - pooled) * (1.0 / of + 1.0 / control_of))
    if spread == 0.0:
        return 1.0
    z = (hits / of - control_hits / control_of) / spread
    return _sided(0.5 * math.erfc(abs(z) / math.sqrt(2.0)), z, side)


def welch(treatment: Sample, control: Sample, side: str) -> float:
    """Welch's t-test, for means of samples of unequal variance; of at least two numbers each.

    Source: Welch, Biometrika 34 (1947). Where neither sample varies, it is certain.
    """
    shares = treatment.variance / treatment.many, control.variance / control.many
    difference, spread = treatment.mean - control.mean, sum(shares)
    if spread == 0.0:
        return _sided(0.5 if difference == 0 else 0.0, difference, side)
    freedom = spread**2 / (shares[0] ** 2 / (treatment.many - 1) + shares[1] ** 2 / (control.many - 1))
    t = difference / math.sqrt(spread)
    return _sided(_beyond(abs(t), freedom), t, side)


def _sided(beyond: float, statistic: float, side: str) -> float:
    """From the probability beyond |statistic| in one tail to that of the side that was asked for."""
    if side == "both":
        return min(1.0, 2.0 * beyond)
    towards = statistic >= 0 if side == "higher" else statistic <= 0
    return beyond if towards else 1.0 - beyond


def _beyond(t: float, freedom: float) -> float:
    """The upper tail of Student's distribution for t of at least 0: half of I_x(f/2, 1/2), an incomplete beta."""
    square = t * t
    if math.isinf(square):
        return 0.0
    whole = freedom + square
    return 0.5 * _beta(freedom / 2.0, 0.5, freedom / whole, square / whole)


def _beta(a: float, b: float, x: float, rest: float) -> float:
    """The regularised incomplete beta function I_x(a, b); `rest` is 1 - x, given so that nothing of it is lost."""
    if x <= 0.0 or rest <= 0.0:
        return 0.0 if x <= 0.0 else 1.0
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - _beta(b, a, rest, x)
    log = a * math.log(x) + b * math.log(rest) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(log) / a * _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function (NIST DLMF 8.17.22), by the method of Lentz."""
    c, d = 1.0, 1.0 / _kept(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for part in (even, odd):
            d, c = 1.0 / _kept(1.0 + part * d), _kept(1.0 + part / c)
            value *= c * d
        if abs(c * d - 1.0) < _ENOUGH:
            break
    return value


def _kept(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
