"""The work behind `fireline silence`."""

import sys
from datetime import datetime, timedelta

import typer

from fireline.apps.bootstrap import Parts, assemble, settings_with
from fireline.apps.output import err, instant, print_json, say, table
from fireline.apps.silence_asked import Asked
from fireline.apps.silence_asking import Desk
from fireline.apps.silence_json import preview_json, silence_json
from fireline.domain.silence_matchers import written
from fireline.domain.silences import Silence, active, history, spans, zone_of
from fireline.engine.recurring import starts
from fireline.engine.silence_previews import Preview

AHEAD = timedelta(days=60).total_seconds()
SHOWN = 5


def _desk() -> tuple[Parts, Desk]:
    parts = assemble(settings_with())
    return parts, Desk(parts.store, parts.files, parts.clock)


def add(asked: Asked, person: str | None, yes: bool, as_json: bool) -> int:
    """Show what it would hold back, then make it."""
    parts, desk = _desk()
    who = parts.person(person)
    draft = desk.draft(asked, who.id)
    found = desk.preview(draft)
    if not as_json:
        _say_preview(found, draft)
    if not yes and not as_json and sys.stdin.isatty() and sys.stdout.isatty() and not typer.confirm("Make it?"):
        say("Nothing was made.")
        return 1
    silence = desk.make(asked, who.id)
    if as_json:
        print_json({**silence_json(silence, parts.clock.now()), "preview": preview_json(found)})
        return 0
    say(f"{silence.id} {_when(silence, parts.clock.now())}. End it with `fireline silence end {silence.id}`.")
    return 0


def show_preview(matchers: str, safety: bool, days: int, as_json: bool) -> int:
    """What matchers hold back."""
    parts, desk = _desk()
    now = parts.clock.now()
    person = next(iter(parts.files.current.catalog.people), "")
    asked = Asked(matchers, "a look", lasts="1m", safety=safety)
    draft = desk.draft(asked, person)
    found = desk.preview(draft, days)
    if as_json:
        print_json({"at": now, "matchers": written(draft.matchers), **preview_json(found)})
    else:
        _say_preview(found, draft)
    return 0


def ls(everything: bool, as_json: bool) -> int:
    """List silences."""
    parts, desk = _desk()
    now, found = parts.clock.now(), desk.silences(over=everything)
    if as_json:
        print_json([silence_json(each, now) for each in found])
        return 0
    rows = [(each.id, _when(each, now), each.author, written(each.matchers), each.reason) for each in found]
    table(("id", "when", "by", "matches", "why"), rows, "Nothing is silenced, and nothing will be.")
    return 0


def show(name: str, as_json: bool) -> int:
    """Show one silence whole."""
    parts, desk = _desk()
    now, silence = parts.clock.now(), desk.find(name)
    found = desk.preview(silence)
    if as_json:
        print_json({**silence_json(silence, now, windows=SHOWN), "preview": preview_json(found)})
        return 0
    say(f"{silence.id}: {silence.reason}", "bold")
    say(f"  matches   {written(silence.matchers)}")
    say(f"  by        {silence.author}" + (", planned in rules/maintenance.yaml" if silence.planned else ""))
    say(f"  when      {_when(silence, now)}")
    for start, end in spans(silence, now, now + AHEAD, starts)[:SHOWN] if silence.recurrence else ():
        say(f"  window    {_local(start, silence)} to {_local(end, silence)}")
    say(f"  resolves  {silence.resolves.value}; safety {'too' if silence.safety else 'is not silenced'}")
    for comment in silence.comments:
        say(f"  {instant(comment.at)}  {comment.author}: {comment.text}")
    for change in history(silence, now):
        say(f"  {instant(change.at)}  {change.by}: {change.what}")
    _say_preview(found, silence)
    return 0


def end(name: str, person: str | None) -> int:
    """End a silence now."""
    parts, desk = _desk()
    silence = desk.end(name, parts.person(person).id)
    say(f"{silence.id} is over. What still fires pages now.")
    return 0


def edit(name: str, asked: Asked, person: str | None) -> int:
    """Change a silence."""
    parts, desk = _desk()
    silence = desk.edit(name, asked, parts.person(person).id)
    said = silence.history[-1].what if silence.history else "nothing changed"
    say(f"{silence.id} {_when(silence, parts.clock.now())}; {said}")
    return 0


def comment(name: str, text: str, person: str | None) -> int:
    """Say something in its thread."""
    parts, desk = _desk()
    silence = desk.comment(name, parts.person(person).id, text)
    say(f"Said in the thread of {silence.id}.")
    return 0


def _when(silence: Silence, now: float) -> str:
    if silence.end is not None and silence.end <= now:
        return f"is over since {instant(silence.end)}"
    held = active(silence, now, starts)
    if held is not None:
        return f"holds until {instant(held[1])}"
    coming = next(iter(spans(silence, now, now + AHEAD, starts)), None)
    return "does not hold in the next 60 days" if coming is None else f"begins {instant(coming[0])}"


def _local(at: float, silence: Silence) -> str:
    zone = silence.recurrence.time_zone if silence.recurrence else "UTC"
    return f"{datetime.fromtimestamp(at, zone_of(zone)):%a %Y-%m-%d %H:%M %Z}"


def _say_preview(found: Preview, silence: Silence) -> None:
    if not found.now:
        say("Nothing that fires now matches.", to=err())
    for touched in found.now:
        rules = ", ".join(dict.fromkeys(signal.rule for signal in touched.signals))
        whole = "held back" if touched.all_of_it else "pages all the same: something else of it fires"
        incident = touched.incident
        say(f"  {incident.id} {incident.severity} {incident.status.value} {incident.service}: {rules} ({whole})")
    people = ", ".join(f"{person} {count}" for person, count in found.people.items())
    told = f": {people}" if people else ""
    say(f"Of {found.pages} pages since {instant(found.since)} it would have held back {found.held}{told}.")
