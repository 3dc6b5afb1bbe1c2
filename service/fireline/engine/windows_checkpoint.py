"""Checkpoints: windows as bytes and back. JSON, so that a person can look at one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import orjson

from fireline.domain.judging import EntityState
from fireline.domain.judging import Held as HeldLevel
from fireline.domain.rules import Rule, State
from fireline.domain.windows import Family
from fireline.engine.partials import LIVE, BadPayload, Cell, SourceRef, Values, families_of
from fireline.engine.windows import Held, Series

_KEPT = tuple(each.name for each in fields(EntityState) if each.name not in ("entity", "timeline"))


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A window read back; `series` is None when nothing of it is of use under the rules as they are now."""

    timeline: str
    rule: str
    entity: Values
    series: Series | None


def key_of(timeline: str, rule: str, entity: Values) -> str:
    """The name of a window in a checkpoint."""
    return orjson.dumps([timeline, rule, entity]).decode()


def _to_cell(packed: Sequence[object], measures: int) -> Cell:
    samples, late, newest, states = packed
    if not (isinstance(samples, int) and isinstance(late, int) and isinstance(newest, int | float)):
        raise BadPayload("a cell's numbers are not numbers")
    if not isinstance(states, list) or len(states) != measures:
        raise BadPayload("a cell's states do not fit the rule's measures")
    return Cell(samples, late, float(newest), tuple(states))


def _source(source: SourceRef) -> list[object]:
    return [source.topic, source.partition, source.timeline, source.generation]


def _to_source(packed: Sequence[object]) -> SourceRef:
    topic, partition, timeline, generation = packed
    if not isinstance(partition, int):
        raise BadPayload("a source's partition is not a number")
    return SourceRef(str(topic), partition, str(timeline), str(generation))


class Still(NamedTuple):
    """A series as it was at one moment. Nothing in it is ever changed, so another thread may write it down."""

    rule: Rule
    state: EntityState
    newest: float | None
    settled: Mapping[int, Cell | bytes]
    open: Mapping[int, tuple[Held, ...]]
    times: Sequence[float | None] | None


Snapshot = Mapping[tuple[str, str, Values], Still | None]
"""Series by timeline, rule and entity; None of those that are no more."""


def still(series: Series) -> Still:
    """The series as it is now."""
    return Still(series.rule, series.state, series.newest, series.settled.all(), dict(series.open), _times(series))


def packed(snapshot: Snapshot) -> dict[str, bytes | None]:
    """What a checkpoint keeps of a snapshot. It takes some 20 us a window: a thread of its own is the place for it."""
    return {key_of(*key): None if held is None else _pack(held) for key, held in snapshot.items()}


def _pack(held: Still) -> bytes:
    body: dict[str, object] = {
        "v": 1,
        "hash": held.rule.made_of,
        "by": held.rule.by,
        "newest": held.newest,
        "settled": [
            (pane, orjson.Fragment(cell) if isinstance(cell, bytes) else tuple(cell))
            for pane, cell in held.settled.items()
        ],
        "open": [
            (pane, _source(one.source), one.start, one.end, tuple(one.cell))
            for pane, chunks in held.open.items()
            for one in chunks
        ],
        "state": {name: getattr(held.state, name) for name in _KEPT},
    }
    return orjson.dumps(body if held.times is None else {**body, "times": held.times})


def _times(series: Series) -> list[float | None] | None:
    """When the entity was judged and is to be judged: where time passes by the events, that is part of the windows.

    Live, all that is kept is what was not judged yet.
    """
    if series.state.timeline == LIVE:
        return None if series.unseen is None else [None, None, None, None, None, series.unseen]
    judged = series.judged if math.isfinite(series.judged) else None
    return [judged, series.seen, series.arrived, series.awaited, series.wake, series.unseen]


