"""Approving: who may let something go ahead, how many it takes, and what each word of a person changes. Pure.

One form and one decision for the start of a run and for a step that asks. A question is open until enough have
approved it, one person has refused it, or its time is over; from then on nothing changes it any more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from fireline.domain.catalog import Person, Service, Team
from fireline.domain.durations import wall_time

OWNER = "owner"
"""The team that answers for the incident (or the runbook), the owner of its service, and the service's backup."""

KINDS = ("team", "person", "schedule", "role")
"""What stands before the colon in `team:risk`; a name alone is a team's."""

KEPT = "approval"
"""Where a step's memory keeps the question as it stands."""


def owners(
    teams: Mapping[str, Team], people: Mapping[str, Person], team: str, service: Service | None
) -> frozenset[str]:
    """The people who answer for it: those of the team, of the service's owner and of its backup."""
    backup = service.backup if service is not None else None
    named = {team} | ({service.owner} if service is not None else set()) | ({backup} & set(teams) if backup else set())
    found = {member for name in named if name in teams for member in teams[name].members}
    alone = {backup} if backup and backup not in teams else set()
    return frozenset(found | alone | ({team} & set(people)))


class OnTimeout(StrEnum):
    """What it means that too few answered in time."""

    REFUSE = "refuse"
    CONTINUE = "continue"  # of a step only: it goes on as though it had been approved
    FAIL = "fail"  # of a step only
    ESCALATE = "escalate"  # more people are asked, once; then it is refused


@dataclass(frozen=True, slots=True)
class Approval:
    """Who may approve, and how many it takes: `owner`, `team:risk`, `person:ann`, `schedule:primary`, `role:commander`.

    With `four_eyes` whoever asked for the run is not the only one. `timeout` in seconds; `escalate_to` is who may
    approve too once it was over; `runbook` is the one that is started where nobody let this one start.
    """

    of: tuple[str, ...] = (OWNER,)
    count: int = 1
    four_eyes: bool = True
    timeout: float = 3600.0
    on_timeout: OnTimeout = OnTimeout.REFUSE
    escalate_to: tuple[str, ...] = ()
    runbook: str = ""


BY_OWNER = Approval()
"""What holds where a runbook says nothing: one of those who answer for it, and not who asked."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What a person said, and when (seconds since the epoch)."""

    person: str
    approved: bool
    at: float
    reason: str = ""


class Standing(StrEnum):
    """How a question stands; all but the first are for good."""

    OPEN = "open"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Asking:
    """A question: what was asked of whom until when, and what was said. `places` are (channel, address),
    `owner` the team that `owner` means."""

    terms: Approval
    until: float
    text: str = ""
    places: tuple[tuple[str, str], ...] = ()
    votes: tuple[Vote, ...] = ()
    escalated: bool = False
    owner: str = ""

    @property
    def of(self) -> tuple[str, ...]:
        """Who may approve now."""
        more = self.terms.escalate_to if self.escalated else ()
        return tuple(dict.fromkeys((*self.terms.of, *more)))

    @property
    def approved_by(self) -> tuple[str, ...]:
        """Who has approved, each person once, in order."""
        return tuple(dict.fromkeys(vote.person for vote in self.votes if vote.approved))

    @property
    def refused(self) -> Vote | None:
        """The word that ended it."""
        return next((vote for vote in self.votes if not vote.approved), None)

    def standing(self, now: float) -> Standing:
        """How it stands. No vote is taken once its time is over, so what was approved in time stays approved."""
        if self.refused is not None:
            return Standing.REFUSED
        if len(self.approved_by) >= self.terms.count:
            return Standing.APPROVED
        return Standing.EXPIRED if now >= self.until else Standing.OPEN

    def kept(self) -> dict[str, object]:
        """As plain values, for a run to keep."""
        return asdict(self)


def read(kept: object) -> Asking | None:
    """The question that a run or a step keeps; None when it keeps none."""
    if not isinstance(kept, Mapping) or "terms" not in kept:
        return None
    terms = dict(kept["terms"])
    terms["of"], terms["escalate_to"] = tuple(terms["of"]), tuple(terms["escalate_to"])
    terms["on_timeout"] = OnTimeout(terms["on_timeout"])
    return Asking(
        Approval(**terms),
        float(kept["until"]),
        str(kept["text"]),
        tuple((str(channel), str(address)) for channel, address in kept["places"]),
        tuple(Vote(**vote) for vote in kept["votes"]),
        bool(kept["escalated"]),
        str(kept["owner"]),
    )


def escalated(asking: Asking, now: float, last: float) -> Asking | None:
    """The question asked of more people for as long again, at most until `last`; None when it was, or is not to be."""
    terms = asking.terms
    if terms.on_timeout is not OnTimeout.ESCALATE or asking.escalated or now >= last:
        return None
    return replace(asking, escalated=True, until=min(last, now + terms.timeout))


@dataclass(frozen=True, slots=True)
class People:
    """Who `may` approve now, who asked for the run (empty: nobody did), and what they are called."""

    may: frozenset[str]
    asker: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    def name(self, person: str) -> str:
        """What people call them."""
        return self.names.get(person, person)

    def named(self, people: Iterable[str]) -> str:
        """Some of them, for people."""
        return ", ".join(self.name(person) for person in people) or "nobody"


def voted(asking: Asking, vote: Vote, people: People) -> Asking | str:
    """The question after a person's word; a text, for that person, when it changes nothing and why."""
    standing = asking.standing(vote.at)
    if standing is Standing.EXPIRED:
        return f"Too late: it expired at {wall_time(asking.until, vote.at)}; {tally(asking, people)}."
    if standing is not Standing.OPEN:
        return ended(asking, people, vote.person, vote.at)
    if vote.person not in people.may:
        return f"You are not one of those who may decide this: {people.named(sorted(people.may))}."
    if vote.approved and vote.person == people.asker and asking.terms.four_eyes and asking.terms.count == 1:
        return "You asked for this run yourself: somebody else has to approve it."
    before = next((each for each in asking.votes if each.person == vote.person), None)
    if before is not None and vote.approved:
        when = wall_time(before.at, vote.at)
        return f"You have approved it already, at {when}, and that counts once: {tally(asking, people)}."
    return replace(asking, votes=(*asking.votes, vote))


def ended(asking: Asking, people: People, person: str, now: float) -> str:
    """What a person is told who clicks on a question that others, or they themselves, have decided."""
    refused = asking.refused
    if refused is not None:
        because = f": {refused.reason}" if refused.reason else ""
        who = "you" if refused.person == person else people.name(refused.person)
        return f"Already rejected by {who} at {wall_time(refused.at, now)}{because}."
    last = asking.votes[-1]
    each = ("you" if name == person else people.name(name) for name in asking.approved_by)
    return f"Already approved by {', '.join(each)} at {wall_time(last.at, now)}."


def tally(asking: Asking, people: People) -> str:
    """How many of how many have approved, and who: `1 of 2 have approved (Ben)`."""
    who = f" ({people.named(asking.approved_by)})" if asking.approved_by else ""
    return f"{len(asking.approved_by)} of {asking.terms.count} have approved{who}"
