"""What the measures of drift share: a field's sketch in the window, and its reference from a baseline or the past.

A reference from a baseline reaches a measure as the text of its state, under `reference` in the options, put there by
whoever loads rules; `kind` beside it says what the baseline knows the field to be.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Literal, Self, cast

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from fireline.domain.durations import PATTERN, positive_seconds, seconds
from fireline.domain.events import Kind
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, Lookback, MeasureState
from fireline.measures import category_counts, log_buckets
from fireline.measures.columns import field_column, numbers, option
from fireline.measures.distributions import Categories, Distribution, Numbers, distribution

_SCHEMA = WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["1d", "7d"]})
_NEITHER = (
    "there is nothing to compare with; write `baseline: NAME`, built by `fireline baseline build NAME ...`, or "
    "`against: {window: 7d}`"
)
LEAST = 200
"""With 200 values on both sides and ten bins, `psi` is 0.09 by chance, and above 0.25 in three of a thousand cases."""
_FEW = 400.0
"""From as few values on as tell no more than so many on both sides, a caveat says what chance alone gives."""
_NARROW = 12
"""Values within so many buckets (27 %) lie so close together that a caveat says how coarse the sketch is for them."""


class Against(BaseModel):
    """A stretch of the past: `window` long, ending `offset` before the measure's own window does."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    window: Annotated[float, BeforeValidator(positive_seconds), _SCHEMA] = Field(description="how long it is")
    offset: Annotated[float, BeforeValidator(seconds), _SCHEMA] | None = Field(
        default=None, description="how long before now it ends; the measure's own window, so that the two touch"
    )


