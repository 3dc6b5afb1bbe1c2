"""Incidents, their timelines, message references and numbers, inside one transaction."""

from collections.abc import Collection, Iterable, Sequence
from itertools import takewhile

from sqlalchemy import and_, func, insert, or_, select

from fireline.adapters.codec import decode, decode_mapping, encode, encode_mapping
from fireline.adapters.database_audit import AuditRows
from fireline.adapters.database_tables import incidents, messages, seen, sequences, timeline
from fireline.domain.incidents import Entry, Incident, Status
from fireline.engine.outward import MessageRef


class IncidentRows(AuditRows):
    """The part of a transaction about incidents."""

    def first_time(self, key: str, now: float) -> bool:
        """Remember `key`; False when it was there already."""
        return self._put_new(seen, {"key": key, "at": now})

    def next_number(self, of: str) -> int:
        """The next number of a sequence; the row stays locked, so that a rollback leaves no gap."""
        first = self._insert(sequences).values(name=of, value=1)
        statement = first.on_conflict_do_update(
            index_elements=["name"], set_={"value": sequences.c.value + 1}
        ).returning(sequences.c.value)
        return int(self._connection.execute(statement).scalar_one())

    def incident(self, number: int) -> Incident | None:
        """The incident, locked until the end of the transaction."""
        return _incident(self._one(select(incidents.c.data).where(incidents.c.number == number)))

    def latest_incident(self, service: str, group: str, timeline: str) -> Incident | None:
        """The newest incident of this service, key and timeline; the key is locked even when there is none."""
        self._lock(f"incident\n{timeline}\n{service}\n{group}")
        statement = (
            select(incidents.c.data)
            .where(
                incidents.c.service == service,
                incidents.c.grouping == group,
                incidents.c.timeline == timeline,
            )
            .order_by(incidents.c.number.desc())
            .limit(1)
        )
        return _incident(self._one(statement))

    def incidents(self, *, open_only: bool = False, limit: int = 100) -> Sequence[Incident]:
        """Newest first."""
        statement = select(incidents.c.data).order_by(incidents.c.number.desc()).limit(limit)
        if open_only:
            statement = statement.where(incidents.c.open.is_(True))
        return [decode(Incident, data) for data in self._all(statement)]

    def opened(self, service: str, timeline: str, since: float, limit: int) -> Sequence[tuple[int, float]]:
        """Number and time of opening of the service's latest incidents, newest first."""
        statement = (
            select(incidents.c.data)
            .where(incidents.c.service == service, incidents.c.timeline == timeline)
            .order_by(incidents.c.number.desc())
            .limit(limit)
        )
        found = (decode(Incident, data) for data in self._all(statement))
        return [(each.number, each.opened_at) for each in takewhile(lambda each: each.opened_at >= since, found)]

    def beside(self, timeline: str, services: Collection[str], numbers: Collection[int]) -> Sequence[Incident]:
        """The open incidents of these services, and those with these numbers, oldest first; locks none of them."""
        near = and_(incidents.c.open.is_(True), incidents.c.service.in_(services), incidents.c.timeline == timeline)
        wanted = or_(near, incidents.c.number.in_(numbers)) if numbers else near
        statement = select(incidents.c.data).where(wanted).order_by(incidents.c.number)
        return [decode(Incident, data) for data in self._all(statement)]

    def lock(self, name: str) -> None:
        """Hold a name until the end of the transaction."""
        self._lock(name)

    def save_incident(self, incident: Incident) -> None:
        """Insert, or replace version - 1; raises StaleVersion otherwise."""
        row: dict[str, object] = {
            "number": incident.number,
            "timeline": incident.timeline,
            "service": incident.service,
            "grouping": incident.group,
            "open": incident.status is not Status.RESOLVED,
            "version": incident.version,
            "data": encode(incident),
        }
        self._save(incidents, row, incident.version)

    def append(self, incident: int, entries: Iterable[Entry]) -> None:
        """Append to the timeline; the audit chain keeps the digest of each line."""
        before = select(func.max(timeline.c.position)).where(timeline.c.incident == incident)
        last: int = self._connection.execute(before).scalar() or 0
        rows = [
            {"incident": incident, "position": position, "data": encode(entry)}
            for position, entry in enumerate(entries, start=last + 1)
        ]
        if rows:
            self._connection.execute(insert(timeline), rows)
            self._wrote(incident, rows)

    def timeline(self, incident: int) -> Sequence[Entry]:
        """All entries, oldest first."""
        statement = select(timeline.c.data).where(timeline.c.incident == incident).order_by(timeline.c.position)
        return [decode(Entry, data) for data in self._all(statement)]

    def message_ref(self, incident: int, kind: str, channel: str, address: str) -> MessageRef | None:
        """Where the message of this kind is; None before it was sent."""
        data = self._connection.execute(
            select(messages.c.data).where(
                messages.c.incident == incident,
                messages.c.kind == kind,
                messages.c.channel == channel,
                messages.c.address == address,
            )
        ).scalar()
        return None if data is None else MessageRef(channel, address, decode_mapping(data))

    def save_message_ref(self, incident: int, kind: str, ref: MessageRef) -> None:
        """Remember where a message is."""
        row = {"incident": incident, "kind": kind, "channel": ref.channel, "address": ref.address}
        self._put(messages, {**row, "data": encode_mapping(ref.ref)})


def _incident(data: bytes | None) -> Incident | None:
    return None if data is None else decode(Incident, data)
