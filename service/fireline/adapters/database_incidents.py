"""Incidents, their timelines, message references and numbers, inside one transaction."""

from collections.abc import Collection, Iterable, Sequence
from functools import cache, lru_cache
from itertools import takewhile

from sqlalchemy import BigInteger, Executable, Integer, LargeBinary, and_, bindparam, func, insert, or_, select

from fireline.adapters.codec import decode, decode_mapping, encode, encode_mapping
from fireline.adapters.database_audit import AuditRows
from fireline.adapters.database_rows import insert_into
from fireline.adapters.database_tables import incidents, messages, seen, sequences, timeline
from fireline.domain.incidents import Entry, Incident, Status
from fireline.engine.outward import MessageRef

_OF_SERVICE = select(incidents.c.data).where(
    incidents.c.service == bindparam("of_service"), incidents.c.timeline == bindparam("of_timeline")
)
_OPENED = _OF_SERVICE.order_by(incidents.c.number.desc()).limit(bindparam("most", type_=Integer))
_LATEST = _OF_SERVICE.where(incidents.c.grouping == bindparam("of_group")).order_by(incidents.c.number.desc()).limit(1)
_LATEST_LOCKED = _LATEST.with_for_update()
_NEAR = and_(
    incidents.c.open.is_(True),
    incidents.c.service.in_(bindparam("services", expanding=True)),
    incidents.c.timeline == bindparam("of_timeline"),
)
_BESIDE = select(incidents.c.data).where(_NEAR).order_by(incidents.c.number)
_BESIDE_OR = (
    select(incidents.c.data)
    .where(or_(_NEAR, incidents.c.number.in_(bindparam("numbers", expanding=True))))
    .order_by(incidents.c.number)
)
_LAST = select(func.max(timeline.c.position)).where(timeline.c.incident == bindparam("of"))
_APPEND = insert(timeline)
_APPEND_ONE = _APPEND.from_select(
    ["incident", "position", "data"],
    select(
        bindparam("of", type_=BigInteger),
        func.coalesce(func.max(timeline.c.position), 0) + 1,
        bindparam("line", type_=LargeBinary),
    ).where(timeline.c.incident == bindparam("of", type_=BigInteger)),
).returning(timeline.c.position)


@cache
def _next(on_postgres: bool) -> Executable:
    return (
        insert_into(sequences, on_postgres)
        .on_conflict_do_update(index_elements=["name"], set_={"value": sequences.c.value + 1})
        .returning(sequences.c.value)
    )


class IncidentRows(AuditRows):
    """The part of a transaction about incidents."""

    def first_time(self, key: str, now: float) -> bool:
        """Remember `key`; False when it was there already."""
        return self._put_new(seen, {"key": key, "at": now})

    def next_number(self, of: str) -> int:
        """The next number of a sequence; the row stays locked, so that a rollback leaves no gap."""
        return int(self._connection.execute(_next(self._on_postgres), {"name": of, "value": 1}).scalar_one())

    def incident(self, number: int) -> Incident | None:
        """The incident, locked until the end of the transaction."""
        return _incident(self._row_of(incidents, number))

    def latest_incident(self, service: str, group: str, timeline: str) -> Incident | None:
        """The newest incident of this service, key and timeline; the key is locked even when there is none."""
        self._lock(f"incident\n{timeline}\n{service}\n{group}")
        key = {"of_service": service, "of_group": group, "of_timeline": timeline}
        return _incident(self._connection.execute(_LATEST_LOCKED if self._locking else _LATEST, key).scalar())

    def incidents(self, *, open_only: bool = False, limit: int = 100) -> Sequence[Incident]:
        """Newest first."""
        statement = select(incidents.c.data).order_by(incidents.c.number.desc()).limit(limit)
        if open_only:
            statement = statement.where(incidents.c.open.is_(True))
        return [_decoded(data) for data in self._all(statement)]

    def opened(self, service: str, timeline: str, since: float, limit: int) -> Sequence[tuple[int, float]]:
        """Number and time of opening of the service's latest incidents, newest first."""
        rows = self._all(_OPENED, of_service=service, of_timeline=timeline, most=limit)
        found = (_decoded(data) for data in rows)
        return [(each.number, each.opened_at) for each in takewhile(lambda each: each.opened_at >= since, found)]

    def beside(self, timeline: str, services: Collection[str], numbers: Collection[int]) -> Sequence[Incident]:
        """The open incidents of these services, and those with these numbers, oldest first; locks none of them."""
        given: dict[str, object] = {"of_timeline": timeline, "services": sorted(services)}
        found = self._all(_BESIDE_OR, **given, numbers=sorted(numbers)) if numbers else self._all(_BESIDE, **given)
        return [_decoded(data) for data in found]

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
        data = [encode(entry) for entry in entries]
        if len(data) == 1:
            position = self._connection.execute(_APPEND_ONE, {"of": incident, "line": data[0]}).scalar_one()
            self._wrote(incident, [{"position": position, "data": data[0]}])
        elif data:
            last: int = self._connection.execute(_LAST, {"of": incident}).scalar() or 0
            rows = [{"incident": incident, "position": last + 1 + i, "data": line} for i, line in enumerate(data)]
            self._connection.execute(_APPEND, rows)
            self._wrote(incident, rows)

    def timeline(self, incident: int) -> Sequence[Entry]:
        """All entries, oldest first."""
        statement = select(timeline.c.data).where(timeline.c.incident == incident).order_by(timeline.c.position)
        return [decode(Entry, data) for data in self._all(statement)]

    def message_ref(self, incident: int, kind: str, channel: str, address: str) -> MessageRef | None:
        """Where the message of this kind is; None before it was sent."""
        data = self._row_of(messages, incident, kind, channel, address, lock=False)
        return None if data is None else MessageRef(channel, address, decode_mapping(data))

    def save_message_ref(self, incident: int, kind: str, ref: MessageRef) -> None:
        """Remember where a message is."""
        row = {"incident": incident, "kind": kind, "channel": ref.channel, "address": ref.address}
        self._put(messages, {**row, "data": encode_mapping(ref.ref)})


def _incident(data: bytes | None) -> Incident | None:
    return None if data is None else _decoded(data)


@lru_cache(256)
def _decoded(data: bytes) -> Incident:
    """The incident, which nobody may change. Each change of a route looks at all that are open, most as they were."""
    return decode(Incident, data)
