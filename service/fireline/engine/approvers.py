"""Approvers: the people whom `of` of an approval means now: teams, people, who is on call, who leads the incident."""

from collections.abc import Iterable
from typing import Protocol

from fireline.domain.approving import OWNER, owners
from fireline.domain.catalog import Catalog
from fireline.domain.incident_records import Role
from fireline.domain.incidents import Incident
from fireline.domain.oncall import OnCall
from fireline.domain.roster import with_changes
from fireline.domain.rota import who
from fireline.domain.runbooks import Run
from fireline.engine.ports import Transaction


class Known(Protocol):
    """What says who is who: a configuration, or the world of a decision."""

    @property
    def catalog(self) -> Catalog:
        """Teams, people and services."""
        ...

    @property
    def oncall(self) -> OnCall:
        """The schedules, without what was changed at run time."""
        ...


def owner_of(run: Run, runbook_owner: str) -> str:
    """The team that answers for a run: the incident's owner, else the runbook's."""
    return str(run.context.get("owner") or runbook_owner)


def service_of(run: Run) -> str:
    """The service that a run is about, empty when it names none."""
    return str(run.context.get("service", run.inputs.get("service", "")))


def approvers(tx: Transaction, known: Known, run: Run, of: Iterable[str], owner: str, *, now: float) -> frozenset[str]:
    """Everybody who may approve now; `owner` is the team that answers for the run. Who is unknown is nobody."""
    found = [_meant(tx, known, run, each, owner, now=now) for each in of]
    return frozenset().union(*found)


def _meant(tx: Transaction, known: Known, run: Run, which: str, owner: str, *, now: float) -> frozenset[str]:
    catalog = known.catalog
    kind, colon, name = which.partition(":")
    if which == OWNER:
        service = service_of(run)
        return owners(catalog.teams, catalog.people, owner, catalog.service(service) if service else None)
    if not colon:
        kind, name = "team", which
    match kind:
        case "team":
            return frozenset(catalog.teams[name].members if name in catalog.teams else ())
        case "person":
            return frozenset({name} & set(catalog.people))
        case "schedule":
            return _on_call(tx, known, name, now)
        case "role":
            incident = None if run.incident is None else tx.incident(run.incident)
            return _holding(incident, name)
        case _:
            return frozenset()


def _on_call(tx: Transaction, known: Known, name: str, now: float) -> frozenset[str]:
    schedules = with_changes(known.oncall, tx.roster_changes(now)).schedules
    shift = who(schedules[name], now) if name in schedules else None
    return frozenset() if shift is None else frozenset({shift.person})


def _holding(incident: Incident | None, role: str) -> frozenset[str]:
    held = () if incident is None else incident.roles
    return frozenset(each.person for each in held if each.role is Role(role)) if role in set(Role) else frozenset()
