"""Judging: a rule's verdict on one entity, from what its window shows now and what was said before. Pure.

Every level of the rule is judged by itself: its condition must hold for `for`, and once it fires it stays until
`until` (or the condition's end) has lasted `keep_firing_for`. The entity's severity is the highest level that fires.
What cannot be told (too few samples, a measure without a value, a fault in the expression) neither fires a level nor
clears one. Silence is judged by `no_data` alone.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple

from fireline.domain.calendars import next_change
from fireline.domain.expressions import EvaluationFault, Template
from fireline.domain.rules import Entity, Evidence, Level, Rule, Signal, State
from fireline.domain.silence import SLACK, gone_quiet, own_lag, silence_of, why_over, why_silent
from fireline.domain.telling import Reading, Told, counts, names_of, not_now, tell, tell_level

__all__ = [
    "EntityState",
    "Held",
    "Reading",
    "Told",
    "adopt",
    "judge",
    "late_share",
    "leapt",
    "names_of",
    "next_due",
    "tell",
    "tell_level",
    "under",
]

_DEFAULT_ORDER = ("safety", "outage", "degraded", "notice")
_APART = 0.001  # seconds between two episodes that would begin at the same time


@dataclass(frozen=True, slots=True)
class Held:
    """A level whose condition holds, or held when it fired: since when, on an event of what time, and until when.

    `ending`: it fires and is over, and `last` is when that was first seen: `keep_firing_for` counts from there.
    """

    since: float
    event: float
    last: float
    firing: bool = False
    ending: bool = False


@dataclass(frozen=True, slots=True)
class EntityState:
    """What was said of an entity so far. `severity` is the one that was signalled last, None when it is clear.

    `sequence` counts the signals of the episode; `verdict` and `reason` are the latest judgement, also when it changed
    nothing; `silent` is told once an episode.
    """

    entity: Entity
    timeline: str = "live"
    levels: Mapping[str, Held] = field(default_factory=dict)
    severity: str | None = None
    episode: float = 0.0
    started: float = 0.0
    sequence: int = 0
    silent: bool = False
    verdict: State = State.UNKNOWN
    reason: str = "not judged yet"


def _over(level: Level, told: Told, values: Mapping[str, object], samples: int) -> Told:
    """Whether what fires is over: `until` holds or, without it, `when` does not."""
    if told.holds:
        return Told(False, told.why)
    if level.until is None or samples < level.min_samples:
        return Told(None if told.holds is None else True, told.why)
    return tell(level.until, values)


def _hold(level: Level, held: Held, over: Told, now: float) -> Held | None:
    """What becomes of a level that fires: None when it is over, and has been for as long as it must."""
    if over.holds is False:
        return replace(held, last=now, ending=False)
    if over.holds and not held.ending:
        held = replace(held, last=now, ending=True)  # nothing changed since it was judged last: until now it was not
    held = replace(held, last=min(held.last, now))  # not so when a clock that was ahead noted it
    ended = over.holds is True and now - held.last >= level.keep_firing_for - SLACK
    return None if ended else held


def _raise(rule: Rule, level: Level, held: Held | None, told: Told, *, now: float, event: float) -> Held | None:
    """What becomes of a level that does not fire: None when its condition does not hold."""
    if told.holds is None:
        return held
    if not told.holds:
        return None
    if held is None or now - held.last > rule.window or held.since > now + SLACK:
        # first, or so long untold that it is a new beginning, or noted by a clock that was ahead
        held = Held(now, event, now)
    return replace(held, last=now, firing=now - held.since >= level.for_ - SLACK)


def _rank(rule: Rule, severity: str) -> float:
    order = [level.severity for level in rule.levels]
    if severity in order:
        return order.index(severity)
    known = [name for name in order if name in _DEFAULT_ORDER]
    if severity in _DEFAULT_ORDER and len(known) == len(order):
        worse = [name for name in order if _DEFAULT_ORDER.index(name) < _DEFAULT_ORDER.index(severity)]
        return len(worse) - 0.5
    return -0.5  # not comparable: rather one page too many


class _Judgement(NamedTuple):
    """What is true of the entity now: the levels, the severity to signal, and the evidence's condition and reason."""

    levels: Mapping[str, Held]
    severity: str | None
    verdict: State
    condition: str
    reason: str


