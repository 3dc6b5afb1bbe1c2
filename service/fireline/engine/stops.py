"""The stop switch at work: pulled and lifted by a person in one transaction, read by whatever lets a run act.

Who lets a run act reads the switch under a shared lock, and who pulls it takes that alone. So once a pull is committed
no step begins that it covers, and none was begun without being seen; what was begun before is finished.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from fireline.domain import stops
from fireline.domain.audit_acts import By, of_change
from fireline.domain.catalog import Catalog
from fireline.domain.effects import Tell, Timer
from fireline.domain.incidents import AddNote, Input
from fireline.domain.runbooks import Run, RunStatus, StepStatus
from fireline.domain.stops import Asked, Stop
from fireline.engine.ports import Clock, Settings, StaleVersion, Store, Transaction

KIND = "stop"
"""The kind of the deadline by which open incidents are told of a pull or a lift."""
LOOK = 1.0
"""Seconds until a run that is held looks again whether it may go on."""
MOST = 10_000
ATTEMPTS = 5

_UNDER_WAY = frozenset({StepStatus.STARTED, StepStatus.WAITING, StepStatus.UNDO_STARTED})


class Handles(Protocol):
    """The responder: one decision for one input, in one transaction."""

    def handle(self, what: Input, /, *, once: str = "") -> object:
        """Decide, save, queue effects."""
        ...


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of it: the switch as it is now (None where nothing is pulled), and what the person is told."""

    stop: Stop | None
    done: bool
    text: str


class Switch:
    """The switch as people reach it, from Slack, the command line and the API. Safe from any thread."""

    def __init__(self, store: Store, settings: Settings, clock: Clock, configured: Callable[[str], bool]) -> None:
        self._store, self._settings, self._clock, self._configured = store, settings, clock, configured

    def pull(self, asked: Asked) -> Answered:
        """Stop the service that is asked for by any of its names, or everything; raises Unavailable."""
        return self._done(asked, pull)

    def lift(self, asked: Asked) -> Answered:
        """Let it go on; raises Unavailable."""
        return self._done(asked, lift)

    def of_incident(self, number: int, person: str, via: str, *, lifted: bool) -> Answered:
        """The same for the service of an incident, as a button does it."""
        with self._store.reading() as tx:
            incident = tx.incident(number)
        if incident is None:
            return Answered(None, False, f"there is no incident INC-{number}")
        asked = Asked(incident.service, person, f"pressed on INC-{number}", via)
        return self.lift(asked) if lifted else self.pull(asked)

    def stops(self, *, pulled_only: bool = True) -> Sequence[Stop]:
        """Those in force, or all there ever were, by number."""
        with self._store.reading() as tx:
            return tx.stops(pulled_only=pulled_only)

    def _done(self, asked: Asked, act: "_Act") -> Answered:
        catalog = self._settings.current.catalog
        service = catalog.service(asked.service) if asked.service else None
        if asked.service and service is None:
            known = ", ".join(sorted(catalog.services)[:50])
            return Answered(None, False, f"there is no service {asked.service[:100]!r}; the catalog has {known}")
        person = catalog.people.get(asked.person)
        named = replace(asked, service=service.id if service else "", name=person.name if person else asked.person)
        for attempt in range(ATTEMPTS):
            try:
                with self._store.transaction() as tx:
                    return act(tx, catalog, named, self._clock.now(), self._configured)
            except StaleVersion:
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("the loop returns or raises")


_Act = Callable[[Transaction, Catalog, Asked, float, Callable[[str], bool]], Answered]


def services_of(run: Run, catalog: Catalog, options: Mapping[str, object] | None = None) -> frozenset[str]:
    """The services that a run touches: of its incident, its inputs, its lock, and of a step's `options`."""
    kind, _, locked = run.lock.partition(":")
    named = [run.context.get("service"), run.inputs.get("service"), (options or {}).get("service")]
    names = [name for name in (*named, locked if kind == "service" else None) if isinstance(name, str) and name]
    return frozenset(known.id if (known := catalog.service(name)) else name for name in names)


def against(
    tx: Transaction, run: Run, catalog: Catalog, options: Mapping[str, object] | None = None, *, undo: bool = False
) -> Stop | None:
    """What keeps the run from acting now; nobody pulls or lifts the switch before the end of this transaction.

    A step that hands all traffic back to the primary counts as undoing.
    """
    found = tx.stops()
    back = undo or _hands_back(catalog, options or {})
    return stops.barring(found, services_of(run, catalog, options), undo=back) if found else None


def _hands_back(catalog: Catalog, options: Mapping[str, object]) -> bool:
    service, to = catalog.service(str(options.get("service", ""))), options.get("to")
    if service is None or not isinstance(to, Mapping):
        return False
    return {target for target, share in to.items() if share} == {service.primary}


