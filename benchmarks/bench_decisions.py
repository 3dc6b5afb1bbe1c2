"""What a decision, and the way from it to a page, cost: processor time, transactions and statements, by part.

So many signals open an incident each: its service depends on another, has a card in a room and a person on call. First
all are decided; then a performer of its own shows the cards and sends the pages to a channel in memory. Named functions
are timed, each without those inside it, on the processor's clock, so that a busy machine changes little.

python benchmarks/bench_decisions.py [--quick] [--json] [--only sqlite|postgresql] [--incidents N]
"""

import argparse
import asyncio
import contextlib
import functools
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, event

from fireline.adapters.clock import SystemClock
from fireline.adapters.database import DatabaseStore, DatabaseTransaction, open_store
from fireline.adapters.memory import MemoryChannel, MemoryPublisher
from fireline.apps.bootstrap import plugins
from fireline.domain.configuration import Configuration
from fireline.domain.effects import StartRun
from fireline.domain.incidents import SignalArrived
from fireline.domain.outcomes import Done, Outcome
from fireline.domain.rules import Evidence, Signal, State
from fireline.engine import respond
from fireline.engine.perform import Performer
from fireline.engine.respond import Responder
from fireline.spec.loading import load
from harness import ROOT, Figure, percentile, report

sys.path.insert(0, str(ROOT))
from tests.servers.postgres import running_postgres

WARM, AT_ONCE = 20, 10
LIMIT = 1.5
"""Milliseconds of processor time that one decision may take."""

PARTS = {
    "load": (
        (
            DatabaseTransaction,
            "first_time silences roster_changes latest_incident incident beside opened lock next_number",
        ),
    ),
    "decide": ((respond, "decide"),),
    "audit": ((respond, "of_decision"), (DatabaseTransaction, "seal_acts")),
    "save": ((DatabaseTransaction, "save_incident append save_message_ref put_fact"),),
    "outbox": ((DatabaseTransaction, "enqueue queue_effects arm disarm withdraw finish_effect"),),
    "claim": ((DatabaseStore, "claim_effects next_due"),),
    "render": ((Performer, "_prepare"),),
}
"""What is timed under which name: of each owner the functions named. What one has no more is not timed."""

REST = "begin, commit, threads, and the rest"