def _weigh(rule: Rule, state: EntityState, reading: Reading, now: float, behind: float) -> _Judgement:
    levels: dict[str, Held] = {}
    whys: dict[str, Told] = {}
    event = reading.newest if reading.newest is not None else now
    values = names_of(state.entity, reading)
    for level in rule.levels:
        before = state.levels.get(level.severity)
        in_hours = counts(level.hours, now)
        why = told = _tell(level, values, reading.samples, now, in_hours=in_hours)
        if before is not None and before.firing:
            why = _over(level, told, values, reading.samples) if in_hours else Told(True, told.why)
            held = _hold(level, before, why, now)
        else:
            held = _raise(rule, level, before, told, now=now, event=event)
        whys[level.severity] = why
        if held is not None:
            levels[level.severity] = held
    silence = silence_of(rule, reading, now, behind)
    firing = [name for name, held in levels.items() if held.firing] if levels else []
    if silence is not None and rule.no_data is not None:
        return _silent(rule, levels, firing, silence, reading)
    top = firing[0] if firing else None
    found = _conclude(rule, state, levels, top, whys)
    besides = [own_lag(rule, reading, now, behind)]
    if found.verdict is State.CLEAR and state.severity is None:
        besides += [whys[level.severity].why for level in rule.levels if not counts(level.hours, now)]
    also = [each for each in besides if each]
    return found._replace(reason="; ".join([found.reason, *also])) if also else found


def _tell(level: Level, values: Mapping[str, object], samples: int, now: float, *, in_hours: bool) -> Told:
    """Whether a level's condition holds, at this hour."""
    if level.hours is None:
        return tell_level(level, values, samples, level.min_samples)
    if not in_hours:
        return not_now(level.hours, level.when.source, now)
    told = tell_level(level, values, samples, level.min_samples)
    return told._replace(why=f"{told.why}, {level.hours}") if told.holds else told


def _silent(rule: Rule, levels: Mapping[str, Held], firing: list[str], silence: float, reading: Reading) -> _Judgement:
    assert rule.no_data is not None
    severity = min([rule.no_data.severity, *firing], key=lambda name: _rank(rule, name))
    reason = why_silent(rule, reading, silence)
    verdict = State.UNKNOWN if severity in firing else State.FIRING
    return _Judgement(levels, severity, verdict, f"no data for {rule.no_data.after:g}s", reason)


def _conclude(
    rule: Rule, state: EntityState, levels: Mapping[str, Held], top: str | None, whys: Mapping[str, Told]
) -> _Judgement:
    told = [why for why in whys.values() if why.holds is None]
    if top is not None:
        level, why = next(each for each in rule.levels if each.severity == top), whys[top]
        if why.holds is None:
            reason = f"still firing, for it cannot be told whether it is over: {why.why}"
            return _Judgement(levels, top, State.UNKNOWN, level.when.source, reason)
        lasting = f" for {level.for_:g} s" if level.for_ else ""
        return _Judgement(levels, top, State.FIRING, level.when.source, f"{why.why}{lasting}")
    ended = next((each for each in rule.levels if each.severity == state.severity), None) if state.severity else None
    condition = (ended.until or ended.when).source if ended is not None else ""
    if told:
        return _Judgement(levels, None, State.UNKNOWN, condition, told[0].why)
    pending = next((f"; {name} is pending" for name in levels), "") if levels else ""
    ending = whys[ended.severity].why if ended is not None else "no level's condition holds"
    return _Judgement(levels, None, State.CLEAR, condition, ending + pending)


