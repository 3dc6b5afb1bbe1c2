"""Silences inside one transaction: who decides reads beside others; who changes one waits for those, and is alone."""

from collections.abc import Sequence

from sqlalchemy import bindparam, func, select

from fireline.adapters.codec import decode, encode
from fireline.adapters.database_rows import Rows
from fireline.adapters.database_tables import Name, silences
from fireline.domain.silences import Silence

_LOCK = "silences"
_SHARED = select(func.pg_advisory_xact_lock_shared(func.hashtextextended(bindparam("name", type_=Name), 0)))
_ENDING = select(silences.c.data).where(silences.c.ends_at > bindparam("after")).order_by(silences.c.number)


class SilenceRows(Rows):
    """The part of a transaction about silences."""

    def silence(self, number: int) -> Silence | None:
        """The silence, locked; None when there is none."""
        data = self._row_of(silences, number)
        return None if data is None else decode(Silence, data)

    def silences(self, after: float) -> Sequence[Silence]:
        """Those that end after then, by number; none of them changes before the end of this transaction."""
        if self._locking:
            self._connection.execute(_SHARED, {"name": _LOCK})
        return [decode(Silence, data) for data in self._all(_ENDING, after=after)]

    def save_silence(self, silence: Silence) -> None:
        """Insert, or replace version - 1 (StaleVersion otherwise), once no decision that read them is under way."""
        self._lock(_LOCK)
        ends_at = silence.start if silence.end is None else silence.end
        row: dict[str, object] = {"number": silence.number, "ends_at": ends_at, "version": silence.version}
        self._save(silences, {**row, "data": encode(silence)}, silence.version)
