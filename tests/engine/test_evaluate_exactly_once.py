"""However events are partitioned, batched, ordered, replayed after crashes or sent twice: the same verdicts.

The reference knows nothing of panes' states, chunks or checkpoints: it takes every event once and folds what lies in
the window.
"""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.domain.rules import Level, Measure, State
from fireline.domain.windows import first_pane, pane_of
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import Ingest, SourceRef
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from tests.engine.streams import Check, above, metric, rule
from tests.examples import examples

T = 1_763_683_200.0
END = T + 100.0
CHUNK, SOURCES, TARGETS = 4, 2, 2
MEASURES = (
    Measure("n", "count"),
    Measure("total", "sum", "value"),
    Measure("p50", "quantile", "value", {"q": 0.5}),
    Measure("slow", "ratio", condition=above("value", 50.0)),
)
NAMES = tuple(measure.name for measure in MEASURES)


def watched():
    """A rule whose condition remembers all the values that it was last asked about."""
    condition = Check("total > 200", *NAMES)
    return rule(measures=MEASURES, levels=(Level("outage", condition),)), condition


@dataclass(frozen=True)
class Sent:
    at: float
    timestamp: float
    value: float
    service: str


SENT = st.builds(
    lambda at, delay, value, service: Sent(T + at, T + at + delay, value, service),
    st.floats(0, 95).map(lambda x: round(x, 1)),
    st.sampled_from([-5.0, 0.0, 0.0, 10.0, 29.0, 31.0, -301.0]),
    st.sampled_from([1.0, 40.0, 0.1, 60.0, 99.9]),
    st.sampled_from(["a", "b", "c"]),
)


def reference(sent):
    """service -> the measures' values over the window that ends at END."""
    first, last = first_pane(END, 60.0, 10.0), pane_of(END, 10.0)
    found = {}
    for service in {each.service for each in sent}:
        events = [e for e in sent if e.service == service and first <= pane_of(e.at, 10.0) <= last]
        if not events:
            continue
        rows = [{"value": each.value} for each in events]
        found[service] = {}
        for measure in MEASURES:
            family = FAMILIES[measure.agg]
            state = family.fold(family.column(None, rows, measure), [e.at for e in events], measure.options)
            found[service][measure.name] = family.read(state, 60.0, measure.options)
    return found


def accepted(sent):
    return [each for each in sent if -300 <= each.timestamp - each.at <= 30]