def judge(
    rule: Rule, state: EntityState, reading: Reading, now: float, behind: float = 0.0
) -> tuple[EntityState, tuple[Signal, ...]]:
    """The entity's next state, and the signal if the verdict changed.

    `now` never goes back for one entity. `behind` is by how many seconds the judging lags the events: so much silence
    is our own. A firing entity that goes silent without `no_data` keeps firing, and says so once an episode.
    """
    found = _weigh(rule, state, reading, now, behind)
    after = _noted(state, found)
    if found.severity == state.severity:
        told = found.severity is None or found.verdict is not State.UNKNOWN or state.silent
        if told or not gone_quiet(rule, reading, now, behind):
            return after, ()
        since = f" since {datetime.fromtimestamp(reading.newest or 0.0, UTC):%Y-%m-%d %H:%M:%S} UTC"
        found = found._replace(reason=f"no data{since}; {found.reason}")
        after = replace(after, silent=True, sequence=state.sequence + 1, reason=found.reason)
        return after, (_signal(rule, after, State.UNKNOWN, found=found, reading=reading, now=now),)
    if state.severity is None:
        after = _begin(rule, after, found, reading, now)
    elif found.severity is None:
        after = replace(after, severity=None, sequence=state.sequence + 1)
        over = why_over(rule, reading, now)
        found = found if found.verdict is State.CLEAR else found._replace(reason=f"{over}; {found.reason}")
    else:
        after = replace(after, severity=found.severity, sequence=state.sequence + 1)
    verdict = State.CLEAR if found.severity is None else State.FIRING
    return after, (_signal(rule, after, verdict, found=found, reading=reading, now=now),)


def _noted(state: EntityState, found: _Judgement) -> EntityState:
    """The state with the latest judgement in it; most judgements say what was said before."""
    if (state.levels, state.verdict, state.reason) == (found.levels, found.verdict, found.reason):
        return state
    return replace(state, levels=found.levels, verdict=found.verdict, reason=found.reason)


def adopt(rule: Rule, state: EntityState, signal: Signal) -> EntityState:
    """The state after `signal`, which was told after `state` was saved; `state` itself when that is as new.

    A crash between telling and saving would otherwise leave a signal that nobody ever clears.
    """
    if (signal.episode, signal.sequence) <= (state.episode, state.sequence):
        return state
    held = Held(signal.started, signal.started, signal.at, firing=True)
    fired = any(
        level.severity == signal.severity and level.when.source == signal.evidence.condition for level in rule.levels
    )
    return replace(
        state,
        levels={signal.severity: held} if fired and signal.severity is not None else {},
        severity=signal.severity,
        episode=signal.episode,
        started=signal.started,
        sequence=signal.sequence,
        silent=False,
        verdict=signal.state,
        reason=signal.evidence.reason,
    )


def leapt(state: EntityState, seconds: float) -> EntityState:
    """The state after the clock was set by `seconds`: what lasts has lasted as long as before, and not that longer."""
    moved = {
        name: replace(held, since=held.since + seconds, last=held.last + seconds) for name, held in state.levels.items()
    }
    return replace(state, levels=moved) if moved else state


def under(rule: Rule, before: Rule, state: EntityState) -> EntityState:
    """The state under a changed rule: what fires goes on until it is over, what is pending under other words is not."""
    if rule.levels == before.levels:
        return state
    said = {(level.severity, level.when.source) for level in before.levels}
    same = {level.severity: (level.severity, level.when.source) in said for level in rule.levels}
    kept = {name: held for name, held in state.levels.items() if same.get(name) or (held.firing and name in same)}
    return state if kept == state.levels else replace(state, levels=kept)


