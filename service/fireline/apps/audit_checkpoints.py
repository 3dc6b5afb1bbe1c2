"""Checkpoints of the audit: how far it goes, written to a file beside the database's own word, and to the log."""

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from pathlib import Path

from fireline.apps.settings import Settings
from fireline.domain.audit import Checkpoint, Keys
from fireline.engine.ports import Clock, Store

log = logging.getLogger("fireline.audit")

FILE = "audit-checkpoints.ndjson"
"""Its name in the state directory. It is only ever appended to."""
EVERY = 60.0
"""Seconds between two checkpoints, when anything was put down in between."""
ENTRIES = 1000
"""So many entries make one due sooner."""
LOOK = 5.0
"""Seconds between two looks."""
_NAMES = {each.name for each in fields(Checkpoint)}


def database_of(settings: Settings) -> str:
    """Which database it is, as a digest of its address without user and password."""
    address = re.sub(r"//[^/@]*@", "//", settings.database).partition("?")[0]
    if address.startswith("sqlite") and ":memory:" not in address:
        kind, _, path = address.partition(":///")
        address = f"{kind}:///{Path(path).resolve()}"
    return hashlib.sha256(address.encode()).hexdigest()[:12]


class Checkpoints:
    """Writes checkpoints of one database's audit, for as long as a role lives."""

    def __init__(self, store: Store, settings: Settings, keys: Keys, clock: Clock) -> None:
        self._store, self._keys, self._clock = store, keys, clock
        self._database = database_of(settings)
        self._path = settings.state_dir / FILE
        self._seen: tuple[int, float] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Write until `stop`, and once more then. Raises Unavailable while the database is away."""
        while not stop.is_set():
            await asyncio.to_thread(self.look)
            try:
                await asyncio.wait_for(stop.wait(), LOOK)
            except TimeoutError:
                continue
        await asyncio.to_thread(self.look, last=True)

    def look(self, *, last: bool = False) -> Checkpoint | None:
        """Write a checkpoint if one is due; `last`: if there is anything new at all."""
        with self._store.reading() as tx:
            number, mac = tx.audit_head()
            first = tx.audit_entry(1)
        now = self._clock.now()
        seen, at = self._seen or (0, 0.0)
        if number < seen:
            log.error("the audit was cut off: it had %d entries, and says %d; `fireline audit verify`", seen, number)
        if (
            first is None
            or number == seen
            or not (last or number < seen or number - seen >= ENTRIES or now - at >= EVERY)
        ):
            return None
        mark = Checkpoint(now, self._database, first.mac, number, mac, "").sealed(self._keys)
        self._write(mark)
        self._seen = (number, now)
        return mark

    def _write(self, mark: Checkpoint) -> None:
        line = json.dumps(asdict(mark))
        log.info("checkpoint %s", line)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="ascii") as file:
                file.write(line + "\n")
        except OSError as fault:
            log.warning("the checkpoint of the audit cannot be kept in %s: %s", self._path, fault)


def read(paths: Iterable[Path], keys: Keys) -> tuple[list[Checkpoint], list[str]]:
    """The checkpoints of these files, logs too, that bear a seal of ours; and where others are, in words."""
    marks, bad = [], []
    for path in paths:
        for number, line in enumerate(_lines(path), start=1):
            mark = _mark(line)
            if mark is None and "{" not in line:
                continue
            if mark is not None and mark.holds(keys):
                marks.append(mark)
            elif mark is not None or not _is_log(line):
                bad.append(f"{path}:{number}: a checkpoint without a seal of ours")
    return marks, bad


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from file


def _is_log(line: str) -> bool:
    return not line.startswith("{")


def _mark(line: str) -> Checkpoint | None:
    start = line.find('{"at"')
    try:
        found = json.loads(line[start:]) if start >= 0 else None
    except ValueError:
        return None
    if not isinstance(found, dict) or set(found) != _NAMES:
        return None
    try:
        mark = Checkpoint(**found)
        ok = isinstance(mark.at, int | float) and isinstance(mark.number, int)
    except TypeError:
        return None
    texts = (mark.database, mark.chain, mark.mac, mark.key, mark.seal)
    return mark if ok and all(isinstance(text, str) for text in texts) else None
