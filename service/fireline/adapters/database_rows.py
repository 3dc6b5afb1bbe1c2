"""What all parts of a transaction share: the connection, the two databases' small differences, versioned saving."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from fireline.adapters.database_tables import Name
from fireline.engine.ports import StaleVersion


class Rows:
    """One open transaction on one connection.

    SQLite lets one writer in at a time, so there every lock is held from the start; PostgreSQL locks rows, and
    names that have no row yet through advisory locks.
    """

    def __init__(self, connection: Connection, *, locking: bool = True, key: bytes = b"") -> None:
        self._connection = connection
        self._on_postgres = connection.dialect.name == "postgresql"
        self._locking = locking and self._on_postgres
        self._key = key

    def _insert(self, table: Table) -> "postgresql.Insert | sqlite.Insert":
        return postgresql.insert(table) if self._on_postgres else sqlite.insert(table)

    def _lock(self, name: str) -> None:
        """Hold a name, which may have no row yet, until the end of the transaction."""
        if self._locking:
            self._connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(literal(name, Name), 0))))

    def _one(self, statement: Select[Any]) -> Any:
        """The single column of the first row, locked until the end of the transaction; None of none."""
        return self._connection.execute(statement.with_for_update() if self._locking else statement).scalar()

    def _all(self, statement: Select[Any]) -> list[Any]:
        return list(self._connection.execute(statement).scalars())

    def _put(self, table: Table, row: Mapping[str, object]) -> None:
        """Insert, or replace what has the same primary key."""
        keys = [column.name for column in table.primary_key]
        statement = self._insert(table).values(row)
        changes = {name: statement.excluded[name] for name in row if name not in keys}
        self._connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes))

    def _put_new(self, table: Table, row: Mapping[str, object]) -> bool:
        """Insert; False when the row's unique key was there already."""
        statement = self._insert(table).values(row).on_conflict_do_nothing().returning(*table.primary_key)
        return self._connection.execute(statement).first() is not None

    def _save(self, table: Table, row: dict[str, object], version: int) -> None:
        """Insert, or replace the row that has the version before; StaleVersion otherwise."""
        keys: list[ColumnElement[bool]] = [column == row[column.name] for column in table.primary_key]
        before = and_(*keys, table.c.version == version - 1)
        replaced = self._connection.execute(update(table).where(before).values(row)).rowcount == 1
        if not replaced and not self._put_new(table, row):
            name = ", ".join(str(row[column.name]) for column in table.primary_key)
            raise StaleVersion(f"{table.name} {name}: somebody else saved version {version} or later")
