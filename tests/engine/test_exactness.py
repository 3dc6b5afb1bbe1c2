"""The engine says what `exact_reference` says, whatever happens between an event and its verdict.

Live, a verdict depends on when it is judged, and so on when events arrive; nothing else may matter. Proven is:

- *windows*: at any instant, a window holds exactly the events that the log of partials has brought so far, however
  these were partitioned, batched, ordered, lost, sent again, taken over and restored;
- *verdicts*: an engine that judges only what changed or came due says, byte for byte, what one says that judges
  everything at every instant; a restart goes back to the checkpoint and forward again, and nowhere else;
- *what was told*: with what was told read back at a restart, the signals of an entity are one story without gaps,
  repetitions or contradictions, and it ends in the truth.

On the timeline of a recording nothing depends on arrival: its signals are the same bytes in any batches and after any
restarts.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache

from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.domain.rules import Signal, State
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import Ingest, SourceRef
from fireline.engine.ingest_plans import partition_of
from fireline.engine.partials import decode
from fireline.engine.windows_checkpoint import packed
from fireline.engine.windows_taking import Taking
from fireline.sources.native import Native
from tests.engine.exact_reference import FAMILIES, Reference, Sent, T, probe_of, rules
from tests.examples import examples

_decoded = lru_cache(maxsize=4096)(decode)
END = T + 161.3
CHUNK, SOURCES, TARGETS = 5, 3, 2

LABELS = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["eu", "us", "nowhere", None]))
DELAYS = st.sampled_from([0.0, 0.0, 0.0, -5.0, 10.0, 29.0, 31.0, -299.0, -301.0])
TIMES = st.integers(0, 950).map(lambda tenths: T + tenths / 10)


def _metric(at, delay, value, labels):
    named = [("name", "lat"), ("service", labels[0]), *([("region", labels[1])] if labels[1] else [])]
    return Sent("metric", at, at + delay, (*named, ("value", value)))


def _prediction(at, request, said, service):
    return Sent("prediction", at, at, (("service", service), ("request_id", request), ("prediction", said)))


def _feedback(at, request, said):
    return Sent("feedback", at, at, (("request_id", request), ("label", said)))


VALUES = st.sampled_from([1.0, 40.0, 0.1, 60.0, 99.9, -3.5, 1e9])
REQUESTS = st.integers(0, 5)
EVENTS = st.one_of(
    st.builds(_metric, TIMES, DELAYS, VALUES, LABELS),
    st.builds(_metric, TIMES, DELAYS, VALUES, LABELS),
    st.builds(lambda at, n, said: _prediction(at, f"r{n}", said, "ab"[n % 2]), TIMES, REQUESTS, st.sampled_from("yn")),
    st.builds(lambda at, n: _feedback(at, f"r{n}", "y"), TIMES, REQUESTS),
)


def _once(events):
    """A request has one prediction and one label, wherever they were sent to: of others nothing is promised."""
    kept, halves = [], set()
    for event in events:
        half = (event.kind, event.fields.get("request_id"))
        if event.kind == "metric" or half not in halves:
            kept.append(event)
        halves.add(half)
    return kept


@dataclass
class Part:
    """One partition of the partials in the hands of a worker, and what a checkpoint keeps of it."""

    number: int
    evaluation: Evaluation
    reference: Reference
    read: int = 0
    lane: list[Signal] = field(default_factory=list)


@dataclass
class Saved:
    """A checkpoint; what it adds to the one before is taken and packed as late as can be, while windows change."""

    before: dict = field(default_factory=dict)
    taking: Taking | None = None
    header: bytes = b""
    read: int = 0
    stories: dict = field(default_factory=dict)

    @property
    def windows(self):
        if self.taking is None:
            return self.before
        self.taking.finish()
        return {k: v for k, v in {**self.before, **packed(self.taking.found)}.items() if v is not None}


class Cluster:
    """Logs that outlive their workers, and workers that die, lose their partitions and come back too late."""

    def __init__(self, sources, *, adopting=False):
        self.rules = rules()
        self.sources = sources
        self.adopting = adopting
        self.now = T + 0.0517  # never at a pane's very border, where an instant decides
        self.log = [[] for _ in range(TARGETS)]
        self.commits = [0] * SOURCES
        self.workers = [self._ingest(), self._ingest()]
        self.owner = [0] * SOURCES
        self.positions = [0] * SOURCES
        self.acked = [0] * SOURCES
        self.limbo = []
        self.told = {}
        self.handled = []
        self.saved = [Saved() for _ in range(TARGETS)]
        self.parts = [self._part(number) for number in range(TARGETS)]

    def _ingest(self):
        return Ingest(self.rules.values(), FAMILIES, Native(), TARGETS, chunk=CHUNK)

    # ingest
    def take(self, source, size):
        at = self.positions[source]
        records = self.sources[source][at : at + size]
        if not records:
            return None
        return records, self.workers[self.owner[source]].batch(SourceRef("metrics", source), records)

    def acknowledged(self, source, size):
        if (taken := self.take(source, size)) is not None:
            records, got = taken
            self.send([(target, payload) for target, some in got.partials.items() for payload in some])
            self.positions[source] += len(records)
            self.acked[source] = got.commit

    def send(self, records):
        for target, payload in records:
            self.log[target].append(payload)

    def die_sending(self, source, size, arrived):
        """Some of a batch's records arrived, in the order of each partition; the rest did not, or the word of it."""
        if (taken := self.take(source, size)) is not None:
            records = [(target, payload) for target, some in taken[1].partials.items() for payload in some]
            self.send(records[: arrived % (len(records) + 1)])
            self.restart_ingest(self.owner[source])

    def restart_ingest(self, worker):
        self.workers[worker] = self._ingest()
        for source in range(SOURCES):
            if self.owner[source] == worker:
                self.positions[source] = self.commits[source]

    def move_source(self, source):
        """The other worker goes on at what was committed; this one forgets, or is away and does not know."""
        self.workers[self.owner[source]].forget(SourceRef("metrics", source))
        self.owner[source] = 1 - self.owner[source]
        self.workers[self.owner[source]].forget(SourceRef("metrics", source))
        self.positions[source] = self.commits[source]

    def fall_asleep(self, source, size):
        """A worker is stopped with a batch in hand, which it sends when it wakes up, long since replaced."""
        if (taken := self.take(source, size)) is not None:
            self.limbo.append([(target, payload) for target, some in taken[1].partials.items() for payload in some])
            self.move_source(source)

    def wake_up(self):
        if self.limbo:
            self.send(self.limbo.pop(0))

    # evaluate
    def _part(self, number):
        saved = self.saved[number]
        part = Part(number, Evaluation(self.rules.values(), FAMILIES), Reference(self.rules), saved.read)
        part.reference.stories = deepcopy(saved.stories)
        for rule in self.rules.values():
            seen = probe_of(rule).last
            for entity in [e for e in seen if self._home(rule.name, e) == number]:
                del seen[entity]
        if saved.header:
            part.evaluation.restore(saved.windows, saved.header)
        if self.adopting:
            part.evaluation.adopt([s for key, s in self.told.items() if self._home(*key) == number])
        return part

    def _home(self, rule, entity):
        return partition_of(rule, entity, TARGETS)

    def arrived(self, part):
        """The events that the partials read so far are made of."""
        ends = {}
        for payload in self.log[part.number][: part.read]:
            partial = _decoded(payload)
            ends[partial.source.partition] = max(partial.end, ends.get(partial.source.partition, 0))
        return [each for source, end in ends.items() for each in self.events[source][:end]]

    def evaluate(self, number, limit):
        part = self.parts[number]
        for payload in self.log[number][part.read :][:limit]:
            part.evaluation.apply(payload, self.now)
            part.read += 1
        self.judge(number)

    def judge(self, number):
        part = self.parts[number]
        signals = part.evaluation.judge(self.now)
        part.lane += signals
        looked = part.reference.look(
            self.arrived(part), self.now, lambda rule, entity: self._home(rule, entity) == number
        )
        if not self.adopting:
            assert _said(signals) == _said(part.reference.judge(looked, self.now))
        self.check(part, looked)

    def check(self, part, looked):
        """What every condition was last told is what the window holds."""
        assert part.evaluation.malformed == part.evaluation.stale == part.evaluation.faults == 0
        for (name, entity), seen in looked.items():
            told = probe_of(self.rules[name]).last.get(entity)
            if seen.samples or told is not None:
                assert told == seen.values, (name, entity, self.now - T, told, seen.values)

    def handle(self, number, count):
        part = self.parts[number]
        for signal in part.lane[:count]:
            known = [s.id for s in self.handled]
            self.told[signal.rule, tuple(value for _, value in signal.entity)] = signal
            if signal.id not in known:
                self.handled.append(signal)
        del part.lane[:count]

    def checkpoint(self, number, arrives):
        """Signals first, then windows and offset together; the word that it is durable may not arrive."""
        part, saved = self.parts[number], self.saved[number]
        self.handle(number, len(part.lane))
        before, taking = saved.windows, part.evaluation.take()
        taking.some(1)
        self.saved[number] = Saved(before, taking, taking.header, part.read, deepcopy(part.reference.stories))
        if arrives:
            part.evaluation.saved()

    def restart_evaluate(self, number):
        self.parts[number] = self._part(number)
        self.judge(number)

    def pass_time(self, seconds):
        self.now = min(END, self.now + seconds)
        for number in range(TARGETS):
            self.judge(number)

    def commit(self, source):
        self.commits[source] = self.acked[source]

    def send_again(self, number, count):
        self.log[number] += self.log[number][-count:]

    def act(self, what, where, size, more):
        source, target = where % SOURCES, where % TARGETS
        acts = {
            "take": lambda: self.acknowledged(source, size),
            "commit": lambda: self.commit(source),
            "die sending": lambda: self.die_sending(source, size, more),
            "restart ingest": lambda: self.restart_ingest(where % 2),
            "move source": lambda: self.move_source(source),
            "fall asleep": lambda: self.fall_asleep(source, size),
            "wake up": self.wake_up,
            "evaluate": lambda: self.evaluate(target, size),
            "handle": lambda: self.handle(target, size),
            "checkpoint": lambda: self.checkpoint(target, arrives=more % 2 == 0),
            "restart evaluate": lambda: self.restart_evaluate(target),
            "send again": lambda: self.send_again(target, size),
            "time": lambda: self.pass_time(size * more / 4),
        }
        acts[what]()

    def finish(self):
        while self.limbo:
            self.wake_up()
        for source in range(SOURCES):
            while self.positions[source] < len(self.sources[source]):
                self.acknowledged(source, 3)
        for number in range(TARGETS):
            self.evaluate(number, None)
        while self.now < END:
            self.pass_time(6.9)


