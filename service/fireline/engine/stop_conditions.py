"""Stop conditions at work: what `stop_if` may name, as it is now, and whether it holds.

It is looked at before a run begins, and before each of its steps.
"""

from collections.abc import Sequence

from fireline.domain.configuration import Configuration
from fireline.domain.expressions import EvaluationFault
from fireline.domain.incidents import Attached, Incident
from fireline.domain.rules import Rule, State
from fireline.domain.runbooks import Run, Runbook, StepStatus
from fireline.engine import routes, values
from fireline.engine.ports import Transaction

MOST = 1_000
"""How many open incidents are looked at."""


def stopped(tx: Transaction, run: Run, runbook: Runbook, configuration: Configuration, now: float) -> str | None:
    """Why `guards.stop_if` says no now, None when it does not. A condition that cannot be told says no."""
    condition = runbook.stop_if
    if condition is None:
        return None
    try:
        if not condition.holds(known(tx, run, configuration, condition.variables, now)):
            return None
    except EvaluationFault as fault:
        return f"stop_if cannot be told: {fault}"
    return f"stop_if holds: {condition.source}"


def known(
    tx: Transaction, run: Run, configuration: Configuration, names: frozenset[str], now: float
) -> dict[str, object]:
    """The values of the names that are asked for, and what is at hand anyway."""
    catalog = values.of_catalog(configuration.catalog) if "catalog" in names else {}
    start = values.of_start(run.context, catalog)
    found: dict[str, object] = {**start, "inputs": dict(run.inputs), "run": _run(run, now)}
    if "fallbacks_active" in names:
        found["fallbacks_active"] = sum(1 for route in tx.routes() if route.lease is not None)
    if "runs_active" in names:
        found["runs_active"] = len(tx.runs(active_only=True))
    if names & {"incidents_open", "rules"}:
        incidents = tx.incidents(open_only=True, limit=MOST)
        found["incidents_open"] = len(incidents)
        service = _service(run, configuration)
        found["rules"] = {
            name: _rule(rule, _attached(incidents, name), service) for name, rule in configuration.rules.items()
        }
    if names & {"route", "targets"}:
        found |= _traffic(tx, _service(run, configuration), configuration)
    return found


def _service(run: Run, configuration: Configuration) -> str:
    """The service that the run is about, by its id; empty when it is about none."""
    name = run.context.get("service") or run.inputs.get("service") or ""
    service = configuration.catalog.service(str(name))
    return service.id if service else str(name)


def _run(run: Run, now: float) -> dict[str, object]:
    statuses = [step.status for step in run.steps]
    return {
        "seconds": 0.0 if run.started_at is None else max(0.0, now - run.started_at),
        "steps_done": statuses.count(StepStatus.DONE),
        "steps_failed": statuses.count(StepStatus.FAILED),
        "steps_undone": statuses.count(StepStatus.UNDONE),
    }


def _attached(incidents: Sequence[Incident], rule: str) -> list[Attached]:
    return [
        attached
        for incident in incidents
        if incident.timeline == "live"
        for attached in incident.signals.values()
        if attached.signal.rule == rule
    ]


def _rule(rule: Rule, heard: list[Attached], service: str) -> dict[str, object]:
    """What the rule said last of the run's service (of any, where the run has none) in open incidents."""
    ours = [each.signal for each in heard if not service or each.signal.service == service]
    firing = [signal for signal in ours if signal.state is State.FIRING]
    last = max(firing or ours, key=lambda signal: signal.at, default=None)
    return {
        "firing": bool(firing),
        "severity": (last.severity or "") if firing and last is not None else "",
        "entities": sum(each.signal.state is State.FIRING for each in heard),
        "measures": {m.name: None if last is None else last.evidence.measures.get(m.name) for m in rule.measures},
    }


def _traffic(tx: Transaction, name: str, configuration: Configuration) -> dict[str, object]:
    service = configuration.catalog.service(name)
    if service is None:
        return {"route": {}, "targets": {}}
    route, unhealthy = routes.current(tx, service), routes.unhealthy_targets(tx, service.id)
    targets = {*route.weights, *(target for target in (service.primary, service.fallback) if target)}
    return {
        "route": {
            "off_primary": 100 - route.weights.get(service.primary, 0),
            "on_fallback": route.lease is not None,
            "changes": route.version,
        },
        "targets": {
            target: {"healthy": target not in unhealthy, "share": route.weights.get(target, 0)} for target in targets
        },
    }
