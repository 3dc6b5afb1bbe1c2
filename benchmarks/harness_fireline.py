"""A whole `fireline up` for benchmarks: started, asked how it fares, and ended."""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fireline.adapters.database import DatabaseStore, open_store
from fireline.apps.bootstrap import BROKER_FACT
from fireline.apps.web_health import STREAM_FACT
from harness import eventually, free_port, listening, process


class Fireline:
    """A running `fireline up`: where its parts listen, and its database."""

    def __init__(self, port: int, store: DatabaseStore, database: Path, pid: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.store = store
        self.database = database
        self._pid = pid

    @property
    def bootstrap(self) -> str:
        """The broker it works with."""
        with self.store.reading() as tx:
            fact = tx.fact(BROKER_FACT)
        assert fact is not None
        return str(fact[0]["bootstrap"])

    def processor(self) -> dict[str, float]:
        """The processor time, in seconds, that each role has used so far; `up` is the supervisor and its broker."""
        used = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if self._pid in (int(entry.name), int(fields[1])) and b"fireline.apps" in words:
                    role = words[words.index(b"fireline.apps") + 1].decode()
                    used[role] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return used

    def events(self) -> tuple[int, float]:
        """How many events its stream worker has counted, and by how many seconds it lags behind."""
        with self.store.reading() as tx:
            fact = tx.fact(STREAM_FACT)
        return (int(str(fact[0]["events"])), float(str(fact[0]["lag_seconds"] or 0.0))) if fact else (0, 0.0)


@contextmanager
def fireline_up(home: Path, environment: Mapping[str, str]) -> Iterator[Fireline]:
    """`fireline up` on the rules and runbooks in `home`, once all its roles work."""
    port, database = free_port(), home / "fireline.db"
    given = {
        **{name: value for name, value in os.environ.items() if not name.startswith("FIRELINE_")},
        "FIRELINE_DATABASE": f"sqlite:///{database}",
        "FIRELINE_STATE_DIR": str(home),
        "FIRELINE_WEB_PORT": str(port),
        "FIRELINE_RULES": str(home / "rules"),
        "FIRELINE_RUNBOOKS": str(home / "runbooks"),
        "FIRELINE_LOG_LEVEL": "warning",
        **environment,
    }
    with process([sys.executable, "-m", "fireline.apps", "up"], home / "up.log", given) as up:

        def works() -> bool:
            if up.poll() is not None:
                raise SystemExit(f"`fireline up` ended with {up.returncode}:\n{(home / 'up.log').read_text()[-4000:]}")
            return listening(port)

        eventually("the web role answers", works, 60)
        store = open_store(f"sqlite:///{database}")
        try:
            found = Fireline(port, store, database, up.pid)
            eventually("the stream worker has its partitions", lambda: _assigned(store), 90)
            yield found
        finally:
            store.close()


def _assigned(store: DatabaseStore) -> bool:
    with store.reading() as tx:
        fact = tx.fact(STREAM_FACT)
    return fact is not None and fact[0].get("partitions") not in (None, 0)
