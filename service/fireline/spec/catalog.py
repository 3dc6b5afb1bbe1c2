"""Catalog: people, teams, services and severities, and what can be checked of each of them alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from fireline.domain.catalog import Person, Service, Severity, Target, Team
from fireline.domain.configuration import Flapping, NoiseBudget, Response
from fireline.spec import codes
from fireline.spec.addresses import check_address
from fireline.spec.catalog_forms import (
    CatalogFile,
    PersonForm,
    ServiceForm,
    SeveritiesFile,
    TeamForm,
)
from fireline.spec.contacts import check_rules, hours_of, rules_of
from fireline.spec.documents import Document, Path
from fireline.spec.findings import Findings, suggestion
from fireline.spec.plugins import Plugins
from fireline.spec.reading import read_model

DEFAULT_SEVERITIES = (
    Severity("safety", 0, ack_within=120.0, ack_timeout=1_800.0, update_every=900.0, postmortem=True),
    Severity("outage", 1, ack_within=300.0, ack_timeout=1_800.0, update_every=1_800.0, postmortem=True),
    Severity("degraded", 2, ack_within=900.0, ack_timeout=7_200.0, update_every=3_600.0),
    Severity("notice", 3, pages=False, urgency="low"),
)
"""The levels when there is no `severities.yaml`."""


@dataclass(frozen=True, slots=True)
class Entries:
    """What `catalog.yaml` holds, before the other files are known."""

    people: Mapping[str, Person]
    teams: Mapping[str, Team]
    services: Mapping[str, Service]
    default_team: str | None
    channels: frozenset[str] | None = None
    """The channels that this house has set up, for `fireline check`; None where the file does not say."""


def read_catalog(document: Document, plugins: Plugins, findings: Findings) -> Entries | None:
    """The catalog; None when it has faults, all of which are noted."""
    before = findings.count()
    form = read_model(document, CatalogFile, findings)
    if form is None:
        return None
    for name, person in form.people.items():
        _check_contacts(document, ("people", name), person, plugins, findings)
        check_rules(document, ("people", name), person, findings)
    for name, team in form.teams.items():
        _check_team(document, ("teams", name), team, form, plugins, findings=findings)
    for index, channel in enumerate(form.channels or ()):
        if channel not in plugins.channels:
            message, hint = f"there is no channel `{channel}`", suggestion(channel, plugins.channels)
            findings.error(document, ("channels", index), message, hint, code=codes.UNKNOWN_NAME)
    _check_aliases(document, form.services, findings)
    _check_pools(document, form.services, findings)
    for name, service in form.services.items():
        _check_service(document, ("services", name), service, form, findings)
    if form.default_team is not None and form.default_team not in form.teams:
        hint = suggestion(form.default_team, form.teams)
        findings.error(
            document, ("default_team",), f"there is no team `{form.default_team}`", hint, code=codes.UNKNOWN_NAME
        )
    if not form.teams:
        hint = "an incident needs somebody who answers for it"
        findings.error(document, ("teams",), "there is no team", hint, code=codes.MISSING)
    return _entries(form) if findings.count() == before else None


def read_severities(document: Document, findings: Findings) -> tuple[tuple[Severity, ...], Response] | None:
    """The severity levels, the worst first, and how incidents behave; None when there are faults."""
    form = read_model(document, SeveritiesFile, findings)
    if form is None:
        return None
    levels = tuple(
        Severity(name=name, rank=rank, **level.model_dump())
        for rank, (name, level) in enumerate(form.severities.items())
    )
    noise = form.noise_budget
    budget = None if noise is None else NoiseBudget(noise.pages, noise.per)
    given = form.response.model_dump() | {"flapping": Flapping(**form.response.flapping.model_dump())}
    return levels or DEFAULT_SEVERITIES, Response(**given, noise_budget=budget)


def _entries(form: CatalogFile) -> Entries:
    return Entries(
        people={name: _person(name, person) for name, person in form.people.items()},
        teams={
            name: Team(name, t.name, t.policy, tuple(t.members), dict(t.channels)) for name, t in form.teams.items()
        },
        services={name: _service(name, service) for name, service in form.services.items()},
        default_team=form.default_team,
        channels=None if form.channels is None else frozenset(form.channels),
    )


def _person(name: str, form: PersonForm) -> Person:
    quiet = hours_of(form.quiet_hours)
    return Person(name, form.name, dict(form.contacts), form.time_zone, rules_of(form), quiet, form.shift_notices)


def _service(name: str, form: ServiceForm) -> Service:
    return Service(
        id=name,
        owner=form.owner,
        what=form.what,
        tier=form.tier,
        backup=form.backup,
        primary=form.primary,
        fallback=form.fallback,
        targets=tuple(Target(n, t.capacity, tuple(t.capabilities), t.pool) for n, t in form.targets.items()),
        rollback=form.rollback,
        depends_on=tuple(form.depends_on),
        impact=form.impact,
        aliases=tuple(form.aliases),
        stop_conditions=tuple(form.stop_conditions),
        scorecard=dict(form.scorecard),
        unit_cost=dict(form.unit_cost),
        personal_data=tuple(form.personal_data),
        reviewed=form.reviewed,
        review_every=form.review_every,
        version=form.version,
        trained_on=form.trained_on,
    )


def _check_contacts(document: Document, path: Path, person: PersonForm, plugins: Plugins, findings: Findings) -> None:
    if not person.contacts:
        message = f"`{path[-1]}` has no contact, so no page can reach them"
        findings.error(document, path, message, "add `contacts: {slack: U...}`", key=True)
    for channel, address in person.contacts.items():
        _check_channel(document, (*path, "contacts", channel), channel, plugins, findings)
        check_address(document, (*path, "contacts", channel), (channel, address), plugins, findings)


def _check_channel(document: Document, path: Path, channel: str, plugins: Plugins, findings: Findings) -> None:
    if channel not in plugins.channels:
        hint = suggestion(channel, plugins.channels)
        findings.error(document, path, f"there is no channel `{channel}`", hint, key=True, code=codes.UNKNOWN_NAME)


def _check_team(
    document: Document, path: Path, team: TeamForm, form: CatalogFile, plugins: Plugins, *, findings: Findings
) -> None:
    for index, member in enumerate(team.members):
        if member not in form.people:
            hint = suggestion(member, form.people)
            place = (*path, "members", index)
            findings.error(document, place, f"there is no person `{member}`", hint, code=codes.UNKNOWN_NAME)
    for channel, address in team.channels.items():
        _check_channel(document, (*path, "channels", channel), channel, plugins, findings)
        check_address(document, (*path, "channels", channel), (channel, address), plugins, findings)


def _check_aliases(document: Document, services: Mapping[str, ServiceForm], findings: Findings) -> None:
    seen = {name: name for name in services}
    for name, service in services.items():
        for index, alias in enumerate(service.aliases):
            if alias in seen:
                message = f"`{alias}` already stands for the service `{seen[alias]}`"
                findings.error(document, ("services", name, "aliases", index), message, code=codes.DUPLICATE_NAME)
            seen.setdefault(alias, name)


def _check_pools(document: Document, services: Mapping[str, ServiceForm], findings: Findings) -> None:
    seen: dict[str, tuple[float, str]] = {}
    for name, service in services.items():
        for target, form in service.targets.items():
            if not form.pool or form.capacity is None:
                continue
            capacity, where = seen.setdefault(form.pool, (form.capacity, f"{name}/{target}"))
            if capacity != form.capacity:
                message = f"pool `{form.pool}` has a capacity of {form.capacity:g} here, and {capacity:g} at `{where}`"
                hint = "say it once: it holds for all targets of the pool"
                findings.error(document, ("services", name, "targets", target, "capacity"), message, hint)


def _check_service(document: Document, path: Path, service: ServiceForm, form: CatalogFile, findings: Findings) -> None:
    if service.owner not in form.teams:
        hint = suggestion(service.owner, form.teams)
        findings.error(document, (*path, "owner"), f"there is no team `{service.owner}`", hint, code=codes.UNKNOWN_NAME)
    if service.backup is not None and service.backup not in form.teams:
        hint = suggestion(service.backup, form.teams)
        findings.error(
            document, (*path, "backup"), f"there is no team `{service.backup}`", hint, code=codes.UNKNOWN_NAME
        )
    for index, name in enumerate(service.depends_on):
        if name not in form.services:
            hint = suggestion(name, form.services)
            place = (*path, "depends_on", index)
            findings.error(document, place, f"there is no service `{name}`", hint, code=codes.UNKNOWN_NAME)
    cycle = _cycle(str(path[-1]), form.services)
    if cycle:
        findings.error(document, (*path, "depends_on"), f"services depend on each other in a circle: {cycle}")
    _check_targets(document, path, service, findings)


def _check_targets(document: Document, path: Path, service: ServiceForm, findings: Findings) -> None:
    for word, name in (("primary", service.primary), ("fallback", service.fallback)):
        if name is None or (not service.targets and word == "primary"):
            continue
        if name not in service.targets:
            hint = suggestion(name, service.targets)
            message = f"the {word} `{name}` is not among the `targets`"
            findings.error(document, (*path, word), message, hint, code=codes.UNKNOWN_NAME)
    if service.fallback is not None and service.fallback == service.primary:
        findings.error(document, (*path, "fallback"), "the fallback is the primary itself")


def _cycle(name: str, services: Mapping[str, ServiceForm]) -> str:
    """A circle of dependencies from `name` back to it, told once: by its smallest name. Empty when there is none."""
    seen: set[str] = set()
    ways: list[tuple[str, ...]] = [(name,)]
    while ways:
        way = ways.pop()
        for following in services[way[-1]].depends_on if way[-1] in services else ():
            if following == name and min(way) == name:
                return " -> ".join((*way, name))
            if following not in seen:
                seen.add(following)
                ways.append((*way, following))
    return ""
