"""The work behind `fireline oncall import`: exports of other tools as files of Fireline, and what is lost."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from pydantic import ValidationError

from fireline.apps import import_grafana, import_opsgenie, import_pagerduty
from fireline.apps.faults import Refused
from fireline.apps.import_draft import Draft, is_zone
from fireline.apps.import_ics import Period, Unreadable, holidays, take_shifts
from fireline.apps.oncall import Desk
from fireline.apps.output import err, print_json, say

TOOLS: dict[str, Callable[[Iterable[object], Draft], None]] = {
    "pagerduty": import_pagerduty.take,
    "opsgenie": import_opsgenie.take,
    "grafana-oncall": import_grafana.take,
}
LARGEST = 50_000_000
"""Bytes of a file."""
MOST_NOTES = 10
"""What is told of a refused export."""
BACK, AHEAD = timedelta(days=7), timedelta(days=366)
"""The stretch of time around now that is taken over of a calendar."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What `fireline oncall import` is asked for."""

    tool: str
    files: Sequence[Path]
    output: Path | None = None
    schedule: str = "imported"
    time_zone: str = "UTC"
    holidays: bool = False
    as_json: bool = False


def run(asked: Asked) -> int:
    """Read the files, and write or print what comes of them; notes go to standard error and into the files."""
    draft = Draft()
    texts = _ics(asked, draft) if asked.tool == "ics" else _export(asked, draft)
    if asked.as_json:
        print_json({"files": texts, "notes": draft.notes})
        return 0
    for note in draft.notes:
        say(f"not as it was: {note}", to=err())
    if asked.output is None:
        for name, text in texts.items():
            say(f"# {name}\n{text}")
        return 0
    for name, text in texts.items():
        _write(asked.output / name, text)
    return 0


def _export(asked: Asked, draft: Draft) -> dict[str, str]:
    if asked.tool not in TOOLS:
        raise Refused(f"{asked.tool!r} is not known; expected one of {', '.join([*TOOLS, 'ics'])}")
    documents = [_json(path) for path in asked.files]
    for path, document in zip(asked.files, documents, strict=True):
        if _goes_on(document):
            draft.note(f"{path} is one page of several: fetch the next ones too, and name them beside it")
    try:
        TOOLS[asked.tool](documents, draft)
    except ValidationError as fault:
        shown = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in fault.errors()[:5])
        raise Refused(f"this is no export of {asked.tool} as its API documents it: {shown}") from None
    except ValueError as fault:
        raise Refused(f"a value of the export cannot be read: {fault}") from None
    if not draft.schedules and not draft.policies:
        told = "".join(f"\n  {note}" for note in draft.notes[:MOST_NOTES])
        raise Refused(f"there is no schedule and no policy of {asked.tool} in {', '.join(map(str, asked.files))}{told}")
    oncall = {"schedules": draft.schedules, "policies": draft.policies}
    catalog = {"people": draft.people, "teams": draft.teams}
    return {"oncall.yaml": written(oncall, draft.notes), "catalog-part.yaml": written(catalog, [])}


def _goes_on(document: object) -> bool:
    """Whether an answer says that there are further pages, in the words of any of the tools."""
    given = document if isinstance(document, Mapping) else {}
    paging = given.get("paging")
    return bool(given.get("more") or given.get("next") or (isinstance(paging, Mapping) and paging.get("next")))


def _ics(asked: Asked, draft: Draft) -> dict[str, str]:
    if not is_zone(asked.time_zone):
        raise Refused(f"{asked.time_zone!r} is no time zone; expected an IANA name, such as Europe/Berlin")
    desk = Desk.open()
    now = datetime.fromtimestamp(desk.parts.clock.now(), UTC)
    period = Period(now - BACK, now + AHEAD, asked.time_zone)
    dates: set[str] = set()
    known = desk.configuration.catalog.people
    people = {name: (person.name, person.contacts.get("email", "")) for name, person in known.items()}
    for path in asked.files:
        try:
            if asked.holidays:
                dates.update(holidays(_bytes(path), period, draft))
            else:
                take_shifts(_bytes(path), period, people, asked.schedule, draft)
        except Unreadable as fault:
            raise Refused(f"{path}: {fault}") from None
    if asked.holidays:
        return {"calendars-part.yaml": written({"holidays": sorted(dates)}, draft.notes)}
    return {"oncall-part.yaml": written({"schedules": draft.schedules}, draft.notes)}


def written(value: object, notes: Sequence[str]) -> str:
    """YAML with the notes above it."""
    head = "".join(f"# not as it was: {' '.join(note.split())}\n" for note in notes)
    return head + yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
    except OSError as fault:
        raise Refused(f"{path} cannot be read: {fault.strerror}") from None
    if len(text) > LARGEST:
        raise Refused(f"{path} has more than {LARGEST // 1_000_000} MB")
    return text


def _json(path: Path) -> object:
    try:
        return json.loads(_bytes(path))
    except (ValueError, RecursionError) as fault:
        raise Refused(f"{path} is no JSON: {fault}") from None


def _write(path: Path, text: str) -> None:
    if path.exists():
        raise Refused(f"{path} exists and is not overwritten; name another directory with --output")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise Refused(f"{path} cannot be written: {fault.strerror}") from None
    say(f"{path} written")
