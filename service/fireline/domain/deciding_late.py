"""Acts that come late: compare-and-set on the version that the person saw, told with what happened in between.

Not every change makes an act late: one that took a page's delivery into account meanwhile is as good as before. Each
act names the kinds of changes that it would have been decided otherwise for; those of the same person never count.
"""

from collections.abc import Collection
from typing import Protocol

from fireline.domain.deciding_draft import Decision
from fireline.domain.deciding_words import span
from fireline.domain.deciding_world import World
from fireline.domain.incident_records import Change
from fireline.domain.incidents import Incident, Status


class Asked(Protocol):
    """An act: who asks, and the version they saw."""

    @property
    def person(self) -> str:
        """Who asks."""
        ...

    @property
    def version(self) -> int | None:
        """What they saw, None for the present one."""
        ...


def refuse(incident: Incident, reply: str) -> Decision:
    """Nothing is changed, and the person is told why."""
    return Decision(incident, reply=reply, reason=reply, refused=True)


def since(incident: Incident, asked: Asked, kinds: Collection[str]) -> list[Change]:
    """What others changed of these kinds after what was seen, the oldest first; nothing when nothing was."""
    seen = asked.version
    if seen is None:
        return []
    return [c for c in incident.changes if c.version > seen and c.kind in kinds and c.actor != asked.person]


def told(changes: Collection[Change], now: float) -> str:
    """Changes in words: `Ann Berg took it via slack (12 s ago); ...`."""
    return "; ".join(f"{change.text} ({span(now - change.at)} ago)" for change in changes)


def late(incident: Incident, asked: Asked, kinds: Collection[str], world: World, now: float) -> str:
    """Why an act on an open incident comes too late; empty when it does not."""
    if incident.status is Status.RESOLVED:
        return over(incident, world, now)
    return changed(incident, asked, kinds, now)


def changed(incident: Incident, asked: Asked, kinds: Collection[str], now: float) -> str:
    """What happened after what the person saw, as a refusal; empty when nothing of these kinds did."""
    if asked.version is not None and asked.version < incident.reopened_version:
        ago = span(now - (incident.reopened_at or now))
        return f"{incident.id} was reopened {ago} ago, after what you saw. Look again; nothing was changed"
    if missed := since(incident, asked, kinds):
        return f"{incident.id} changed after what you saw: {told(missed, now)}. Look again; nothing was changed"
    return ""


def over(incident: Incident, world: World, now: float) -> str:
    """How and when an incident ended, as a refusal."""
    if incident.merged_into is not None:
        how, who, at = f"merged into INC-{incident.merged_into}", incident.resolved_by, incident.resolved_at
    elif incident.closed_at is not None:
        how, who, at = "closed", incident.closed_by, incident.closed_at
    else:
        how, who, at = "resolved", incident.resolved_by, incident.resolved_at
    by = f" by {world.name(who)}" if who else ""
    return f"{incident.id} was {how}{by} {span(now - (at or now))} ago; nothing was changed"
