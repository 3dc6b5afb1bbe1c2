"""Trials of the crash campaign over runbooks: each path, killed at each boundary, and what came of it."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fireline.actions.mlflow import AliasOptions, fact_key
from fireline.adapters.clock import FakeClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.apps.runbook_playing import play
from fireline.apps.runbook_stage import signal_of
from fireline.domain.configuration import Configuration
from fireline.domain.incidents import SignalArrived
from fireline.domain.routes import Route
from fireline.domain.runbook_tests import TestedIncident
from fireline.domain.runbooks import RunStatus
from fireline.engine.respond import Responder
from tests.engine.runs_world import REPOSITORY, Fixed, shipped
from tests.faults.run_target import Target, serving
from tests.faults.run_victim import SEEDED, case

NOISE = re.compile(r"@\d+\.\d+|\d{4}-\d\d-\d\dT[\d:.+Z]+|(?<=-)[0-9a-f]{9}\b|\b1[67]\d{8}(\.\d+)?\b")
"""What differs between two runs of the same: times, and names that are made of them."""


MIGRATING = threading.Lock()
"""Alembic migrates one database of a process at a time."""


@dataclass(frozen=True)
class Way:
    """One path through a runbook: a test of its own. `told` when the target says how steps end, not stand-ins."""

    book: str
    test: int
    name: str
    ends: str
    told: bool = False

    @property
    def kind(self) -> str:
        return "ordinary" if self.ends == RunStatus.SUCCEEDED.value else "failing"


@dataclass
class Row:
    """What came of the trials of one way."""

    way: Way
    points: int = 0
    same: int = 0
    once: int = 0
    twice: int = 0
    faults: list[str] = field(default_factory=list)


Chosen = Callable[[Way, int], Iterable[int]]
"""Which boundaries of a way are tried, of so many."""


class Workshop:
    """Where responders are forked: one process that has loaded everything."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.run_victim"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tried(self, trial: Mapping[str, object]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(trial) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the workshop ended; what it said stands above"
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        self._process.communicate()


@contextmanager
def workshop() -> Iterator[Workshop]:
    """One, ended in the end."""
    made = Workshop()
    try:
        yield made
    finally:
        made.close()


class Files:
    """Databases of SQLite: one a trial, copied from the one of its way."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._number = 0

    def empty(self) -> str:
        self._number += 1
        return f"sqlite:///{self._folder / f'{self._number}.db'}"

    def copied(self, url: str) -> str:
        made = self.empty()
        shutil.copyfile(url.removeprefix("sqlite:///"), made.removeprefix("sqlite:///"))
        return made

    def drop(self, url: str) -> None:
        for path in self._folder.glob(Path(url).name + "*"):
            path.unlink()


class Server:
    """Databases of a PostgreSQL server, likewise."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def empty(self) -> str:
        return str(self._server.new_database())

    def copied(self, url: str) -> str:
        return str(self._server.new_database(template=url.rsplit("/", 1)[1]))

    def drop(self, url: str) -> None:
        self._server.drop_database(url)


class Campaign:
    """Trials on databases of one kind."""

    def __init__(self, shop: Workshop, target: Target, databases: Files | Server, migrated: str) -> None:
        self._shop = shop
        self._target = target
        self._databases = databases
        self._clock = FakeClock()
        self._migrated = migrated

    def row(self, way: Way, chosen: Chosen) -> Row:
        """Kill a responder at the chosen boundaries of a way, of those that there are."""
        with MIGRATING:
            seed, steps = self._seeded(way)
        try:
            whole, count = self._whole(way, seed, steps)
            if whole["status"] != way.ends and not way.told:
                way = replace(way, told=True)  # what stands in for a target does not do what this test is about
                whole, count = self._whole(way, seed, steps)
            assert whole["status"] == way.ends, (way, whole)
            row = Row(way)
            for at in chosen(way, count):
                self._compared(row, at, seed, steps, whole)
            return row
        finally:
            self._databases.drop(seed)

    def _whole(self, way: Way, seed: str, steps: Any) -> tuple[dict[str, Any], int]:
        found, answer = self._trial(way, seed, steps, None)
        assert answer["code"] == 0, (way, answer)
        return found, answer["count"]

    def _compared(self, row: Row, at: int, seed: str, steps: Any, whole: dict[str, Any]) -> None:
        found, answer = self._trial(row.way, seed, steps, at)
        where = f"{row.way.book}, {row.way.name}, killed at {at}, {answer['where']}"
        if not answer["killed"]:  # steps side by side write in another order each time: it was one boundary shorter
            return
        row.points += 1
        same = answer["code"] == 0 and _like(whole, found)
        once = all(number == 1 for number in self._target.done.values() if number)
        once = once and set(+self._target.done) == set(whole["target"]["done"])
        row.same += same
        row.once += once
        row.twice += sum(number > 1 for number in self._target.seen.values())
        if not (same and once):
            row.faults.append(f"{where}: {_differences(whole, found)}; effects {dict(self._target.done)}")

    def _trial(self, way: Way, seed: str, steps: Any, at: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
        url = self._databases.copied(seed)
        self._target.reset(steps)
        trial = {"url": url, "port": self._target.port, "book": way.book, "test": way.test, "told": way.told}
        answer = self._shop.tried({**trial, "at": at, "now": self._clock.now()})
        store = open_store(url)
        try:
            return self._end(store), answer
        finally:
            store.close()
            self._databases.drop(url)

    def _seeded(self, way: Way) -> tuple[str, list[tuple[str, Mapping[str, Any]]]]:
        """A database with the incident, and with what the steps will find; the steps with their options."""
        book, test, configuration = case({"book": way.book, "test": way.test})
        played = asyncio.run(play(book, test, configuration)).run
        assert played is not None
        uses = {step.id: step.uses for step in book.steps}
        steps = [(uses[s.id], s.rendered) for s in played.steps if s.id in uses and s.rendered]
        url = self._databases.copied(self._migrated)
        store = open_store(url)
        given = {**test.inputs, **played.inputs}
        told = test.incident or TestedIncident(
            str(given.get("service", "fraud-scoring")), "outage", str(given.get("rule", "fraud_latency"))
        )
        Responder(store, Fixed(configuration), self._clock, None).handle(
            SignalArrived(signal_of(told, self._clock.now()))
        )
        with store.transaction() as tx:
            for name, options in steps:
                outputs = [
                    mock.output for step in book.steps if step.uses == name for mock in test.mocks.get(step.id, ())
                ]
                self._put(tx, configuration, name, options, outputs)
        store.close()
        return url, steps

    def _put(
        self,
        tx: Any,
        configuration: Configuration,
        uses: str,
        options: Mapping[str, Any],
        outputs: list[Mapping[str, object]],
    ) -> None:
        now = self._clock.now()
        if uses.startswith("mlflow."):
            where = {name: options[name] for name in ("url", "model", "alias")}
            tx.put_fact(fact_key(AliasOptions.model_validate(where)), {"versions": ["6", "7"]}, now)
        weights = next((each["route"] for each in outputs if uses == "route.get" and each.get("route")), None)
        service = configuration.catalog.service(str(options.get("service")))
        fits = (
            service is not None
            and isinstance(weights, dict)
            and set(weights) <= {target.name for target in service.targets}
        )
        if fits and tx.route(options["service"]) is None:
            tx.save_route(Route(options["service"], weights, 1, now, "somebody", "before"))

    def _end(self, store: DatabaseStore) -> dict[str, Any]:
        """All that is to be the same whoever did it."""
        with store.reading() as tx:
            run, incident = tx.run(SEEDED), tx.incident(SEEDED)
            if run is None or incident is None:
                return {"status": "no run"}
            steps = [[s.id, s.status.value, dict(s.output), s.error, dict(s.undo_rendered)] for s in run.steps]
            texts = Counter(entry.text for entry in tx.timeline(SEEDED))
            found = {
                "status": run.status.value,
                "reason": run.reason,
                "steps": steps,
                "runs": [each.id for each in tx.runs()],
                "lock": tx.lock_holder(run.lock) if run.lock else None,
                "journal": len(tx.journal(SEEDED)) == run.version,
                "incident": [incident.runs[str(SEEDED)].status, [str(each) for each in incident.leases]],
                "texts": dict(sorted(texts.items())),
                "routes": {route.service: [dict(route.weights), route.version] for route in tx.routes()},
                "queued": tx.backlog(),
                "target": self._target.state(),
            }
        return json.loads(NOISE.sub("", json.dumps(found, default=str)))


def _like(whole: dict[str, Any], found: dict[str, Any]) -> bool:
    """Whether it is the same end.

    A mere look that stands beside a step that fails is interrupted by that, or over in time: either is right.
    """
    acted = whole["target"]["done"].keys() | found.get("target", {}).get("done", {}).keys()

    def looked(step: list[Any]) -> bool:
        return step[3].startswith("interrupted: ") and f"run-{SEEDED}.{step[0]}" not in acted

    pairs = zip(whole["steps"], found.get("steps", ()), strict=False)
    free = {one[0] for one, other in pairs if looked(one) or looked(other)}
    one, other = ({**end, "steps": [s for s in end.get("steps", ()) if s[0] not in free]} for end in (whole, found))
    return one == other


def _differences(whole: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    return "; ".join(f"{n}: {found.get(n)} and not {value}" for n, value in whole.items() if found.get(n) != value)


def ways() -> list[Way]:
    """Every test of every runbook there is."""
    books = shipped().runbooks.values()
    return [Way(book.name, n, test.name, test.expect.status) for book in books for n, test in enumerate(book.tests)]


def telling(found: list[Way]) -> list[Way]:
    """Of each runbook the first that succeeds, and the first that goes back on what it did, or fails."""
    chosen = []
    for book in dict.fromkeys(way.book for way in found):
        mine = [way for way in found if way.book == book]
        chosen += [way for way in mine if way.kind == "ordinary"][:1]
        chosen += sorted((way for way in mine if way.kind == "failing"), key=lambda way: way.ends != "undone")[:1]
    return chosen


def campaign(databases: Sequence[Files | Server], chosen: list[Way], at: Chosen) -> list[Row]:
    """The rows of the ways, told as they come; a workshop for each of the databases, side by side."""

    def worked(share: list[Way], made: Files | Server, migrated: str) -> list[Row]:
        with workshop() as shop, serving() as target:
            each = Campaign(shop, target, made, migrated)
            return [told(each.row(way, at)) for way in share]

    migrated = [made.empty() for made in databases]
    for url in migrated:
        open_store(url).close()
    shares = [chosen[n :: len(databases)] for n in range(len(databases))]
    with ThreadPoolExecutor(len(databases)) as shops:
        found = [row for rows in shops.map(worked, shares, databases, migrated) for row in rows]
    rows = {(row.way.book, row.way.test): row for row in found}
    return [rows[way.book, way.test] for way in chosen]


def told(row: Row) -> Row:
    """The row, once it is told."""
    print("\n".join([_line(row), *row.faults]), flush=True)
    return row


def _line(row: Row) -> str:
    path = f"{row.way.kind}: {row.way.name}"[:66]
    return f"{row.way.book:24} {path:66} {row.points:6} {row.same:8} {row.once:6} {row.twice:15}"


def table(rows: list[Row]) -> str:
    """By runbook, for people."""
    lines = [f"{'runbook':24} {'paths':>6} {'points':>6} {'same end':>8} {'once':>6} {'keys seen twice':>15}"]
    for book in [*dict.fromkeys(row.way.book for row in rows), ""]:
        mine = [row for row in rows if book in ("", row.way.book)]
        total = [sum(getattr(row, name) for row in mine) for name in ("points", "same", "once", "twice")]
        lines.append(f"{book or 'all':24} {len(mine):6} {total[0]:6} {total[1]:8} {total[2]:6} {total[3]:15}")
    return "\n".join(lines)
