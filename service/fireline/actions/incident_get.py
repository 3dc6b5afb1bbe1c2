"""incident.get: how the run's incident stands now, and wait until it is mitigated.

`incident.get` reads the incident of the run, as what a status update says: who has it, what is impaired, what has been
done about it, and whether it is mitigated, which is so when nothing of it fires any more or when it is over. What
templates call `incident` is the incident as the run found it when it began; this is the incident as it is now.

With `until: mitigated` it looks again until that is so, and goes on after `within` in any case: `mitigated` says which
of the two it was. With `next_in`, `next` is the wall time in UTC at which the next update is due; times of another day
have their day. It changes nothing, and a run without an incident has none to read, and fails.
"""

import asyncio
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from fireline.actions.schema import ActionKind, Options, Output, Ports, away
from fireline.domain.catalog import Catalog
from fireline.domain.durations import wall_time
from fireline.domain.incidents import Incident
from fireline.domain.outcomes import Done, Failed, Outcome, Waiting
from fireline.engine.hearing import standing_for
from fireline.engine.outward import StepContext
from fireline.engine.ports import StaleVersion, Transaction, Unavailable
from fireline.spec.durations import Duration

EXAMPLE = """\
id: look
uses: incident.get
with: {until: mitigated, within: 5m, next_in: 30m}
"""

POLL = 15.0
"""Seconds between two looks."""

GRACE = 30.0


class GetOptions(Options):
    """What to wait for, and when the next update is due."""

    until: Literal["mitigated"] | None = Field(None, description="wait until it is; without it, look once")
    within: Duration = Field(0.0, description="how long to wait; then it goes on all the same")
    next_in: Duration | None = Field(None, description="in how long the next update is due")

    def patience(self) -> float:
        """Seconds the step may rightly take."""
        return self.within + GRACE


class IncidentGet:
    """Reads the incident, once or until it is mitigated."""

    mutates = False

    def __init__(self, ports: Ports) -> None:
        self._store = ports.store
        self._settings = ports.settings

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """How it stands; Waiting while it is not mitigated and the time is not over."""
        assert isinstance(options, GetOptions)
        if context.incident is None:
            return Done(_nothing()) if context.dry_run else Failed("this run has no incident to look at")
        try:
            seen = await asyncio.to_thread(self._read, options, context, context.incident)
        except (Unavailable, StaleVersion) as fault:
            return away(context, fault)
        left = context.started_at + options.within - context.now
        if seen is None:
            return Failed(f"there is no INC-{context.incident}")
        if options.until is None or seen["mitigated"] or left <= 0 or context.dry_run:
            return Done(seen)
        return Waiting(min(POLL, left), f"{seen['id']} is {seen['status']}", context.memory)

    def _read(self, options: GetOptions, context: StepContext, number: int) -> Mapping[str, object] | None:
        catalog = self._settings.current.catalog
        with self._store.reading() as tx:
            found = tx.incident(number)
            if found is None:
                return None
            incident = standing_for(tx, found)
            impact = _impact(tx, incident, catalog)
        due = "" if options.next_in is None else wall_time(context.now + options.next_in, context.now)
        return {**_told(incident, catalog, context), "impact": impact, "next": due}


def _told(incident: Incident, catalog: Catalog, context: StepContext) -> dict[str, object]:
    team, person = catalog.teams.get(incident.owner), catalog.people.get(incident.acknowledged_by or "")
    over = incident.resolved_at is not None
    return {
        "id": incident.id,
        "status": incident.stands,
        "severity": incident.severity_override or incident.severity,
        "title": incident.title,
        "owner": incident.owner if team is None else team.name,
        "taken_by": (incident.acknowledged_by or "") if person is None else person.name,
        "mitigated": over or not incident.firing,
        "over": over,
        "since": wall_time(incident.began or incident.started, context.now),
        "done": _done(incident, context.run),
    }


def _impact(tx: Transaction, incident: Incident, catalog: Catalog) -> str:
    """What the service does for whom, and which others suffer with it."""
    service = catalog.service(incident.service)
    others = [found for number in incident.impacts if (found := tx.incident(number)) and found.resolved_at is None]
    what = incident.service if service is None or not service.what else service.what
    with_it = ", ".join(f"{other.service} ({other.id})" for other in others)
    return f"{what} It impairs {with_it}." if with_it else what


def _done(incident: Incident, own: int) -> str:
    """What was done, in a line: runs beside our own, and fallbacks in force."""
    runs = [f"{ref.runbook} {ref.status.replace('_', ' ')}" for ref in incident.runs.values() if ref.id != own]
    held = [f"{service} is on its fallback" for service in incident.leases]
    return "; ".join((*runs, *held)) or "nothing by a runbook so far"


_OUTPUTS = {
    "id": Output("string", "such as INC-7"),
    "status": Output("string", "where it stands: triggered, acknowledged, mitigated, resolved, merged or closed"),
    "severity": Output("string", "how severe it is now"),
    "title": Output("string", "what it is called"),
    "owner": Output("string", "the name of the team that answers for it"),
    "taken_by": Output("string", "the person who acknowledged it, empty when nobody has"),
    "impact": Output("string", "what the service is for, and which others it impairs"),
    "done": Output("string", "the runs of the incident beside this one, and the fallbacks in force"),
    "since": Output("string", "when it began"),
    "mitigated": Output("bool", "whether nothing of it fires any more"),
    "over": Output("bool", "whether it is resolved"),
    "next": Output("string", "when the next update is due, empty without `next_in`"),
}


def _nothing() -> dict[str, object]:
    """What a rehearsal without an incident reads."""
    return {**dict.fromkeys(_OUTPUTS, ""), "id": "INC-0", "mitigated": False, "over": False}


KINDS = {
    "incident.get": ActionKind(
        options=GetOptions,
        outputs=_OUTPUTS,
        mutates=False,
        build=IncidentGet,
        page=__doc__,
        example=EXAMPLE,
    )
}
