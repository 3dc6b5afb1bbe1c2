"""Buckets of OTLP histograms as bounds and counts: bucket i holds values in (bounds[i - 1], bounds[i]].

The first bucket reaches down to minus infinity and the last one up to infinity, so there is one count more than there
are bounds. A bound may stand twice: the bucket between holds exactly that number (the zeros of an exponential one).
"""

import math
from collections.abc import Sequence
from decimal import Decimal, localcontext
from functools import lru_cache
from itertools import pairwise
from typing import Any

from fireline.domain.events import Malformed

MAX_BUCKETS = 1000
"""Histograms with more are refused; an exponential one has 160 on either side unless it is configured otherwise."""

Buckets = dict[str, list[float]]
"""`{"bounds": [...], "counts": [...]}`."""


@lru_cache(maxsize=8192)
def exponential_bound(scale: int, index: int) -> float:
    """2 ** (index * 2 ** -scale): the lower bound of bucket `index` at `scale`, as the double nearest to it.

    After the OpenTelemetry metrics data model, "ExponentialHistogram". Rounded once, so that a bound which two scales
    share is the same number at both. Raises OverflowError for a bound beyond the largest double.
    """
    if scale <= 0:
        return math.ldexp(1.0, index * 2**-scale)
    whole, part = divmod(index, 2**scale)
    if part == 0:
        return math.ldexp(1.0, whole)
    with localcontext() as context:
        context.prec = 40
        return math.ldexp(float(Decimal(2) ** (Decimal(part) / Decimal(2**scale))), whole)


def explicit_buckets(point: Any) -> Buckets | Malformed | None:
    """The buckets of a HistogramDataPoint; None when it has none but its count."""
    if len(point.bucket_counts) > MAX_BUCKETS:
        return _too_many(len(point.bucket_counts))
    bounds, counts = list(point.explicit_bounds), list(point.bucket_counts)
    if not counts and not bounds:
        return None
    return _checked(bounds, counts, point.count)


def exponential_buckets(point: Any) -> Buckets | Malformed:
    """The buckets of an ExponentialHistogramDataPoint, those without an end included; empty ends are left out."""
    size = len(point.positive.bucket_counts) + len(point.negative.bucket_counts)
    if size > MAX_BUCKETS:
        return _too_many(size)
    if not -10 <= point.scale <= 20:
        return Malformed("buckets-wrong", f"found scale {point.scale}; expected -10 to 20")
    try:
        bounds, counts = _contiguous(point)
    except OverflowError:
        return Malformed("buckets-wrong", f"found buckets beyond the largest number (scale {point.scale})")
    return _checked(bounds, counts, point.count)


def _contiguous(point: Any) -> tuple[list[float], list[int]]:
    """Negative buckets from the lowest, the zeros, the positive ones; gaps between them are empty buckets."""
    bounds: list[float] = []
    counts: list[int] = [0]
    low, minus = _side(point.scale, point.negative)
    if minus:
        bounds += [-bound for bound in reversed(low)]
        counts += [*reversed(minus), 0]
    if point.zero_count:
        bounds += [-point.zero_threshold + 0.0, point.zero_threshold]
        counts += [point.zero_count, 0]
    high, plus = _side(point.scale, point.positive)
    if plus:
        bounds += high
        counts += [*plus, 0]
    return bounds, counts


def _side(scale: int, side: Any) -> tuple[list[float], list[int]]:
    """The bounds and counts of one side from its first to its last bucket that holds something."""
    counts = list(side.bucket_counts)
    held = [place for place, count in enumerate(counts) if count]
    if not held:
        return [], []
    first, last = held[0], held[-1]
    bounds = [exponential_bound(scale, side.offset + place) for place in range(first, last + 2)]
    return bounds, counts[first : last + 1]


def _checked(bounds: Sequence[float], counts: Sequence[int], count: int) -> Buckets | Malformed:
    if len(counts) != len(bounds) + 1:
        return Malformed("buckets-wrong", f"found {len(counts)} counts for {len(bounds)} bounds; expected one more")
    if not all(map(math.isfinite, bounds)):
        return Malformed("buckets-wrong", "found a bound that is not finite")
    if any(left > right for left, right in pairwise(bounds)):
        return Malformed("buckets-wrong", "found bounds that do not rise")
    if sum(counts) != count:
        return Malformed("buckets-wrong", f"found buckets of {sum(counts)} values in a histogram of {count}")
    return {"bounds": list(bounds), "counts": list(counts)}


def _too_many(found: int) -> Malformed:
    return Malformed("buckets-wrong", f"found {found} buckets; expected at most {MAX_BUCKETS}")
