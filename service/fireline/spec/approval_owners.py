"""Whom `owner` of an approval may mean at all, and whom it means where it is known what starts the runbook."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fireline.domain.approving import owners
from fireline.domain.catalog import Person, Service, Team
from fireline.domain.rules import Rule
from fireline.domain.runbooks import Runbook


@dataclass(frozen=True, slots=True)
class Meant:
    """The people whom `owner` means, and when: a clause."""

    people: frozenset[str]
    when: str


@dataclass(frozen=True, slots=True)
class Owners:
    """All that `owner` may mean in runs of a runbook, and of these the ways in which files say it is started."""

    possible: Sequence[frozenset[str]]
    likely: Sequence[Meant]


@dataclass(frozen=True, slots=True)
class Answering:
    """Who answers for what: the catalog, and the rules with the services that they are known to be about."""

    teams: Mapping[str, Team]
    people: Mapping[str, Person]
    services: Sequence[Service]
    default_team: str | None
    rules: Sequence[tuple[Rule, Sequence[Service]]]

    def owners_of(self, runbook: Runbook) -> Owners:
        """Of runs that rules start, and of those that a person does, about an incident or without one."""
        alone = self._without_incident(runbook)
        claimed = {rule.owner for rule, _ in self.rules if rule.owner is not None}
        about = [self._people(team, service) for team in claimed for service in (None, *self.services)]
        about += [self._people(service.owner, service) for service in self.services]
        about += [self._people(self.default_team or next(iter(self.teams), ""), None)]  # what nobody claims
        started = [
            Meant(self._people(rule.owner or service.owner, service), f"for `{service.id}`, by the rule `{rule.name}`")
            for rule, services in self.rules
            if runbook.name in rule.runbooks
            for service in services
        ]
        named = any(runbook.name in rule.runbooks for rule, _ in self.rules)
        by_hand = [] if named or not alone else [max(alone, key=lambda meant: len(meant.people))]
        return Owners([*about, *(meant.people for meant in alone)], [*started, *by_hand])

    def _without_incident(self, runbook: Runbook) -> list[Meant]:
        if runbook.needs_incident:
            return []
        takes = any(each.name == "service" for each in runbook.inputs)
        services: Iterable[Service | None] = self.services if takes else ()
        return [
            Meant(self._people(runbook.owner, service), "by a person, without an incident")
            for service in (None, *services)
        ]

    def _people(self, team: str, service: Service | None) -> frozenset[str]:
        return owners(self.teams, self.people, team, service)
