"""Stops inside one transaction: whoever lets a run act reads them beside others; who pulls one waits for those."""

from collections.abc import Sequence

from sqlalchemy import func, literal, select

from fireline.adapters.codec import decode, encode
from fireline.adapters.database_rows import Rows
from fireline.adapters.database_tables import Name, stops
from fireline.domain.stops import Stop

_LOCK = "stops"


class StopRows(Rows):
    """The part of a transaction about the stop switch."""

    def stops(self, *, pulled_only: bool = True) -> Sequence[Stop]:
        """Those in force (or all), by number; none of them changes before the end of this transaction."""
        if self._locking:
            key = func.hashtextextended(literal(_LOCK, Name), 0)
            self._connection.execute(select(func.pg_advisory_xact_lock_shared(key)))
        statement = select(stops.c.data).order_by(stops.c.number)
        return [decode(Stop, data) for data in self._all(statement.where(stops.c.pulled) if pulled_only else statement)]

    def stops_to_change(self) -> Sequence[Stop]:
        """Those in force, once nobody who read them is under way; until the end of this transaction nobody reads."""
        self._lock(_LOCK)
        statement = select(stops.c.data).where(stops.c.pulled).order_by(stops.c.number)
        return [decode(Stop, data) for data in self._all(statement)]

    def save_stop(self, stop: Stop) -> None:
        """Insert, or replace version - 1 (StaleVersion otherwise)."""
        row: dict[str, object] = {"number": stop.number, "pulled": stop.pulled, "version": stop.version}
        self._save(stops, {**row, "data": encode(stop)}, stop.version)
