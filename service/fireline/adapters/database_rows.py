"""What all parts of a transaction share: the connection, the two databases' small differences, versioned saving."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, Select, Table, and_, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from fireline.adapters.database_tables import Name
from fireline.domain.audit import Act
from fireline.engine.ports import StaleVersion


class Rows:
    """One open transaction on one connection.

    SQLite lets one writer in at a time, so there every lock is held from the start; PostgreSQL locks rows, and
    names that have no row yet through advisory locks.
    """

    def __init__(self, connection: Connection, *, locking: bool = True) -> None:
        self._connection = connection
        self._on_postgres = connection.dialect.name == "postgresql"
        self._locking = locking and self._on_postgres
        self._acts: list[Act] = []
        self._lines: dict[str, str] = {}
        self._queued: list[dict[str, object]] = []

    def _insert(self, table: Table) -> "postgresql.Insert | sqlite.Insert":
        return insert_into(table, self._on_postgres)

    def _lock(self, name: str) -> None:
        """Hold a name, which may have no row yet, until the end of the transaction."""
        if self._locking:
            self._connection.execute(_LOCK, {"name": name})

    def _row_of(self, table: Table, *key: object, column: str = "data", lock: bool = True) -> Any:
        """A column of the row with this primary key, locked until the end of the transaction; None of none."""
        statement = _by_key(table, column, lock and self._locking)
        return self._connection.execute(statement, {f"key_{place}": part for place, part in enumerate(key)}).scalar()

    def _all(self, statement: Select[Any], **given: object) -> list[Any]:
        return list(self._connection.execute(statement, given).scalars())

    def _put(self, table: Table, row: Mapping[str, object]) -> None:
        """Insert, or replace what has the same primary key; the row has all columns."""
        self._connection.execute(_upsert(table, self._on_postgres), row)

    def _put_new(self, table: Table, row: Mapping[str, object]) -> bool:
        """Insert; False when the row's unique key was there already."""
        return self._connection.execute(_insert_once(table, self._on_postgres), row).first() is not None

    def _save(self, table: Table, row: Mapping[str, object], version: int) -> None:
        """Insert, or replace the row that has the version before; StaleVersion otherwise."""
        if version == 1 and self._put_new(table, row):
            return
        identity = {f"this_{column.name}": row[column.name] for column in table.primary_key}
        change = {**row, **identity, "version_before": version - 1}
        replaced = self._connection.execute(_replace_version(table), change).rowcount == 1
        if not replaced and not self._put_new(table, row):
            name = ", ".join(str(value) for value in identity.values())
            raise StaleVersion(f"{table.name} {name}: somebody else saved version {version} or later")


# Building a statement costs SQLAlchemy more than SQLite takes to run it, so each is built once.

_LOCK = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("name", type_=Name), 0)))


def insert_into(table: Table, on_postgres: bool) -> "postgresql.Insert | sqlite.Insert":
    """An INSERT that knows ON CONFLICT, in the dialect's own class."""
    return postgresql.insert(table) if on_postgres else sqlite.insert(table)


@cache
def _by_key(table: Table, column: str, lock: bool) -> Select[Any]:
    same = [key == bindparam(f"key_{place}") for place, key in enumerate(table.primary_key)]
    statement = select(table.c[column]).where(and_(*same))
    return statement.with_for_update() if lock else statement


@cache
def _upsert(table: Table, on_postgres: bool) -> Executable:
    statement = insert_into(table, on_postgres)
    keys = [column.name for column in table.primary_key]
    changes = {column.name: statement.excluded[column.name] for column in table.c if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changes)


@cache
def _insert_once(table: Table, on_postgres: bool) -> Executable:
    return insert_into(table, on_postgres).on_conflict_do_nothing().returning(*table.primary_key)


@cache
def _replace_version(table: Table) -> Executable:
    same = [column == bindparam(f"this_{column.name}") for column in table.primary_key]
    return update(table).where(and_(*same, table.c.version == bindparam("version_before")))
