"""Silences inside one transaction: who decides reads beside others; who changes one waits for those, and is alone."""

from collections.abc import Sequence

from sqlalchemy import func, literal, select

from fireline.adapters.codec import decode, encode
from fireline.adapters.database_rows import Rows
from fireline.adapters.database_tables import Name, silences
from fireline.domain.silences import Silence

_LOCK = "silences"


class SilenceRows(Rows):
    """The part of a transaction about silences."""

    def silence(self, number: int) -> Silence | None:
        """The silence, locked; None when there is none."""
        data = self._one(select(silences.c.data).where(silences.c.number == number))
        return None if data is None else decode(Silence, data)

    def silences(self, after: float) -> Sequence[Silence]:
        """Those that end after then, by number; none of them changes before the end of this transaction."""
        if self._locking:
            key = func.hashtextextended(literal(_LOCK, Name), 0)
            self._connection.execute(select(func.pg_advisory_xact_lock_shared(key)))
        statement = select(silences.c.data).where(silences.c.ends_at > after).order_by(silences.c.number)
        return [decode(Silence, data) for data in self._all(statement)]

    def save_silence(self, silence: Silence) -> None:
        """Insert, or replace version - 1 (StaleVersion otherwise), once no decision that read them is under way."""
        self._lock(_LOCK)
        ends_at = silence.start if silence.end is None else silence.end
        row: dict[str, object] = {"number": silence.number, "ends_at": ends_at, "version": silence.version}
        self._save(silences, {**row, "data": encode(silence)}, silence.version)
