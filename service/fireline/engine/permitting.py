"""How far a run that is asked for may go alone: what the autonomy table asks about it, gathered, and its answer."""

from collections.abc import Mapping
from dataclasses import dataclass

from fireline.domain.autonomy import Allowed, allowed, unreviewed, within
from fireline.domain.autonomy_table import Case, Reach
from fireline.domain.catalog import Catalog
from fireline.domain.configuration import Configuration
from fireline.domain.expressions import EvaluationFault
from fireline.domain.incidents import Incident
from fireline.domain.reviews import day_of
from fireline.domain.runbooks import Autonomy, Runbook, Step
from fireline.engine import values
from fireline.engine.ports import Transaction


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
    case = Case(
        runbook=book.name,
        now=now,
        severity=str(context.get("severity", "")),
        reach=reach(book, known, configuration.catalog, context),
        irreversible=any(each.irreversible for step in (*book.steps, *book.finally_) for each in within(step)),
        overdue=bool(unreviewed(book, today)),
        asked_by="person" if asked.person else "rule",
        history=history,
    )
    timeline = "live" if incident is None else incident.timeline
    mode = asked.mode or book.mode
    return allowed(book, mode, history, timeline=timeline, today=today, rows=configuration.autonomy, case=case)


def reach(
    runbook: Runbook, known: Mapping[str, object], catalog: Catalog, context: Mapping[str, object] | None = None
) -> Reach:
    """The services that a run touches and the share of traffic that it moves, as far as its templates tell before.

    Of steps that act: those with an `undo`, or that say that there is none.
    """
    services: set[str] = {_id(catalog, str(context["service"]))} if context and context.get("service") else set()
    share: int | None = 0
    same: dict[str, str] = {}  # what the text of a `service` came to: one that cannot be rendered may be the same
    sure = True
    for step in (each for top in (*runbook.steps, *runbook.finally_) for each in within(top)):
        if step.undo is None and not step.irreversible:
            continue
        options = _options(step, known)
        written = step.with_.source if isinstance(step.with_.source, Mapping) else {}
        if options is None:
            sure = sure and ("service" not in written or str(written["service"]) in same)
            share = None if "to" in written or not sure else share
            continue
        service, to = options.get("service"), options.get("to")
        if isinstance(service, str) and service:
            same[str(written.get("service"))] = service
            services.add(_id(catalog, service))
            share = None if share is None else max(share, _moved(catalog, service, to))
    return Reach(frozenset(services) if sure else None, share)


def _options(step: Step, known: Mapping[str, object]) -> Mapping[str, object] | None:
    """What the step is to be done with; None when that hangs on what comes before it."""
    if step.foreach is not None:
        return None
    try:
        found = step.with_.render(known)
    except EvaluationFault:
        return None
    return found if isinstance(found, Mapping) else {}


def _id(catalog: Catalog, name: str) -> str:
    known = catalog.service(name)
    return known.id if known else name


def _moved(catalog: Catalog, service: str, to: object) -> int:
    known = catalog.service(service)
    if known is None or not isinstance(to, Mapping):
        return 0
    kept = to.get(known.primary, 0)
    return 100 - kept if isinstance(kept, int) else 100
