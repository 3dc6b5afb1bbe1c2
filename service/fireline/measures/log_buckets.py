"""Logarithmic buckets: counts of numbers by their size, which merge exactly and tell every number within 1 %.

After DDSketch (Masson, Rim, Lee, PVLDB 12, 2019): bucket borders grow by the factor 2^(1/35) = 1.0200, so the middle of
a bucket is within 1 % of all that it holds. Buckets are found by comparing the mantissa with a table, in the same way
for one number and for a NumPy array, so a batch gives exactly the buckets that its events give one by one: merging is
adding counts, and no verdict depends on how events were batched.

A state is `[min, max, bucket, count, bucket, count, ...]` in the order of the buckets; `[]` before the first number.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from fireline.measures.columns import numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PER_OCTAVE = 35
_BORDERS = [0.5 * 2.0 ** (k / _PER_OCTAVE) for k in range(_PER_OCTAVE)]
_FACTOR = 2.0 ** (1 / _PER_OCTAVE)
_SHIFT = 1100  # above the lowest exponent of a double, so that every bucket of a positive number is above zero
_FEW = 50  # up to so many numbers, half as many buckets, it is faster to put them in one by one
_MANY = 2**53  # of one bucket
_BATCH = 24  # from about this many numbers on, NumPy is faster


State = list[float]


def counted(clean: list[float]) -> State:
    """The state of some usable numbers (`columns.numbers`)."""
    if len(clean) == 1:  # where there are many entities, nearly always
        value = clean[0] + 0.0
        return [value, value, _bucket(value), 1]
    if len(clean) >= _BATCH:
        return _counted_at_once(clean)
    return _state(min(clean) + 0.0, max(clean) + 0.0, _buckets(clean)) if clean else []


def merged(states: Sequence[State]) -> State:
    """The counts of all; none is changed."""
    full = sorted(filter(None, states), key=len)
    if len(full) < 2:
        return full[0] if full else []
    few, large = full[:-1], full[-1]
    both = _put_in(few, large) if sum(map(len, few)) <= _FEW else _put_together(full)
    both[0], both[1] = min([state[0] for state in full]), max([state[1] for state in full])
    return both


def is_state(value: object) -> bool:
    """Whether something read from a file is a state that is not empty."""
    if not isinstance(value, list) or len(value) < 4 or len(value) % 2 or len(numbers(value)) < len(value):
        return False
    places, counts = value[2::2], value[3::2]
    if any(type(n) is not int for n in places + counts) or not all(0 < n < _MANY for n in counts):
        return False
    return (
        value[0] <= value[1]
        and _bucket(value[0]) == places[0]
        and _bucket(value[1]) == places[-1]
        and all(low < high for low, high in pairwise(places))
    )


def _bucket(value: float) -> int:
    """0 for zero; else the place of its bucket, with the sign of the number."""
    if value == 0:
        return 0
    mantissa, exponent = math.frexp(abs(value))
    place = (exponent + _SHIFT) * _PER_OCTAVE + bisect_right(_BORDERS, mantissa)
    return place if value > 0 else -place


def _buckets(clean: list[float]) -> dict[int, int]:
    found: dict[int, int] = {}
    for value in clean:
        place = _bucket(value)
        found[place] = found.get(place, 0) + 1
    return found


def _counted_at_once(clean: list[float]) -> State:
    """`counted` of many: places are sorted, and a bucket's count is how far it is to the next one's first."""
    import numpy as np

    array = np.array(clean, dtype=np.float64)
    mantissa, exponent = np.frexp(np.abs(array))
    places = (exponent.astype(np.int64) + _SHIFT) * _PER_OCTAVE + _borders().searchsorted(mantissa, side="right")
    low, high = float(array.min()) + 0.0, float(array.max()) + 0.0
    if low <= 0.0:
        places *= np.sign(array).astype(np.int64)
    places.sort()
    begins = np.empty(len(places) + 1, dtype=np.bool_)
    begins[0] = begins[-1] = True
    np.not_equal(places[1:], places[:-1], out=begins[1:-1])
    firsts = begins.nonzero()[0]
    pairs = np.empty((len(firsts) - 1, 2), dtype=np.int64)
    pairs[:, 0], pairs[:, 1] = places[firsts[:-1]], np.diff(firsts)
    return [low, high, *pairs.ravel().tolist()]


def _state(low: float, high: float, buckets: Mapping[int, int]) -> list[float]:
    return [low, high, *chain.from_iterable(sorted(buckets.items()))]


def _put_in(few: Iterable[State], many: State) -> State:
    """The counts of all, where few buckets find their places among many."""
    both, places = many.copy(), many[2::2]
    for state in few:
        for at in range(2, len(state), 2):
            place = state[at]
            found = bisect_left(places, place)
            here = 2 * found + 2
            if found < len(places) and places[found] == place:
                both[here + 1] += state[at + 1]
            else:
                places.insert(found, place)
                both[here:here] = (place, state[at + 1])
    return both


def _put_together(states: Sequence[State]) -> State:
    """The counts of all."""
    first, *others = states
    buckets = dict(zip(first[2::2], first[3::2], strict=True))
    for state in others:
        for place, n in zip(state[2::2], state[3::2], strict=True):
            buckets[place] = buckets.get(place, 0) + n
    both = [0.0] * (2 * len(buckets) + 2)
    both[2::2] = places = sorted(buckets)
    both[3::2] = map(buckets.__getitem__, places)
    return both


@cache
def _borders() -> "NDArray[np.float64]":
    import numpy as np

    return np.array(_BORDERS)


def middle(place: int) -> float:
    """The number whose relative distance to both borders of a bucket is the same."""
    if place == 0:
        return 0.0
    exponent, step = divmod(abs(place) - 1, _PER_OCTAVE)
    low = math.ldexp(_BORDERS[step], exponent - _SHIFT)
    return math.copysign(low * 2.0 * _FACTOR / (1.0 + _FACTOR), place)


def middles(places: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """`middle` of many."""
    import numpy as np

    exponents, steps = np.divmod(np.abs(places).astype(np.int64) - 1, _PER_OCTAVE)
    lows = np.ldexp(_borders()[steps], exponents - _SHIFT)
    return np.asarray(np.sign(places) * lows * 2.0 * _FACTOR / (1.0 + _FACTOR), dtype=np.float64)
