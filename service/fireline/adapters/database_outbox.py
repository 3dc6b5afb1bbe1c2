"""The outbox and the timers: queued inside a decision's transaction, claimed by lease, finished once.

An effect waits in its lane. The head of a lane is its oldest undone effect, and only heads are claimed, so a lane
keeps its order and has one effect in flight. Cards go before lines of their room: lines wait for their turn where a
service takes one message a second, and who has the incident must be seen at once. An effect taken back while it is
being performed holds its lane until its lease ends, for the same reason.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Executable,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    not_,
    or_,
    select,
    true,
    union_all,
    update,
)

from fireline.adapters.codec import Undecodable, decode, decode_effect, encode
from fireline.adapters.database_rows import Rows, insert_into
from fireline.adapters.database_tables import Name, effects, timers
from fireline.domain.effects import Effect, Timer, lane
from fireline.engine.ports import Queued

UNREADABLE_DELAY = 300.0
"""Seconds until a row that this version cannot read is looked at again: a newer responder may take it meanwhile."""

_NOW, _MOST = bindparam("now", type_=Double), bindparam("most", type_=Integer)
_BEHIND = 2**53
"""Added to the number of whatever is no card: so it comes after all cards of its lane."""
_FIRST: ColumnElement[int] = func.min(
    case((effects.c.kind == "UpdateCard", effects.c.id), else_=effects.c.id + _BEHIND)
)
_HEADS = (
    select(effects.c.lane, case((_FIRST >= _BEHIND, _FIRST - _BEHIND), else_=_FIRST).label("id"))
    .where(effects.c.done_at.is_(None))
    .group_by(effects.c.lane)
    .subquery("heads")
)
_BUSY = (
    select(effects.c.lane, func.max(effects.c.leased_until).label("until"))
    .where(effects.c.leased_until.is_not(None))
    .group_by(effects.c.lane)
    .subquery("busy")
)
_EFFECT_READY_AT: ColumnElement[float] = case((_BUSY.c.until > effects.c.due_at, _BUSY.c.until), else_=effects.c.due_at)
_TIMER_READY_AT: ColumnElement[float] = case(
    (timers.c.leased_until > timers.c.due_at, timers.c.leased_until), else_=timers.c.due_at
)
_OTHERS = timers.alias("others")
_WAITING = effects.join(_HEADS, _HEADS.c.id == effects.c.id).outerjoin(_BUSY, _BUSY.c.lane == effects.c.lane)


class OutboxRows(Rows):
    """The part of a transaction that says what is to be done, and when."""

    def enqueue(self, effect: Effect, now: float) -> None:
        """Queue an effect; one with a known key is ignored."""
        row = {
            "key": effect.key,
            "kind": type(effect).__name__,
            "lane": lane(effect),
            "incident": getattr(effect, "incident", None),
            "data": encode(effect),
            "queued_at": now,
            "due_at": now,
            "attempts": 0,
            "maybe_sent": False,
            "outcome": "",
        }
        self._queued.append(row)

    def queue_effects(self) -> None:
        """Write what was queued, all at once: before anything looks for it, and at the end of the transaction."""
        if self._queued:
            self._connection.execute(_queue(self._on_postgres), self._queued)
            self._queued = []

    def withdraw(self, key: str, reason: str) -> bool:
        """Take back an effect that was not done; False when it was done, is unknown, or may have been done.

        One that is being performed is not repeated after a crash, but it may arrive: False as well.
        """
        self.queue_effects()
        undone = and_(effects.c.key == key, effects.c.done_at.is_(None))
        row = self._connection.execute(self._locked(select(effects).where(undone))).first()
        if row is None:
            return False
        change = update(effects).where(effects.c.id == row.id)
        self._connection.execute(change.values(done_at=row.queued_at, outcome=f"withdrawn: {reason}"))
        return row.leased_until is None and not row.maybe_sent

    def finish_effect(self, key: str, owner: str, outcome: str, now: float) -> None:
        """`Store.finish_effect`, in this transaction."""
        finish_effect(self._connection, key, owner, outcome, now)

    def backlog(self) -> int:
        """How many effects wait to be performed."""
        self.queue_effects()
        waiting = select(func.count()).select_from(effects).where(effects.c.done_at.is_(None))
        return int(self._connection.execute(waiting).scalar_one())

    def arm(self, timer: Timer) -> None:
        """Insert or replace the timer of this key; a lease on the old one is void."""
        row = {"key": timer.key, "due_at": timer.due_at, "leased_by": None, "leased_until": None}
        self._put(timers, {**row, "data": encode(timer)})

    def disarm(self, key: str) -> None:
        """Remove a timer; no fault when it is not there."""
        self._connection.execute(_DISARM, {"of": key})

    def _locked(self, statement: Select[Any]) -> Select[Any]:
        return statement.with_for_update() if self._locking else statement


def any_claimable(connection: Connection, now: float, without: frozenset[str]) -> bool:
    """Whether `claim_effects` would find something: a look without locks."""
    return connection.execute(_claimable(without, lock=False), {"now": now, "most": 1}).first() is not None


def claim_effects(
    connection: Connection, owner: str, now: float, lease: float, limit: int, *, without: frozenset[str]
) -> Sequence[Queued]:
    """Lease the due heads of the lanes, in the order they were queued; lanes of channels in `without` stay."""
    heads = _claimable(without, lock=_one_claimer(connection))
    ids = connection.execute(heads, {"now": now, "most": limit}).scalars().all()
    if not ids:
        return []
    leased = connection.execute(_LEASE, {"ids": ids, "owner": owner, "until": now + lease})
    rows = sorted(leased, key=lambda row: int(row.id))
    return [queued for row in rows if (queued := _queued(connection, row, now)) is not None]


def _queued(connection: Connection, row: Row[Any], now: float) -> Queued | None:
    try:
        return Queued(decode_effect(row.data), row.attempts - 1, row.queued_at, row.maybe_sent)
    except Undecodable:
        reason = f"this version cannot read a {row.kind}; it waits for a newer one"
        postpone_effect(connection, row.key, row.leased_by, now + UNREADABLE_DELAY, reason, maybe_sent=False)
        return None


def finish_effect(connection: Connection, key: str, owner: str, outcome: str, now: float) -> None:
    """Write down what came of it. Without the lease (it ran out and somebody else has it) nothing happens."""
    connection.execute(_FINISH, {"of": key, "owner": owner, "at": now, "what": outcome})


def postpone_effect(
    connection: Connection, key: str, owner: str, until: float, reason: str, *, maybe_sent: bool
) -> None:
    """Give the lease back and wait until `until`; one that was withdrawn meanwhile stays so."""
    mine = and_(effects.c.key == key, effects.c.leased_by == owner)
    values = {
        "due_at": until,
        "outcome": case((effects.c.done_at.is_(None), reason), else_=effects.c.outcome),
        "maybe_sent": true() if maybe_sent else effects.c.maybe_sent,
        "leased_by": None,
        "leased_until": None,
    }
    connection.execute(update(effects).where(mine).values(values))


def any_timer_due(connection: Connection, now: float) -> bool:
    """Whether `claim_timers` would find something: a look without locks."""
    return connection.execute(_ANY_TIMER, {"now": now}).first() is not None


def claim_timers(connection: Connection, owner: str, now: float, lease: float, limit: int) -> Sequence[Timer]:
    """Lease the due timers, the most overdue first; those of an incident of which one is leased wait for that."""
    found = _due_timers(_one_claimer(connection))
    keys = connection.execute(found, {"now": now, "most": limit}).scalars().all()
    if not keys:
        return []
    rows = connection.execute(_LEASE_TIMERS, {"keys": keys, "owner": owner, "until": now + lease}).scalars()
    return sorted((decode(Timer, data) for data in rows), key=lambda timer: (timer.due_at, timer.key))


def _in_hand(on_postgres: bool) -> ColumnElement[bool]:
    """Whether somebody has another deadline of the same incident, so that two of them keep their order."""
    others = and_(_OTHERS.c.leased_until > _NOW, _OTHERS.c.key.startswith("inc-"))
    same = _incident(_OTHERS.c.key, on_postgres) == _incident(timers.c.key, on_postgres)
    return select(_OTHERS.c.key).where(others, same, _OTHERS.c.key != timers.c.key).exists()


def _incident(key: ColumnElement[str], on_postgres: bool) -> ColumnElement[str]:
    """`inc-7` of `inc-7/escalate`."""
    if on_postgres:
        return func.split_part(key, "/", 1)
    return func.substr(key, 1, func.instr(key, "/") - 1)


def next_timer(connection: Connection) -> float | None:
    """When the next timer may be claimed."""
    at: float | None = connection.execute(_NEXT_TIMER).scalar()
    return at


def next_due(connection: Connection, without: frozenset[str]) -> float | None:
    """When the next timer, or the next head of a lane, may be claimed."""
    at: float | None = connection.execute(_next_due(without)).scalar()
    return at


def _not_of(channels: frozenset[str]) -> list[ColumnElement[bool]]:
    """Lanes of other channels: the channel is what a lane begins with."""
    return [not_(effects.c.lane.startswith(f"{name}:", autoescape=True)) for name in sorted(channels)]


def _one_claimer(connection: Connection) -> bool:
    """On PostgreSQL: let one claimer choose at a time; whether that is so, and rows are to be locked.

    Without the turn, two claimers could see a lane at different moments and put two of its effects in flight.
    """
    if connection.dialect.name != "postgresql":
        return False
    connection.execute(_TURN)
    return True


# Statements are built once: building them takes longer than running them. What a decision holds now is left alone.

_OWNER, _UNTIL = bindparam("owner", type_=Name), bindparam("until", type_=Double)
_TURN = select(func.pg_advisory_xact_lock(func.hashtextextended("fireline claim", 0)))
_DISARM = delete(timers).where(timers.c.key == bindparam("of"))
_DUE = and_(timers.c.due_at <= _NOW, _NOW >= _TIMER_READY_AT)
_ANY_TIMER = select(timers.c.key).where(_DUE).limit(1)
_NEXT_TIMER = select(func.min(_TIMER_READY_AT))
_LEASE_TIMERS = (
    update(timers)
    .where(timers.c.key.in_(bindparam("keys", expanding=True)))
    .values(leased_by=_OWNER, leased_until=_UNTIL)
    .returning(timers.c.data)
)
_LEASE = (
    update(effects)
    .where(effects.c.id.in_(bindparam("ids", expanding=True)))
    .values(
        leased_by=_OWNER,
        leased_until=_UNTIL,
        attempts=effects.c.attempts + 1,
        maybe_sent=or_(effects.c.maybe_sent, effects.c.leased_until.is_not(None)),
    )
    .returning(effects)
)
_FINISH = (
    update(effects)
    .where(and_(effects.c.key == bindparam("of"), effects.c.leased_by == _OWNER))
    .values(done_at=bindparam("at"), outcome=bindparam("what"), leased_by=None, leased_until=None)
)


@cache
def _queue(on_postgres: bool) -> Executable:
    return insert_into(effects, on_postgres).on_conflict_do_nothing()


@cache
def _due_timers(on_postgres: bool) -> Select[Any]:
    found = select(timers.c.key).where(_DUE, not_(_in_hand(on_postgres))).order_by(timers.c.due_at).limit(_MOST)
    return found.with_for_update(of=timers, skip_locked=True) if on_postgres else found


@lru_cache(maxsize=100)
def _claimable(without: frozenset[str], *, lock: bool) -> Select[Any]:
    heads = select(effects.c.id).select_from(_WAITING).where(_NOW >= _EFFECT_READY_AT, *_not_of(without))
    heads = heads.order_by(effects.c.id).limit(_MOST)
    return heads.with_for_update(of=effects, skip_locked=True) if lock else heads


@lru_cache(maxsize=100)
def _next_due(without: frozenset[str]) -> Select[Any]:
    either = union_all(
        select(func.min(_EFFECT_READY_AT).label("at")).select_from(_WAITING).where(*_not_of(without)),
        select(func.min(_TIMER_READY_AT).label("at")),
    ).subquery()
    return select(func.min(either.c.at))