def _said(signals):
    return sorted(map(repr, signals))


def cluster_of(events, homes, **options):
    logs = [[] for _ in range(SOURCES)]
    for event, home in zip(events, homes, strict=False):
        logs[home].append(event)
    made = Cluster([[each.record(at) for at, each in enumerate(log)] for log in logs], **options)
    made.events = logs
    return made


NAMES = (
    ["take"] * 6
    + ["evaluate"] * 6
    + ["commit", "die sending", "restart ingest", "move source", "fall asleep", "wake up"]
    + ["checkpoint", "checkpoint", "handle", "restart evaluate", "send again", "time", "time", "time"]
)
ACTS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(0, 5), st.integers(1, 8), st.integers(0, 12)),
    min_size=25,
    max_size=60,
)
HOMES = st.lists(st.integers(0, SOURCES - 1), min_size=40, max_size=40)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(EVENTS, min_size=15, max_size=40).map(_once), HOMES, ACTS)
def test_any_history_holds_and_says_what_the_reference_does(events, homes, acts):
    cluster = cluster_of(events, homes)
    for act in acts:
        cluster.act(*act)
    cluster.finish()


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(EVENTS, min_size=15, max_size=40).map(_once), HOMES, ACTS)
def test_what_was_told_is_one_story_that_ends_in_the_truth(events, homes, acts):
    cluster = cluster_of(events, homes, adopting=True)
    for act in acts:
        cluster.act(*act)
    cluster.finish()
    stories = {}
    for number, part in enumerate(cluster.parts):
        cluster.handle(number, len(part.lane))
    for signal in cluster.handled:
        stories.setdefault((signal.rule, signal.entity), []).append(signal)
    for story in stories.values():
        episode, sequence = None, 0
        for signal in story:
            if signal.episode != episode:
                assert episode is None or signal.episode > episode
                assert signal.state is State.FIRING
                assert signal.sequence == 0
            else:
                assert signal.sequence == sequence + 1
            episode, sequence = signal.episode, signal.sequence
    for part in cluster.parts:
        for verdict in part.evaluation.verdicts():
            told = stories.get((verdict.rule, verdict.entity))
            assert verdict.severity == (told[-1].severity if told else None), verdict