class Options(BaseModel):
    """What is compared with; one of `baseline` and `against` must be given."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    baseline: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$",
        description="the reference is the field in `rules/baselines/NAME.json`, see `fireline baseline build`",
    )
    against: Against | None = Field(
        default=None, description="the reference is a stretch of the past, such as `{window: 7d, offset: 1d}`"
    )
    origin: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="numbers: what is taken off first, for values that lie close together, such as 293 for kelvin; "
        "0 unless said; a baseline knows that of its fields",
    )
    min_count: int = Field(default=LEAST, ge=1, description="with fewer values on either side it has no value")

    @model_validator(mode="after")
    def _one_reference(self) -> Self:
        if self.baseline is None and self.against is None:
            raise ValueError(_NEITHER)
        if self.baseline is not None and self.against is not None:
            raise ValueError("`baseline` and `against` are both given; keep one of them")
        return self


class BinnedOptions(Options):
    """The same, and how values are put together to be compared."""

    bins: int = Field(
        default=10, ge=2, le=100, description="numbers: so many bins of about equal share of the reference"
    )
    kind: Literal["numeric", "categorical"] | None = Field(
        default=None, description="with `against`: `numeric` unless said; a baseline knows the kind of its fields"
    )


def above(clean: list[float], origin: float) -> list[float]:
    """Usable numbers by how far above `origin` they are: near it, buckets are narrow."""
    return [value - origin for value in clean] if origin else clean


@lru_cache(maxsize=1024)
def _known(reference: str) -> Distribution | None:
    return distribution(orjson.loads(reference))


class Drift(ABC):
    """A distance between the field in the window and in its reference; `distance` is what tells families apart.

    The state is that of `log_buckets` for numbers and of `category_counts` for categories; `[]` before the first value.
    """

    name = ""
    streams: tuple[Kind, ...] = ()
    needs = "of"
    settings: type = Options
    kinds: tuple[str, ...] = ("numeric",)

    @abstractmethod
    def distance(self, reference: Distribution, current: Distribution, options: Mapping[str, object]) -> float | None:
        """How far the two are apart; None when it has no value for them."""

    @abstractmethod
    def chance(self, like: Distribution, noise: float, options: Mapping[str, object]) -> float | None:
        """About what two samples of one distribution `like` this give; `noise` is 1 / n + 1 / m of their sizes."""

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """The field of every event."""
        return field_column(rows, measure.of)

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Count the values."""
        if options.get("kind") == "categorical":
            return category_counts.counted(values) or []
        return log_buckets.counted(above(numbers(values), option(options, "origin", 0.0)))

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Add the counts."""
        if not left or not right:
            return left or right
        if isinstance(left, dict) and isinstance(right, dict):
            return category_counts.merged(cast("category_counts.State", left), cast("category_counts.State", right))
        assert isinstance(left, list)
        assert isinstance(right, list)
        return log_buckets.merged([left, right])

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The distance from the baseline."""
        return self.compare(state, (), window, options)

    def lookbacks(self, window: float, options: Mapping[str, object]) -> Sequence[Lookback]:
        """The stretch of the past that is the reference; none with a baseline."""
        against = options.get("against")
        if not isinstance(against, Mapping):
            return ()
        offset = against.get("offset")
        return (Lookback(float(against["window"]), window if offset is None else float(offset)),)

    def compare(
        self,
        state: MeasureState,
        others: Sequence[MeasureState | None],
        window: float,
        options: Mapping[str, object],
    ) -> float | None:
        """The distance from the reference; None when either side has too few values."""
        least, current = option(options, "min_count", LEAST), distribution(state)
        if current is None or current.total < least:
            return None
        reference = distribution(others[0]) if others else _baseline(options)
        if reference is None or reference.total < least:
            return None
        return self.distance(reference, current, options)

    def caveat(self, state: MeasureState, window: float, options: Mapping[str, object]) -> str | None:
        """What chance alone gives where values are few; and when numbers lie too close together for the sketch."""
        current, reference = distribution(state), _baseline(options)
        if current is None:
            return None
        said = [self._luck(reference, current, options), _coarse(reference or current)]
        return "; it ".join(each for each in said if each) or None

    def _luck(self, reference: Distribution | None, current: Distribution, options: Mapping[str, object]) -> str | None:
        noise = 1 / current.total + (1 / reference.total if reference is not None else 0.0)
        if noise * _FEW < 1:
            return None
        chance = self.chance(reference or current, noise, options)
        if chance is None:
            return None
        than = f" and {reference.total:.0f}" if reference is not None else ""
        return f"would be about {chance:.2g} by chance alone: it rests on {current.total:.0f}{than} values"

    def reference(self, kind: str, state: object, origin: float, options: Mapping[str, object]) -> Mapping[str, object]:
        """What a field of a baseline gives the options of a measure; raises ValueError saying why it cannot serve."""
        if kind not in self.kinds:
            raise ValueError(f"`{self.name}` compares {self.kinds[0]} fields, and this one is {kind}")
        if options.get("kind") not in {None, kind}:
            raise ValueError(f"the field is {kind} there; remove `kind`")
        if options.get("origin") not in {None, origin}:
            raise ValueError(f"the origin of the field is {origin:g} there; remove `origin`")
        well = log_buckets.is_state(state) if kind == "numeric" else category_counts.is_state(state)
        known = distribution(state) if well else None
        if known is None:
            raise ValueError("what it knows of the field cannot be read; build it anew from events that have the field")
        if known.total < (least := option(options, "min_count", LEAST)):
            raise ValueError(
                f"it has {known.total:.0f} values of the field, and `min_count` is {least:.0f}; "
                "build it from more events, or lower `min_count`"
            )
        return {"kind": kind, "origin": origin, "reference": orjson.dumps(state, option=orjson.OPT_SORT_KEYS).decode()}


def _baseline(options: Mapping[str, object]) -> Distribution | None:
    reference = options.get("reference")
    return _known(reference) if isinstance(reference, str) else None


def _coarse(reference: Distribution) -> str | None:
    match reference:
        case Numbers(low=low, high=high, places=places) if low < high and places[-1] - places[0] < _NARROW:
            return "sees little: values lie within a few percent of each other; give it an `origin` in their midst"
        case Numbers() | Categories():
            return None
