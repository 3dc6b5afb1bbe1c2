"""Impact, decided: told and not paged while the cause lasts; paged when it outlives it.

An incident looks for its cause when a signal of it fires, when a possible cause wakes it, and while it is impacted at
least once every `outlives`: then a deadline is never missed, whoever forgot to wake it. What concerns another incident
is a deadline of that incident, due now, in the same transaction; so each is decided on alone, as of its own version.
"""

from collections.abc import Iterable
from dataclasses import replace

from fireline.domain.deciding_draft import LIVE, Draft
from fireline.domain.deciding_escalation import close_pages, idle, start, stop
from fireline.domain.deciding_words import span
from fireline.domain.deciding_world import World
from fireline.domain.effects import Say, Timer
from fireline.domain.impact import answered, began, cause_of, downstream, exempt, over_at
from fireline.domain.incidents import Impact, Incident, PageStatus, Status
from fireline.domain.paging import contacts, policy_of, reach

LOOK, LINK = "impact", "impacts"
"""Kinds of deadlines: an incident looks for its cause; a cause looks at what says to come of it."""

LEAST_WAIT = 10.0
"""Seconds between two looks, where `outlives` is shorter."""


def excused(incident: Incident, world: World) -> bool:
    """Whether a signal of it pages nobody now, because it comes of another incident."""
    return incident.impact is not None and not exempt(incident, world)


def page(draft: Draft) -> None:
    """Start to page for what fires, unless the incident is impacted."""
    if not excused(draft.incident, draft.world):
        start(draft)


def look(draft: Draft) -> None:
    """Link the incident to the cause that holds now, or let it go. Pages nobody."""
    incident = draft.incident
    cause, known = cause_of(incident, draft.world, draft.now), incident.impact
    if cause is None:
        if known is not None:
            _let_go(draft, known)
        return
    over = over_at(cause)
    draft.change(impact=Impact(cause.number, cause.service, draft.now if known is None else known.since, over))
    if known is None:
        _begin(draft, cause)
    elif known.cause != cause.number:
        text = f"Comes of {cause.id} {cause.service} now, and no longer of INC-{known.cause} {known.service}"
        draft.note("impacted", text, data={"cause": cause.number})
        _tell_causes(draft, known.cause, cause.number)
    elif over is not None and known.over_at is None:
        left = span(over + draft.world.response.outlives - draft.now)
        draft.note("impacted", f"Its cause {cause.id} is {cause.status.value}: it pages in {left} if it still fires")
    wait = max(draft.world.response.outlives, LEAST_WAIT)
    draft.arm(LOOK, draft.now + wait if over is None else over + draft.world.response.outlives)


def look_again(draft: Draft) -> None:
    """A look that was due: what outlived its cause pages."""
    before = draft.incident.impact
    look(draft)
    incident = draft.incident
    if before is not None and incident.impact is None and incident.firing and idle(incident):
        start(draft)
    draft.reason = draft.reason or f"{incident.id} {_standing(incident)}"


def waive(draft: Draft) -> None:
    """Somebody asked for the next level: from here on it pages, whatever it comes of."""
    known = draft.incident.impact
    if known is not None:
        draft.change(impact=None, impact_waived=True)
        draft.disarm(LOOK)
        draft.note("impacted", f"Pages although it comes of INC-{known.cause} {known.service}: somebody asked for it")
        _tell_causes(draft, known.cause)


def wake(draft: Draft) -> None:
    """Let the open incidents that may come of this one look again: it opened, got worse, or began earlier."""
    dependents = downstream(draft.incident.service, draft.world.catalog)
    for other in draft.world.around:
        linked = other.impact is not None and other.impact.cause == draft.incident.number
        alike = other.timeline == draft.incident.timeline and other.status is not Status.RESOLVED
        if alike and other.service in dependents and not linked:
            _wake(draft, other.number)


def wake_impacted(draft: Draft) -> None:
    """Let the incidents that come of this one look again: it is over, for now."""
    for number in draft.incident.impacts:
        _wake(draft, number)


def link(draft: Draft, key: str) -> None:
    """Note whether the incident that the deadline names (its key ends so: `/impacts/8/v3`) comes of this one."""
    name = key.rpartition("/v")[0].rpartition("/")[2]
    other = next((i for i in draft.world.around if str(i.number) == name), None)
    if other is None:
        draft.reason = f"INC-{name} does not exist"
        return
    impacted = other.impact is not None and other.impact.cause == draft.incident.number
    known = other.number in draft.incident.impacts
    if impacted == known:
        draft.reason = f"known: {other.id} {'comes' if known else 'does not come'} of it"
    elif impacted:
        draft.change(impacts=(*draft.incident.impacts, other.number))
        text = f"{other.id} {other.service} comes of this: {other.owner} is told and not paged"
        draft.note("impacts", text, data={"impacted": other.number})
    else:
        draft.change(impacts=tuple(number for number in draft.incident.impacts if number != other.number))
        draft.note("impacts", f"{other.id} {other.service} no longer counts as its effect: it pages for itself")


