"""Overrides of schedules that were made at run time, inside one transaction."""

from collections.abc import Sequence

from sqlalchemy import bindparam, select

from fireline.adapters.codec import decode, encode
from fireline.adapters.database_rows import Rows
from fireline.adapters.database_tables import overrides
from fireline.domain.roster import Change

_COUNTING = select(overrides.c.data).where(overrides.c.until > bindparam("since")).order_by(overrides.c.number)


class RosterRows(Rows):
    """The part of a transaction about who is on call in place of whom."""

    def roster_change(self, number: int) -> Change | None:
        """The override, locked until the end of the transaction."""
        data = self._row_of(overrides, number)
        return None if data is None else decode(Change, data)

    def roster_changes(self, since: float) -> Sequence[Change]:
        """The overrides that count beyond `since`, in the order in which they were made."""
        return [decode(Change, data) for data in self._all(_COUNTING, since=since)]

    def save_roster_change(self, change: Change) -> None:
        """Insert, or replace version - 1; raises StaleVersion otherwise."""
        row: dict[str, object] = {
            "number": change.number,
            "schedule": change.schedule,
            "until": change.until,
            "version": change.version,
            "data": encode(change),
        }
        self._save(overrides, row, change.version)
