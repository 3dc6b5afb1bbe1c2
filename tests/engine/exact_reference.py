"""What the stream engine must say, computed the plain way: every event kept, every window counted anew.

It knows nothing of panes' states, partials, chunks, checkpoints or wakes. A window is the list of its events; sums are
exact fractions; quantiles come from one sketch of the whole window, for the sketch is the promise there. Every entity
is judged at every instant at which anything is judged.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

import orjson

from fireline.domain.events import Kind
from fireline.domain.judging import EntityState, Reading, judge
from fireline.domain.rules import Level, Match, Matcher, Measure, NoData, Rule, Signal
from fireline.domain.windows import pane_of
from fireline.engine.ingest import Record
from fireline.measures import FAMILIES
from tests.engine.streams import Check, Text, above, equals

T = 1_763_683_200.0
LATENESS, FUTURE = 30.0, 300.0

Entity = tuple[str, ...]


@dataclass(frozen=True)
class Sent:
    """One event: `at` is its time and `timestamp` its record's, both in seconds; `values` its other fields."""

    kind: str
    at: float
    timestamp: float
    values: tuple[tuple[str, object], ...]

    @property
    def fields(self) -> dict[str, object]:
        return dict(self.values)

    def record(self, offset: int) -> Record:
        flat = {k: v for k, v in self.values if k in ("name", "value") or self.kind != "metric"}
        labels = {k: v for k, v in self.values if k not in flat}
        body = {"type": self.kind, "ts": self.at, **flat, **({"labels": labels} if labels else {})}
        return Record(offset, self.timestamp, None, orjson.dumps(body))

    @property
    def late(self) -> bool:
        return self.timestamp - self.at > LATENESS

    @property
    def early(self) -> bool:
        return self.at - self.timestamp > FUTURE


class Probe(Check):
    """A condition that never holds, is asked whatever is known, and remembers the values of every entity."""

    def __init__(self, by: Sequence[str]):
        super().__init__("never")
        self.by = by
        self.last: dict[Entity, dict[str, object]] = {}

    def holds(self, values):
        entity = tuple(str(values[name]) for name in self.by)
        self.last[entity] = {name: value for name, value in values.items() if name not in self.by}
        return False


def _rule(name: str, by: tuple[str, ...], levels: Sequence[Level], **changes) -> Rule:
    fields = {
        "name": name,
        "on": Kind.METRIC,
        "where": (equals("name", "lat"),),
        "by": by,
        "window": 60.0,
        "pane": 10.0,
        "measures": (Measure("n", "count"),),
        "levels": (*levels, Level("probe", Probe(by), min_samples=0)),
        "service": Text("{service}"),
        "summary": Text("{service} is {severity}"),
        "hash": f"{name}-1",
    }
    return Rule(**(fields | changes))


NUMBERS = (
    Measure("n", "count"),
    Measure("per_second", "rate"),
    Measure("total", "sum", "value"),
    Measure("mean", "avg", "value"),
    Measure("low", "min", "value"),
    Measure("high", "max", "value"),
    Measure("newest", "last", "value"),
    Measure("p50", "quantile", "value", {"q": 0.5}),
    Measure("slow", "ratio", condition=above("value", 50.0)),
)


def rules() -> dict[str, Rule]:
    """All measure families; by two labels, by one and by none; with `for`, `until` and silence that matters."""
    made = [
        _rule("at-once", ("service", "region"), [Level("outage", above("total", 150.0))], measures=NUMBERS),
        _rule(
            "lasting",
            ("service",),
            [
                Level("outage", Check("slow > 0.6", "slow"), for_=12.0, keep_firing_for=17.0, min_samples=2),
                Level("degraded", Check("n >= 3", "n"), until=Check("n < 2", "n"), for_=3.0),
            ],
            measures=(NUMBERS[0], NUMBERS[8]),
            window=30.0,
            pane=5.0,
        ),
        _rule(
            "silence",
            ("region",),
            [Level("outage", Check("newest > 90", "newest"))],
            measures=(NUMBERS[0], NUMBERS[6]),
            where=(Matcher("region", Match.NONE_OF, ("nowhere",)),),
            window=20.0,
            pane=10.0,
            no_data=NoData(25.0, "degraded"),
        ),
        _rule("everything", (), [Level("notice", Check("n >= 8", "n"))], window=40.0, pane=20.0),
        _rule(
            "right",
            ("service",),
            [Level("outage", Check("accuracy < 0.6", "accuracy"))],
            on=Kind.PREDICTION,
            where=(),
            measures=(NUMBERS[0], Measure("accuracy", "agreement")),
        ),
    ]
    return {rule.name: rule for rule in made}


_KNOWN = rules()


def probe_of(rule: Rule) -> Probe:
    found = rule.levels[-1].when
    assert isinstance(found, Probe)
    return found


def _text(value: object) -> str:
    return "" if value is None else str(value)


