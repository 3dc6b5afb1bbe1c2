"""`balance`: how a field's values are shared out among classes: the share of one class, of the most or of the least
frequent one, or how many times one outnumbers the other.

Unit: 0 to 1; with `which: imbalance` a factor of at least 1. With `class` it is that class's share of the events
that have any class. Else `which` chooses: the `largest` share (a model that answers always the same has 1), the
`smallest` one, or `imbalance`, the largest by the smallest. List `classes` so that one that does not occur counts
with a share of 0; `imbalance` has no value then. Without them it is told from the classes that occur in the window.
None when no event of the window has a class. Classes are texts, numbers and truth values, compared as labels are (1
and 1.0 are one class).

Error: none with `class` or `classes`, nor up to 128 classes in the window. Of more, 128 are told apart, chosen by a
hash: the largest and the smallest share are of those, and the signal says so. The state is below 5 kB.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from fireline.domain.events import Kind, text_of
from fireline.domain.ranges import AMOUNT
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.categories import Counts, add, categories, counted, counts_in, key_of, smallest

EXAMPLE = """
measures:
  denied: {agg: balance, of: prediction, class: deny}
"""

_MOST = 128
Named = Annotated[str | int | float | bool, AfterValidator(text_of)]


class Options(BaseModel):
    """One class, or a comparison of all."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    class_: Named | None = Field(default=None, alias="class", description="the class whose share it is")
    which: Literal["largest", "smallest", "imbalance"] = Field(
        default="largest", description="without `class`: which share, or `imbalance`, the largest by the smallest"
    )
    classes: list[Named] | None = Field(
        default=None, max_length=_MOST, description="the classes there should be; others are left out"
    )

    @model_validator(mode="after")
    def _one_question(self) -> "Options":
        if self.classes is not None and len(self.classes) < 2:
            raise ValueError("`classes` compares at least two; for the share of one write `class: deny`")
        if self.class_ is not None and self.model_fields_set & {"which", "classes"}:
            raise ValueError("`class` asks for the share of one class; remove `which` and `classes`, or `class`")
        return self


class Balance:
    """Counts by class, all events included; the state is `{"n": events, "c": {hash: count}}`."""

    name = "balance"
    range = AMOUNT
    streams: tuple[Kind, ...] = ()
    needs = "of"
    settings: type = Options

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """The class of every event."""
        return categories(rows, measure.of)

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Count the events of each class, or of the named ones."""
        counts = counted(values)
        total, named = sum(counts.values()), _named(options)
        if options.get("class_") is not None:
            counts = {key: counts[key] for key in named if key in counts}
        elif named:
            counts = {key: counts[key] for key in named if key in counts}
            total = sum(counts.values())
        return {"n": total, "c": smallest(counts, _MOST)}

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Add the counts."""
        assert isinstance(left, dict)
        assert isinstance(right, dict)
        return {"n": left["n"] + right["n"], "c": add(left["c"], right["c"], _MOST)}

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The share, or the factor."""
        assert isinstance(state, dict)
        if not state["n"]:
            return None
        counts, named = counts_in(state), _named(options)
        if options.get("class_") is not None:
            return sum(counts.values()) / int(state["n"])
        return _compared(str(options.get("which", "largest")), counts, named, int(state["n"]))

    def caveat(self, state: MeasureState, window: float, options: Mapping[str, object]) -> str | None:
        """Whether classes were left out."""
        assert isinstance(state, dict)
        counts = counts_in(state)
        if _named(options) or sum(counts.values()) == state["n"]:
            return None
        return f"is told from {len(counts)} of more classes than can be told apart"


def _named(options: Mapping[str, Any]) -> list[str]:
    """The hashes of the classes that the options name."""
    one, several = options.get("class_"), options.get("classes")
    return [key_of(text) for text in ([one] if one is not None else several or [])]


def _compared(which: str, counts: Counts, named: Sequence[str], total: int) -> float | None:
    found = [counts.get(key, 0) for key in named or counts]
    low, high = min(found), max(found)
    if which == "imbalance":
        return high / low if low else None
    return (high if which == "largest" else low) / total
