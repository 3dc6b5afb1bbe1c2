"""What `new_categories` and `schema_change` share: events of categories that were not there before.

What is listed as known is left out of the counts while folding, so that its answer is exact. Against a stretch of
the past both sides keep the categories with the smallest hashes; up to the largest hash that both have kept
entirely, whether a category was there before is known exactly, so beyond the bound the answer is that of a fair
sample of categories.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fireline.domain.windows import Lookback, MeasureState
from fireline.measures.categories import Counts, add, counts_in, estimated, name_of, smallest
from fireline.measures.columns import option
from fireline.measures.durations import PositiveDuration

MOST = 128
"""How many categories are told apart."""

Unit = Literal["share", "events", "kinds"]
_LAST = "g"  # after every hash
_TOLD = 3


class Past(BaseModel):
    """What the window is compared with, and what is told of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    trailing: PositiveDuration | None = Field(
        default=None, description="a duration: compare with so long a stretch before the window"
    )
    min_past: int = Field(
        default=100, ge=1, description="with fewer events in that stretch there is no value: too little is known"
    )
    unit: Unit = Field(
        default="share", description="the share of events that are new, how many, or how many kinds of them"
    )

    def one_of(self, listed: Sequence[str], example: str) -> None:
        """Raise ValueError unless exactly one says what is not new: what is `listed`, or the trailing stretch."""
        there = [f"`{name}`" for name in (*listed, "trailing") if getattr(self, name) is not None]
        if not there:
            raise ValueError(f"nothing says what was there before; write `{example}` or `trailing: 7d`")
        if len(there) > 1:
            raise ValueError(f"{' and '.join(there)} both say what was there before; remove one of them")

    def refuse_without(self, other: str, names: Set[str]) -> None:
        """Raise ValueError when one of the settings `names` is given without the `other` that it belongs to."""
        for name in sorted(names & self.model_fields_set):
            if getattr(self, other) is None:
                raise ValueError(f"`{name}` says something of `{other}`, which is not there; remove it")


def lookbacks(window: float, options: Mapping[str, object]) -> Sequence[Lookback]:
    """The stretch before the window, where there is one to compare with."""
    trailing = options.get("trailing")
    return (Lookback(trailing, window),) if isinstance(trailing, int | float) else ()


def state_of(total: int, counts: Counts) -> dict[str, object]:
    """The state: all events, those that `counts` counts, and the counts of at most `MOST` categories."""
    return {"n": total, "m": sum(counts.values()), "c": smallest(counts, MOST)}


def merged(left: MeasureState, right: MeasureState) -> dict[str, object]:
    """Both states together."""
    assert isinstance(left, dict)
    assert isinstance(right, dict)
    return {"n": left["n"] + right["n"], "m": left["m"] + right["m"], "c": add(left["c"], right["c"], MOST)}


def unlisted(state: MeasureState, options: Mapping[str, object]) -> float | None:
    """What is told of events that are not of a listed kind: all that were counted."""
    assert isinstance(state, dict)
    return told(state["m"], estimated(counts_in(state), MOST), state["n"], options) if state["n"] else None


def unseen(state: MeasureState, past: MeasureState | None, options: Mapping[str, object]) -> float | None:
    """What is told of events of categories that the past does not have; None where it has too few events."""
    assert isinstance(state, dict)
    if not enough(past, options) or not state["n"]:
        return None
    sample, new = _compared(counts_in(state), counts_in(past))
    if not sample:
        return None
    kinds = estimated(counts_in(state), MOST) * len(new) / len(sample)
    return told(sum(new.values()) / sum(sample.values()) * state["n"], kinds, state["n"], options)


def new_in(state: MeasureState, others: Sequence[MeasureState | None], options: Mapping[str, object]) -> Counts:
    """The new categories that are known by name: those that were counted against a list, or are not of the past."""
    if not others:
        return counts_in(state)
    return _compared(counts_in(state), counts_in(others[0]))[1] if enough(others[0], options) else {}


def named(new: Counts) -> str | None:
    """The most frequent new categories, for people; of equally frequent ones those hashed first."""
    if not new:
        return None
    first = sorted(new, key=lambda key: (-new[key], key))[:_TOLD]
    words = ", ".join(f"{name_of(key)} ({new[key]})" for key in first)
    rest = len(new) - len(first)
    return f"saw {words}" + (f" and {rest} other kind{'' if rest == 1 else 's'}" if rest else "")


def _compared(now: Counts, before: Counts) -> tuple[Counts, Counts]:
    """The categories of which it is known whether they were there before, and those of them that were not."""
    known_to = min(_complete_to(now), _complete_to(before))
    sample = {key: many for key, many in now.items() if key <= known_to}
    return sample, {key: many for key, many in sample.items() if key not in before}


def enough(past: MeasureState | None, options: Mapping[str, object]) -> bool:
    """Whether the past has enough events to compare with."""
    return isinstance(past, dict) and past["n"] >= option(options, "min_past", 100)


def told(events: float, kinds: float, total: int, options: Mapping[str, object]) -> float:
    """The number in the unit that was asked for."""
    match options.get("unit", "share"):
        case "events":
            return float(events)
        case "kinds":
            return kinds
        case _:
            return events / total


def full(state: MeasureState) -> bool:
    """Whether there may be more categories than are told apart."""
    return len(counts_in(state)) >= MOST


def _complete_to(counts: Counts) -> str:
    """Up to which hash all categories that there were are among the counts."""
    return _LAST if len(counts) < MOST else max(counts)