def unpack(key: str, packed: bytes, rules: Mapping[str, Rule], families: Mapping[str, Family]) -> Unpacked:
    """Read a window back; raises BadPayload. Of another version of its rule only a firing verdict is of use."""
    try:
        timeline, name, entity = orjson.loads(key)
        values: Values = None if entity is None else tuple(str(value) for value in entity)
        body = orjson.loads(packed)
        rule = rules.get(name)
        if rule is None or list(rule.by) != body["by"]:
            return Unpacked(str(timeline), str(name), values, None)
        state = _state(rule, values, str(timeline), body["state"])
        newest = None if body["newest"] is None else float(body["newest"])
        series = Series(rule, families_of(rule, families), values, state, newest)
        if body["hash"] == rule.made_of:
            _fill(series, body)
            _resume(series, body.get("times", ()))
        elif state.severity is None:
            return Unpacked(str(timeline), str(name), values, None)
        return Unpacked(str(timeline), str(name), values, series)
    except (TypeError, ValueError, KeyError, AttributeError, AssertionError) as fault:
        raise BadPayload(f"{type(fault).__name__}: {fault}") from fault


def _fill(series: Series, body: Mapping[str, list[list[object]]]) -> None:
    measures = len(series.rule.measures)
    for pane, cell in body["settled"]:
        assert isinstance(pane, int)
        assert isinstance(cell, list)
        series.settled.put(pane, _to_cell(cell, measures))
    for pane, source, start, end, cell in body["open"]:
        assert isinstance(pane, int)
        assert isinstance(source, list)
        assert isinstance(start, int)
        assert isinstance(end, int)
        assert isinstance(cell, list)
        held = Held(_to_source(source), start, end, _to_cell(cell, measures))
        series.open[pane] = (*series.open.get(pane, ()), held)


def _resume(series: Series, times: Sequence[float | None]) -> None:
    """Set what `_times` gave; of checkpoints without it, and live, nothing is known."""
    known = (*times, *(None,) * (6 - len(times)))
    judged, series.seen, series.arrived, series.awaited, series.wake, series.unseen = known  # type: ignore[assignment]  # as written
    series.judged = -math.inf if judged is None else float(judged)


def _state(rule: Rule, values: Values, timeline: str, packed: Mapping[str, object]) -> EntityState:
    entity = tuple(zip(rule.by, values or (), strict=values is not None))
    fields = {**packed, "entity": entity, "timeline": timeline, "verdict": State(str(packed["verdict"]))}
    levels = packed["levels"]
    assert isinstance(levels, dict)
    fields["levels"] = {name: HeldLevel(**held) for name, held in levels.items()}
    return EntityState(**fields)  # type: ignore[arg-type]  # a wrong name or number of fields raises TypeError


Known = tuple[str, str, str, float, int]
"""Timeline, rule, what its windows are made of, how far back it looked in seconds, and the pane of its first event."""


class Header(NamedTuple):
    """What belongs to no window: the newest chunk of each source, the time of each timeline, how far live was read.

    `since` is the pane of the first event that rules read.
    """

    high: dict[SourceRef, int]
    times: dict[str, float]
    reached: float | None
    since: Sequence[Known] = ()

    def packed(self) -> bytes:
        """It as bytes."""
        chunks = [[_source(source), start] for source, start in self.high.items()]
        body = {"v": 1, "chunks": chunks, "times": self.times, "reached": self.reached, "since": self.since}
        return orjson.dumps(body)

    @classmethod
    def of(cls, packed: bytes) -> "Header":
        """Read a header back; raises BadPayload."""
        try:
            body = orjson.loads(packed)
            high = {_to_source(source): int(start) for source, start in body["chunks"]}
            reached = body.get("reached")
            times = {str(name): float(high) for name, high in body["times"].items()}
            since = [
                (str(t), str(r), str(h), float(reach), int(pane)) for t, r, h, reach, pane in body.get("since", ())
            ]
            return cls(high, times, None if reached is None else float(reached), since)
        except (TypeError, ValueError, KeyError, AttributeError) as fault:
            raise BadPayload(f"{type(fault).__name__}: {fault}") from fault
