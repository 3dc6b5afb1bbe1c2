"""Cross checks: what can be checked only when all files are known, of rules, runbooks, catalog and on-call together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from fireline.domain.catalog import Service, Severity
from fireline.domain.oncall import OnCall
from fireline.domain.policies import Policy, TargetKind
from fireline.domain.reviews import overdue
from fireline.domain.rules import Rule
from fireline.domain.runbooks import Runbook
from fireline.spec import codes
from fireline.spec.approval_owners import Answering, Owners
from fireline.spec.approvals import Known, check_approvals
from fireline.spec.catalog import Entries as CatalogEntries
from fireline.spec.documents import Document, Entries, Items, Node, Path, Scalar
from fireline.spec.durations import written
from fireline.spec.findings import Findings, suggestion
from fireline.spec.guard_checks import check_blast_radius
from fireline.spec.reachability import Ahead, House, check_reachability
from fireline.spec.rule_limits import any_of, check_entities, check_inputs
from fireline.spec.rule_pairs import check_pairs
from fireline.spec.rules import Placed
from fireline.spec.runbook_names import Known as Names
from fireline.spec.runbook_names import check_written_names
from fireline.spec.runbooks import PlacedRunbook
from fireline.spec.stop_conditions import check_stop_if


@dataclass(frozen=True, slots=True)
class World:
    """Everything that was read; what could not be read is None, and what depends on it is not checked."""

    rules: Sequence[Placed]
    runbooks: Sequence[PlacedRunbook]
    names: frozenset[str] | None
    """The names of all rules as written, unsound ones included; None when a file hides some."""
    runbook_names: frozenset[str] | None
    catalog: CatalogEntries | None
    catalog_document: Document
    oncall: OnCall | None
    oncall_document: Document
    today: date | None
    severities: Sequence[Severity] | None = None
    ahead: Ahead | None = None
    """From when on it is proven that somebody is reached; None: it is not."""


def check(world: World, findings: Findings) -> None:
    """Note everything that does not fit together."""
    _check_duplicates(world, findings)
    for placed in world.rules:
        _check_rule(placed, world, findings)
    check_pairs(world.rules, findings)
    _check_grouping(world.rules, findings)
    for runbook in world.runbooks:
        _check_runbook(runbook, world, findings)
    if world.catalog is not None:
        _check_policies(world.catalog, world, findings)
        _check_services(world.catalog, world, findings)
    if world.ahead is not None and world.catalog is not None and world.oncall is not None and world.severities:
        house = House(world.catalog, world.severities, world.oncall, world.catalog_document, world.oncall_document)
        check_reachability(world.rules, house, world.ahead, findings)


def _check_grouping(rules: Sequence[Placed], findings: Findings) -> None:
    """Rules that name the same incident and do not group the same way would never share one."""
    first: dict[str, Placed] = {}
    for placed in rules:
        rule = placed.rule
        if not rule.incident:
            continue
        other = first.setdefault(rule.incident, placed).rule
        if sorted(rule.group_by) != sorted(other.group_by):
            mine, its = (", ".join(sorted(each.group_by)) or "nothing" for each in (rule, other))
            message = (
                f"`{rule.name}` and `{other.name}` ({other.where_file}) name the incident `{rule.incident}` and share "
                f"none: one groups by {mine}, the other by {its}"
            )
            hint = "give both the same `group_by`, or each an `incident` of its own"
            findings.warning(placed.document, (*placed.path, "incident"), message, hint, code=codes.GROUPING)


def _check_duplicates(world: World, findings: Findings) -> None:
    first: dict[str, str] = {}
    for placed in world.rules:
        name = placed.rule.name
        if name in first:
            message = f"the rule `{name}` is here twice; the first is at {first[name]}"
            findings.error(
                placed.document, (*placed.path, "name"), message, "rename one of them", code=codes.DUPLICATE_NAME
            )
        first.setdefault(name, placed.rule.where_file)
    files: dict[str, str] = {}
    for runbook in world.runbooks:
        name = runbook.runbook.name
        if name in files:
            message = f"the runbook `{name}` is also in {files[name]}"
            findings.error(runbook.document, ("name",), message, "rename one", code=codes.DUPLICATE_NAME)
        files.setdefault(name, runbook.document.file)


def _check_rule(placed: Placed, world: World, findings: Findings) -> None:
    rule, document, path = placed.rule, placed.document, placed.path
    if world.catalog is not None and rule.owner is not None and rule.owner not in world.catalog.teams:
        hint = suggestion(rule.owner, world.catalog.teams)
        findings.error(document, (*path, "owner"), f"there is no team `{rule.owner}`", hint, code=codes.UNKNOWN_NAME)
    _check_rule_service(placed, world, findings)
    check_entities(placed, len(world.catalog.services) if world.catalog is not None else None, findings)
    runbooks = {each.runbook.name: each for each in world.runbooks}
    for index, name in enumerate(rule.runbooks):
        place = (*path, "runbooks", index)
        if world.runbook_names is not None and name not in world.runbook_names:
            hint = suggestion(name, world.runbook_names)
            findings.error(document, place, f"there is no runbook `{name}`", hint, code=codes.UNKNOWN_NAME)
        elif name in runbooks:
            check_inputs(placed, place, runbooks[name], findings)
            _check_fallbacks(placed, place, runbooks[name], world, findings=findings)


def _check_rule_service(placed: Placed, world: World, findings: Findings) -> None:
    if world.catalog is None:
        return
    rule, known = placed.rule, _service_names(world.catalog)
    source = rule.service.source
    if isinstance(source, str) and "{{" not in source:
        if source not in known:
            path = (*placed.path, "service")
            place = path if placed.document.node(path) is not None else (*placed.path, "where", "service")
            hint = suggestion(source, known)
            findings.error(placed.document, place, f"there is no service `{source}`", hint, code=codes.UNKNOWN_NAME)
        return
    for name in any_of(rule.where, "service"):
        if name not in known:
            path = (*placed.path, "where", "service")
            hint = suggestion(name, known)
            findings.warning(
                placed.document, path, f"the catalog has no service `{name}`", hint, code=codes.UNKNOWN_NAME
            )


def _check_fallbacks(placed: Placed, place: Path, runbook: PlacedRunbook, world: World, *, findings: Findings) -> None:
    if world.catalog is None or "catalog.services.*.fallback" not in runbook.names:
        return
    for service in _services_of(placed.rule, world.catalog):
        if service.fallback is None:
            message = f"`{runbook.runbook.name}` routes to a fallback, and the service `{service.id}` has none"
            hint = "add a `fallback` to the service in the catalog"
            findings.warning(placed.document, place, message, hint, code=codes.NO_FALLBACK)


def _services_of(rule: Rule, catalog: CatalogEntries) -> list[Service]:
    source = rule.service.source
    constant = [source] if isinstance(source, str) and "{{" not in source else []
    found = (_service(name, catalog) for name in constant or any_of(rule.where, "service"))
    return [service for service in found if service is not None]


def _service(name: str, catalog: CatalogEntries) -> Service | None:
    return next((s for s in catalog.services.values() if name == s.id or name in s.aliases), None)


def _service_names(catalog: CatalogEntries) -> frozenset[str]:
    return frozenset(catalog.services).union(*(service.aliases for service in catalog.services.values()))


def _check_runbook(placed: PlacedRunbook, world: World, findings: Findings) -> None:
    runbook, document = placed.runbook, placed.document
    if world.catalog is not None and runbook.owner not in world.catalog.teams:
        hint = suggestion(runbook.owner, world.catalog.teams)
        findings.error(document, ("owner",), f"there is no team `{runbook.owner}`", hint, code=codes.UNKNOWN_NAME)
    if world.names is not None:
        for part in ("steps", "finally"):
            _check_rule_names(document, (part,), document.node((part,)), world.names, findings)
        measures = {each.rule.name: [measure.name for measure in each.rule.measures] for each in world.rules}
        check_stop_if(document, runbook, measures, world.names, findings)
    check_blast_radius(placed, world.catalog, findings)
    severities = None if world.severities is None else [severity.name for severity in world.severities]
    written_out = Names(world.catalog, severities, [each.rule for each in world.rules])
    check_written_names(document, written_out, findings)
    if world.catalog is not None:
        owners = partial(_owners_of, runbook, world, world.catalog)
        known = Known(world.catalog.teams, world.catalog.people, world.oncall, owners)
        check_approvals(document, known, world.runbook_names, findings)
    _check_review(document, (), runbook.reviewed, runbook.review_every, world, findings=findings)


def _owners_of(runbook: Runbook, world: World, catalog: CatalogEntries) -> Owners:
    rules = [(placed.rule, _services_of(placed.rule, catalog)) for placed in world.rules]
    services = tuple(catalog.services.values())
    return Answering(catalog.teams, catalog.people, services, catalog.default_team, rules).owners_of(runbook)


def _check_rule_names(
    document: Document, path: Path, node: Node | None, names: frozenset[str], findings: Findings
) -> None:
    """Any option called `rule` names a rule."""
    match node:
        case Entries():
            for key, part in node.nodes.items():
                if key == "rule" and isinstance(part, Scalar) and "{{" not in part.text and part.text not in names:
                    message, hint = f"there is no rule `{part.text}`", suggestion(part.text, names)
                    findings.error(document, (*path, key), message, hint, code=codes.UNKNOWN_NAME)
                _check_rule_names(document, (*path, key), part, names, findings)
        case Items():
            for index, part in enumerate(node.nodes):
                _check_rule_names(document, (*path, index), part, names, findings)
        case _:
            return


def _check_policies(catalog: CatalogEntries, world: World, findings: Findings) -> None:
    if world.oncall is None:
        return
    for name, team in catalog.teams.items():
        if team.policy not in world.oncall.policies:
            path: Path = ("teams", name, "policy")
            hint = suggestion(team.policy, world.oncall.policies)
            message = f"there is no escalation policy `{team.policy}`, so nobody of `{name}` would be paged"
            findings.error(world.catalog_document, path, message, hint, code=codes.UNKNOWN_NAME)
        elif not _has_schedule(world.oncall.policies[team.policy]):
            message = f"the policy `{team.policy}` of `{name}` asks no schedule, so nobody of them is on call by turns"
            hint = "name one in its first level, as `schedule:...`"
            findings.warning(world.catalog_document, ("teams", name, "policy"), message, hint, code=codes.NO_SCHEDULE)


def _has_schedule(policy: Policy) -> bool:
    return any(target.kind is TargetKind.SCHEDULE for level in policy.levels for target in level.targets)


_WANTED: Mapping[int, tuple[tuple[str, str], ...]] = {
    1: (
        ("what", "what it does"),
        ("rollback", "how it is rolled back"),
        ("fallback", "where its traffic goes when it fails"),
        ("stop_conditions", "when it must be stopped"),
        ("reviewed", "when it was last reviewed"),
    ),
    2: (("what", "what it does"), ("rollback", "how it is rolled back"), ("reviewed", "when it was last reviewed")),
}


def _check_services(catalog: CatalogEntries, world: World, findings: Findings) -> None:
    document = world.catalog_document
    for name, service in catalog.services.items():
        path: Path = ("services", name)
        missing = [(word, says) for word, says in _WANTED.get(service.tier, ()) if not getattr(service, word)]
        for word, says in missing:
            message = f"the tier {service.tier} service `{name}` does not say {says}"
            findings.warning(document, path, message, f"add `{word}:`", key=True, code=codes.CATALOG_GAP)
        _check_review(document, path, service.reviewed, service.review_every, world, findings=findings)


def _check_review(
    document: Document, path: Path, reviewed: str | None, every: float | None, world: World, *, findings: Findings
) -> None:
    days = 0 if world.today is None else overdue(reviewed, every, world.today)
    if days > 0 and every is not None:
        message = f"the review is overdue by {days} day{'s' if days != 1 else ''} (every {written(every)})"
        hint = "review it, and write the new date"
        findings.warning(document, (*path, "reviewed"), message, hint, code=codes.REVIEW_OVERDUE)
