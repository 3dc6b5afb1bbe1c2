"""Columns: what a batch of events gives a measure, and which of it is a usable number."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from fireline.domain.events import field_of
from fireline.domain.windows import Fields

LIMIT = 1e150
"""Numbers beyond it are left out: no sum of them can overflow, so no aggregate depends on the order of events."""

_NUMBERS = frozenset({int, float})
_MANY = 16  # from about here on, asking about the whole list first is faster


class NoOptions(BaseModel):
    """A family without settings of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def field_column(rows: Sequence[Fields], of: str | None) -> Sequence[object]:
    """The field `of` (default `value`) of every event."""
    name = of or "value"
    if "." in name:
        return [field_of(row, name) for row in rows]
    return [row.get(name) for row in rows]


def numbers(values: Sequence[object]) -> list[float]:
    """The usable numbers among `values`: no truth values, no texts, not NaN, not beyond `LIMIT`."""
    if len(values) < _MANY:
        return [v for v in values if (type(v) is float or type(v) is int) and -LIMIT <= v <= LIMIT]
    clean: list[float]
    if isinstance(values, list) and _NUMBERS.issuperset(map(type, values)):
        clean = values
    else:
        clean = [v for v in values if type(v) is float or type(v) is int]
    if clean and not (max(clean) <= LIMIT and min(clean) >= -LIMIT and abs(sum(clean)) < LIMIT * LIMIT):
        return [v for v in clean if -LIMIT <= v <= LIMIT]
    return clean


def option(options: Mapping[str, object], name: str, default: float) -> float:
    """A numeric setting; the default when it is not given."""
    value = options.get(name, default)
    return float(value) if isinstance(value, int | float) else default
