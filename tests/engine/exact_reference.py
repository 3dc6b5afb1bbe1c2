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

from fireline.domain.durations import spelled
from fireline.domain.events import Kind
from fireline.domain.judging import EntityState, Reading, judge
from fireline.domain.rules import Level, Match, Matcher, Measure, NoData, Rule, Signal
from fireline.domain.windows import Lookback, pane_of
from fireline.engine.ingest import Record
from fireline.measures import FAMILIES as SHIPPED
from fireline.measures.sum import Sum
from tests.engine.streams import Check, Text, above, equals

T = 1_763_683_200.0
LATENESS, FUTURE = 30.0, 300.0

Entity = tuple[str, ...]


class Rise(Sum):
    """By how much a sum is above those of the stretches before; it has no value while the last one is not known."""

    name = "rise"

    def lookbacks(self, window, options):
        """The stretch just before, and a longer one further back."""
        return (Lookback(window, window), Lookback(20.0, window + 20.0))

    def compare(self, state, others, window, options):
        """The sum of what is known counts: one of a stretch without events is not."""
        before, further = (None if other is None else self.read(other, window, options) for other in others)
        return None if before is None else self.read(state, window, options) - before - (further or 0.0)


FAMILIES = {**SHIPPED, "rise": Rise()}


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


REMEMBERED = NoData(1e6, "degraded")
"""With it no entity is forgotten: that tells when something began where a level asks for no samples."""


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
        _rule(
            "looking-back",
            ("service",),
            [Level("outage", above("further", 40.0)), Level("notice", Check("rise > 0", "rise"), min_samples=0)],
            no_data=REMEMBERED,
            window=20.0,
            pane=5.0,
            measures=(
                NUMBERS[0],
                Measure("newest_mean", "avg", "value", window=10.0),
                Measure("longer", "count", window=45.0),
                Measure("before", "count", offset=25.0),
                Measure("further", "avg", "value", window=30.0, offset=35.0),
                Measure("rise", "rise", "value", window=15.0, offset=5.0),
            ),
        ),
        _rule(
            "few-lately",
            ("service",),
            [Level("outage", Check("lately == 1", "lately"), min_samples=0)],
            no_data=REMEMBERED,
            window=10.0,
            pane=5.0,
            measures=(Measure("lately", "count", window=45.0),),
        ),
        _rule(
            "aged",
            ("service",),
            [Level("outage", Check("quiet > 15 and before < 60", "quiet", "before"), min_samples=0)],
            no_data=REMEMBERED,
            window=10.0,
            pane=5.0,
            measures=(Measure("quiet", "age", window=40.0), Measure("before", "age", window=20.0, offset=10.0)),
        ),
        _rule(
            "long-ago",
            ("service",),
            [Level("notice", above("then", 0.0), min_samples=0)],
            no_data=REMEMBERED,
            window=10.0,
            pane=5.0,
            measures=(Measure("then", "count", offset=40.0),),
        ),
        _rule(
            "right-before",
            ("service",),
            [Level("outage", Check("before < 0.6", "before"))],
            on=Kind.PREDICTION,
            where=(),
            window=20.0,
            measures=(NUMBERS[0], Measure("before", "agreement", window=40.0, offset=30.0)),
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
        case "sum" | "rise":
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
            sketch = SHIPPED["quantile"]
            return sketch.read(sketch.fold(plain, [at for at, _ in numbers], measure.options), window, measure.options)


@dataclass(frozen=True)
class Seen:
    """What a window shows: the measures' values, samples, late events, and the newest event time in it."""

    values: dict[str, float | None]
    samples: int
    late: int
    newest: float | None
    notes: tuple[str, ...] = ()


_spelled = cache(spelled)


def _pane(rule: Rule, sent: Sent) -> int:
    return pane_of(sent.timestamp if sent.late else sent.at, rule.pane)


@dataclass(frozen=True)
class Events:
    """What a rule counts of one entity: its events, all feedback, and the pane of the first event that it read."""

    rule: Rule
    own: Sequence[Sent]
    feedback: Sequence[Sent]
    since: int
    panes: tuple[list[int], list[int]] = field(init=False)

    def __post_init__(self) -> None:
        made = tuple([_pane(self.rule, each) for each in some] for some in (self.own, self.feedback))
        object.__setattr__(self, "panes", made)

    def inside(self, last: int, seconds: float) -> tuple[list[Sent], list[Sent]]:
        """The entity's events and the feedback in so many seconds of panes up to `last`; too late ones included."""
        first = last - round(seconds / self.rule.pane) + 1
        own, feedback = (
            [each for each, pane in zip(some, panes, strict=True) if first <= pane <= last]
            for some, panes in zip((self.own, self.feedback), self.panes, strict=True)
        )
        return own, feedback

    def value(self, measure: Measure, last: int, seconds: float, offset: float) -> float | None:
        """A measure of the stretch of `seconds` that ended `offset` seconds before the end of pane `last`."""
        last -= round(offset / self.rule.pane)
        own, labels = self.inside(last, seconds)
        own = [each for each in own if not each.late]
        early = self.since >= last - round(seconds / self.rule.pane) + 1
        given = own or (labels and measure.agg == "agreement")
        if offset and (early or not given):
            return None
        if measure.agg == "age":
            return max(0.0, last * self.rule.pane - max(each.at for each in own)) if own else None
        return _value(measure, seconds, own, labels)

    def measured(self, measure: Measure, last: int) -> tuple[float | None, str, str]:
        """A measure's value, and what it says of where it looked, or lacked."""
        seconds, offset = measure.window or self.rule.window, measure.offset
        value, reach = self.value(measure, last, seconds, offset), seconds + offset
        said = f"covers {_spelled(seconds)}" + (f" that ended {_spelled(offset)} earlier" if offset else "")
        said = said if measure.window or offset else ""
        if measure.agg == "rise" and value is not None:
            before = self.value(measure, last, seconds, offset + seconds)
            further = self.value(measure, last, 20.0, offset + seconds + 20.0)
            value = None if before is None else value - before - (further or 0.0)
        if measure.agg == "rise":
            reach = offset + seconds + 40.0
            said += f" and compares with 2 stretches of up to {_spelled(reach)} earlier"
        young = reach > seconds and self.since >= last - round(reach / self.rule.pane) + 1
        if value is not None:
            return value, f"{measure.name} {said}" if said else "", ""
        lacks = f"{measure.name} has no value before the rule has been read for {_spelled(reach)}"
        return None, "", lacks if young else ""


def window(events: Events, last: int) -> Seen:
    """What the window whose newest pane is `last` shows of an entity's events and of all feedback."""
    rule = events.rule
    own, _ = events.inside(last, rule.window)
    counted = [each for each in own if not each.late]
    measured = [events.measured(measure, last) for measure in rule.measures]
    values = {measure.name: value for measure, (value, _, _) in zip(rule.measures, measured, strict=True)}
    said, lacks = ([words[place] for words in measured if words[place]] for place in (1, 2))
    newest = max((each.at for each in counted), default=None)
    return Seen(values, len(counted), len(own) - len(counted), newest, (*lacks, *said))


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
        looked: dict[tuple[str, Entity], Seen] = {}
        for name, rule in self.rules.items():
            own = {entity: events for entity, events in entities(rule, sent).items() if mine(name, entity)}
            read = [each for events in own.values() for each in events]
            read += feedback if any(measure.agg == "agreement" for measure in rule.measures) else []
            since = min((_pane(rule, each) for each in read), default=0)
            for entity, events in own.items():
                looked[name, entity] = window(Events(rule, events, feedback, since), pane_of(now, rule.pane))
        return looked

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
        reading = Reading(seen.values, seen.samples, start, now, story.newest, seen.late, seen.notes)
        story.state, signals = judge(rule, story.state, reading, now)
        return signals
