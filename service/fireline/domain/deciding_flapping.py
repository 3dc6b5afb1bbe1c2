"""Flapping: a signal that keeps changing is named so, holds its incident open until it is calm, and is told no more.

A change is from firing to clear or back. After `flapping.changes` of them within `flapping.within` seconds the signal
is flapping; it is calm once it has not changed for that long. Meanwhile its changes are on the timeline and counted on
the card; nothing of them is said in the room.
"""

from dataclasses import replace

from fireline.domain.deciding_draft import Draft
from fireline.domain.deciding_words import labels, span
from fireline.domain.deciding_world import World
from fireline.domain.incidents import Attached, Incident

CALM = "calm"
"""The kind of deadline at which a flapping signal may have become calm."""


def changed(draft: Draft, attached: Attached) -> Attached:
    """The attached signal after it fired or cleared just now; says so when it becomes flapping by that.

    What changes of a resolved incident is only remembered: nothing is held open, and no deadline is left behind.
    """
    flapping, now = draft.world.response.flapping, draft.now
    recent = tuple(at for at in attached.changed if at > now - flapping.within)
    since = attached.flapping_since if recent else None  # calm meanwhile, though no deadline said so
    found = replace(attached, changed=(*recent, now)[-flapping.changes :], flapping_since=since)
    if draft.incident.resolved_at is not None:
        return found
    if since is None and len(found.changed) >= flapping.changes:
        found = replace(found, flapping_since=now)
        within = span(now - found.changed[0])
        text = (
            f"Flapping: {labels(attached.signal)} changed {len(found.changed)} times within {within}. It is held open "
            f"until it is calm for {span(flapping.within)}; until then its changes are counted and not told"
        )
        draft.note("flapping", text, data={"changes": len(found.changed), "within": now - found.changed[0]})
    if found.flapping_since is not None:
        draft.arm(CALM, now + flapping.within)
    return found


def calm_at(attached: Attached, world: World) -> float:
    """When a flapping signal will be calm, unless it changes again."""
    return max(attached.changed, default=0.0) + world.response.flapping.within


def watch_again(draft: Draft) -> None:
    """The incident is open again: what was flapping when it was resolved, and is not known to be calm, is looked at."""
    if (until := held_until(draft.incident, draft.world)) > 0.0:
        draft.arm(CALM, max(until, draft.now))


def held_until(incident: Incident, world: World) -> float:
    """Until when flapping signals hold the incident open; 0.0 when none does."""
    flapping = [a for a in incident.signals.values() if a.flapping_since is not None]
    return max((calm_at(attached, world) for attached in flapping), default=0.0)


def calm(draft: Draft) -> None:
    """The deadline came: what has not changed for long enough is flapping no more."""
    signals, world = dict(draft.incident.signals), draft.world
    flapping = {name: a for name, a in signals.items() if a.flapping_since is not None}
    done = {name: a for name, a in flapping.items() if calm_at(a, world) <= draft.now}
    for name, attached in done.items():
        signals[name] = replace(attached, flapping_since=None, changed=())
        state = "it fires" if attached.cleared_at is None else "it is clear"
        lasted = span(world.response.flapping.within)
        draft.note("calm", f"Calm: {labels(attached.signal)} has not changed for {lasted}; {state}")
    draft.change(signals=signals)
    left = [calm_at(a, world) for name, a in flapping.items() if name not in done]
    if left:
        draft.arm(CALM, min(left))
    draft.reason = draft.reason or "nothing is calm yet"
