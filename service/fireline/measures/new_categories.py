"""`new_categories`: the share of events whose category is not a known one: a country, a currency, a model version or
an error code that was not there before.

Unit: 0 to 1, of the events that have a category; with `unit: events` their number, with `unit: kinds` the number of
different new categories. Say what is known: list it (`known: [card, bank]`), name a `baseline` that knows the field,
or name a stretch of the past (`trailing: 7d`), which ends where the measure's window begins. What is new becomes
known as it leaves the window and is part of the past: give the window the time for which it should be told.
Categories are texts, numbers and truth values, compared as labels are (1 and 1.0 are one). None when no event of the
window has a category, and while the past has fewer events than `min_past`: after a start it says nothing rather than
call everything new.

Error: none against a list, but that more than 128 unknown kinds are estimated with a standard error of 9 %. Against
the past, none while window and past have fewer than 128 categories each. Of more it is an estimate from a sample of
them, and there is no value when none of the window's is in it: for identifiers use `distinct`. The signal names the
most frequent new ones. The state is below 7 kB.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from fireline.domain.events import Kind, text_of
from fireline.domain.ranges import AMOUNT
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, Lookback, MeasureState
from fireline.measures import category_counts
from fireline.measures.categories import categories, named_key
from fireline.measures.novelty import (
    MOST,
    Past,
    full,
    lookbacks,
    merged,
    named,
    new_in,
    state_of,
    unlisted,
    unseen,
)

EXAMPLE = """
measures:
  unknown_currencies: {agg: new_categories, of: features.currency, known: [EUR, USD, GBP]}
"""


class Options(Past):
    """A list of what is known, a baseline, or a stretch of the past."""

    known: list[Annotated[str | int | float | bool, AfterValidator(text_of)]] | None = Field(
        default=None, min_length=1, max_length=1_000, description="the categories that are no news"
    )
    baseline: str | None = Field(default=None, min_length=1, description="a baseline whose categories are no news")

    @model_validator(mode="after")
    def _one_past(self) -> "Options":
        self.one_of(["known", "baseline"], "known: [a, b]")
        self.refuse_without("trailing", {"min_past"})
        return self


class NewCategories:
    """Counts of categories that are not listed; the state is `{"n": events, "m": counted, "c": {key: count}}`."""

    name = "new_categories"
    range = AMOUNT
    streams: tuple[Kind, ...] = ()
    needs = "of"
    settings: type = Options

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """The category of every event."""
        return categories(rows, measure.of)

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Count the events of each category that is not listed."""
        found = Counter(value for value in values if isinstance(value, str))
        total, known = found.total(), options.get("known")
        if isinstance(known, list) and found:
            names = frozenset(known)
            found = Counter({text: many for text, many in found.items() if not _is_known(text, names)})
        return state_of(total, {named_key(text): many for text, many in found.items()})

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Add the counts."""
        return merged(left, right)

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """What is not listed; nothing can be said without a list or a past."""
        return unlisted(state, options) if options.get("known") else None

    def lookbacks(self, window: float, options: Mapping[str, object]) -> Sequence[Lookback]:
        """The stretch before the window; none with a list."""
        return lookbacks(window, options)

    def compare(
        self,
        state: MeasureState,
        others: Sequence[MeasureState | None],
        window: float,
        options: Mapping[str, object],
    ) -> float | None:
        """What the past does not have."""
        return unseen(state, others[0], options) if others else self.read(state, window, options)

    def change(
        self,
        state: MeasureState,
        others: Sequence[MeasureState | None],
        window: float,
        options: Mapping[str, object],
    ) -> str | None:
        """Which categories are new, the most frequent first."""
        return named(new_in(state, others, options))

    def reference(self, kind: str, state: object, origin: float, options: Mapping[str, object]) -> Mapping[str, object]:
        """The categories that a baseline has seen; raises ValueError saying why it cannot serve."""
        if kind != "categorical":
            raise ValueError(f"`{self.name}` compares categorical fields, and this one is {kind}")
        if not category_counts.is_state(state) or not isinstance(state, Mapping) or state["level"]:
            raise ValueError(f"it does not have the categories of the field, being more than {category_counts.MOST}")
        return {"known": sorted(state["counts"])}

    def caveat(self, state: MeasureState, window: float, options: Mapping[str, object]) -> str | None:
        """Whether it is told from a sample."""
        return f"is told from a sample of {MOST} categories" if full(state) and not options.get("known") else None


def _is_known(text: str, names: frozenset[str]) -> bool:
    """Whether it is one of the names; baselines write long ones in their own way."""
    if text in names:
        return True
    written = category_counts.counted([text])
    return written is not None and not names.isdisjoint(written["counts"])
