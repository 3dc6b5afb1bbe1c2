"""Extents: what values a name may still have, once it is known that some comparisons hold. Sound, and not complete.

An extent is never smaller than the truth, so that what it says to be impossible is.
"""

import math
from typing import NamedTuple

from fireline.domain.ranges import Range


class Numbers(NamedTuple):  # a tuple, because checking a thousand rules makes a hundred thousand
    """The numbers between two bounds, each included unless it is `open`, but for some `holes`."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    holes: frozenset[float] = frozenset()

    @property
    def empty(self) -> bool:
        """Whether there is no such number."""
        if self.low > self.high:
            return True
        if self.low < self.high:
            return False
        return self.low_open or self.high_open or self.low in self.holes

    def above(self, bound: float, *, included: bool) -> "Numbers":
        """Those of them above a bound."""
        if bound < self.low or (bound == self.low and (included or self.low_open)):
            return self
        return Numbers(bound, self.high, not included, self.high_open, self.holes)

    def below(self, bound: float, *, included: bool) -> "Numbers":
        """Those of them below a bound."""
        if bound > self.high or (bound == self.high and (included or self.high_open)):
            return self
        return Numbers(self.low, bound, self.low_open, not included, self.holes)

    def without(self, number: float) -> "Numbers":
        """Those of them that are not this number."""
        return self._replace(holes=self.holes | {number})

    def holds(self, number: float) -> bool:
        """Whether the number is among them."""
        return not self.above(number, included=True).below(number, included=True).empty


class Extent(NamedTuple):
    """What a name may be: `numbers` (None: none of them), `texts` (those alone, or all `but` them), truth values, or
    something of another kind."""

    numbers: Numbers | None = Numbers()
    texts: frozenset[str] = frozenset()
    but: bool = True
    truths: frozenset[bool] = frozenset({True, False})
    rest: bool = True

    @property
    def empty(self) -> bool:
        """Whether there is no such value."""
        if self.rest or self.truths or self.but or self.texts:
            return False
        return self.numbers is None or self.numbers.empty

    def only_numbers(self) -> "Extent":
        """The numbers among them."""
        return Extent(self.numbers, frozenset(), False, frozenset(), False)

    def only_texts(self) -> "Extent":
        """The texts among them."""
        return Extent(None, self.texts, but=self.but, truths=frozenset(), rest=False)

    def only_truths(self, truth: bool) -> "Extent":
        """The one truth value, if it is among them."""
        return Extent(None, frozenset(), but=False, truths=self.truths & {truth}, rest=False)

    def text(self, text: str) -> "Extent":
        """That text, if it is among them."""
        there = (text in self.texts) is not self.but
        return Extent(None, frozenset({text}) if there else frozenset(), but=False, truths=frozenset(), rest=False)

    def without_text(self, text: str) -> "Extent":
        """All of them but that text."""
        return self._replace(texts=self.texts | {text} if self.but else self.texts - {text})

    def compared(self, op: str, number: float) -> "Extent":
        """Those of them of which `value op number` is true."""
        if op == "!=":
            return self if self.numbers is None else self._replace(numbers=self.numbers.without(number))
        if self.numbers is None:
            return NOTHING
        found = self.numbers
        if op in {">", ">=", "=="}:
            found = found.above(number, included=op != ">")
        if op in {"<", "<=", "=="}:
            found = found.below(number, included=op != "<")
        return Extent(found, frozenset(), False, frozenset(), False)


ANYTHING = Extent()
NOTHING = Extent(None, but=False, truths=frozenset(), rest=False)
ANY_TEXT = ANYTHING.only_texts()
ANY_NUMBER = ANYTHING.only_numbers()


def of_range(bounds: Range) -> Extent:
    """The numbers of a range."""
    return ANY_NUMBER._replace(numbers=Numbers(bounds.least, bounds.most))


def of_texts(texts: frozenset[str]) -> Extent:
    """These texts alone."""
    return Extent(None, texts, but=False, truths=frozenset(), rest=False)
