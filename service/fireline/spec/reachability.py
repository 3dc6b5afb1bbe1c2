"""The proof that somebody is reached: whenever a rule that pages can fire in the days ahead.

It is made by intervals (`domain/reachability.py`) and from the files alone. Which channels are configured is taken from
the command line, else from `channels:` of the catalog, else from the environment; where nothing says so, every one is.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fireline.domain.catalog import Catalog, Service, Severity
from fireline.domain.deciding_world import World
from fireline.domain.intervals import Interval, both, minus, union
from fireline.domain.oncall import OnCall
from fireline.domain.paging import policy_of, reach
from fireline.domain.policies import Policy, TargetKind
from fireline.domain.reachability import About, Prospect, Way, policies_of
from fireline.domain.rules import Match, Matcher, Rule
from fireline.spec import codes
from fireline.spec.catalog import Entries
from fireline.spec.documents import Document, Path
from fireline.spec.findings import Findings
from fireline.spec.reachability_words import chain, few, times, when
from fireline.spec.rule_limits import any_of
from fireline.spec.rules import Placed

DAYS = 90
"""How far ahead it is proven."""
_UNKNOWN = "(not in the catalog)"
_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Ahead:
    """From when on to prove it (seconds since the epoch), and the channels that pages may go to.

    `channels` are those that were asked for and win over the catalog's; `configured` are those of the environment. None
    where nothing says so.
    """

    now: float
    channels: frozenset[str] | None = None
    configured: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class House:
    """What was read of who is reached, and where it stands."""

    catalog: Entries
    severities: Sequence[Severity]
    oncall: OnCall
    catalog_document: Document
    oncall_document: Document


@dataclass(frozen=True, slots=True)
class _Case:
    """A rule that pages at a severity on behalf of a service, who is asked, and when it can fire."""

    rule: Rule
    about: About
    way: Way
    firing: Sequence[Interval]


@dataclass(frozen=True, slots=True)
class _Proof:
    """What is looked at together."""

    cases: Sequence[_Case]
    prospect: Prospect
    house: House
    findings: Findings

    @property
    def world(self) -> World:
        return self.prospect.world

    def error(self, path: Path, message: str, hint: str, *, code: str) -> None:
        self.findings.error(self.house.oncall_document, path, message, hint, key=True, code=code)

    def warning(self, path: Path, message: str, hint: str, *, code: str) -> None:
        self.findings.warning(self.house.oncall_document, path, message, hint, key=True, code=code)


def check_reachability(rules: Sequence[Placed], house: House, ahead: Ahead, findings: Findings) -> None:
    """Note every policy that reaches nobody at a time at which a rule can fire, and what comes near to it."""
    entries = house.catalog
    severities = tuple(house.severities)
    catalog = Catalog(entries.services, entries.teams, entries.people, severities, entries.default_team)
    owners = {placed.rule.name: placed.rule.owner for placed in rules if placed.rule.owner}
    channels = next((c for c in (ahead.channels, entries.channels, ahead.configured) if c is not None), None)
    world = World(catalog, house.oncall, owners=owners, channels=channels)
    start = float(math.floor(ahead.now))  # a part of a microsecond, which no schedule knows, would be a gap
    prospect = Prospect(world, start, start + DAYS * 86_400.0)
    cases = [case for placed in rules for case in _cases(placed.rule, prospect)]
    proof = _Proof(cases, prospect, house, findings)
    told = _check_policies(proof)
    _check_schedules(proof, told)
    _check_people(proof)
    _check_teams(proof)
    _check_alone(proof)


def _cases(rule: Rule, prospect: Prospect) -> Iterator[_Case]:
    """One for each severity and each way of asking that the rule may take."""
    firing = prospect.firing(rule)
    ways: dict[Way, str] = {}
    for name in _services(rule, prospect.world.catalog) if firing else ():
        service = prospect.world.service(name)
        owner, _ = prospect.world.owner(rule.name, name)
        backup = None if service is None or service.backup == owner else service.backup
        ways.setdefault((owner, backup), name)
    for way, service_name in ways.items():
        for severity, stretches in firing.items():
            yield _Case(rule, About(severity, prospect.world.service_id(service_name), way[0]), way, stretches)


def _services(rule: Rule, catalog: Catalog) -> list[str]:
    """The services that the rule may speak of; where events name them, also one that the catalog does not know."""
    source = rule.service.source
    if isinstance(source, str) and "{{" not in source:
        return [source]
    label = _LABEL.fullmatch(source) if isinstance(source, str) else None
    if label is None:
        return [*sorted(catalog.services), _UNKNOWN]
    if named := any_of(rule.where, label[1]):
        return list(named)
    matchers = [matcher for matcher in rule.where if matcher.label == label[1]]
    fitting = [name for name, each in sorted(catalog.services.items()) if _fits(each, matchers)]
    return [*fitting, _UNKNOWN]


def _fits(service: Service, matchers: Sequence[Matcher]) -> bool:
    """Whether events of the service are let through, as far as plain values tell."""
    barred = {value for matcher in matchers if matcher.how is Match.NONE_OF for value in matcher.values}
    return not {service.id, *service.aliases} <= barred


def _check_policies(proof: _Proof) -> Mapping[str, Sequence[Interval]]:
    """Note each policy once, and give back when it reaches nobody although a rule can fire."""
    faulty: dict[str, list[tuple[_Case, list[Interval]]]] = {}
    for case in proof.cases:
        policy = policy_of(proof.world.team(case.way[0]), proof.world)
        unreached = proof.prospect.unreached_by(case.way, case.about) if policy is not None else []
        if policy is not None and (found := both(unreached, case.firing)):
            faulty.setdefault(policy.id, []).append((case, found))
    told: dict[str, list[Interval]] = {}
    for name, cases in faulty.items():
        _tell(name, cases, proof)
        for case, stretches in cases:
            for asked in policies_of(case.way, proof.world):
                told[asked.id] = union(told.get(asked.id, []), stretches)
    return told


def _tell(policy: str, found: Sequence[tuple[_Case, list[Interval]]], proof: _Proof) -> None:
    merged = union(*(stretches for _, stretches in found))
    case = next(case for case, stretches in found if stretches[0][0] == merged[0][0])
    way = f"rule {case.rule.name} -> service {case.about.service} -> {chain(case.way, case.about, proof.world, merged)}"
    message = f"nobody can be reached {when(merged[0], proof.prospect)}{times(merged, DAYS)}: {way}"
    others = sorted({other.rule.name for other, _ in found} - {case.rule.name})
    hint = "close it by a layer, a further level or a `backup` team, or say by `during:` when the rule counts"
    if others:
        hint += f"; it is so for {few(others)}, too"
    proof.error(("policies", policy), message, hint, code=codes.NOBODY)


def _check_schedules(proof: _Proof, told: Mapping[str, Sequence[Interval]]) -> None:
    """Note gaps that others fill, where a rule can fire in them; and those of schedules that no rule leads to."""
    prospect, oncall = proof.prospect, proof.house.oncall
    firing: dict[str, list[Interval]] = {}
    for case in proof.cases:
        for policy in policies_of(case.way, proof.world):
            if firing.get(policy.id) != prospect.whole:
                firing[policy.id] = union(firing.get(policy.id, []), case.firing)
    for name in oncall.schedules:
        using = [policy for policy in oncall.policies.values() if _asks(policy, name)]
        wanted = union(*(firing[policy.id] for policy in using if policy.id in firing))
        known = union(*(told.get(policy.id, ()) for policy in using))
        found = minus(both(prospect.gaps(name), wanted or prospect.whole), known)
        if found:
            meanwhile = _meanwhile(using, proof.world, found[0][0])
            message = f"nobody is on call in `{name}` {when(found[0], prospect)}{times(found, DAYS)}{meanwhile}"
            proof.warning(("schedules", name), message, "add a layer that covers it", code=codes.SCHEDULE_GAP)


def _asks(policy: Policy, schedule: str) -> bool:
    targets = (target for level in policy.levels for target in level.targets)
    return any(target.kind is TargetKind.SCHEDULE and target.id == schedule for target in targets)


def _meanwhile(policies: Sequence[Policy], world: World, instant: float) -> str:
    """Whom the first of the policies asks instead, and how soon: a level that reaches nobody is passed at once."""
    for policy in policies[:1]:
        for number, level in enumerate(policy.levels, 1):
            if found := reach(level, world, instant).found:
                names = few([world.name(each.person) for each in found])
                return f"; `{policy.id}` then asks {names} (level {number}) at once, without a wait"
    return ""


def _check_people(proof: _Proof) -> None:
    """Note people who are asked and have no contact on a configured channel."""
    asked: dict[str, str] = {}
    for policy in proof.house.oncall.policies.values():
        for target in (target for level in policy.levels for target in level.targets):
            for person, _ in proof.prospect.named(target):
                asked.setdefault(person, policy.id)
    channels = proof.world.channels
    only = f" ({few(sorted(channels))})" if channels is not None else ""
    for name in proof.world.catalog.people:
        if name in asked and not proof.prospect.reachable(name):
            message = f"`{name}` has no contact on a configured channel{only}, and the policy `{asked[name]}` asks them"
            hint = "add one to `contacts`; until then pages pass them by, at once"
            path = ("people", name)
            document = proof.house.catalog_document
            proof.findings.warning(document, path, message, hint, key=True, code=codes.UNREACHABLE_PERSON)


def _check_teams(proof: _Proof) -> None:
    for name, policy in proof.house.oncall.policies.items():
        for index, level in enumerate(policy.levels):
            for position, target in enumerate(level.targets):
                team = proof.house.catalog.teams.get(target.id) if target.kind is TargetKind.TEAM else None
                if team is not None and not team.members:
                    path = ("policies", name, "levels", index, "targets", position)
                    message = f"the team `{team.id}` has no members, so this asks nobody"
                    hint = f"add `members: [...]` to `{team.id}` in the catalog, or name a schedule"
                    document = proof.house.oncall_document
                    proof.findings.warning(document, path, message, hint, code=codes.EMPTY_TEAM)


def _check_alone(proof: _Proof) -> None:
    """Note policies that for a time at which a rule can fire hang on one channel of one person."""
    whole = proof.prospect.whole
    firing: dict[tuple[Way, About], list[Interval]] = {}
    for case in proof.cases:
        key = case.way, case.about
        if firing.get(key) != whole:
            firing[key] = union(firing.get(key, []), case.firing)
    told: set[str] = set()
    for (way, about), stretches in firing.items():
        policy = policy_of(proof.world.team(way[0]), proof.world)
        found = proof.prospect.alone(way, about, stretches) if policy and policy.id not in told else None
        if policy is None or found is None:
            continue
        told.add(policy.id)
        person, stretch = found
        said = f"only `{person}` can be reached, and on one channel alone: should it fail, nobody is"
        hint = f"give `{person}` a second contact, or add a level that asks somebody else"
        message = f"{when(stretch, proof.prospect)} {said}"
        proof.warning(("policies", policy.id), message, hint, code=codes.ONE_WAY)
