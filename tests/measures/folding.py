"""Events into states, as the engine does it: a column of each batch, folded, and the batches merged."""

import itertools
from collections.abc import Mapping, Sequence

from fireline.domain.events import Kind
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures import FAMILIES
from fireline.spec.conditions import compile_condition


def options_of(agg: str, **given: object) -> Mapping[str, object]:
    """The settings as the loader hands them to a family."""
    return FAMILIES[agg].settings.model_validate(given).model_dump()  # type: ignore[attr-defined]  # a pydantic model


def folded(
    agg: str,
    rows: Sequence[Fields],
    options: Mapping[str, object],
    *,
    of: str | None = None,
    condition: str = "",
    times: Sequence[float] = (),
    batches: int = 3,
) -> MeasureState:
    """The state of `rows`, in about so many batches."""
    family = FAMILIES[agg]
    compiled = compile_condition(condition) if condition else None
    measure = Measure("m", agg, of=of, options=options, condition=compiled)
    at = list(times) or [float(place) for place in range(len(rows))]
    state = family.fold([], [], {})
    cuts = sorted({0, len(rows), *(len(rows) * part // batches for part in range(batches))})
    for start, end in itertools.pairwise(cuts):
        column = family.column(Kind.PREDICTION, rows[start:end], measure)
        state = family.merge(family.fold(column, at[start:end], options), state)
    return state


def value_of(
    agg: str, rows: Sequence[Fields], *, of: str | None = None, condition: str = "", **given: object
) -> float | None:
    """What a measure says of `rows` over a minute."""
    options = options_of(agg, **given)
    return FAMILIES[agg].read(folded(agg, rows, options, of=of, condition=condition), 60.0, options)


def doubt_of(
    agg: str, rows: Sequence[Fields], *, of: str | None = None, condition: str = "", **given: object
) -> str | None:
    """What its signal would say of how far that can be trusted."""
    options = options_of(agg, **given)
    state = folded(agg, rows, options, of=of, condition=condition)
    return FAMILIES[agg].caveat(state, 60.0, options)  # type: ignore[attr-defined]  # of those that have caveats


def change_of(
    agg: str, past: Sequence[Fields] | None, rows: Sequence[Fields], *, of: str | None = None, **given: object
) -> float | None:
    """What a measure that compares says of `rows` after `past`; None: nothing is known of the past."""
    options = options_of(agg, **given)
    before = None if past is None else folded(agg, past, options, of=of)
    return FAMILIES[agg].compare(folded(agg, rows, options, of=of), [before], 60.0, options)  # type: ignore[attr-defined]