@cache
def _entity(name: str, sent: Sent) -> Entity | None:
    """The entity an event is a sample of; None when the rule does not read it, whatever its time."""
    rule = _KNOWN[name]
    if sent.kind != rule.on.value or sent.early:
        return None
    fields = sent.fields
    if any((_text(fields.get(m.label)) in m.values) is not (m.how is Match.ANY_OF) for m in rule.where):
        return None
    return tuple(_text(fields.get(label)) for label in rule.by)


def entities(rule: Rule, sent: Iterable[Sent]) -> dict[Entity, list[Sent]]:
    """The samples of a rule by entity, too late ones included."""
    found: dict[Entity, list[Sent]] = {}
    for each in sent:
        entity = _entity(rule.name, each)
        if entity is not None:
            found.setdefault(entity, []).append(each)
    return found


def _agreement(predictions: Sequence[Sent], feedback: Sequence[Sent]) -> float | None:
    said = {str(p.fields["request_id"]): p.fields["prediction"] for p in predictions}
    known = {str(f.fields["request_id"]): f.fields["label"] for f in feedback}
    pairs = [said[request] == known[request] for request in said if request in known]
    return sum(pairs) / len(pairs) if pairs else None


def _value(measure: Measure, window: float, events: Sequence[Sent], feedback: Sequence[Sent]) -> float | None:
    numbers = [(e.at, float(str(e.fields["value"]))) for e in events if "value" in e.fields]
    plain = [number for _, number in numbers]
    total = sum(map(Fraction, plain), Fraction(0))
    match measure.agg:
        case "count":
            return float(len(events))
        case "rate":
            return len(events) / window
        case "agreement":
            return _agreement(events, feedback)
        case _ if not plain:
            return None
        case "sum":
            return float(total)
        case "avg":
            return float(total) / len(plain)
        case "min" | "max":
            return min(plain) if measure.agg == "min" else max(plain)
        case "last":
            return max(numbers)[1]
        case "ratio":
            return sum(number > 50.0 for number in plain) / len(plain)
        case _:
            sketch = FAMILIES["quantile"]
            return sketch.read(sketch.fold(plain, [at for at, _ in numbers], measure.options), window, measure.options)


@dataclass(frozen=True)
class Seen:
    """What a window shows: the measures' values, samples, late events, and the newest event time in it."""

    values: dict[str, float | None]
    samples: int
    late: int
    newest: float | None


def window(rule: Rule, own: Iterable[Sent], feedback: Iterable[Sent], last: int) -> Seen:
    """What the window whose newest pane is `last` shows of an entity's events and of all feedback."""
    panes = range(last - round(rule.window / rule.pane) + 1, last + 1)
    counted = [each for each in own if not each.late and pane_of(each.at, rule.pane) in panes]
    late = [each for each in own if each.late and pane_of(each.timestamp, rule.pane) in panes]
    labels = [each for each in feedback if pane_of(each.at, rule.pane) in panes]
    values = {m.name: _value(m, rule.window, counted, labels) for m in rule.measures}
    return Seen(values, len(counted), len(late), max((each.at for each in counted), default=None))


Looked = Mapping[tuple[str, Entity], Seen]


@dataclass
class Story:
    """What was said of one entity so far, and the newest event it was judged on."""

    state: EntityState
    newest: float | None = None


@dataclass
class Reference:
    """Judges every entity of every rule at every instant it is asked, on the events it is given."""

    rules: dict[str, Rule]
    stories: dict[tuple[str, Entity], Story] = field(default_factory=dict)

    def look(self, sent: Sequence[Sent], now: float, mine: Callable[[str, Entity], bool]) -> Looked:
        """What the window of every entity shows at `now`; `mine(rule, entity)` tells which are looked at."""
        feedback = [each for each in sent if each.kind == "feedback"]
        return {
            (name, entity): window(rule, own, feedback, pane_of(now, rule.pane))
            for name, rule in self.rules.items()
            for entity, own in entities(rule, sent).items()
            if mine(name, entity)
        }

    def judge(self, looked: Looked, now: float) -> list[Signal]:
        """All signals at `now`."""
        return [s for (name, entity), seen in looked.items() for s in self._judge(self.rules[name], entity, seen, now)]

    def _judge(self, rule: Rule, entity: Entity, seen: Seen, now: float) -> Sequence[Signal]:
        story = self.stories.get((rule.name, entity))
        if story is None:
            labels = tuple(zip(rule.by, entity, strict=True))
            story = self.stories[rule.name, entity] = Story(EntityState(labels))
        story.newest = max((at for at in (story.newest, seen.newest) if at is not None), default=None)
        start = (pane_of(now, rule.pane) - round(rule.window / rule.pane) + 1) * rule.pane
        reading = Reading(seen.values, seen.samples, start, now, story.newest, seen.late)
        story.state, signals = judge(rule, story.state, reading, now)
        return signals
