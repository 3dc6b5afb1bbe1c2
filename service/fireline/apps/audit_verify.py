"""`fireline audit verify`: the chain, its checkpoints and the timelines it speaks of, or an export of it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from fireline.apps import audit_checkpoints, audit_files
from fireline.apps.audit_keys import keys_to_look
from fireline.apps.bootstrap import look, settings_with
from fireline.apps.faults import Refused
from fireline.apps.output import print_json, say
from fireline.apps.settings import Settings
from fireline.domain.audit import Checkpoint, Keys, Sealed
from fireline.domain.audit_checking import Damage, Found, Kind, Outside, check
from fireline.engine.ports import Transaction


def run(file: Path | None, checkpoints: Sequence[Path], *, as_json: bool) -> int:
    """Verify; 0 when all is as it was written, 1 when it is not."""
    settings = settings_with()
    keys = keys_to_look(settings)
    try:
        if file is not None:
            found, notes = audit_files.verify(file, keys), [f"{file}"]
        else:
            found, notes = _database(settings, keys, checkpoints)
    except OSError as fault:
        raise Refused(f"{fault.filename}: {fault.strerror}") from fault
    return _tell(found, notes, as_json=as_json)


def _tell(found: Found, notes: Sequence[str], *, as_json: bool) -> int:
    damage = found.damage
    if as_json:
        told = None if damage is None else {"entry": damage.number, "kind": damage.kind.value, "detail": damage.detail}
        print_json(
            {"ok": damage is None, "entries": found.good, "mac": found.mac, "damage": told, "notes": list(notes)}
        )
        return 0 if damage is None else 1
    for note in notes:
        say(note)
    if damage is None:
        say(f"{_entries(found.good)} as {'it was' if found.good == 1 else 'they were'} written.", "green")
        return 0
    say(f"Damaged at entry {damage.number}: {damage.kind.value}. {damage.detail}", "bold red")
    say(f"Before it: {_entries(found.good)} as written.")
    return 1


def _entries(count: int) -> str:
    return "1 entry is" if count == 1 else f"{count} entries are"


def _database(settings: Settings, keys: Keys, more: Sequence[Path]) -> tuple[Found, list[str]]:
    own = settings.state_dir / audit_checkpoints.FILE
    marks, bad = audit_checkpoints.read([*([own] if own.exists() else []), *more], keys)
    database = audit_checkpoints.database_of(settings)
    with look(settings).store.reading() as tx:
        first = tx.audit_entry(1)
        ours = [mark for mark in marks if first is not None and mark.chain == first.mac]
        strange = [mark for mark in marks if mark.database == database and mark not in ours]
        lines = _Lines()
        found = check(lines.through(tx.audit_chain()), keys, Outside(tx.audit_head(), ours))
        if found.damage is None or found.damage.number > 1:
            found = _replaced(found, strange)
        if found.damage is None:
            found = replace(found, damage=lines.damage(tx))
    if found.damage is None and bad:
        found = replace(found, damage=Damage(found.good, Kind.CHECKPOINT, "; ".join(bad[:3])))
    return found, _notes(ours, lines, own)


def _replaced(found: Found, strange: Sequence[Checkpoint]) -> Found:
    """Checkpoints of this database that know another first entry: the chain was begun anew."""
    if not strange:
        return found
    last = max(strange, key=lambda mark: mark.at)
    text = (
        f"checkpoints saw another chain in this database, of {last.number} entries. If you began with an empty "
        f"database on purpose, move {audit_checkpoints.FILE} away"
    )
    return Found(0, found.mac, Damage(1, Kind.REPLACED, text))


def _notes(marks: Sequence[Checkpoint], lines: "_Lines", own: Path) -> list[str]:
    if marks:
        last = max(mark.number for mark in marks)
        seen = f"checkpoints: {len(marks)}, the last at entry {last}"
    else:
        seen = f"no checkpoints in {own}: entries that were cut off at the end cannot be told"
    return [f"lines of timelines that it speaks of: {lines.count}", seen]


class _Lines:
    """The lines of timelines that the chain speaks of, gathered as it is gone through."""

    def __init__(self) -> None:
        self._digests: dict[tuple[int, int], tuple[str, int]] = {}
        self._first: dict[int, int] = {}

    @property
    def count(self) -> int:
        """How many lines it speaks of."""
        return len(self._digests)

    def through(self, entries: Iterator[Sealed]) -> Iterator[Sealed]:
        """The same entries, read on the way."""
        for entry in entries:
            if '"timeline":{' in entry.body:
                self._read(entry)
            yield entry

    def _read(self, entry: Sealed) -> None:
        try:
            held = json.loads(entry.body).get("timeline") or {}
            for name, digest in held.items():
                incident, _, position = name.partition("/")
                self._digests[int(incident), int(position)] = str(digest), entry.number
                self._first[int(incident)] = min(int(position), self._first.get(int(incident), int(position)))
        except (ValueError, AttributeError):
            return  # the chain's own check tells of it

    def damage(self, tx: Transaction) -> Damage | None:
        """The first line that is not as it was written. Lines from before the audit are nobody's."""
        left = dict(self._digests)
        for incident, position, digest in tx.timeline_digests():
            known = left.pop((incident, position), None)
            if known is None and position >= self._first.get(incident, position + 1):
                where = f"line {position} of the timeline of INC-{incident}"
                text = f"no entry speaks of {where}: it was put in, or entries are gone"
                return Damage(0, Kind.TIMELINE, text)
            if known is not None and known[0] != digest:
                text = f"line {position} of the timeline of INC-{incident} was changed after it was written"
                return Damage(known[1], Kind.TIMELINE, text)
        for (incident, position), (_, number) in sorted(left.items()):
            return Damage(number, Kind.TIMELINE, f"line {position} of the timeline of INC-{incident} is not there")
        return None
