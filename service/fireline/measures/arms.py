"""`arms`: one arm against another, such as a canary or a shadow against control: a share or a mean in both, and what
chance makes of the difference.

`arm` names the field that tells arms apart, such as `version` or `target`; `treatment` and `control` name the two.
With only one of them given, the other is all other events that name an arm. With `condition` a share is compared:
that of the events for which it holds, among those for which it can be told. With `of` instead the mean of a field is;
with both, its mean over the events for which the condition holds.

Unit: `tell: difference` (treatment less control) is the field's, or that of a share; `tell: ratio` (treatment by
control) is a factor; `tell: p_value` is the probability of a difference at least as large, were both arms the same:
by the pooled two-proportion z-test for shares, by Welch's t-test for means; on the `side` of `higher` or `lower`
only, where just that side is bad. None with fewer than `min_count` events in either arm, of a ratio to 0, and of the
p-value of means with fewer than two numbers in an arm.

Error: difference and ratio that of a few roundings, however events were batched: sums are exact inside. p-values are
within 1e-9 of those of SciPy. They assume that events are independent, and that one looks once: a rule looks all the
time, so p falls below 0.01 sooner or later without any difference. Ask for less (0.001), for a difference that
matters, and for a `for`. Numbers beyond 1e140 are left out.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fireline.domain.events import Kind, field_of, text_of
from fireline.domain.ranges import CALCULATED
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import field_column, option
from fireline.measures.exact import total
from fireline.measures.pairing import Label
from fireline.measures.ratio import told
from fireline.measures.stddev import Stddev
from fireline.measures.two_samples import Sample, proportions, welch

EXAMPLE = """
measures:
  chance: {agg: arms, arm: version, treatment: "15", condition: "error != ''", tell: p_value, side: higher}
"""

_NUMBERS = Stddev()
_SAMPLE = {"variance": True, "sample": True}
_EVENTS = 30
_TWO = 2


class Options(BaseModel):
    """Which arms, and what is told of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    arm: str = Field(min_length=1, description="the field that tells arms apart, such as `version`")
    treatment: Label | None = Field(default=None, description="the arm on trial; by itself all but `control`")
    control: Label | None = Field(default=None, description="what it is compared with; by itself all but `treatment`")
    tell: Literal["difference", "ratio", "p_value"] = Field(default="difference", description="what is told")
    side: Literal["both", "higher", "lower"] = Field(
        default="both", description="what the p-value is about: a treatment that differs, is higher, or is lower"
    )
    min_count: int = Field(default=_EVENTS, ge=1, description="with fewer events in either arm it has no value")

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.treatment is None and self.control is None:
            raise ValueError("`arms` needs to know its arms; name `treatment`, `control` or both")
        if self.treatment == self.control:
            raise ValueError(f"`treatment` and `control` are both `{self.control}`; name two arms")
        return self


class _Arm(NamedTuple):
    """One arm: how many events, how many of them were hits (None of a mean), and the share or mean."""

    sample: Sample
    hits: int | None


class Arms:
    """Both arms by themselves; the state is `{"t": arm, "c": arm}`: `[events, hits]`, or a state of `stddev`; or []."""

    name = "arms"
    range = CALCULATED
    streams: tuple[Kind, ...] = ()
    needs = "of or condition"
    settings: type = Options

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """`("t" or "c", number or truth value)` of events of either arm."""
        options = measure.options
        named, treatment, control = str(options.get("arm", "")), options.get("treatment"), options.get("control")
        values = _values(rows, measure)
        sides = [_side(text_of(field_of(row, named)), treatment, control) for row in rows]
        return [(side, value) if side else None for side, value in zip(sides, values, strict=True)]

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Sum both arms."""
        found: dict[str, list[object]] = {"t": [], "c": []}
        for value in values:
            if isinstance(value, tuple):
                found[value[0]].append(value[1])
        return {side: _folded(own) for side, own in found.items()}

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Add both arms."""
        assert isinstance(left, dict)
        assert isinstance(right, dict)
        return {side: _merged(left[side], right[side]) for side in ("t", "c")}

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """What is told of both arms."""
        pair = _arms(state, options)
        if pair is None:
            return None
        treatment, control = pair
        match options.get("tell"):
            case "p_value":
                return _chance(treatment, control, str(options.get("side", "both")))
            case "ratio":
                return treatment.sample.mean / control.sample.mean if control.sample.mean else None
            case _:
                return treatment.sample.mean - control.sample.mean

    def caveat(self, state: MeasureState, window: float, options: Mapping[str, object]) -> str | None:
        """What was compared."""
        pair = _arms(state, options)
        if pair is None:
            return None
        said = [f"{arm.sample.mean:.4g} (of {arm.sample.many} events)" for arm in pair]
        return f"compares {said[0]} with {said[1]} in control"


def _values(rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
    condition, numbers = measure.condition, field_column(rows, measure.of)
    if condition is None:
        return numbers
    holds = [told(condition, condition.variables, row) for row in rows]
    if measure.of is None:
        return holds
    return [number if held else None for number, held in zip(numbers, holds, strict=True)]


def _side(arm: str, treatment: object, control: object) -> str:
    """Which arm an event is of: "t", "c", or neither."""
    if not arm:
        return ""
    if arm in (treatment, control):
        return "t" if arm == treatment else "c"
    if treatment is None or control is None:
        return "t" if treatment is None else "c"
    return ""


def _folded(values: list[object]) -> list[object]:
    truths = [value for value in values if isinstance(value, bool)]
    if truths:
        return [len(truths), sum(truths)]
    state = _NUMBERS.fold(values, [], {})
    assert isinstance(state, list)
    return state if state[0] else []


def _merged(left: list[object], right: list[object]) -> MeasureState:
    if not left or not right:
        return left or right
    if len(left) == _TWO:
        return [mine + other for mine, other in zip(left, right, strict=True)]  # type: ignore[operator]  # counts
    return _NUMBERS.merge(left, right)


def _arms(state: MeasureState, options: Mapping[str, object]) -> tuple[_Arm, _Arm] | None:
    """Treatment and control; None with too few events in either."""
    assert isinstance(state, dict)
    least = option(options, "min_count", _EVENTS)
    if any(not state[side] or state[side][0] < least for side in ("t", "c")):
        return None
    return _arm(state["t"]), _arm(state["c"])


def _arm(held: list[object]) -> _Arm:
    if len(held) == _TWO:
        many, hits = held
        assert isinstance(many, int)
        assert isinstance(hits, int)
        return _Arm(Sample(many, hits / many, 0.0), hits)
    many, numbers, _ = held
    assert isinstance(many, int)
    assert isinstance(numbers, list)
    return _Arm(Sample(many, total(numbers) / many, _NUMBERS.read(held, 1.0, _SAMPLE) or 0.0), None)


def _chance(treatment: _Arm, control: _Arm, side: str) -> float | None:
    if treatment.hits is not None and control.hits is not None:
        return proportions(treatment.hits, treatment.sample.many, control.hits, control.sample.many, side)
    if min(treatment.sample.many, control.sample.many) < _TWO:
        return None
    return welch(treatment.sample, control.sample, side)
