"""How often a test's signals would page somebody, by the decisions that responders take."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fireline.domain.calendars import Calendar
from fireline.domain.catalog import Catalog, Person, Severity, Team
from fireline.domain.configuration import Configuration, Response
from fireline.domain.oncall import OnCall, Policy, PolicyLevel, PolicyTarget, TargetKind
from fireline.domain.rules import Signal
from fireline.engine.hindsight import Hindsight

_PERSON = Person("anybody", "Anybody", {"console": "anybody"})
_TEAM = Team("anybody", "Anybody", "anybody", ("anybody",))
_POLICY = Policy("anybody", (PolicyLevel((PolicyTarget(TargetKind.PERSON, "anybody"),), 300.0),))
_ALWAYS = Calendar("always", "UTC", ())


def pages(signals: Sequence[Signal], severities: Mapping[str, Severity], response: Response) -> int:
    """How often somebody is paged for these signals, if whoever is takes it at once.

    A test knows neither the catalog nor the schedules: it is one team with one person who is always on call. Runbooks
    are left out.
    """
    catalog = Catalog({}, {_TEAM.id: _TEAM}, {_PERSON.id: _PERSON}, tuple(severities.values()), _TEAM.id)
    house = Configuration({}, {}, catalog, OnCall({}, {_POLICY.id: _POLICY}), response)
    hindsight = Hindsight(house, lambda _: _ALWAYS)
    for signal in sorted(signals, key=lambda each: each.at):
        hindsight.take(replace(signal, runbooks=()))
    return len(hindsight.outcome().pages)
