"""What a decision may look at besides the incident: catalog, on-call, how incidents behave, which channels exist."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from fireline.domain.catalog import Catalog, Person, Service, Severity, Team
from fireline.domain.configuration import Configuration, Response
from fireline.domain.incidents import Incident
from fireline.domain.oncall import OnCall
from fireline.domain.silences import Silences

NOBODY = "unowned"
"""The owner of an incident when the catalog has no team at all; such an incident can only be loud, not page."""


@dataclass(frozen=True, slots=True)
class World:
    """`owners` maps a rule to the team that answers for it in place of the service's owner; `channels` names the
    channels that are configured, None when all are. `opened` are the latest incidents of the incident's service, as
    number and when each was opened, as far back as policies count them. `around` are the incidents that
    it may come of, or that may come of it, as they were when the decision began.
    """

    catalog: Catalog
    oncall: OnCall
    response: Response = field(default_factory=Response)
    owners: Mapping[str, str] = field(default_factory=dict)
    channels: frozenset[str] | None = None
    silences: Silences = field(default_factory=Silences)
    around: tuple[Incident, ...] = ()
    opened: tuple[tuple[int, float], ...] = ()
    configuration: str = ""  # the content hash of the files that all this was read from
    counts_within: float = 0.0  # how far back policies count incidents of a service, in seconds; 0.0 when none does

    @classmethod
    def of(cls, configuration: Configuration, channels: Collection[str] | None = None) -> "World":
        """The world that a configuration describes."""
        owners = {rule.name: rule.owner for rule in configuration.rules.values() if rule.owner}
        known = None if channels is None else frozenset(channels)
        return cls(
            configuration.catalog,
            configuration.oncall,
            configuration.response,
            owners,
            known,
            configuration=configuration.hash,
            counts_within=max((each.counts_within for each in configuration.oncall.policies.values()), default=0.0),
        )

    def service(self, name: str) -> Service | None:
        """The service with this id or alias."""
        return self.catalog.service(name)

    def service_id(self, name: str) -> str:
        """The catalog's own id of a service, the name itself when it is unknown."""
        found = self.service(name)
        return name if found is None else found.id

    def team(self, name: str | None) -> Team | None:
        """The team with this id."""
        return None if name is None else self.catalog.teams.get(name)

    def person(self, name: str) -> Person:
        """The person with this id; an unknown one is known by the id alone, without a way to be reached."""
        return self.catalog.people.get(name) or Person(name, name)

    def name(self, person: str) -> str:
        """What people call the person."""
        return self.person(person).name or person

    def severity(self, name: str) -> Severity:
        """The level of this name. One the catalog does not know pages, and ranks as the mildest."""
        found = next((s for s in self.catalog.severities if s.name == name), None)
        return found or Severity(name, rank=1_000_000)

    def worse(self, one: str, other: str | None) -> bool:
        """Whether `one` is worse than `other` (anything is worse than none)."""
        return other is None or self.severity(one).rank < self.severity(other).rank

    def worst(self, names: Collection[str]) -> str | None:
        """The worst of some severities, None of none."""
        return min(names, key=lambda name: (self.severity(name).rank, name), default=None)

    def owner(self, rule: str, service: str) -> tuple[str, str]:
        """The team that answers, and why it is that one: the rule's own owner, the service's, else the default."""
        found = self.service(service)
        if self.team(self.owners.get(rule)):
            return self.owners[rule], f"rule {rule} names it"
        if found is not None and self.team(found.owner):
            return found.owner, f"owner of {found.id} in the catalog"
        trouble = f"service {service} is not in the catalog" if found is None else f"{service} has no known owner"
        default = self.default_team
        return default, f"{trouble}; {default} answers for what nobody claims"

    @property
    def default_team(self) -> str:
        """Who answers for what nobody claims: the catalog's default team, else its first."""
        if self.team(self.catalog.default_team) and self.catalog.default_team is not None:
            return self.catalog.default_team
        return next(iter(self.catalog.teams), NOBODY)
