"""What templates and conditions of a run may name: `inputs`, `steps`, `incident`, `catalog`, `run`, and counts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

from fireline.domain.catalog import Catalog, Service
from fireline.domain.incidents import Attached, Incident
from fireline.domain.run_places import ITEMS, item_of, parent_item, scope_of
from fireline.domain.run_plans import step_of
from fireline.domain.runbooks import Run, StepRun


def of_catalog(catalog: Catalog) -> Mapping[str, object]:
    """The catalog as plain data: `catalog.services[inputs.service].fallback`. A service is found by alias too.

    Made once for a catalog and the same for all who ask, so nobody may change it. A start asks five times.
    """
    return _plain(_This(catalog))


@dataclass(frozen=True, slots=True, eq=False)
class _This:
    """This very catalog, by which what was made of it is found again."""

    catalog: Catalog

    def __hash__(self) -> int:
        return id(self.catalog)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _This) and other.catalog is self.catalog


@lru_cache(4)
def _plain(this: _This) -> dict[str, object]:
    catalog = this.catalog
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


def of_run(run: Run, catalog: Mapping[str, object], at: str = "") -> dict[str, object]:
    """Everything that `with`, `if` and `undo` of the step `at` may name; `steps.x.outcome` is done, skipped or failed.

    Steps of a runbook that another one runs know their own runbook's inputs and steps, not those around it.
    """
    scope = scope_of(at)
    return {
        "inputs": _inputs(run, scope),
        "steps": {name: {**step.output, "outcome": step.status.value} for name, step in _beside(run, scope, at)},
        "incident": dict(run.context),
        "catalog": catalog,
        "run": {
            "id": run.id,
            "runbook": run.runbook,
            "requested_by": run.requested_by,
            "reason": run.reason,
            "ending": "" if run.ending is None else run.ending.status.value,
        },
        "severity": run.context.get("severity", ""),
        **_item(run, at),
    }


def _beside(run: Run, scope: str, at: str) -> Iterator[tuple[str, StepRun]]:
    """The steps of one runbook, by the ids that it has for them; an item knows of its `foreach` itself alone."""
    for step in run.steps:
        if step.id == at and item_of(at) is not None:
            yield parent_item(at).removeprefix(scope), step
        name = step.id.removeprefix(scope)
        if step.id.startswith(scope) and "/" not in name and "[" not in name:
            yield name, step


def _inputs(run: Run, scope: str) -> dict[str, object]:
    if not scope:
        return dict(run.inputs)
    given = step_of(run, scope.rstrip("/")).rendered.get("inputs")
    return dict(given) if isinstance(given, Mapping) else {}


def _item(run: Run, at: str) -> dict[str, object]:
    index = item_of(at)
    if index is None:
        return {}
    items = step_of(run, parent_item(at)).rendered.get(ITEMS)
    return {"item": items[index], "index": index} if isinstance(items, (list, tuple)) else {}


def of_start(incident: Mapping[str, object], catalog: Mapping[str, object]) -> dict[str, object]:
    """What `start.when` and the defaults of inputs may name, besides `inputs` themselves."""
    return {
        "incident": dict(incident),
        "catalog": catalog,
        "inputs": {},
        **{name: incident.get(name, "") for name in ("severity", "service", "rule", "owner", "title", "timeline")},
        "labels": incident.get("labels", {}),
    }