@dataclass
class Worker:
    """A worker that may crash at any time, and the logs that outlive it."""

    sources: list[list]
    rule: object
    partials: list[list[bytes]] = field(default_factory=lambda: [[] for _ in range(TARGETS)])
    commits: list[int] = field(default_factory=lambda: [0] * SOURCES)
    positions: list[int] = field(default_factory=lambda: [0] * SOURCES)
    read: list[int] = field(default_factory=lambda: [0] * TARGETS)
    saved: list = field(default_factory=lambda: [({}, b"", 0) for _ in range(TARGETS)])
    now: float = T

    def __post_init__(self):
        self.start()

    def start(self):
        self.ingest = Ingest([self.rule], FAMILIES, Native(), TARGETS, chunk=CHUNK)
        self.positions = list(self.commits)
        self.evaluations = []
        for target, (windows, header, offset) in enumerate(self.saved):
            evaluation = Evaluation([self.rule], FAMILIES)
            if header:
                evaluation.restore(windows, header)
            self.evaluations.append(evaluation)
            self.read[target] = offset

    def take(self, source, size, delivered):
        """One batch; with `delivered` false the worker dies after the first target had its partials."""
        at = self.positions[source]
        records = self.sources[source][at : at + size]
        if not records:
            return
        got = self.ingest.batch(SourceRef("metrics", source), records)
        for number, (target, payloads) in enumerate(sorted(got.partials.items())):
            if delivered or number == 0:
                self.partials[target] += payloads
        if not delivered:
            self.start()
            return
        self.positions[source] = at + len(records)
        self.commits[source] = got.commit

    def evaluate(self, target, limit):
        for payload in self.partials[target][self.read[target] :][:limit]:
            self.evaluations[target].apply(payload, self.now)
            self.read[target] += 1
        self.evaluations[target].judge(self.now)

    def checkpoint(self, target):
        windows, _, _ = self.saved[target]
        changed = self.evaluations[target].changes()
        kept = {k: v for k, v in {**windows, **changed}.items() if v is not None}
        self.saved[target] = (kept, self.evaluations[target].header(), self.read[target])
        self.evaluations[target].saved()

    def act(self, what, where, size):
        match what:
            case "take":
                self.take(where % SOURCES, size, delivered=True)
            case "die sending":
                self.take(where % SOURCES, size, delivered=False)
            case "evaluate":
                self.evaluate(where % TARGETS, size)
            case "checkpoint":
                self.checkpoint(where % TARGETS)
            case "crash":
                self.start()
            case "resend":
                log = self.partials[where % TARGETS]
                log += log[-size:]
            case _:
                self.now = min(END, self.now + size)

    def finish(self):
        self.now = END
        for source in range(SOURCES):
            while self.positions[source] < len(self.sources[source]):
                self.take(source, 3, delivered=True)
        for target in range(TARGETS):
            self.evaluate(target, None)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["take", "take", "take", "evaluate", "evaluate", "checkpoint", "crash", "die sending", "resend", ""]
        ),
        st.integers(0, 3),
        st.integers(1, 7),
    ),
    max_size=40,
)


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(SENT, max_size=30), st.lists(st.integers(0, 1), min_size=30, max_size=30), ACTS)
def test_any_history_ends_in_the_verdicts_of_the_events(sent, homes, acts):
    sources = [[], []]
    for each, home in zip(sent, homes, strict=False):
        sources[home].append(metric(len(sources[home]), each.at, each.value, each.service, each.timestamp))
    watched_rule, condition = watched()
    worker = Worker(sources, watched_rule)
    for act in acts:
        worker.act(*act)
    worker.finish()
    condition.seen.clear()
    verdicts = {}
    for evaluation in worker.evaluations:
        evaluation.reload([watched_rule])
        evaluation.judge(END)
        verdicts |= {dict(v.entity)["service"]: v for v in evaluation.verdicts()}
        assert evaluation.malformed == evaluation.stale == evaluation.faults == 0
    expected = reference(accepted(sent))
    for service, values in expected.items():
        assert condition.seen[service] | {"service": None} == values | {"service": None}
        wanted = State.FIRING if values["total"] > 200 else State.CLEAR
        assert verdicts[service].state is wanted
    for service in verdicts.keys() - expected.keys():
        assert verdicts[service].state is State.UNKNOWN


@settings(max_examples=examples(100), deadline=None)
@given(
    st.lists(SENT, min_size=1, max_size=40),
    st.lists(st.integers(1, 9), min_size=1, max_size=40),
    st.lists(st.integers(1, 9), min_size=1, max_size=40),
)
def test_a_replay_in_order_says_the_same_in_any_batches(sent, sizes, others):
    ordered = sorted(sent, key=lambda each: each.at)

    def replayed(sizes):
        watched_rule, _ = watched()
        records = [metric(i, e.at, e.value, e.service, T) for i, e in enumerate(ordered)]
        records.append(metric(len(records), T + 5000, 1.0, "z", T))
        source = SourceRef("replay", 0, "replay")
        ingest, evaluation = Ingest([watched_rule], FAMILIES, Native(), 1), Evaluation([watched_rule], FAMILIES)
        at, turn, signals = 0, 0, []
        while at < len(records):
            size = sizes[turn % len(sizes)]
            for payload in ingest.batch(source, records[at : at + size]).partials.get(0, ()):
                evaluation.apply(payload, T)
            signals += evaluation.judge(T)
            at, turn = at + size, turn + 1
        return signals + evaluation.finish()

    assert replayed(sizes) == replayed(others)
