"""The audit chain in the database: acts of a transaction are sealed as it commits, under a lock on the chain's head."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, and_, bindparam, insert, select, update

from fireline.adapters.database_rows import Rows
from fireline.adapters.database_tables import Name, audit, audit_head, timeline
from fireline.domain.audit import START, Act, Blots, Keys, Sealed, Sought, digest, seal_text

BATCH = 1000
"""Rows that are read at once while all are gone through."""

_HEAD = select(audit_head.c.number, audit_head.c.mac).where(audit_head.c.id == 1)
_LOCKED = _HEAD.with_for_update()
_LAST = select(audit.c.number, audit.c.mac).order_by(audit.c.number.desc()).limit(1)
_MOVE = update(audit_head).where(audit_head.c.id == 1).values(number=bindparam("to"), mac=bindparam("at_mac"))
_ADD = insert(audit)


class AuditRows(Rows):
    """The part of a transaction that puts down who did what."""

    def record(self, act: Act) -> None:
        """Put an act down in the chain, when the transaction commits."""
        self._acts.append(act)

    def _wrote(self, incident: int, rows: Iterable[Mapping[str, Any]]) -> None:
        """Lines of a timeline, of which the chain keeps the digests."""
        self._lines |= {f"{incident}/{row['position']}": digest(row["data"]) for row in rows}

    def seal_acts(self, keys: Keys, blots: Blots) -> None:
        """Write what was recorded, as the last thing of a transaction: the head's lock is held for this alone."""
        if not self._acts and not self._lines:
            return
        acts = self._acts or [Act(0.0, "fireline", "timeline", "timeline.written", "timeline", "")]  # tests, imports
        number, mac = self._head()
        rows = []
        for place, act in enumerate(acts):
            body, text = blots.written(act, self._lines if place == 0 else {})
            entry = seal_text(text, number + 1, mac, keys)
            number, mac = entry.number, entry.mac
            rows.append(_row(entry, body))
        self._connection.execute(_ADD, rows)
        if self._connection.execute(_MOVE, {"to": number, "at_mac": mac}).rowcount == 0:
            self._connection.execute(insert(audit_head).values(id=1, number=number, mac=mac))

    def _head(self) -> tuple[int, str]:
        found = self._connection.execute(_LOCKED if self._locking else _HEAD).first()
        if found is None:  # somebody removed it: no page may fail for that, and the check tells of it
            self._lock("audit")
            found = self._connection.execute(_LAST).first()
        return (0, START) if found is None else (found.number, found.mac)

    def audit_head(self) -> tuple[int, str]:
        """How many acts the chain has by its own count, and the mac of the last."""
        found = self._connection.execute(_HEAD).first()
        return (0, START) if found is None else (found.number, found.mac)

    def audit_entry(self, number: int) -> Sealed | None:
        """One entry of the chain; None when there is none of this number."""
        found = self._connection.execute(select(audit).where(audit.c.number == number)).first()
        return None if found is None else _whole(found)

    def audit_chain(self) -> Iterator[Sealed]:
        """All entries, from the first. One whose row does not say what its body does has no body."""
        yield from map(_whole, self._audit_rows())

    def audit_of(self, wanted: Sought) -> Sequence[tuple[Sealed, str]]:
        """The entries that are wanted, each with the mac of the one before it; the oldest first."""
        columns = {"actor": wanted.actor, "subject": wanted.subject}
        tests = [audit.c[name] == value for name, value in columns.items() if value]
        tests += [audit.c.at >= wanted.since] if wanted.since is not None else []
        tests += [audit.c.at < wanted.until] if wanted.until is not None else []
        newest = select(audit).where(and_(True, *tests)).order_by(audit.c.number.desc())
        rows = list(self._connection.execute(newest if wanted.limit is None else newest.limit(wanted.limit)))
        return [(_whole(row), self._before(row.number)) for row in reversed(rows)]

    def timeline_digests(self) -> Iterator[tuple[int, int, str]]:
        """Incident, position and digest of every line of every timeline, in order."""
        columns = (timeline.c.incident, timeline.c.position, timeline.c.data)
        for row in self._connection.execute(select(*columns).order_by(timeline.c.incident, timeline.c.position)):
            yield row.incident, row.position, digest(_bytes(row.data))

    def _before(self, number: int) -> str:
        mac: str | None = self._connection.execute(select(audit.c.mac).where(audit.c.number == number - 1)).scalar()
        return mac or START

    def _audit_rows(self) -> Iterator[Row[Any]]:
        after = -(2**62)
        page = select(audit).where(audit.c.number > bindparam("after")).order_by(audit.c.number).limit(BATCH)
        while rows := self._connection.execute(page, {"after": after}).all():
            yield from rows
            after = rows[-1].number


def _row(sealed: Sealed, body: Mapping[str, object]) -> dict[str, object]:
    return {
        "number": sealed.number,
        "at": body["at"],
        "actor": body["actor"],
        "subject": body["subject"],
        "key": sealed.key,
        "body": sealed.body,
        "mac": sealed.mac,
    }


def _whole(row: Row[Any]) -> Sealed:
    """The entry of a row; without its body where the columns that are looked up do not say the same."""
    number = row.number if isinstance(row.number, int) else 0  # SQLite keeps what it is given, of any type
    sealed = Sealed(number, str(row.key), str(row.body), str(row.mac))
    try:
        body = json.loads(row.body)
        same = row.at == body["at"] and all(getattr(row, name) == _kept(body[name]) for name in ("actor", "subject"))
    except (ValueError, KeyError, TypeError):
        return sealed
    return sealed if same else replace(sealed, body="")


def _bytes(data: object) -> bytes:
    return data if isinstance(data, bytes) else str(data).encode("utf-8", "replace")


def _kept(text: object) -> str | None:
    return Name().process_bind_param(str(text), None)
