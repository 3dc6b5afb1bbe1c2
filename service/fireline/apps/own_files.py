"""Telling of the files while Fireline runs: each change that came in force is kept, broken ones are an incident."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from fireline.apps.files import Files
from fireline.domain.audit_acts import of_files
from fireline.domain.configuration import Configuration
from fireline.domain.incidents import SignalArrived
from fireline.engine import own_files
from fireline.engine.own_files import GROUP, Change
from fireline.engine.ports import Clock, Store, Transaction
from fireline.engine.respond import Responder
from fireline.engine.sight import SERVICE

log = logging.getLogger("fireline.files")

EVERY = 2.0
"""Seconds between two looks."""
LATEST = "configuration"
"""The fact with the configuration that was in force last, its files included."""
CHANGES = "configuration:"
"""What names of facts about changes begin with; their time follows, so that they sort."""
KEPT_FOR = 400 * 86_400.0
"""Seconds that a change is kept."""


class FilesTold:
    """Keeps the changes of one process's `files`, and tells of their faults. Several processes say the same once."""

    def __init__(self, files: Files, store: Store, responder: Responder, clock: Clock) -> None:
        self._files, self._store, self._responder, self._clock = files, store, responder, clock
        self._known = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop`. Raises `Unavailable` while the database is away."""
        while not stop.is_set():
            await asyncio.to_thread(self.look)
            await self._clock.sleep(EVERY)

    def look(self) -> None:
        """One look: note what came in force, and say what is broken or mended."""
        problems, current = self._files.problems, self._files.current  # in this order: sound means already in force
        if current.hash != self._known:
            self._note(current)
            self._known = current.hash
        with self._store.reading() as tx:
            told = own_files.told_of(tx.latest_incident(SERVICE, GROUP, "live"))
        signal, now = None, self._clock.now()
        if problems:
            signal = own_files.firing(problems, told, current.hash, self._responder.world, now)
        elif told is not None:
            signal = own_files.cleared(told, now)
        if signal is not None:
            self._responder.handle(SignalArrived(signal))

    def _note(self, current: Configuration) -> None:
        now = self._clock.now()
        with self._store.transaction() as tx:
            before = tx.fact(LATEST)
            if before is not None and before[0].get("hash") == current.hash:
                return
            if before is not None:
                change = self._change(before[0], current, now)
                keep_change(tx, change)
                tx.record(of_files(change.was, change.hash, change.who, change.files, now))
            else:
                tx.record(of_files("", current.hash, (), sorted(current.files), now))
            tx.put_fact(LATEST, {"hash": current.hash, "files": dict(current.files)}, now)
            tx.forget_facts(CHANGES, now - KEPT_FOR)

    def _change(self, before: Mapping[str, object], current: Configuration, now: float) -> Change:
        files = before.get("files")
        old = {str(name): str(text) for name, text in files.items()} if isinstance(files, dict) else {}
        changed = own_files.changed_files(old, current.files)
        who = owners([self._files.path_of(name) for name in changed])
        diff = own_files.difference(old, current.files)
        log.info("configuration %s: %s changed by %s", current.hash[:12], ", ".join(changed), ", ".join(who))
        return Change(now, current.hash, str(before.get("hash", "")), who, changed, diff)


def owners(paths: Sequence[Path]) -> tuple[str, ...]:
    """Who owns these files, by name where the system knows one; of files that are gone, who owns their folder."""
    found = set()
    for path in paths:
        there = path if path.exists() else path.parent
        try:
            found.add(there.owner())
        except (OSError, KeyError):
            found.add("an unknown user")
    return tuple(sorted(found))


def keep_change(tx: Transaction, change: Change) -> None:
    """Store a change."""
    body = {"hash": change.hash, "was": change.was, "who": list(change.who), "files": list(change.files)}
    tx.put_fact(f"{CHANGES}{change.at:017.3f}", {**body, "diff": change.diff}, change.at)


def changes_of(tx: Transaction) -> list[Change]:
    """All changes that are kept, the newest first."""
    return [_read(body, at) for _, (body, at) in sorted(tx.facts(CHANGES).items(), reverse=True)]


def _read(body: Mapping[str, object], at: float) -> Change:
    def texts(name: str) -> tuple[str, ...]:
        held = body.get(name)
        return tuple(map(str, held)) if isinstance(held, list | tuple) else ()

    return Change(at, str(body["hash"]), str(body["was"]), texts("who"), texts("files"), str(body["diff"]))
