"""Sketches of the fields of recorded events, for baselines: which events, which fields, and what they hold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fireline.domain.events import Kind, Row, field_of, text_of
from fireline.measures import category_counts, log_buckets
from fireline.measures.columns import field_column, numbers
from fireline.measures.drift import above

NUMERIC, CATEGORICAL = "numeric", "categorical"
KINDS = (NUMERIC, CATEGORICAL)
_NAMED = 200


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events count: their kind, and labels of which each must have one of the texts."""

    on: Kind
    where: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def of(self, rows: Iterable[Row]) -> list[Row]:
        """The events that count, in their order."""
        wanted = [(label, frozenset(texts)) for label, texts in self.where.items()]
        mine = (row for row in rows if row[0] is self.on)
        return [row for row in mine if all(text_of(field_of(row[2], label)) in texts for label, texts in wanted)]


@dataclass(slots=True)
class Sketch:
    """What one field held in some events; with `kind` only that is kept of it, else both are until it is known.

    Numbers are kept by how far above `origin` they are.
    """

    kind: str | None = None
    origin: float = 0.0
    events: int = 0
    numbers: log_buckets.State = field(default_factory=list)
    categories: category_counts.State | None = None
    texts: int = 0

    def add(self, column: Sequence[object]) -> None:
        """Count the values of more events; None where an event lacks the field."""
        self.events += len(column)
        self.texts += sum(isinstance(value, str | bool) for value in column)
        if self.kind != CATEGORICAL:
            more_numbers = log_buckets.counted(above(numbers(column), self.origin))
            self.numbers = log_buckets.merged([self.numbers, more_numbers])
        if self.kind != NUMERIC and (more := category_counts.counted(column)) is not None:
            self.categories = more if self.categories is None else category_counts.merged(self.categories, more)

    @property
    def decided(self) -> str:
        """Its kind: as asked for, else what most of its values are."""
        return self.kind or (CATEGORICAL if self.texts > self.counted else NUMERIC)

    @property
    def counted(self) -> int:
        """How many numbers it held."""
        return int(sum(self.numbers[3::2]))

    @property
    def state(self) -> log_buckets.State | category_counts.State:
        """The state of its kind, as measures of drift have it; empty when it held nothing of the kind."""
        return (self.categories or []) if self.decided == CATEGORICAL else self.numbers

    @property
    def count(self) -> int:
        """How many events had a value of its kind."""
        if self.decided == NUMERIC:
            return self.counted
        return 0 if self.categories is None else sum(self.categories["counts"].values())


def put(into: Mapping[str, Sketch], rows: Sequence[Row]) -> None:
    """Count the fields of these events."""
    fields = [row[2] for row in rows]
    for name, sketch in into.items():
        sketch.add(field_column(fields, name))


def names_in(rows: Iterable[Row], names: dict[str, None]) -> None:
    """Note the names of the fields of some events, those in nested objects with a dot; at most 200 of them."""
    for _, _, fields in rows:
        for name, value in fields.items():
            inner = [f"{name}.{key}" for key in value] if isinstance(value, Mapping) else [name]
            names.update(dict.fromkeys(inner))
        if len(names) >= _NAMED:
            return
