"""The tables. A value of the domain is one row: what is queried has a column, the whole of it is in `data` (codec).

Times are float seconds since the epoch. The migrations beside this file build exactly these tables; a test compares.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    text,
)


class Name(TypeDecorator[str]):
    """Text from outside that is looked up: what a database refuses (NUL, lone surrogates) is replaced, not raised."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        """Replace the few characters that SQLite or PostgreSQL cannot keep."""
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


metadata = MetaData()

ROW_ID = BigInteger().with_variant(Integer(), "sqlite")  # only INTEGER is a self-numbering key in SQLite

seen = Table(
    "seen",
    metadata,
    Column("key", Name, primary_key=True),
    Column("at", Double, nullable=False, index=True),
)

sequences = Table(
    "sequences",
    metadata,
    Column("name", Name, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

incidents = Table(
    "incidents",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("timeline", Name, nullable=False),
    Column("service", Name, nullable=False),
    Column("grouping", Name, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
Index("incidents_key", incidents.c.service, incidents.c.grouping, incidents.c.timeline, incidents.c.number)
Index(
    "incidents_open",
    incidents.c.number,
    sqlite_where=text("open IS 1"),  # as each database is asked, so that the index is used
    postgresql_where=text("open IS true"),
)

timeline = Table(
    "timeline",
    metadata,
    Column("incident", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False, index=True),
    Column("actor", Name, nullable=False, index=True),
    Column("subject", Name, nullable=False, index=True),
    Column("key", Name, nullable=False),
    Column("body", Text, nullable=False),  # ASCII, byte for byte what was sealed
    Column("mac", Text, nullable=False),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # one row, 1: who writes to the chain locks it
    Column("number", BigInteger, nullable=False),
    Column("mac", Text, nullable=False),
)

effects = Table(
    "effects",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("key", Name, nullable=False, unique=True),
    Column("kind", Name, nullable=False),
    Column("lane", Name, nullable=False),
    Column("incident", BigInteger),
    Column("data", LargeBinary, nullable=False),
    Column("queued_at", Double, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("maybe_sent", Boolean, nullable=False),
    Column("leased_by", Name),
    Column("leased_until", Double),
    Column("done_at", Double),
    Column("outcome", Name, nullable=False),
)
Index(
    "effects_undone",
    effects.c.lane,
    effects.c.id,
    sqlite_where=effects.c.done_at.is_(None),
    postgresql_where=effects.c.done_at.is_(None),
)
Index(
    "effects_leased",
    effects.c.lane,
    effects.c.leased_until,
    sqlite_where=effects.c.leased_until.is_not(None),
    postgresql_where=effects.c.leased_until.is_not(None),
)
Index("effects_incident", effects.c.incident)

timers = Table(
    "timers",
    metadata,
    Column("key", Name, primary_key=True),
    Column("due_at", Double, nullable=False, index=True),
    Column("leased_by", Name),
    Column("leased_until", Double),
    Column("data", LargeBinary, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("incident", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Name, primary_key=True),
    Column("channel", Name, primary_key=True),
    Column("address", Name, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("incident", BigInteger, index=True),
    Column("runbook", Name, nullable=False),
    Column("lock", Name, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("started_at", Double),
    Column("version", BigInteger, nullable=False),
    Column("leased_by", Name),
    Column("leased_until", Double),
    Column("data", LargeBinary, nullable=False),
)
Index("runs_budget", runs.c.runbook, runs.c.lock, runs.c.started_at)
Index("runs_active", runs.c.number, sqlite_where=text("active IS 1"), postgresql_where=text("active IS true"))

journal = Table(
    "journal",
    metadata,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("what", Name, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

locks = Table(
    "locks",
    metadata,
    Column("lock", Name, primary_key=True),
    Column("run", BigInteger, nullable=False),
)

routes = Table(
    "routes",
    metadata,
    Column("service", Name, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

silences = Table(
    "silences",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("ends_at", Double, nullable=False, index=True),
    Column("version", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

stops = Table(
    "stops",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("pulled", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

watches = Table(
    "watches",
    metadata,
    Column("id", Name, primary_key=True),
    Column("until", Double, nullable=False, index=True),
    Column("data", LargeBinary, nullable=False),
)

answers = Table(
    "answers",
    metadata,
    Column("watch", Name, primary_key=True),
    Column("entity", Name, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

overrides = Table(
    "overrides",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("schedule", Name, nullable=False),
    Column("until", Double, nullable=False, index=True),
    Column("version", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("topic", Name, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("generation", Name, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("header", LargeBinary, nullable=False),
)

windows = Table(
    "windows",
    metadata,
    Column("topic", Name, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("key", Name, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

facts = Table(
    "facts",
    metadata,
    Column("key", Name, primary_key=True),
    Column("at", Double, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
