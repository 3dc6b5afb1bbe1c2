"""The outbox and the timers: queued inside a decision's transaction, claimed by lease, finished once.

An effect waits in its lane. The head of a lane is its oldest undone effect, and only heads are claimed, so a lane
keeps its order and has one effect in flight. An effect taken back while it is being performed holds its lane until
its lease ends, for the same reason.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
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
from fireline.adapters.database_rows import Rows
from fireline.adapters.database_tables import effects, timers
from fireline.domain.effects import Effect, Timer, lane
from fireline.engine.ports import Queued

UNREADABLE_DELAY = 300.0
"""Seconds until a row that this version cannot read is looked at again: a newer responder may take it meanwhile."""

_HEADS = (
    select(effects.c.lane, func.min(effects.c.id).label("id"))
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
        self._put_new(effects, row)

    def withdraw(self, key: str, reason: str) -> bool:
        """Take back an effect that was not done; False when it was done, is unknown, or may have been done.

        One that is being performed is not repeated after a crash, but it may arrive: False as well.
        """
        undone = and_(effects.c.key == key, effects.c.done_at.is_(None))
        row = self._connection.execute(self._locked(select(effects).where(undone))).first()
        if row is None:
            return False
        change = update(effects).where(effects.c.id == row.id)
        self._connection.execute(change.values(done_at=row.queued_at, outcome=f"withdrawn: {reason}"))
        return row.leased_until is None and not row.maybe_sent

    def backlog(self) -> int:
        """How many effects wait to be performed."""
        waiting = select(func.count()).select_from(effects).where(effects.c.done_at.is_(None))
        return int(self._connection.execute(waiting).scalar_one())

    def arm(self, timer: Timer) -> None:
        """Insert or replace the timer of this key; a lease on the old one is void."""
        row = {"key": timer.key, "due_at": timer.due_at, "leased_by": None, "leased_until": None}
        self._put(timers, {**row, "data": encode(timer)})

    def disarm(self, key: str) -> None:
        """Remove a timer; no fault when it is not there."""
        self._connection.execute(delete(timers).where(timers.c.key == key))

    def _locked(self, statement: Select[Any]) -> Select[Any]:
        return statement.with_for_update() if self._locking else statement


def any_claimable(connection: Connection, now: float, without: frozenset[str]) -> bool:
    """Whether `claim_effects` would find something: a look without locks."""
    statement = select(effects.c.id).select_from(_WAITING).where(now >= _EFFECT_READY_AT, *_not_of(without)).limit(1)
    return connection.execute(statement).first() is not None


def claim_effects(
    connection: Connection, owner: str, now: float, lease: float, limit: int, *, without: frozenset[str]
) -> Sequence[Queued]:
    """Lease the due heads of the lanes, in the order they were queued; lanes of channels in `without` stay."""
    heads = select(effects.c.id).select_from(_WAITING).where(now >= _EFFECT_READY_AT, *_not_of(without))
    heads = heads.order_by(effects.c.id).limit(limit)
    ids = connection.execute(_skipping_locked(connection, heads)).scalars().all()
    if not ids:
        return []
    change = (
        update(effects)
        .where(effects.c.id.in_(ids))
        .values(
            leased_by=owner,
            leased_until=now + lease,
            attempts=effects.c.attempts + 1,
            maybe_sent=or_(effects.c.maybe_sent, effects.c.leased_until.is_not(None)),
        )
        .returning(effects)
    )
    rows = sorted(connection.execute(change), key=lambda row: int(row.id))
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
    mine = and_(effects.c.key == key, effects.c.leased_by == owner)
    connection.execute(
        update(effects).where(mine).values(done_at=now, outcome=outcome, leased_by=None, leased_until=None)
    )


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
    due = and_(timers.c.due_at <= now, now >= _TIMER_READY_AT)
    return connection.execute(select(timers.c.key).where(due).limit(1)).first() is not None


def claim_timers(connection: Connection, owner: str, now: float, lease: float, limit: int) -> Sequence[Timer]:
    """Lease the due timers, the most overdue first; those of an incident of which one is leased wait for that."""
    due = and_(timers.c.due_at <= now, now >= _TIMER_READY_AT, not_(_in_hand(connection, now)))
    found = select(timers.c.key).where(due).order_by(timers.c.due_at).limit(limit)
    keys = connection.execute(_skipping_locked(connection, found)).scalars().all()
    if not keys:
        return []
    change = update(timers).where(timers.c.key.in_(keys)).values(leased_by=owner, leased_until=now + lease)
    rows = connection.execute(change.returning(timers.c.data)).scalars()
    return sorted((decode(Timer, data) for data in rows), key=lambda timer: (timer.due_at, timer.key))


def _in_hand(connection: Connection, now: float) -> ColumnElement[bool]:
    """Whether somebody has another deadline of the same incident, so that two of them keep their order."""
    others = and_(_OTHERS.c.leased_until > now, _OTHERS.c.key.startswith("inc-"))
    same = _incident(connection, _OTHERS.c.key) == _incident(connection, timers.c.key)
    return select(_OTHERS.c.key).where(others, same, _OTHERS.c.key != timers.c.key).exists()


def _incident(connection: Connection, key: ColumnElement[str]) -> ColumnElement[str]:
    """`inc-7` of `inc-7/escalate`."""
    if connection.dialect.name == "postgresql":
        return func.split_part(key, "/", 1)
    return func.substr(key, 1, func.instr(key, "/") - 1)


def next_timer(connection: Connection) -> float | None:
    """When the next timer may be claimed."""
    at: float | None = connection.execute(select(func.min(_TIMER_READY_AT))).scalar()
    return at


def next_due(connection: Connection, without: frozenset[str]) -> float | None:
    """When the next timer, or the next head of a lane, may be claimed."""
    either = union_all(
        select(func.min(_EFFECT_READY_AT).label("at")).select_from(_WAITING).where(*_not_of(without)),
        select(func.min(_TIMER_READY_AT).label("at")),
    ).subquery()
    at: float | None = connection.execute(select(func.min(either.c.at))).scalar()
    return at


def _not_of(channels: frozenset[str]) -> list[ColumnElement[bool]]:
    """Lanes of other channels: the channel is what a lane begins with."""
    return [not_(effects.c.lane.startswith(f"{name}:", autoescape=True)) for name in sorted(channels)]


def _skipping_locked(connection: Connection, statement: Select[Any]) -> Select[Any]:
    """On PostgreSQL: leave alone what a decision holds now, and let one claimer choose at a time.

    Without the turn, two claimers could see a lane at different moments and put two of its effects in flight.
    """
    if connection.dialect.name != "postgresql":
        return statement
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("fireline claim", 0))))
    return statement.with_for_update(of=next(iter(statement.selected_columns)).table, skip_locked=True)
