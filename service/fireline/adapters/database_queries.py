"""Questions of runbooks to databases of others. That nothing is changed is the database's own word, not our reading.

PostgreSQL: a transaction that was begun read only and has its snapshot, so that it cannot be made another any more; one
statement at a time, as the extended protocol takes no more; rolled back whatever it said. SQLite: the file is opened
read only, `query_only` is on, and nothing is attached. Parameters go beside the statement and never into it.
"""

import asyncio
import json
import math
import sqlite3
from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from urllib.parse import quote

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from fireline.adapters.secrets import hiding
from fireline.engine.outgoing import NotSent, Queries, Query, Rows, Secrets

MOST = 65_536
"""Characters of all rows together, as JSON."""
_LONGEST = 4_000
"""Characters of one value."""
_CONNECTING = 5
"""Seconds until a database that does not answer is given up."""
_TEMPORARY = ("08", "53", "57P0", "55P03", "40", "58")
"""Classes of faults of PostgreSQL that may be over soon: connections, resources, a restart, locks."""


class ReadOnlyQueries(Queries):
    """The Queries port. A connection for each question: they are few, and each sees what is there now."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    async def __call__(self, query: Query) -> Rows | NotSent:
        """The rows, or why there are none. Never raises, other than when it is cancelled."""
        password = self._secrets.secret(query.password) if query.password else None
        if query.password and password is None:
            return NotSent(f"there is no secret {query.password}", final=True)
        import psycopg

        shown = hiding([(query.password, password)] if password else [])
        try:
            async with asyncio.timeout(query.timeout + _CONNECTING):
                return await (_lite(query) if query.url.startswith("sqlite") else _postgres(query, password))
        except TimeoutError:
            return NotSent(f"no answer within {query.timeout:g} s", final=True)
        except (psycopg.Error, sqlite3.Error, SQLAlchemyError, OSError, ValueError, TypeError) as fault:
            return NotSent(shown(_said(fault)), final=not _temporary(fault))


def _said(fault: Exception) -> str:
    return f"{type(fault).__name__}: {' '.join(str(fault).split())[:500]}"


def _temporary(fault: Exception) -> bool:
    import psycopg

    if isinstance(fault, psycopg.Error):
        unconnected = isinstance(fault, psycopg.OperationalError) and fault.sqlstate is None
        return unconnected or (fault.sqlstate or "").startswith(_TEMPORARY)
    return isinstance(fault, (OSError, sqlite3.OperationalError)) and ("locked" in str(fault) or "busy" in str(fault))


# PostgreSQL
async def _postgres(query: Query, password: str | None) -> Rows:
    import psycopg
    from psycopg.rows import dict_row

    options = f"-c default_transaction_read_only=on -c statement_timeout={max(1, round(query.timeout * 1000))}"
    connection = await psycopg.AsyncConnection.connect(
        query.url.replace("postgres://", "postgresql://"),
        password=password,
        connect_timeout=_CONNECTING,
        application_name="fireline sql.query",
        options=options,
        row_factory=dict_row,
    )
    try:
        await connection.set_read_only(True)
        await connection.execute("SELECT 1")  # takes the snapshot: read only is for good from here on
        statement, parameters = _compiled(query)
        async with connection.cursor() as cursor:
            return await _taken(cursor.stream(statement, parameters), query.rows)
    finally:
        await connection.close()  # without a commit: whatever it was, it is rolled back


def _compiled(query: Query) -> tuple[bytes, Mapping[str, object]]:
    """The statement with the driver's places for parameters."""
    made = text(query.statement).compile(dialect=create_engine("postgresql+psycopg://").dialect)
    if missing := sorted(made.params.keys() - query.parameters.keys()):
        raise ValueError(f"the parameter {missing[0]!r} is missing")
    if unused := sorted(query.parameters.keys() - made.params.keys()):
        raise ValueError(f"the statement has no `:{unused[0]}`")
    return str(made).encode(), {name: query.parameters[name] for name in made.params}


async def _taken(rows: AsyncIterator[Mapping[str, object]], most: int) -> Rows:
    found, size = list[Mapping[str, object]](), 0
    async for row in rows:
        plain = _plain(row)
        size += len(json.dumps(plain))
        if len(found) == most or size > MOST:
            return Rows(found, True)
        found.append(plain)
    return Rows(found, False)


# SQLite
async def _lite(query: Query) -> Rows:
    connection = sqlite3.connect(
        f"file:{quote(query.url.removeprefix('sqlite:///'))}?mode=ro", uri=True, check_same_thread=False, timeout=5
    )
    asking = asyncio.create_task(asyncio.to_thread(_read, connection, query))
    try:
        async with asyncio.timeout(query.timeout):
            return await asyncio.shield(asking)
    finally:
        connection.interrupt()
        await asyncio.gather(asking, return_exceptions=True)
        connection.close()


def _read(connection: sqlite3.Connection, query: Query) -> Rows:
    connection.execute("PRAGMA query_only = ON")
    connection.set_authorizer(_authorized)
    cursor = connection.execute(query.statement, query.parameters)
    names = [column[0] for column in cursor.description or ()]
    found, size = list[Mapping[str, object]](), 0
    for row in cursor:
        plain = _plain(dict(zip(names, row, strict=True)))
        size += len(json.dumps(plain))
        if len(found) == query.rows or size > MOST:
            return Rows(found, True)
        found.append(plain)
    return Rows(found, False)


def _authorized(action: int, *_: object) -> int:
    """Reading, and nothing that would leave the file: no pragma, nothing attached."""
    refused = (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_PRAGMA)
    return sqlite3.SQLITE_DENY if action in refused else sqlite3.SQLITE_OK


# values
def _plain(row: Mapping[str, object]) -> dict[str, object]:
    return {str(name)[:200]: _value(value) for name, value in row.items()}


def _value(value: object) -> object:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, (float, Decimal)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    return _text(value)[:_LONGEST]


def _text(value: object) -> str:
    if isinstance(value, (bytes, memoryview)):
        return f"<{len(value)} bytes>"
    return json.dumps(value, default=str) if isinstance(value, (list, dict)) else str(value)
