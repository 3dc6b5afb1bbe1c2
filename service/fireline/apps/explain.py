"""`fireline explain INC-7`: each decision with its reason, and for each page why it reached this person."""

from collections.abc import Sequence

from fireline.apps import explain_rule
from fireline.apps.bootstrap import look, settings_with
from fireline.apps.explain_condition import drawn, part_json
from fireline.apps.faults import Refused
from fireline.apps.incidents import Told, find, is_incident, page_json, signal_json
from fireline.apps.output import instant, print_json, say
from fireline.domain.incidents import Attached, Incident, Page
from fireline.domain.rules import Signal
from fireline.spec.explaining import Part, explained


def run(text: str, *, page: int | None, entity: Sequence[str] = (), at: str | None = None, as_json: bool) -> int:
    """Explain an incident, or one of its pages; or a rule."""
    if not is_incident(text):
        return explain_rule.run(text, entity=entity, at=at, as_json=as_json)
    told = find(look(settings_with()), text)
    pages = told.incident.pages if page is None else (_page(told.incident, page),)
    if as_json:
        print_json(_document(told, pages))
        return 0
    if page is None:
        say(f"{told.incident.id}: {told.incident.title}", "bold")
        for attached in told.incident.signals.values():
            say(evidence(attached.signal))
    for one in pages:
        say(why(told.incident, one))
    if not told.incident.pages:
        say("Nobody was paged; the decisions below say why.")
    if page is None:
        say("Every decision:", "bold")
        for entry in told.timeline:
            say(f"  {instant(entry.at)}  {entry.actor}: {entry.text}")
    return 0


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
    on_call = f"schedule {held.schedule}, {held.source}" if held.schedule else "named by the policy"
    until = f", until {instant(held.until)}" if held.until else ""
    after = f"; next is {held.next_person}" if held.next_person else ""
    tries = "; ".join(f"{a.channel} to {a.address}: {a.state} {a.detail}".strip() for a in page.attempts)
    return (
        f"Page {page.number} of {incident.id} to {page.person} at {instant(page.at)}: {page.status.value}\n"
        f"  rule       {held.rule} fired on {held.service}\n"
        f"  owner      {held.owner} answers for {held.service}\n"
        f"  policy     {held.policy}, level {held.level + 1}, round {page.round + 1}\n"
        f"  on call    {on_call}{until}{after}\n"
        f"  delivery   {tries or 'not tried yet'}"
    )


def _signal(attached: Attached) -> dict[str, object]:
    part = condition(attached.signal)
    parts = {"condition_parts": part_json(part)} if part is not None else {}
    return {**signal_json(attached), **parts, "told": evidence(attached.signal)}


def _document(told: Told, pages: tuple[Page, ...]) -> dict[str, object]:
    return {
        "incident": told.incident.id,
        "title": told.incident.title,
        "signals": [_signal(a) for a in told.incident.signals.values()],
        "pages": [{**page_json(page), "told": why(told.incident, page)} for page in pages],
        "decisions": [
            {"at": e.at, "kind": e.kind, "actor": e.actor, "reason": e.text, "data": dict(e.data)}
            for e in told.timeline
        ],
    }
