"""How far a run that is asked for may go alone: what the autonomy table asks about it, gathered, and its answer."""

from collections.abc import Mapping
from dataclasses import dataclass

from fireline.domain.autonomy import Allowed, allowed, unreviewed, within
from fireline.domain.autonomy_table import Case, Reach
from fireline.domain.catalog import Catalog
from fireline.domain.configuration import Configuration
from fireline.domain.incidents import Incident
from fireline.domain.reviews import day_of
from fireline.domain.runbooks import Autonomy, Runbook
from fireline.engine import values
from fireline.engine.foreseeing import foreseen
from fireline.engine.ports import Transaction
from fireline.engine.reaching import reach, too_wide


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that is asked for: `inputs` as far as they are resolved, `person` where one asks by hand."""

    runbook: Runbook
    inputs: Mapping[str, object]
    incident: Incident | None
    person: str = ""
    mode: Autonomy | None = None


def permitted(tx: Transaction, configuration: Configuration, asked: Asked, now: float) -> Allowed:
    """How far it may go, and the line of policy that says so."""
    book, incident = asked.runbook, asked.incident
    context = {} if incident is None else values.of_incident(incident)
    known = {**values.of_start(context, values.of_catalog(configuration.catalog)), "inputs": dict(asked.inputs)}
    history = [run for run in tx.runs(limit=200) if run.runbook == book.name]
    today = day_of(now)
    found, wide = _reached(asked, known, configuration.catalog)
    case = Case(
        runbook=book.name,
        now=now,
        severity=str(context.get("severity", "")),
        reach=found,
        irreversible=any(each.irreversible for step in (*book.steps, *book.finally_) for each in within(step)),
        overdue=bool(unreviewed(book, today)),
        asked_by="person" if asked.person else "rule",
        history=history,
    )
    timeline = "live" if incident is None else incident.timeline
    mode = asked.mode or book.mode
    said = allowed(book, mode, history, timeline=timeline, today=today, rows=configuration.autonomy, case=case)
    return said if wide is None or said.mode is not Autonomy.AUTO else Allowed(Autonomy.APPROVE, f"{wide}; {said.line}")


def _reached(asked: Asked, known: Mapping[str, object], catalog: Catalog) -> tuple[Reach, str | None]:
    """The blast radius, and why it is more than the runbook may touch without asking."""
    steps, limit = tuple(foreseen(asked.runbook, known)), asked.runbook.blast_radius
    context = {} if asked.incident is None else values.of_incident(asked.incident)
    found = reach(steps, catalog, context)
    return found, None if limit is None or not limit.asks else too_wide(steps, found, catalog, limit)
