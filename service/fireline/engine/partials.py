"""Partials: what ingest hands to evaluate over `fireline.partials`, and how it is written.

A payload is one JSON object about one chunk of one source partition:
`{"v": 1, "source": [topic, partition, timeline, generation], "chunk": [start, end], "newest": event time,
"rules": [[name, hash], ...], "rows": [[rule, entity values, pane, samples, late, newest, [state, ...]], ...]}`
where `rule` is a place in `rules` and states stand in the order of the rule's measures. Entity values are null for
events that a measure pairs with those of any entity (feedback that names no service).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from fireline.domain.rules import Rule
from fireline.domain.windows import Family, MeasureState

MAX_BYTES = 400_000
"""Payloads are cut to about this size, for brokers refuse records of more than 1 MB."""

LIVE = "live"

_TEXTS = frozenset({str})

Values = tuple[str, ...] | None
"""The label values of an entity in the order of its rule's `by`; None for the half that belongs to no entity yet."""


class SourceRef(NamedTuple):  # a tuple, because chunks are told apart by it for every row
    """Where records come from. `generation` names the log: offsets of another generation say nothing of this one."""

    topic: str
    partition: int
    timeline: str = LIVE
    generation: str = ""


class Cell(NamedTuple):  # a tuple, because one is made for every entity that a batch touched
    """The aggregate of some events of one (rule, entity, pane): `states` by measure, None where nothing was given.

    `samples` counts events, `late` those that came too late to count, `newest` is the highest event time.
    """

    samples: int
    late: int
    newest: float
    states: tuple[MeasureState | None, ...]


class Entry(NamedTuple):
    """One row of a payload."""

    rule: str
    hash: str
    entity: Values
    pane: int
    cell: Cell


@dataclass(frozen=True, slots=True)
class Partial:
    """One decoded payload. `start` and `end` are source offsets: all records of the chunk before `end` are in it."""

    source: SourceRef
    start: int
    end: int
    newest: float
    entries: Sequence[Entry]


def families_of(rule: Rule, families: Mapping[str, Family]) -> tuple[Family, ...]:
    """The families of a rule's measures, in their order."""
    return tuple(families[measure.agg] for measure in rule.measures)


def encode(partial: Partial) -> list[bytes]:
    """The payloads of a partial, to be sent in this order; one even when it has no entries (time passes by it)."""
    rules: dict[tuple[str, str], int] = {}
    rows = [
        (rules.setdefault((rule, hash_), len(rules)), entity, pane, *cell)
        for rule, hash_, entity, pane, cell in partial.entries
    ]
    source = partial.source
    head: dict[str, object] = {
        "v": 1,
        "source": [source.topic, source.partition, source.timeline, source.generation],
        "chunk": [partial.start, partial.end],
        "newest": partial.newest,
        "rules": list(rules),
    }
    return _cut(head, rows)


def _cut(head: Mapping[str, object], rows: Sequence[object]) -> list[bytes]:
    payload = orjson.dumps({**head, "rows": rows})
    if len(payload) <= MAX_BYTES or len(rows) < 2:
        return [payload]
    half = len(rows) // 2
    # the time of a recording passes with the last part: all of the batch is known then
    return _cut({**head, "newest": 0.0}, rows[:half]) + _cut(head, rows[half:])


class BadPayload(ValueError):  # noqa: N818 - a state of what came, not a fault of ours
    """A payload is not what `encode` writes; the text says where it differs."""


def decode(payload: bytes | None) -> Partial:
    """Read one payload; raises BadPayload and nothing else."""
    try:
        body = orjson.loads(payload or b"")
        if body["v"] != 1:
            raise BadPayload(f"version {body['v']!r}")
        topic, partition, timeline, generation = body["source"]
        start, end = body["chunk"]
        source = SourceRef(str(topic), int(partition), str(timeline), str(generation))
        rules = [(str(name), str(hash_)) for name, hash_ in body["rules"]]
        entries = [_entry(row, rules) for row in body["rows"]]
        return Partial(source, int(start), int(end), float(body["newest"]), entries)
    except (TypeError, ValueError, KeyError, IndexError) as fault:
        raise BadPayload(f"{type(fault).__name__}: {fault}") from fault


def _entry(row: Sequence[object], rules: Sequence[tuple[str, str]]) -> Entry:
    place, entity, pane, samples, late, newest, states = row
    if not type(place) is type(pane) is type(samples) is type(late) is int:
        raise BadPayload("a row's numbers are not numbers")
    if not isinstance(newest, int | float) or type(states) is not list:
        raise BadPayload("a row's newest or states are of another type")
    if entity is not None and (type(entity) is not list or not _TEXTS.issuperset(map(type, entity))):
        raise BadPayload("a row's entity is not a list of texts")
    name, hash_ = rules[place]
    values = None if entity is None else tuple(entity)
    return Entry(name, hash_, values, pane, Cell(samples, late, float(newest), tuple(states)))
