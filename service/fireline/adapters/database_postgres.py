"""Connections to PostgreSQL that notice a server which is gone; loaded when a URL names one, with its driver."""

from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout
from sqlalchemy import URL, Engine, create_engine, event

ANSWER_WITHIN = 35.0
"""Seconds a server has to answer anything; its own time-outs end a statement sooner, unless the server hangs."""

T = TypeVar("T")


def build(url: URL, patience: float) -> Engine:
    """An engine that has not connected yet; `patience` is the seconds to wait for a lock or for a connection."""
    options: dict[str, object] = {"application_name": "fireline", "options": _options(patience), **_liveness(patience)}
    chosen = {name: value for name, value in options.items() if name not in url.query}
    engine = create_engine(
        url,
        isolation_level="READ COMMITTED",
        pool_size=8,
        max_overflow=24,
        pool_timeout=patience,
        pool_use_lifo=True,
        connect_args=chosen,
    )
    event.listen(engine, "do_connect", _connect_impatiently)
    return engine


def _options(patience: float) -> str:
    limits = (
        "-c statement_timeout=30s",
        f"-c lock_timeout={patience:g}s",
        "-c idle_in_transaction_session_timeout=60s",  # a process that hangs in a transaction lets go of its locks
    )
    return " ".join(limits)


def _liveness(patience: float) -> dict[str, int]:
    return {
        "connect_timeout": 5,
        "tcp_user_timeout": int(patience * 1000),
        "keepalives_idle": 10,  # the system's default would notice a vanished server after two hours
        "keepalives_interval": 3,
        "keepalives_count": 3,
    }


def _connect_impatiently(_dialect: object, _record: object, args: tuple[Any, ...], options: dict[str, Any]) -> object:
    return Impatient.connect(*args, **options)


class Impatient(psycopg.Connection[Any]):
    """A connection that gives up on a server which keeps it open and says nothing: stopped, or hanging on its disk."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """All that goes over the connection passes here."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, ANSWER_WITHIN)
        except _WaitTimeout:
            self.pgconn.finish()  # what comes after an answer that was given up would be taken for another's
            raise psycopg.OperationalError(f"the server did not answer within {ANSWER_WITHIN:g} s") from None
