"""Hindsight: signals of a recording into the incidents, pages and runs that they would have led to.

The decisions are the live ones (`domain/deciding.py`), taken at the time of the signals, and kept in memory. People and
runbooks are assumed, because no recording tells what they would have done: whoever is paged takes it at once and keeps
at it, so nothing escalates and no acknowledgement goes stale; and no run changes what was recorded.
"""

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from fireline.domain.calendars import Calendar, open_at, wall
from fireline.domain.catalog import Person
from fireline.domain.configuration import Configuration
from fireline.domain.deciding import Decision, World, decide, opens
from fireline.domain.effects import StartRun, Timer
from fireline.domain.hindsight import Firing, Opened, Outcome, Paged, Ran
from fireline.domain.incidents import Acknowledge, Incident, Page, SignalArrived, TimerDue
from fireline.domain.redaction import redacted
from fireline.domain.rules import Mode, Signal, State
from fireline.engine.hindsight_runs import Book

VIA = "back-test"

_Key = tuple[str, str, str]


@dataclass(slots=True)
class _Stretch:
    """The firing of one entity: the one that goes on, and when the one before ended."""

    now: Firing | None = None
    ended: float | None = None


@dataclass(slots=True)
class _Kept:
    """An incident as it stands, the worst severity that it had, and why nobody was paged."""

    incident: Incident
    worst: str
    unpaged: str = ""