class Clockwork:
    """Processor time by part: of each thread, what it spends in a function without those that it calls."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._of_thread = threading.local()

    def timed(self, function: Callable[..., object], part: str) -> Callable[..., object]:
        """The function, its time counted under `part`."""

        @functools.wraps(function)
        def call(*given: object, **options: object) -> object:
            inside = self._of_thread
            outer, inside.spent = getattr(inside, "spent", 0.0), 0.0
            begun = time.thread_time()
            try:
                return function(*given, **options)
            finally:
                took = time.thread_time() - begun
                self.seconds[part] += took - inside.spent  # type: ignore[assignment]  # seconds
                inside.spent = outer + took

        return call


class Traffic:
    """Statements and transactions of all engines, from the moment it is made."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        event.listen(Engine, "before_cursor_execute", self._statement)
        event.listen(Engine, "commit", self._commit)

    def _statement(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA", "SET TRANSACTION")):
            self.seen["statements"] += 1

    def _commit(self, _connection: object) -> None:
        self.seen["writing transactions"] += 1


class Spent:
    """What was measured of each part of the way, some incidents at once."""

    def __init__(self) -> None:
        self._times: dict[str, list[float]] = {}
        self._traffic: dict[str, Counter[str]] = {}

    def on(self, name: str, traffic: Traffic, work: Callable[[], None]) -> None:
        """Do it, and take down what it cost."""
        traffic.seen.clear()
        begun = time.process_time()
        work()
        self._times.setdefault(name, []).append(1000 * (time.process_time() - begun) / AT_ONCE)
        self._traffic.setdefault(name, Counter()).update(traffic.seen)

    def figures(self, database: str, count: int) -> Iterator[Figure]:
        """For one incident: the median of the processor time, the mean of the traffic."""
        for name, times in self._times.items():
            took = percentile(times, 0.5)
            if name == "a decision":
                yield Figure(f"{database}: {name}", took, "ms", "planned", LIMIT)
            else:
                yield Figure(f"{database}: {name}", took, "ms")
            for what, seen in sorted(self._traffic[name].items()):
                yield Figure(f"{database}: {name}: {what}", seen / count, "each")


class Fixed:
    """Settings that do not change."""

    def __init__(self, configuration: Configuration) -> None:
        self.current = configuration


def configured(folder: Path, count: int) -> Configuration:
    """A service, a team with a room and a person for each incident; ten services each depend on one that is well."""
    each = range(count)
    catalog = ["people:", *(f"  p{i}: {{name: Person {i}, contacts: {{console: U{i}}}}}" for i in each)]
    catalog += ["teams:"]
    catalog += [f"  t{i}: {{name: Team {i}, policy: p{i}, members: [p{i}], channels: {{console: C{i}}}}}" for i in each]
    catalog += ["services:", *(f"  base{i}: {{owner: t0, what: Ten rest on it.}}" for i in range(count // 10 + 1))]
    catalog += [f"  s{i}: {{owner: t{i}, what: A service., depends_on: [base{i // 10}]}}" for i in each]
    layer = '{{name: all, starts: "2026-01-05", at: "09:00", every: 7d, people: [p{i}]}}'
    oncall = ["schedules:", *(f"  s{i}: {{time_zone: UTC, layers: [{layer.format(i=i)}]}}" for i in each)]
    oncall += ["policies:", *(f'  p{i}: {{levels: [{{targets: ["schedule:s{i}"], wait: 10m}}]}}' for i in each)]
    for name in ("rules", "runbooks"):
        (folder / name).mkdir(parents=True)
    (folder / "rules" / "catalog.yaml").write_text("\n".join(catalog) + "\n")
    (folder / "rules" / "oncall.yaml").write_text("\n".join(oncall) + "\n")
    loaded = load(folder / "rules", folder / "runbooks", plugins())
    assert loaded.configuration is not None, "\n".join(map(str, loaded.problems[:5]))
    return loaded.configuration


def firing(number: int) -> SignalArrived:
    """A signal that opens the incident of one service."""
    now, service = SystemClock().now(), f"s{number}"
    evidence = Evidence({"n": 1.0, "p99": 912.5}, 120, now - 60, now, "p99 > 800.0 && n >= 1", "p99 is 912.5")
    return SignalArrived(
        Signal(
            id=f"{service}/{now!r}",
            rule="slow",
            entity=(("service", service),),
            service=service,
            state=State.FIRING,
            severity="outage",
            at=now,
            started=now,
            episode=now,
            summary=f"p99 of {service} is 912 ms",
            evidence=evidence,
            group=service,
        )
    )


def performer_of(store: DatabaseStore, responder: Responder) -> tuple[Performer, MemoryChannel]:
    """What delivers to a channel in memory."""

    async def start(_: StartRun) -> Outcome:
        return Done()

    channel = MemoryChannel()
    made = Performer(
        store,
        {"console": channel},
        MemoryPublisher(),
        start_run=start,
        clock=SystemClock(),
        owner="bench",
        responder=responder,
    )
    return made, channel


async def drained(performer: Performer) -> None:
    """Perform until nothing is left."""
    while await performer.run_once():
        pass


@contextmanager
def timing() -> Iterator[Clockwork]:
    """All parts are timed inside the block."""
    clockwork = Clockwork()
    originals = []
    for part, owners in PARTS.items():
        for owner, names in owners:
            for name in names.split():
                if (function := getattr(owner, name, None)) is not None:
                    originals.append((owner, name, function))
                    setattr(owner, name, clockwork.timed(function, part))
    try:
        yield clockwork
    finally:
        for owner, name, function in originals:
            setattr(owner, name, function)


def measured(name: str, url: str, configuration: Configuration, count: int) -> Iterator[Figure]:
    """Both parts of the way, on a database that is new."""
    with contextlib.closing(open_store(url)) as store:
        responder = Responder(store, Fixed(configuration), SystemClock(), {"console"})
        performer, channel = performer_of(store, responder)

        def decide(numbers: range) -> None:
            for number in numbers:
                responder.handle(firing(number))

        def deliver() -> None:
            asyncio.run(drained(performer))

        decide(range(WARM))  # statements are compiled and schemas built once
        deliver()
        traffic, spent = Traffic(), Spent()
        for begin in range(WARM, WARM + count, AT_ONCE):
            spent.on("a decision", traffic, functools.partial(decide, range(begin, begin + AT_ONCE)))
            spent.on("its card and page, delivered", traffic, deliver)
        yield from spent.figures(name, count)
        timed = range(WARM + count, WARM + 2 * count)
        with timing() as clockwork:
            yield from parts(f"{name}: a decision", clockwork, count, functools.partial(decide, timed))
            yield from parts(f"{name}: delivered", clockwork, count, deliver)
        pages = [message for message in channel.delivered if message.kind == "page" and message.edit is None]
        assert len(pages) == WARM + 2 * count, f"{len(pages)} pages"


def parts(name: str, clockwork: Clockwork, count: int, work: Callable[[], None]) -> Iterator[Figure]:
    """The parts of it, the largest first; the timers take some microseconds of each."""
    clockwork.seconds.clear()
    begun = time.process_time()
    work()
    took = time.process_time() - begun
    found = {**clockwork.seconds, REST: took - sum(clockwork.seconds.values())}
    for part, seconds in sorted(found.items(), key=lambda each: -each[1]):
        yield Figure(f"{name}: of it, {part}", 1000 * seconds / count, "ms")


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 incidents")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--only", choices=("sqlite", "postgresql"), help="one database alone")
    parser.add_argument("--incidents", type=int, default=0, help="how many")
    given = parser.parse_args()
    count = -(-(given.incidents or (20 if given.quick else 300)) // AT_ONCE) * AT_ONCE
    found: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        configuration = configured(home, WARM + 2 * count)
        if given.only != "postgresql":
            found += measured("sqlite", f"sqlite:///{home}/fireline.db", configuration, count)
        if given.only != "sqlite":
            with running_postgres() as server:
                found += measured("postgresql", server.new_database(), configuration, count)
    report(f"{count} decisions, and as many pages; milliseconds of processor time", found, in_json=given.json)


if __name__ == "__main__":
    main()