def _begin(draft: Draft, cause: Incident) -> None:
    incident, world = draft.incident, draft.world
    gap = began(incident) - began(cause)
    when = f"{span(gap)} before" if gap >= 0 else f"{span(-gap)} after"
    text = f"Impacted: {incident.service} depends on {cause.service}, whose {cause.id} began {when} it"
    people = [page.person for page in incident.pages if page.status in LIVE]
    data = {"cause": cause.number, "began": began(incident), "cause_began": began(cause)}
    _tell_causes(draft, cause.number)
    if incident.acknowledged_by is not None:
        draft.note("impacted", f"{text}; {world.name(incident.acknowledged_by)} is on it already", data=data)
        return
    stop(draft)
    close_pages(draft, PageStatus.WITHDRAWN)
    stopped = "its escalation stops" if people else "nobody is paged for it"
    text = f"{text}; {stopped}, unless it fires for {span(world.response.outlives)} longer than that"
    draft.note("impacted", text, data=data)
    if world.severity(incident.severity).pages:
        _tell(draft, text, people or _owners(draft))


def _let_go(draft: Draft, known: Impact) -> None:
    draft.change(impact=None)
    draft.disarm(LOOK)
    _tell_causes(draft, known.cause)
    draft.note("outlived", _why_let_go(draft, known), data={"cause": known.cause})


def _why_let_go(draft: Draft, known: Impact) -> str:
    incident, world = draft.incident, draft.world
    name = f"INC-{known.cause} {known.service}"
    cause = next((i for i in world.around if i.number == known.cause), None)
    if exempt(incident, world):
        return f"Pages although it comes of {name}: its severity is {incident.severity} now, or its service says so"
    if cause is None or (over := over_at(cause)) is None:
        untaken = cause is not None and not answered(cause, world)
        return f"No longer excused by {name}: " + ("nobody has taken that" if untaken else "that is not its cause")
    ago, state = span(draft.now - over), "still fires" if incident.firing else "is open"
    return f"Outlived its cause: {name} was {cause.status.value} {ago} ago, and this {state}"


def _owners(draft: Draft) -> list[str]:
    """Whom the first level of the owner's policy names now."""
    policy = policy_of(draft.world.team(draft.incident.owner), draft.world)
    if policy is None or not policy.levels:
        return []
    return [candidate.person for candidate in reach(policy.levels[0], draft.world, draft.now).found]


def _tell(draft: Draft, text: str, people: Iterable[str]) -> None:
    """A plain message to each, on the channel they name first: nothing to press, no page."""
    number, version = draft.incident.number, draft.incident.version + 1
    for person in dict.fromkeys(people):
        for channel, address in contacts(draft.world.person(person), draft.world)[:1]:
            key = draft.key(f"impacted/{person}/{channel}/v{version}")
            draft.effects.append(Say(key, number, channel, address, text))


def _tell_causes(draft: Draft, *causes: int) -> None:
    """Let the incidents that became, or are no longer, the cause of this one note it."""
    mine, version = draft.incident.number, draft.incident.version + 1
    for number in causes:
        key = f"inc-{number}/{LINK}/{mine}/v{version}"
        draft.timers[key] = Timer(key, draft.now, LINK, incident=number)


def _wake(draft: Draft, number: int) -> None:
    # a key of its own for each version: one that is being heard now must not take this one with it
    key = f"inc-{number}/{LOOK}/{draft.incident.number}/v{draft.incident.version + 1}"
    draft.timers[key] = Timer(key, draft.now, LOOK, incident=number)


def _standing(incident: Incident) -> str:
    return "has no cause" if incident.impact is None else f"still comes of INC-{incident.impact.cause}"


def restarted(draft: Draft, started: float) -> None:
    """The incident began again with evidence of `started`: what it came of before counts no more."""
    draft.change(began=started, impact=None, impact_waived=False)


def seen_since(draft: Draft, started: float) -> bool:
    """Take note of evidence of `started`; whether the incident began earlier than was known."""
    if started >= began(draft.incident):
        return False
    draft.incident = replace(draft.incident, began=started)
    return True
