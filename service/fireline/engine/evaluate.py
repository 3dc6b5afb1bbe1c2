"""Evaluate: partials of one partition of `fireline.partials` into windows, measures, verdicts and signals.

One `Evaluation` per partition, fed in order. It does no I/O and knows no clock: `apply` what arrives, `judge` at once
and again at `next_wake()`; every few seconds save a `snapshot()` and `header()` together with the offset.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from fireline.domain.judging import Reading, adopt, judge, next_due
from fireline.domain.rules import Rule, Signal
from fireline.domain.windows import Family
from fireline.engine.carrying import follow
from fireline.engine.looking import Look, Verdict, answers, looks, verdicts
from fireline.engine.partials import LIVE, BadPayload, Entry, Partial, SourceRef, Values, decode, families_of
from fireline.engine.watching import Watch, WatchAnswer
from fireline.engine.windows import Held, Series, begun
from fireline.engine.windows_checkpoint import Header, Snapshot, packed, unpack
from fireline.engine.windows_missed import Reached, in_turn, judge_missed
from fireline.engine.windows_moment import Moment, Moments
from fireline.engine.windows_reading import read
from fireline.engine.windows_since import Since
from fireline.engine.windows_taking import Key, Taking
from fireline.engine.windows_timeline import Timeline


class Evaluation:
    """The windows and verdicts of one partition. Not thread safe; does no I/O.

    Live entities are judged at the `now` that is passed in. Those of any other timeline are judged as its event time
    passes, at the end of every pane that changed, so that no verdict depends on how the recording was cut into batches;
    a pane in progress is judged when nothing arrives any more (or by `finish`).

    A live window that was over before it was read (the worker was away, or lagged) is judged too, pane by pane as of
    their ends, once everything before that has been read: a fault that came and went meanwhile is still told.

    A batch of a recording may bring hours, and so may the end of an absence: thousands of verdicts, of which `judge`
    and `pass_some` give `some` at a time.

    Counters for telemetry: `malformed` payloads and windows, `stale` rows (of other rules or versions of rules),
    `expired` rows (older than any window), `refused` rows (over a rule's `max_entities`), `faults` of measure families.
    """

    def __init__(self, rules: Iterable[Rule], families: Mapping[str, Family], some: float = math.inf) -> None:
        self.malformed = self.stale = self.expired = self.refused = self.faults = 0
        self._families, self._some = families, some
        self._rules = {rule.name: rule for rule in rules}
        self._timelines: dict[str, Timeline] = {}
        self._high: dict[SourceRef, int] = {}
        self._changed: dict[Key, None] = {}
        self._passed: list[Signal] = []
        self._handed: dict[Key, None] = {}
        self._reached = Reached()
        self._since = Since(self._rules.values(), families)
        self._taking = Taking((), lambda key: None, {}, b"")
        self._moments = Moments(self._since, self._reached)

    @property
    def untold(self) -> bool:
        """Whether `judge` has signals to give of what time has passed already: ask for them before `changes`."""
        return bool(self._passed)

    @property
    def entities(self) -> int:
        """How many entities are held."""
        return sum(timeline.size() for timeline in self._timelines.values())

    @property
    def left_out(self) -> Mapping[str, int]:
        """How many rows of partials were not taken, by why."""
        return {
            "malformed": self.malformed,
            "stale": self.stale,
            "expired": self.expired,
            "refused": self.refused,
            "fault": self.faults,
        }

    def apply(self, payload: bytes, now: float) -> None:
        """Take one record of `fireline.partials`; applying it again changes nothing. Malformed ones are counted."""
        try:
            partial = decode(payload)
        except BadPayload:
            self.malformed += 1
            return
        timeline = self._timeline(partial.source.timeline)
        if timeline.name != LIVE:
            self._passed += self._pass(timeline)  # before anything of this payload is seen, whoever applies how many
        if partial.start >= self._high.get(partial.source, partial.start):
            self._high[partial.source] = partial.start
            at = now if timeline.name == LIVE else timeline.high  # before this batch, which may leap over a gap
            self._since.note(timeline, partial.entries)
            for entry in partial.entries:
                self._put(timeline, partial, entry, at)
        # else a chunk that was complete before a later one came: nothing of it can be new
        timeline.high, timeline.touched = max(timeline.high, partial.newest), now

    def _timeline(self, name: str) -> Timeline:
        timeline = self._timelines.get(name)
        if timeline is None:
            timeline = self._timelines[name] = Timeline(name)
        return timeline

    def _put(self, timeline: Timeline, partial: Partial, entry: Entry, at: float) -> None:
        rule = self._rules.get(entry.rule)
        if rule is None or rule.made_of != entry.hash:
            self.stale += 1
            return
        values = entry.entity
        if len(entry.cell.states) != len(rule.measures) or (values is not None and len(values) != len(rule.by)):
            self.malformed += 1
            return
        moment = self._moments.of(timeline, rule, at)
        if entry.pane < moment.oldest:
            self.expired += 1
            return
        series, key = moment.entities.get(values), (timeline.name, rule.name, values)
        self._taking.before(key, series)
        if series is None:
            if len(moment.entities) >= rule.max_entities:
                self.refused += 1
                return
            series = self._series(timeline, rule, values)
        new = not (entry.pane in series.open or entry.pane in series.settled)
        if series.put(entry.pane, Held(partial.source, partial.start, partial.end, entry.cell)):
            self._changed[key] = None
            self._noted(moment, series, entry.pane, new=new)
            try:  # and not at checkpoints only: while a log is caught up with there are none
                series.settle_some(entry.pane, self._high)
            except Exception:  # a family is a plugin, and its states come from outside: judging goes on
                self.faults += 1

    def _noted(self, moment: Moment, series: Series, pane: int, *, new: bool) -> None:
        """Something of a pane changed: who is to be judged on it, and when."""
        timeline = moment.timeline
        timeline.touch(series, pane, new=new)
        if series.entity is None:
            if timeline.name != LIVE:
                self._changed.update({(timeline.name, s.rule.name, s.entity): None for s in timeline.seeing(series)})
        elif moment.unread is not None and pane >= moment.unread:
            series.unseen = pane if series.unseen is None else min(series.unseen, pane)

    def _series(self, timeline: Timeline, rule: Rule, values: Values) -> Series:
        timeline.add(series := begun(rule, families_of(rule, self._families), values, timeline.name))
        return series

    def judge(self, now: float, behind: float = 0.0) -> list[Signal]:
        """Judge the entities that changed or whose time came. Ids are deterministic.

        `behind` is by how many seconds this worker lags the log: silence is not counted for that long, and windows
        that lie that far back are judged when it has caught up.
        """
        signals, self._passed = self._passed, []
        self._reached.advance(now, behind)
        self._moments.forget()
        for timeline in self._timelines.values():
            if timeline.name == LIVE:
                signals += self._judge_live(timeline, now, behind)
                continue
            signals += self._pass(timeline, self._some)
            if timeline.passes:
                timeline.touched = max(timeline.touched, now)
            elif timeline.idle(now):
                signals += self._judge_rest(timeline)
        return _ordered(signals)

    def _judge_live(self, timeline: Timeline, now: float, behind: float) -> list[Signal]:
        due = [(series, self._moments.of(timeline, series.rule, now).first) for series in timeline.due(now)]
        turn, later = in_turn(due, self._some)
        timeline.wait(later)
        return [signal for series in turn for signal in self._judge(timeline, series, now, behind)]

    def pass_some(self, now: float) -> bool:
        """Judge some of what the time of recordings has reached; False of nothing. `judge` gives the signals."""
        timeline = next((each for each in self._timelines.values() if each.passes), None)
        if timeline is None:
            return False
        self._passed += self._pass(timeline, self._some)
        timeline.touched = max(timeline.touched, now)
        return True

    def _pass(self, timeline: Timeline, most: float = math.inf) -> list[Signal]:
        """Judge what the time of a recording's events has reached."""
        signals: list[Signal] = []
        while most > 0 and (woken := timeline.woken()) is not None:
            series, at = woken
            signals += self._judge(timeline, series, at, arrived=False)
            timeline.calm(series)
            most -= 1
        return signals

    def finish(self) -> list[Signal]:
        """Judge what a recording's last panes show, although no event came to end them."""
        return _ordered([s for t in self._timelines.values() if t.name != LIVE for s in self._judge_rest(t)])

    def _judge_missed(self, timeline: Timeline, series: Series, now: float) -> list[Signal]:
        reached, shown = self._reached.back_to(now), self._since.beside(timeline, series)
        signals, faults = judge_missed(series, now, reached, lambda pane, end: read(series, *shown, pane, end))
        self.faults += faults
        return signals

    def _judge_rest(self, timeline: Timeline) -> list[Signal]:
        return [s for series in timeline.due(timeline.high) for s in self._judge(timeline, series, timeline.high)]

    def _judge(
        self, timeline: Timeline, series: Series, now: float, behind: float = 0.0, *, arrived: bool = True
    ) -> Sequence[Signal]:
        rule, before, heard, signals = series.rule, series.state, series.newest, list[Signal]()
        moment, key = self._moments.of(timeline, rule, now), (timeline.name, rule.name, series.entity)
        self._taking.before(key, series)
        if series.unseen is not None:
            if series.unseen < moment.first:
                signals += self._judge_missed(timeline, series, now)
            else:  # nearly always: the present window shows it
                series.unseen = None
        if series.judged > now:
            moment = self._moments.of(timeline, rule, now := series.judged)
        series.seen = moment.newest if timeline.name == LIVE else timeline.pane(series, now, arrived=arrived)
        since = None if series.plan is None else self._since.pane(timeline, rule)
        reading = read(series, moment.entities.get(None), since, series.seen, now)
        self.faults += reading.faults
        state = series.state
        if series.entity is not None:
            state, said = judge(rule, state, reading.shown, now, behind)
            signals += said
        moved = state is not before and (state.levels, state.severity) != (before.levels, before.severity)
        moved = moved or series.newest != heard  # by time alone, for what a sender dated ahead
        if signals or moved or timeline.name != LIVE:  # where a recording's judging resumes is part of its windows
            self._changed[key] = None
        series.state, series.judged = state, now
        if self._rest(moment, series, reading.shown, since, behind=behind):
            self._changed[key] = None
        return signals

    def _rest(self, moment: Moment, series: Series, reading: Reading, since: int | None, *, behind: float) -> bool:
        """Drop what is too old, and set when to look again; whether anything was dropped.

        An entity of which nothing is left is forgotten.
        """
        timeline, rule, now = moment.timeline, moment.rule, moment.now
        dropped = series.prune(moment.oldest)
        empty = not series.open and not series.settled
        waits = rule.no_data is not None and series.entity is not None
        if empty and series.state.severity is None and not series.state.levels and not waits:
            timeline.remove(series)
            return True
        times = timeline.turns(series, since)
        changes = moment.timed or series.state.levels or series.state.severity is not None
        if changes and (due := next_due(rule, series.state, reading, now)) is not None:
            times.append(due)
        if series.unseen is not None or (behind > 0.0 and waits):
            times.append(now + min(behind, 1.0) + 0.1)  # silence that may be our own is judged again soon
        if not empty and not times:
            kept = series.ordered()[-1] + 2 - moment.oldest
            times.append(now + kept * rule.pane)  # by then the last pane is too old
        timeline.set_wake(series, min(times, default=None))
        return dropped

    def leap(self, seconds: float) -> None:
        """The clock was set by so much, or nobody looked for so long: live, that is no time that anything lasted."""
        self._taking.finish()
        for timeline in self._timelines.values():
            timeline.touched += seconds
        timeline = self._timeline(LIVE)
        self._reached.leap(seconds)
        self._moments.forget()
        for series in timeline.all():
            series.leap(seconds)
            timeline.revisit(series)

    def next_wake(self) -> float | None:
        """When `judge` has something to do although nothing arrives, in the clock's time; None of never."""
        if self._passed:
            return 0.0
        wakes = [timeline.next_wake() for timeline in self._timelines.values()]
        return min((at for at in wakes if at is not None), default=None)

    def watches(self, watches: Sequence[Watch], now: float, behind: float = 0.0) -> list[WatchAnswer]:
        """Answer open watches for the entities of this partition, on panes entirely after `since`.

        They are answered as of `behind` seconds ago: what came since has not been read, and is no silence.
        """
        self._moments.watch(watches)
        known = [watch for watch in watches if watch.rule in self._rules and watch.timeline in self._timelines]
        asked = [(watch, self._timelines[watch.timeline]) for watch in known]
        return [said for watch, timeline in asked for said in answers(watch, timeline, self._since, now, behind)]

    def verdicts(self) -> list[Verdict]:
        """What is said of every entity now, in the order of timeline, rule and entity."""
        return verdicts(self._timelines.values())

    def looks(self, rule: str, at: float, timeline: str = LIVE) -> list[Look]:
        """What the windows of a rule show at `at`, of every entity; nothing changes by it."""
        return list(looks(self._timeline(timeline), rule, self._since, at))

    def changes(self) -> Mapping[str, bytes | None]:
        """The windows that changed since the last `saved()`, for a checkpoint; None deletes one."""
        return packed(self.snapshot())

    def snapshot(self) -> Snapshot:
        """`changes()`, to be packed in a thread."""
        (taking := self.take()).finish()
        return taking.found

    def take(self) -> Taking:
        """`snapshot()` and `header()` of this moment, some windows at a time while others change."""
        self._handed.update(self._changed)
        self._changed.clear()
        self._taking = Taking(self._handed, lambda key: self._timeline(key[0]).get(*key[1:]), self._high, self.header())
        return self._taking

    def header(self) -> bytes:
        """What the checkpoint keeps beside the windows: chunks seen per source, and times of the timelines."""
        times = {name: timeline.high for name, timeline in self._timelines.items()}
        return Header(self._high, times, self._reached.at, self._since.kept()).packed()

    def saved(self) -> None:
        """The checkpoint of the last `changes()` is durable."""
        self._handed.clear()
        self._taking = self._taking if self._taking.some(0) else Taking((), lambda key: None, {}, b"")

    def begin(self, now: float) -> None:
        """Start without a checkpoint: what comes from now on is told, also when nobody reads it in time."""
        self._reached.at = now

    def restore(self, windows: Mapping[str, bytes | None], header: bytes) -> None:
        """Start from a checkpoint; windows of rules that changed or went are dropped, firing states are kept."""
        times: Mapping[str, float] = {}
        try:
            self._high, times, self._reached.at, since = Header.of(header)
            self._since.restore(since)
        except BadPayload:
            self.malformed += 1
        for name, high in times.items():
            self._timeline(name).high = high
        for key, held in windows.items():
            if held is not None:
                self._restore(key, held)
        for timeline in self._timelines.values():
            for series in timeline.all():
                timeline.resume(series)

    def _restore(self, key: str, packed: bytes) -> None:
        try:
            found = unpack(key, packed, self._rules, self._families)
        except BadPayload:
            self.malformed += 1
            return
        if found.series is None:
            self._changed[found.timeline, found.rule, found.entity] = None
            return
        self._timeline(found.timeline).add(found.series)

    def adopt(self, signals: Iterable[Signal]) -> None:
        """Go on from signals that were told after the checkpoint; known ones, and those of other rules, are ignored.

        Give it the latest told signal of each entity of this partition, after `restore`.
        """
        for signal in signals:
            rule = self._rules.get(signal.rule)
            if rule is None or tuple(name for name, _ in signal.entity) != rule.by:
                continue
            timeline = self._timeline(signal.timeline)
            values = tuple(value for _, value in signal.entity)
            series = timeline.get(rule.name, values) or self._series(timeline, rule, values)
            state = adopt(rule, series.state, signal)
            if state is not series.state:
                series.state = state
                self._changed[timeline.name, rule.name, values] = None
                timeline.revisit(series)

    def reload(self, rules: Iterable[Rule]) -> None:
        """Go on with other rules, as `restore` would; what time has passed already is judged under those before."""
        while self.pass_some(-math.inf):
            pass
        self._taking.finish()
        self._rules = {rule.name: rule for rule in rules}
        self._moments.forget()
        self._since.go_on(self._rules.values())
        for timeline in self._timelines.values():
            for series in list(timeline.all()):
                self._replace(timeline, series)

    def _replace(self, timeline: Timeline, series: Series) -> None:
        """Put an entity under the rule as it is now, with what is of use of its windows."""
        rule = self._rules.get(series.rule.name)
        timeline.remove(series)
        self._changed[timeline.name, series.rule.name, series.entity] = None
        kept = None if rule is None else follow(series, rule, families_of(rule, self._families))
        if kept is not None:
            timeline.add(kept)
            timeline.revisit(kept)


def _ordered(signals: list[Signal]) -> list[Signal]:
    return sorted(signals, key=lambda signal: (signal.at, signal.rule, signal.entity, signal.timeline))
