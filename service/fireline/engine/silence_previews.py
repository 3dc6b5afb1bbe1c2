"""Previews: what a silence would hold back now, and which of the pages of the last days it would have."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from fireline.domain.deciding_silences import labels_of
from fireline.domain.incidents import Incident, Page
from fireline.domain.rules import Signal
from fireline.domain.silences import Silence, matches
from fireline.engine.ports import Transaction

DAYS = 14
"""Days that are looked back on unless somebody asks for others."""
MOST = 10_000
"""Incidents that are looked through, the newest first."""
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Touched:
    """An incident with signals that fire and match; it is held back when `all_of_it` does."""

    incident: Incident
    signals: tuple[Signal, ...]
    all_of_it: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """`held` of all `pages` since `since` would not have been sent, by person, whatever the hour they were sent at."""

    now: tuple[Touched, ...]
    since: float
    pages: int
    held: int
    people: Mapping[str, int] = field(default_factory=dict)


def preview(tx: Transaction, silence: Silence, now: float, days: int = DAYS) -> Preview:
    """What the silence matches; it need not have been made."""
    since = now - days * DAY
    incidents = tx.incidents(limit=MOST)
    found = [_touched(incident, silence) for incident in incidents if incident.firing]
    pages = [(incident, page) for incident in incidents for page in incident.pages if page.at >= since]
    people = Counter(page.person for incident, page in pages if _would_be_held(incident, page, silence))
    touched = tuple(each for each in found if each.signals)
    return Preview(touched, since, len(pages), people.total(), dict(people.most_common()))


def _matches(incident: Incident, signal: Signal, silence: Silence) -> bool:
    return matches(silence, labels_of(signal, incident.owner))


def _touched(incident: Incident, silence: Silence) -> Touched:
    signals = tuple(a.signal for a in incident.firing if _matches(incident, a.signal, silence))
    return Touched(incident, signals, len(signals) == len(incident.firing))


def _would_be_held(incident: Incident, page: Page, silence: Silence) -> bool:
    """Whether all that fired when the page was sent matches, as far as is known: of a signal its last verdict is."""
    fired = [
        a.signal
        for a in incident.signals.values()
        if a.signal.started <= page.at and (a.cleared_at is None or a.cleared_at > page.at)
    ]
    fired = fired or [a.signal for a in incident.signals.values() if a.signal.rule == page.why.rule]
    return bool(fired) and all(_matches(incident, signal, silence) for signal in fired)