ORDERED = st.lists(EVENTS, min_size=10, max_size=40).map(_once).map(lambda some: sorted(some, key=lambda e: e.at))
SIZES = st.lists(st.integers(1, 9), min_size=8, max_size=40)


@settings(max_examples=examples(150), deadline=None)
@given(
    st.one_of(ORDERED, st.lists(EVENTS, min_size=10, max_size=40).map(_once)), SIZES, SIZES, st.sets(st.integers(0, 30))
)
def test_a_recording_says_the_same_bytes_in_any_batches_and_after_any_restarts(events, sizes, others, restarts):
    records = [event.record(at) for at, event in enumerate(events)]
    once = replayed(records, sizes, set())
    assert replayed(records, others, set()) == once
    assert replayed(records, others, restarts) == once


def replayed(records, sizes, restarts):
    """The signals of a recording, first words first, with restarts of everything at these turns."""
    source, made = SourceRef("replay", 0, "replay"), rules()
    log, said, at, read, commit = [], {}, 0, 0, 0
    ingest, evaluation = Ingest(made.values(), FAMILIES, Native(), 1, chunk=CHUNK), Evaluation(made.values(), FAMILIES)
    saved = Saved()
    turn = 0
    while at < len(records) or read < len(log):
        size = sizes[turn % len(sizes)]
        if some := records[at : at + size]:
            got = ingest.batch(source, some)
            log += got.partials.get(0, ())
            at, commit = at + len(some), got.commit
        for payload in log[read:]:
            evaluation.apply(payload, T)
            read += 1
            if read % sizes[0] == 0:
                tell(said, evaluation.judge(T))
        tell(said, evaluation.judge(T))
        if turn % 3 == 0:
            before, taking = saved.windows, evaluation.take()
            saved = Saved(before, taking, taking.header, read)
            evaluation.saved()
        if turn in restarts:
            ingest, at = Ingest(made.values(), FAMILIES, Native(), 1, chunk=CHUNK), commit
            evaluation, read = Evaluation(made.values(), FAMILIES), saved.read
            if saved.header:
                evaluation.restore(saved.windows, saved.header)
        turn += 1
    tell(said, evaluation.finish())
    return sorted(map(repr, said.values()))


def tell(said, signals):
    for signal in signals:
        assert said.setdefault(signal.id, signal) == signal
