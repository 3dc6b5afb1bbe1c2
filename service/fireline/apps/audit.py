"""The work behind `fireline audit ls`, `show`, `export` and `rotate`."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from fireline.adapters.clock import SystemClock
from fireline.apps import audit_files, audit_keys
from fireline.apps.bootstrap import look, settings_with, store_of
from fireline.apps.dead_letters import since_of
from fireline.apps.faults import Refused
from fireline.apps.output import err, instant, print_json, say, table
from fireline.domain.audit import START, Act, Sealed, Sought
from fireline.domain.texts import cut
from fireline.engine.ports import Transaction

LINE = 200
"""Characters of what was done in a line of the list; `show` and `--json` have all of it."""


def sought(actor: str | None, subject: str | None, since: str | None, until: str | None, limit: int | None) -> Sought:
    """Which entries are wanted; raises Refused when a time cannot be read."""
    now = SystemClock().now()
    return Sought(actor or "", subject or "", since_of(since, now), since_of(until, now), limit)


def ls(wanted: Sought, *, as_json: bool) -> int:
    """The newest entries that are wanted, the newest last."""
    with look(settings_with()).store.reading() as tx:
        entries = [told(entry) for entry, _ in tx.audit_of(wanted)]
    if as_json:
        print_json(entries)
        return 0
    rows = [
        (e["number"], instant(_time(e["at"])), e["actor"], e["via"], e["kind"], e["subject"], cut(str(e["text"]), LINE))
        for e in entries
    ]
    table(("entry", "when", "who", "through", "what", "of", "in words"), rows, "Nothing was put down that fits.")
    return 0


def show(number: int, *, as_json: bool) -> int:
    """One entry whole, with what changed."""
    with look(settings_with()).store.reading() as tx:
        entry = tx.audit_entry(number) if 0 < number < 2**62 else None
    if entry is None:
        raise Refused(f"there is no entry {number}; `fireline audit ls` lists them")
    held = told(entry)
    if as_json:
        print_json(held)
        return 0
    say(f"entry {entry.number}: {held['kind']} of {held['subject']}", "bold")
    say(f"  by      {held['actor']}" + (f" through {held['via']}" if held["via"] else ""))
    say(f"  at      {instant(_time(held['at']))}")
    say(f"  text    {held['text']}")
    for name in ("before", "after"):
        say(f"  {name:<7} {json.dumps(held[name], ensure_ascii=False)}")
    say(f"  sealed  with key {entry.key}, mac {entry.mac}")
    return 0


def told(entry: Sealed) -> dict[str, object]:
    """An entry as JSON: its number, what was done, its key and its mac."""
    try:
        act = json.loads(entry.body)
    except ValueError:
        act = None
    empty = asdict(Act(0.0, "?", "", "unreadable", "?", "its row was changed: `fireline audit verify`"))
    return {
        "number": entry.number,
        **empty,
        **(act if isinstance(act, dict) else {}),
        "key": entry.key,
        "mac": entry.mac,
    }


def _time(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def export(wanted: Sought, out: Path | None) -> int:
    """Write entries as NDJSON, to a file or to standard output."""
    settings = settings_with()
    keys = audit_keys.keys_of(settings)
    whole = wanted == Sought()
    now = SystemClock().now()
    with look(settings).store.reading() as tx:
        entries = _all(tx) if whole else iter(tx.audit_of(wanted))
        if out is None:
            count = audit_files.write(entries, sys.stdout, keys, whole=whole, at=now)
        else:
            with out.open("w", encoding="ascii") as file:
                count = audit_files.write(entries, file, keys, whole=whole, at=now)
    say(f"{count} entries" + ("" if out is None else f" in {out}"), to=err())
    return 0


def _all(tx: Transaction) -> Iterator[tuple[Sealed, str]]:
    previous = START
    for entry in tx.audit_chain():
        yield entry, previous
        previous = entry.mac


def rotate(person: str | None) -> int:
    """Add a key to the file of keys, and put that down."""
    settings = settings_with()
    before = audit_keys.keys_of(settings)
    after = audit_keys.rotate(settings)
    now = SystemClock().now()
    act = Act(now, person or "operator", "command line", "audit.rotated", "audit", "the audit has another key")
    store = store_of(settings, after)
    with store.transaction() as tx:
        tx.record(replace(act, before={"key": before.current}, after={"key": after.current}))
    store.close()
    say(f"Key {after.current} seals from the next start of each process; key {before.current} still verifies.")
    return 0