def _begin(rule: Rule, after: EntityState, found: _Judgement, reading: Reading, now: float) -> EntityState:
    """A new episode. It is named after a pane, so that judging a little earlier or later names it alike."""
    held = found.levels.get(found.severity or "")
    event = held.event if held is not None and held.firing else reading.newest
    started = now if event is None else event
    named = math.floor(started / rule.pane) * rule.pane
    episode = named if named > after.episode + _APART / 2 else after.episode + _APART
    return replace(after, severity=found.severity, episode=episode, started=started, sequence=0, silent=False)


def next_due(rule: Rule, state: EntityState, reading: Reading, now: float) -> float | None:
    """When the verdict may change although the window does not: a `for`, `keep_firing_for` or `no_data` runs out."""
    due = []
    for level in rule.levels if state.levels else ():
        held = state.levels.get(level.severity)
        if held is None:
            continue
        due.append(held.last + level.keep_firing_for if held.firing else held.since + level.for_)
    if rule.no_data is not None and reading.newest is not None:
        due.append(reading.newest + rule.no_data.after)
        due += [next_change(rule.no_data.hours.calendar, now)] if rule.no_data.hours is not None else []
    due += [next_change(level.hours.calendar, now) for level in rule.levels if level.hours is not None]
    if state.severity is not None and not state.silent and reading.newest is not None:
        due.append(reading.newest + rule.window + 2 * SLACK)  # from then on it fires on nothing, which is told
    return min((at for at in due if at > now + SLACK), default=None)


def _signal(
    rule: Rule, state: EntityState, verdict: State, *, found: _Judgement, reading: Reading, now: float
) -> Signal:
    severity = state.severity if verdict is not State.CLEAR else None
    labels = dict(state.entity)
    service = _text(rule.service, labels) or labels.get("service") or labels.get("model") or rule.name
    words = {**labels, "measures": dict(reading.values), "severity": severity, "service": service}
    summary = _text(rule.summary, words) or _plain(rule, state.entity, severity)
    return Signal(
        id=_identity(rule, state, verdict, severity),
        rule=rule.name,
        entity=state.entity,
        service=service,
        state=verdict,
        severity=severity,
        at=now,
        started=state.started,
        episode=state.episode,
        summary=summary,
        evidence=Evidence(
            dict(reading.values),
            reading.samples,
            reading.start,
            reading.end,
            found.condition,
            found.reason,
            reading.late,
            _notes(reading),
        ),
        group=",".join(
            filter(None, (rule.incident, *(f"{name}={labels.get(name, '')}" for name in sorted(rule.group_by))))
        ),
        runbooks=rule.runbooks,
        mode=rule.mode,
        timeline=state.timeline,
        sequence=state.sequence,
    )


def _notes(reading: Reading) -> tuple[str, ...]:
    """What a person must know before trusting the numbers."""
    return (*late_share(reading.late, reading.samples), *reading.notes)


def late_share(late: int, samples: int) -> tuple[str, ...]:
    """The clause about events that came too late to count among `samples`; none when there were none.

    The share is rounded to whole percent and never to 0 or 100: what is not all is `over 99 %`.
    """
    if late <= 0:
        return ()
    share = 100.0 * late / (samples + late)
    told = "under 1 %" if share < 1.0 else "over 99 %" if 99.0 < share < 100.0 else f"{share:.0f} %"
    return (f"{told} of this window came late: {late} {'event' if late == 1 else 'events'} not counted",)


def _text(template: Template, values: Mapping[str, object]) -> str:
    """A rendered text in one line, empty when it cannot be rendered: a fault of the words must not cost the page."""
    try:
        rendered = template.render(values)
    except EvaluationFault:
        return ""
    return " ".join(str(rendered).split()) if rendered is not None else ""


def _plain(rule: Rule, entity: Entity, severity: str | None) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in entity)
    return f"{rule.name} is {severity or 'clear'}" + (f" for {labels}" if labels else "")


def _identity(rule: Rule, state: EntityState, verdict: State, severity: str | None) -> str:
    parts = [state.timeline, rule.name, state.entity, round(state.episode, 3), verdict, severity, state.sequence]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