@dataclass(slots=True)
class Hindsight:
    """Takes signals in the order of their time; `outcome` at the end. `hours` gives a person's office hours."""

    configuration: Configuration
    hours: Callable[[Person], Calendar]
    pages: list[Paged] = field(default_factory=list)
    runs: list[Ran] = field(default_factory=list)
    _world: World = field(init=False)
    _book: Book = field(init=False)
    _latest: dict[_Key, int] = field(default_factory=dict)
    _kept: dict[int, _Kept] = field(default_factory=dict)
    _timers: dict[str, Timer] = field(default_factory=dict)
    _due: list[tuple[float, str]] = field(default_factory=list)
    _firings: list[Firing] = field(default_factory=list)
    _stretches: dict[str, _Stretch] = field(default_factory=dict)
    _signals: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Build what every decision looks at."""
        self._world = World.of(self.configuration)
        self._book = Book(self.configuration)

    def take(self, signal: Signal) -> None:
        """Decide on a signal as of its time; what was due before it is decided first."""
        self.pass_until(signal.at)
        self._signals[signal.rule] += 1
        self._note_firing(signal)
        service = self._world.service(signal.service)
        signal = redacted(signal, service.personal_data if service is not None else ())
        known = replace(signal, service=self._world.service_id(signal.service))
        key = (known.service, known.group, known.timeline)
        before = self._kept[self._latest[key]].incident if key in self._latest else None
        number = len(self._kept) + 1 if opens(before, known, self._world, known.at) else None
        decision = decide(before, SignalArrived(known), self._world, known.at, number=number)
        if decision.incident is None:
            return
        self._latest[key] = decision.incident.number
        self._keep(decision)
        self._note_pages(before if number is None else None, decision, known)
        for effect in decision.effects:
            if isinstance(effect, StartRun):
                self.runs.append(self._book.asked(effect, decision.incident, known))

    def pass_until(self, at: float) -> None:
        """Let incidents settle that are due by then."""
        while self._due and self._due[0][0] <= at:
            due_at, key = heapq.heappop(self._due)
            timer = self._timers.get(key)
            if timer is None or timer.due_at != due_at or timer.incident is None:
                continue  # it was disarmed or moved since
            del self._timers[key]
            kept = self._kept[timer.incident]
            due = TimerDue(timer.incident, timer.kind, key, due_at)
            self._keep(decide(kept.incident, due, self._world, due_at))

    def outcome(self) -> Outcome:
        """What came of it all. Incidents that did not settle by now are left open."""
        going = [stretch.now for stretch in self._stretches.values() if stretch.now is not None]
        firings = sorted([*self._firings, *going], key=lambda f: (f.start, f.rule, f.entity))
        incidents = tuple(self._opened(kept) for _, kept in sorted(self._kept.items()))
        signals = dict(sorted(self._signals.items()))
        return Outcome(incidents, tuple(self.pages), tuple(self.runs), tuple(firings), signals)

    def _keep(self, decision: Decision) -> None:
        """Keep the incident and its settling; deadlines of people are not waited for."""
        incident = decision.incident
        assert incident is not None
        before = self._kept.get(incident.number)
        worst = incident.severity
        if before is not None and not self._world.worse(incident.severity, before.worst):
            worst = before.worst
        unpaged = before.unpaged if before is not None else ""
        said = [entry.text for entry in decision.entries if entry.kind in {"unpaged", "nobody", "exhausted"}]
        self._kept[incident.number] = _Kept(incident, worst, said[0] if said and not unpaged else unpaged)
        for key in decision.disarm:
            self._timers.pop(key, None)
        for timer in decision.arm:
            if timer.kind == "settle":
                self._timers[timer.key] = timer
                heapq.heappush(self._due, (timer.due_at, timer.key))

    def _note_pages(self, before: Incident | None, decision: Decision, signal: Signal) -> None:
        """Note the pages of a decision; the first of those who are paged takes it at once."""
        incident = decision.incident
        assert incident is not None
        known = {page.number for page in before.pages} if before is not None else set()
        new = [page for page in incident.pages if page.number not in known]
        if not new:
            return
        cause = "opened" if before is None else "reopened" if before.resolved_at is not None else "worse"
        self.pages += [self._paged(page, incident, signal, cause) for page in new]
        taken = Acknowledge(incident.number, new[0].person, VIA)
        self._keep(decide(incident, taken, self._world, signal.at))

    def _paged(self, page: Page, incident: Incident, signal: Signal, cause: str) -> Paged:
        severity, person = self._world.severity(incident.severity), self._world.person(page.person)
        hours, at = self.hours(person), round(page.at, 3)  # a pane is judged a millionth before its end
        return Paged(
            at=at,
            incident=incident.number,
            person=page.person,
            name=person.name,
            severity=severity.name,
            urgency=severity.urgency,
            service=incident.service,
            group=incident.group,
            rule=signal.rule,
            entity=signal.entity,
            title=incident.title,
            cause=cause,
            out_of_hours=not open_at(hours, at),
            local=f"{wall(hours, at)} {hours.time_zone}",
            schedule=page.why.schedule,
            source=page.why.source,
            until=page.why.until,
        )

    def _opened(self, kept: _Kept) -> Opened:
        incident = kept.incident
        return Opened(
            number=incident.number,
            service=incident.service,
            group=incident.group,
            owner=incident.owner,
            severity=kept.worst,
            title=incident.title,
            opened_at=incident.opened_at,
            resolved_at=incident.resolved_at,
            reopened=incident.reopened,
            flaps=sum(attached.flaps for attached in incident.signals.values()),
            rules=tuple(sorted({attached.signal.rule for attached in incident.signals.values()})),
            pages=len(incident.pages),
            unpaged="" if incident.pages else kept.unpaged,
        )

    def _note_firing(self, signal: Signal) -> None:
        """Note when a stretch of firing begins, gets worse and ends."""
        stretch = self._stretches.setdefault(signal.fingerprint, _Stretch())
        if signal.state is State.CLEAR:
            if stretch.now is not None:
                self._firings.append(replace(stretch.now, end=signal.at))
                stretch.now, stretch.ended = None, signal.at
        elif signal.state is State.FIRING and signal.severity is not None:
            if stretch.now is None:
                within = self.configuration.response.reopen_within
                flap = stretch.ended is not None and signal.at - stretch.ended <= within
                stretch.now = _firing(signal, flap=flap)
            elif self._world.worse(signal.severity, stretch.now.severity):
                stretch.now = replace(stretch.now, severity=signal.severity)


def _firing(signal: Signal, *, flap: bool) -> Firing:
    return Firing(
        rule=signal.rule,
        entity=signal.entity,
        service=signal.service,
        severity=signal.severity or "",
        start=signal.at,
        end=None,
        shadow=signal.mode is Mode.SHADOW,
        flap=flap,
    )
