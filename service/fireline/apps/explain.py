"""`fireline explain INC-7`: each decision with its reason, and for each page why it reached this person."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from fireline.apps import explain_rule
from fireline.apps.bootstrap import Look, configured_channels, files_of, look, settings_with
from fireline.apps.explain_condition import drawn, part_json
from fireline.apps.explain_page import checked, lines, world_now
from fireline.apps.faults import Refused
from fireline.apps.files import BrokenFiles
from fireline.apps.incidents import Told, find, is_incident, page_json, signal_json
from fireline.apps.output import instant, print_json, say
from fireline.apps.settings import Settings
from fireline.domain.catalog import Catalog
from fireline.domain.deciding_world import World
from fireline.domain.incidents import Attached, Incident, Page
from fireline.domain.oncall import OnCall
from fireline.domain.rules import Signal
from fireline.domain.why_not import Reason, why_nobody, why_not
from fireline.spec.explaining import Part, explained


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of an incident: one of its pages, or a person who was or was not paged; None: all of it."""

    page: int | None = None
    person: str | None = None


def run(text: str, asked: Asked, *, entity: Sequence[str] = (), at: str | None = None, as_json: bool) -> int:
    """Explain an incident, one of its pages, or why a person was not paged; or a rule."""
    if not is_incident(text):
        return explain_rule.run(text, entity=entity, at=at, as_json=as_json)
    settings = settings_with()
    parts = look(settings)
    told = find(parts, text)
    pages = told.incident.pages if asked.page is None else (_page(told.incident, asked.page),)
    since = min((page.at for page in pages), default=told.incident.opened_at)
    known = _now(settings, parts, since)
    if as_json:
        print_json(document(told, pages, known, asked.person))
    elif asked.person is not None:
        _say_person(told, asked.person, known)
    else:
        _say(told, pages, known, whole=asked.page is None)
    return 0


def _now(settings: Settings, parts: Look, since: float) -> World | None:
    """The world of the files as they are; None while they are broken."""
    try:
        files = files_of(settings, parts.clock, teller=False)
    except BrokenFiles:
        return None
    with parts.store.reading() as tx:
        world = world_now(files.current, tx, since)
    return replace(world, channels=configured_channels(settings))


def _say(told: Told, pages: Sequence[Page], known: World | None, *, whole: bool) -> None:
    if whole:
        say(f"{told.incident.id}: {told.incident.title}", "bold")
        for attached in told.incident.signals.values():
            say(evidence(attached.signal))
    for one in pages:
        say(why(told.incident, one))
        for line in lines(checked(told.incident, one, told.timeline, known)):
            say(line)
    if not told.incident.pages:
        say("Nobody was paged. Why:", "bold")
        for reason in why_nobody(told.timeline):
            say(f"  {instant(reason.at)}  {reason.word}: {reason.text}")
    if whole:
        say("Every decision:", "bold")
        for entry in told.timeline:
            say(f"  {instant(entry.at)}  {entry.actor}: {entry.text}")


def _say_person(told: Told, person: str, known: World | None) -> None:
    say(f"{told.incident.id} and {person}:", "bold")
    for reason in reasons(told, person, known):
        say(f"  {instant(reason.at)}  {reason.word}: {reason.text}")


def reasons(told: Told, person: str, known: World | None) -> list[Reason]:
    """Why the person was, or was not, paged."""
    world = known or World(Catalog({}, {}, {}, ()), OnCall())
    return why_not(person, told.incident, told.timeline, world)


def _page(incident: Incident, number: int) -> Page:
    for page in incident.pages:
        if page.number == number:
            return page
    known = ", ".join(str(page.number) for page in incident.pages) or "none"
    raise Refused(f"{incident.id} has no page {number}; its pages: {known}")


def condition(signal: Signal) -> Part | None:
    """The condition that the signal rests on, part by part; None of one that rests on silence."""
    held = signal.evidence
    if not held.condition or held.condition.startswith("no data"):
        return None
    return explained(held.condition, {**dict(signal.entity), **held.measures})


def evidence(signal: Signal) -> str:
    """The evidence of a signal: measures, samples, window, condition, its reason, and how far to trust it."""
    held = signal.evidence
    measures = ", ".join(f"{name}={_number(value)}" for name, value in held.measures.items())
    part = condition(signal)
    return (
        f"Signal {signal.fingerprint} {signal.state.value} {signal.severity or ''}\n"
        f"  measured   {measures or 'nothing'} over {held.samples} samples\n"
        f"  window     {instant(held.window_start)} to {instant(held.window_end)}\n"
        f"  condition  {held.condition}\n"
        f"  because    {held.reason}"
        + "".join(f"\n  note       {note}" for note in held.notes)
        + "".join(f"\n    {line}" for line in (drawn(part) if part is not None else ()))
    )


def _number(value: float | None) -> str:
    return "no value" if value is None else f"{value:.6g}"


def why(incident: Incident, page: Page) -> str:
    """Why this page reached this person, as a chain that each can check."""
    held = page.why
    on_call = f"schedule {held.schedule}, {held.source}" if held.schedule else held.source or "named by the policy"
    until = f", until {instant(held.until)}" if held.until else ""
    after = f"; next is {held.next_person}" if held.next_person else ""
    tries = "; ".join(f"{a.channel} to {a.address}: {a.state} {a.detail}".strip() for a in page.attempts)
    return (
        f"Page {page.number} of {incident.id} to {page.person} at {instant(page.at)}: {page.status.value}\n"
        f"  rule       {held.rule} fired on {held.service}\n"
        f"  owner      {held.owner} answers for {held.service}\n"
        f"  policy     {held.policy}, level {held.level + 1}, round {page.round + 1}\n"
        f"  on call    {on_call}{until}{after}\n"
        + (f"  reached    {held.order}\n" if held.order else "")
        + f"  delivery   {tries or 'not tried yet'}"
    )


def _signal(attached: Attached) -> dict[str, object]:
    part = condition(attached.signal)
    parts = {"condition_parts": part_json(part)} if part is not None else {}
    return {**signal_json(attached), **parts, "told": evidence(attached.signal)}


def document(told: Told, pages: Sequence[Page], known: World | None, person: str | None = None) -> dict[str, object]:
    """All of it as JSON; with `person`, why they were or were not paged beside it."""
    found: dict[str, object] = {
        "incident": told.incident.id,
        "title": told.incident.title,
        "signals": [_signal(a) for a in told.incident.signals.values()],
        "pages": [
            {
                **page_json(page),
                "told": why(told.incident, page),
                "checked": asdict(checked(told.incident, page, told.timeline, known)),
            }
            for page in pages
        ],
        "not_paged": [asdict(reason) for reason in why_nobody(told.timeline)],
        "decisions": [
            {"at": e.at, "kind": e.kind, "actor": e.actor, "reason": e.text, "data": dict(e.data)}
            for e in told.timeline
        ],
    }
    if person is not None:
        found["person"] = {"id": person, "reasons": [asdict(reason) for reason in reasons(told, person, known)]}
    return found
