"""How often a test's signals would page somebody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fireline.domain.catalog import Severity
from fireline.domain.configuration import Response
from fireline.domain.rules import Mode, Signal, State


@dataclass(slots=True)
class _Incident:
    """What fires in one service and group, by entity, and since when nothing does."""

    firing: dict[str, str] = field(default_factory=dict)
    worst: int | None = None
    cleared: float | None = None


def pages(signals: Sequence[Signal], severities: Mapping[str, Severity], response: Response) -> int:
    """How often somebody is paged for these signals, if every page is acknowledged at once and nobody resolves.

    As the responders decide: an incident pages when it opens, when it fires again after it was resolved, and when its
    severity rises. What flaps within `settle` is one incident. Shadow rules and severities that page nobody do not.
    """
    incidents: dict[tuple[str, str], _Incident] = {}
    count = 0
    for signal in sorted(signals, key=lambda each: each.at):
        if signal.mode is Mode.SHADOW:
            continue
        incident = incidents.setdefault((signal.service, signal.group), _Incident())
        if incident.cleared is not None and signal.at - incident.cleared >= response.settle:
            incident.worst = incident.cleared = None
        count += _fires(incident, signal, severities) if signal.state is State.FIRING else 0
        if signal.state is State.CLEAR:
            _clears(incident, signal)
    return count


def _fires(incident: _Incident, signal: Signal, severities: Mapping[str, Severity]) -> int:
    severity = severities.get(signal.severity or "")
    rank = severity.rank if severity is not None else 0
    incident.firing[signal.fingerprint] = signal.severity or ""
    incident.cleared = None
    rises = incident.worst is None or rank < incident.worst
    if rises:
        incident.worst = rank
    return int(rises and (severity is None or severity.pages))


def _clears(incident: _Incident, signal: Signal) -> None:
    if incident.firing.pop(signal.fingerprint, None) is not None and not incident.firing:
        incident.cleared = signal.at
