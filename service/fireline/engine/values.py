"""What templates and conditions of a run may name: `inputs`, `steps`, `incident`, `catalog`, `run`, and counts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from fireline.domain.catalog import Catalog, Service
from fireline.domain.incidents import Attached, Incident
from fireline.domain.runbooks import Run
from fireline.engine.ports import Transaction


def of_catalog(catalog: Catalog) -> dict[str, object]:
    """The catalog as plain data: `catalog.services[inputs.service].fallback`. A service is found by alias too."""
    services = {service.id: _service(service) for service in catalog.services.values()}
    aliases = {alias: services[s.id] for s in catalog.services.values() for alias in s.aliases}
    return {
        "services": {**aliases, **services},
        "teams": {team.id: {"id": team.id, "name": team.name} for team in catalog.teams.values()},
        "severities": [severity.name for severity in catalog.severities],
    }


def _service(service: Service) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(service).items()}


def of_incident(incident: Incident) -> dict[str, object]:
    """The incident as a run finds it when it starts; `rule` is the one that made it as severe as it is."""
    cause = _cause(incident)
    signal = None if cause is None else cause.signal
    return {
        "id": incident.id,
        "number": incident.number,
        "service": incident.service,
        "group": incident.group,
        "timeline": incident.timeline,
        "title": incident.title,
        "severity": incident.severity_override or incident.severity,
        "status": incident.status.value,
        "owner": incident.owner,
        "opened_at": incident.opened_at,
        "started": incident.started,
        "rule": "" if signal is None else signal.rule,
        "rules": sorted({a.signal.rule for a in incident.signals.values()}),
        "labels": {} if signal is None else dict(signal.entity),
        "summary": "" if signal is None else signal.summary,
    }


def _cause(incident: Incident) -> Attached | None:
    attached: Sequence[Attached] = incident.firing or tuple(incident.signals.values())
    severe = [a for a in attached if a.signal.severity == incident.severity]
    return next(iter(sorted(severe or attached, key=lambda a: (a.signal.started, a.signal.fingerprint))), None)


def of_run(run: Run, catalog: Mapping[str, object]) -> dict[str, object]:
    """Everything that `with`, `if` and `undo` of steps may name; `steps.x.outcome` is done, skipped or failed."""
    return {
        "inputs": dict(run.inputs),
        "steps": {step.id: {**step.output, "outcome": step.status.value} for step in run.steps},
        "incident": dict(run.context),
        "catalog": catalog,
        "run": {"id": run.id, "runbook": run.runbook, "requested_by": run.requested_by, "reason": run.reason},
        "severity": run.context.get("severity", ""),
    }


def of_start(incident: Mapping[str, object], catalog: Mapping[str, object]) -> dict[str, object]:
    """What `start.when` and the defaults of inputs may name, besides `inputs` themselves."""
    return {
        "incident": dict(incident),
        "catalog": catalog,
        "inputs": {},
        **{name: incident.get(name, "") for name in ("severity", "service", "rule", "owner", "title", "timeline")},
        "labels": incident.get("labels", {}),
    }


def of_guards(tx: Transaction) -> dict[str, object]:
    """What `stop_if` may name: how much is going on."""
    return {
        "fallbacks_active": sum(1 for route in tx.routes() if route.lease is not None),
        "runs_active": len(tx.runs(active_only=True)),
        "incidents_open": len(tx.incidents(open_only=True)),
    }
