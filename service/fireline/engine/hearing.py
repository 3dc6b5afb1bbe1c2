"""Which incident hears of something: a merged one has an heir, and so has a signal that was split off."""

from fireline.domain.deciding import Decision, World, against_split, decide, heir, opens
from fireline.domain.incident_acts import Merge, Split
from fireline.domain.incidents import Incident
from fireline.domain.rules import Signal
from fireline.engine.ports import Transaction


def speaker(tx: Transaction, latest: Incident | None, signal: Signal, world: World, now: float) -> Incident | None:
    """The incident that hears `signal`, `latest` being the newest of its key.

    One that was split off hears its signals until it is over for good; then they come back to where they were.
    """
    if latest is None:
        return None
    home, apart = standing_for(tx, latest), standing_for(tx, latest, signal)
    attached = home.signals.get(signal.fingerprint)
    came_back = attached is not None and attached.cleared_at is None
    return home if came_back or opens(apart, signal, world, now) else apart


def standing_for(tx: Transaction, incident: Incident, signal: Signal | None = None) -> Incident:
    """The incident that speaks for `incident`, itself when it was never merged; with `signal`, for that of it."""
    passed = [incident]
    while (number := heir(passed[-1], signal)) is not None and number not in {each.number for each in passed}:
        after = tx.incident(number)
        if after is None:
            break
        passed.append(after)
    # what was merged back where it was split off from goes round: whoever of them was not merged has it
    return next((each for each in reversed(passed) if each.merged_into is None), passed[-1])


def decide_two(tx: Transaction, what: Merge | Split, world: World, now: float) -> tuple[Incident | None, Decision]:
    """The incident and what is decided of it on a merge or split, with the other one read or the new one's number."""
    if isinstance(what, Merge):
        # always in the same order, so that two merges never wait for each other
        found = {number: tx.incident(number) for number in sorted({what.incident, what.into})}
        incident = found[what.incident]
        return incident, decide(incident, what, world, now, other=found[what.into])
    incident = tx.incident(what.incident)
    number = None
    if incident is not None and not against_split(incident, what, world, now):
        number = tx.next_number("incident")
    return incident, decide(incident, what, world, now, number=number)
