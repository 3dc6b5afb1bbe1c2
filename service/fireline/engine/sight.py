"""Saying that Fireline itself is blind: as an incident like any other, or, without the database, straight to people.

The incident takes the ordinary way: owner, escalation, acknowledgement. What goes straight to people needs nothing but
the files and the channels, and so cannot be acknowledged; it is said again instead, each time to the next level.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from fireline.domain.deciding_words import span
from fireline.domain.deciding_world import World
from fireline.domain.incidents import Incident
from fireline.domain.paging import Candidate, contacts, policy_of, reach
from fireline.domain.rules import Evidence, Signal, State
from fireline.domain.sight import TellBlind, TellSeeing
from fireline.engine.outward import Message

RULE = "fireline_sight"
"""The name under which Fireline's own blindness fires; no file has this rule, and only a responder clears it."""
SERVICE = "fireline"
SEVERITY = "outage"

Parcel = tuple[str, Message]
"""A message and the channel that is to carry it."""


def firing(why: str, since: float, world: World, now: float) -> Signal:
    """The signal that no events are seen. Several responders that say so at once say the same."""
    episode = since - since % 60.0
    summary = f"{why} since {_clock(since)}: no service is watched"
    evidence = Evidence({}, 0, since, now, "", f"{why} since {_clock(since)}")
    return Signal(
        id=f"{RULE}/{episode:.0f}/firing",
        rule=RULE,
        entity=(("service", SERVICE),),
        service=SERVICE,
        state=State.FIRING,
        severity=_severity(world),
        at=now,
        started=since,
        episode=episode,
        summary=summary,
        evidence=evidence,
    )


def cleared(incident: Incident | None, now: float) -> Signal | None:
    """The signal that events are seen again; None when the incident of our own service does not say otherwise."""
    held = None if incident is None else next((a.signal for a in incident.firing if a.signal.rule == RULE), None)
    if held is None:
        return None
    text = f"events are seen again, {_dark(held.started, now)}; what Kafka kept is being caught up"
    return Signal(
        id=f"{RULE}/{held.episode:.0f}/clear",
        rule=RULE,
        entity=held.entity,
        service=SERVICE,
        state=State.CLEAR,
        severity=None,
        at=now,
        started=held.started,
        episode=held.episode,
        summary=text,
        evidence=Evidence({}, 0, held.started, now, "", text),
        sequence=held.sequence + 1,
    )


def is_told(incident: Incident | None) -> bool:
    """Whether the incident of our own service says already that we are blind."""
    return incident is not None and any(a.signal.rule == RULE for a in incident.firing)


def blind(tell: TellBlind, world: World, now: float) -> list[Parcel]:
    """The last resort: to the person on call of the default team, on every channel, and to the team's rooms."""
    title = f"{_severity(world).upper()} Fireline is blind: {tell.why} (since {_clock(tell.since)})"
    again = f"Said for the {tell.times + 1}. time." if tell.times else ""
    body = "\n".join(
        line
        for line in (
            f"Not seen for {span(now - tell.since)}: events of all {len(world.catalog.services)} services.",
            "Nobody is paged for anything that happens now, and no runbook starts. Routes stay as they are.",
            "Watch your services yourself, and bring it back: `fireline doctor` says what is wrong and how to mend it.",
            again,
        )
        if line
    )
    said = f"blind:{tell.since:.3f}:{tell.times}"
    return [
        (
            channel,
            Message(
                key=f"{said}:{channel}:{address}",
                kind="page" if why else "card",
                address=address,
                title=title,
                severity=_severity(world),
                body=body,
                why=why,
            ),
        )
        for channel, address, why in _recipients(world, tell.times, now)
    ]


def seeing(tell: TellSeeing, told: Iterable[tuple[str, str]]) -> list[Parcel]:
    """That it is over, to everybody who was told: pairs of channel and address."""
    title = f"Fireline sees again: {_dark(tell.since, tell.until)}"
    body = "What Kafka kept meanwhile is being caught up: pages for it come now, with their own times."
    said = f"seeing:{tell.since:.3f}"
    return [
        (channel, Message(f"{said}:{channel}:{address}", "card", address, title, body=body))
        for channel, address in sorted(told)
    ]


def _recipients(world: World, times: int, now: float) -> Iterator[tuple[str, str, str]]:
    """Channel, address and, for a person, why it is them."""
    team = world.default_team
    for person, why in _people(world, times, now):
        for channel, address in contacts(world.person(person), world):
            yield channel, address, why
    found = world.team(team)
    for channel, room in ({} if found is None else found.channels).items():
        if world.channels is None or channel in world.channels:
            yield channel, room, ""


def _people(world: World, times: int, now: float) -> list[tuple[str, str]]:
    """Who is asked the `times`-th time: the level of the policy whose turn it is, else whoever can be reached."""
    team = world.team(world.default_team)
    policy = policy_of(team, world)
    levels = policy.levels if policy is not None else ()
    turns = [reach(level, world, now).found for level in levels]
    turns = [turn for turn in turns if turn]
    if turns:
        return [(c.person, _because(c, world)) for c in turns[min(times, len(turns) - 1)]]
    members = team.members if team is not None else tuple(world.catalog.people)
    return [(person, f"Nobody is on call for {world.default_team}, and you are of it.") for person in members]


def _because(candidate: Candidate, world: World) -> str:
    shift = f"on call from schedule {candidate.schedule}, " if candidate.schedule else ""
    return (
        f"You are {shift}{candidate.source or 'named'} for {world.default_team}, who answer for what nobody claims. "
        "This came without the database: it cannot be acknowledged, and is said again while it lasts."
    )


def _severity(world: World) -> str:
    known = [severity.name for severity in world.catalog.severities if severity.pages]
    return SEVERITY if SEVERITY in known or not known else known[0]


def _dark(since: float, until: float) -> str:
    return f"blind from {_clock(since)} to {_clock(until)} ({span(until - since)})"


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S} UTC"