def pull(tx: Transaction, catalog: Catalog, asked: Asked, now: float, configured: Callable[[str], bool]) -> Answered:
    """Pull the switch, and tell the rooms of whoever owns what it covers."""
    known = tx.stops_to_change()
    before = stops.standing(known, asked.service)
    pulled = stops.pull(known, asked, tx.next_number(KIND) if before is None else before.number, now)
    if isinstance(pulled, str):
        return Answered(before, False, pulled)
    undo = "undoing goes on" if pulled.let_undo else "undoing waits too"
    text = f"{asked.name or asked.person} pulled the stop switch for {pulled.scope} ({undo}): {asked.reason}"
    _keep(tx, before, pulled, By(asked.person, asked.via, now, text))
    _tell_rooms(tx, catalog, pulled, By(asked.person, asked.via, now, text), configured)
    return Answered(pulled, True, f"{_first_up(text)}. {_under_way(tx, catalog, pulled)}")


def lift(tx: Transaction, catalog: Catalog, asked: Asked, now: float, configured: Callable[[str], bool]) -> Answered:
    """Lift the switch: what waits goes on, unless something else stops it."""
    known = tx.stops_to_change()
    before = stops.standing(known, asked.service)
    lifted = stops.lift(known, asked, now)
    if isinstance(lifted, str):
        return Answered(None, False, _first_up(lifted))
    text = f"{asked.name or asked.person} lifted the stop switch for {lifted.scope}" + (
        f": {asked.reason}" if asked.reason else ""
    )
    _keep(tx, before, lifted, By(asked.person, asked.via, now, text))
    _tell_rooms(tx, catalog, lifted, By(asked.person, asked.via, now, text), configured)
    left = "; ".join(f"{stop.scope} is still stopped by {stop.name or stop.by}" for stop in known if stop != before)
    return Answered(lifted, True, f"{_first_up(text)}. {_held(tx, catalog, lifted)}" + (f" {left}." if left else ""))


def _keep(tx: Transaction, before: Stop | None, after: Stop, by: By) -> None:
    tx.save_stop(after)
    kind = "stop.lifted" if not after.pulled else "stop.pulled" if before is None else "stop.changed"
    tx.record(of_change(kind, f"stop:{after.service or 'everything'}", (before, after), by))
    tx.arm(Timer(f"{KIND}/{after.number}/v{after.version}", by.at, KIND))


def _tell_rooms(tx: Transaction, catalog: Catalog, stop: Stop, by: By, configured: Callable[[str], bool]) -> None:
    owners = {service.owner for service in catalog.services.values() if stop.covers((service.id,))}
    teams = [catalog.teams[name] for name in sorted(owners) if name in catalog.teams]
    rooms = {place for team in teams for place in team.channels.items() if place[1] and configured(place[0])}
    for channel, room in sorted(rooms):
        key = f"{KIND}/{stop.number}/v{stop.version}/{channel}:{room}"
        tx.enqueue(Tell(key, by.actor, channel, room, _first_up(by.text)), by.at)


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]


def _active(tx: Transaction, catalog: Catalog, stop: Stop) -> list[Run]:
    return [run for run in tx.runs(active_only=True, limit=MOST) if stop.covers(services_of(run, catalog))]


def _under_way(tx: Transaction, catalog: Catalog, stop: Stop) -> str:
    """What a pull finds: runs that hold from here on, and the steps of them that were begun before."""
    active = _active(tx, catalog, stop)
    if not active:
        return "No run is under way."
    begun = [f"{s.id} of run {run.id}" for run in active for s in run.steps if s.status in _UNDER_WAY]
    told = f"{_runs(active)} before what changes something next"
    return told + (f"; begun already: {', '.join(begun[:10])}." if begun else ".")


def _runs(active: list[Run]) -> str:
    named = ", ".join(f"{run.id} {run.runbook}" for run in active[:10])
    more = f" and {len(active) - 10} more" if len(active) > 10 else ""
    return f"{len(active)} {'run holds' if len(active) == 1 else 'runs hold'} ({named}{more})"


def _held(tx: Transaction, catalog: Catalog, stop: Stop) -> str:
    waiting = [run for run in _active(tx, catalog, stop) if run.held or run.status is RunStatus.WAITING]
    if not waiting:
        return "No run was held."
    named = ", ".join(f"{run.id} {run.runbook}" for run in waiting[:10])
    more = f" and {len(waiting) - 10} more" if len(waiting) > 10 else ""
    return f"Going on: run {named}{more}."


def tell(store: Store, responder: Handles, timer: Timer) -> None:
    """Put it on the timeline of every open incident that it is about; the deadline goes when all of them know."""
    with store.reading() as tx:
        stop = next(
            (each for each in tx.stops(pulled_only=False) if timer.key.startswith(f"{KIND}/{each.number}/")), None
        )
        open_ = [] if stop is None else list(tx.incidents(open_only=True, limit=MOST))
    if stop is not None:
        about = [each.number for each in open_ if each.timeline == "live" and stop.covers((each.service,))]
        who, text = (stop.by, f"pulled the stop switch for {stop.scope}: {stop.reason}; runs hold")
        if not stop.pulled:
            who, text = stop.lifted_by, f"lifted the stop switch for {stop.scope}; runs go on"
        for number in sorted(about):
            responder.handle(AddNote(number, who, text), once=f"{timer.key}/INC-{number}")
    with store.transaction() as tx:
        tx.disarm(timer.key)
