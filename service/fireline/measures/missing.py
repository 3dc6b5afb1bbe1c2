"""`missing`: the share of events that lack a field, or hold nothing in it.

Unit: 0 to 1, of all events. Nothing is: no such field, null, a number that is not one (NaN, infinite), an empty or
blank text, an empty list or object, and the texts and numbers listed in `also` (`[n/a, unknown, -1]`: what your
producers write instead). 0 and false are values. None when the window has no events. Error: none. The state is two
numbers.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from fireline.domain.events import Kind, text_of
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields
from fireline.measures.columns import field_column
from fireline.measures.ratio import Ratio

EXAMPLE = """
measures:
  no_income: {agg: missing, of: features.income, also: [n/a, -1]}
"""


class Options(BaseModel):
    """`also`: what stands for nothing besides."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    also: list[Annotated[str | int | float | bool, AfterValidator(text_of)]] = Field(
        default_factory=list, max_length=100, description="texts and numbers that stand for nothing"
    )


class Missing(Ratio):
    """Counts events without and all events; the state is `[without, all]`."""

    name = "missing"
    needs = "of"
    settings: type = Options

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """Whether each event lacks the field."""
        also = measure.options.get("also")
        placeholders = frozenset(also) if isinstance(also, list) else frozenset()
        return [_is_nothing(value, placeholders) for value in field_column(rows, measure.of)]


def _is_nothing(value: object, placeholders: frozenset[str]) -> bool:
    match value:
        case None:
            return True
        case str():
            return not value.strip() or value.strip() in placeholders
        case bool() | int():
            return bool(placeholders) and text_of(value) in placeholders
        case float():
            return not math.isfinite(value) or (bool(placeholders) and text_of(value) in placeholders)
        case Mapping() | list() | tuple():
            return not value
        case _:
            return False
