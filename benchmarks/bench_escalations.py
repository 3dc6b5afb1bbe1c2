"""How late escalations are, with the real responder process: 200 across 20 seconds, on SQLite and on PostgreSQL.

Each incident has a service and two people of its own; the first never answers, so that the second is asked when the
wait is over. Lateness is how long after the deadline that is decided and in the database, and how long after it the
page has reached its channel (the console). Then as many come due while no responder runs: how long after its
start the first and the last are asked. An early one, one that is asked twice and one that is lost end it with an error.

python benchmarks/bench_escalations.py [--quick] [--json] [--only sqlite|postgresql]
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from fireline.adapters.clock import SystemClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.adapters.embedded_broker import EmbeddedBroker
from fireline.apps.bootstrap import plugins
from fireline.domain.configuration import Configuration
from fireline.domain.incidents import Incident, SignalArrived
from fireline.domain.rules import Evidence, Signal, State
from fireline.engine.respond import Responder
from fireline.spec.loading import load
from harness import ROOT, Figure, eventually, percentile, process, report

sys.path.insert(0, str(ROOT))
from tests.servers.postgres import running_postgres

LIMIT = 250.0
"""Milliseconds that the 99th percentile may be late."""


class Fixed:
    """Settings that do not change."""

    def __init__(self, configuration: Configuration) -> None:
        self.current = configuration


class House:
    """Rules for `count` services with two people each, the first of whom has `wait` seconds; and a database."""

    def __init__(self, folder: Path, url: str, count: int, wait: float) -> None:
        self.folder, self.url, self.count, self.wait = folder, url, count, wait
        for name in ("rules", "runbooks"):
            (folder / name).mkdir(parents=True)
        self._write()
        loaded = load(folder / "rules", folder / "runbooks", plugins())
        assert loaded.configuration is not None, "\n".join(map(str, loaded.problems))
        self.store: DatabaseStore = open_store(url)
        self._responder = Responder(self.store, Fixed(loaded.configuration), SystemClock())

    def _write(self) -> None:
        each = range(self.count)
        catalog = ["people:"]
        catalog += [f"  {p}{i}: {{name: Person {p}{i}, contacts: {{console: {p}{i}}}}}" for i in each for p in "ab"]
        catalog += ["teams:", *(f"  t{i}: {{name: Team {i}, policy: p{i}, members: [a{i}]}}" for i in each)]
        catalog += ["services:", *(f"  s{i}: {{owner: t{i}, what: A service.}}" for i in each)]
        levels = 'levels: [{{targets: ["person:a{i}"], wait: {wait}s}}, {{targets: ["person:b{i}"], wait: 1h}}]'
        policies = [f"  p{i}: {{{levels.format(i=i, wait=self.wait)}}}" for i in each]
        (self.folder / "rules" / "catalog.yaml").write_text("\n".join(catalog) + "\n")
        (self.folder / "rules" / "oncall.yaml").write_text("\n".join(["policies:", *policies]) + "\n")

    def fires(self, number: int) -> None:
        """A signal opens the incident of one service, and pages its first person."""
        now = SystemClock().now()
        service = f"s{number}"
        evidence = Evidence({"n": 1.0}, 1, now - 60, now, "n > 0", "")
        signal = Signal(
            id=f"{service}/{now!r}",
            rule="broke",
            entity=(("service", service),),
            service=service,
            state=State.FIRING,
            severity="outage",
            at=now,
            started=now,
            episode=now,
            summary=f"{service} broke",
            evidence=evidence,
        )
        self._responder.handle(SignalArrived(signal))

    def arm(self, across: float) -> None:
        """Let all fire, evenly spread over so many seconds."""
        begin = time.monotonic()
        for number in range(self.count):
            time.sleep(max(0.0, begin + across * number / self.count - time.monotonic()))
            self.fires(number)

    def incidents(self) -> Sequence[Incident]:
        """All of them."""
        return self._responder.incidents(limit=2 * self.count)

    def reached(self, incident: Incident, page: int) -> float:
        """When a page reached its channel, by the timeline."""
        entries = self._responder.explain(incident.number)
        return next(e.at for e in entries if e.kind == "delivered" and e.data.get("page") == page)

    @contextmanager
    def responding(self, broker: str) -> Iterator[None]:
        """The responder as a process."""
        given = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FIRELINE_")},
            "FIRELINE_DATABASE": self.url,
            "FIRELINE_STATE_DIR": str(self.folder),
            "FIRELINE_RULES": str(self.folder / "rules"),
            "FIRELINE_RUNBOOKS": str(self.folder / "runbooks"),
            "FIRELINE_KAFKA": broker,
            "FIRELINE_LOG_LEVEL": "warning",
        }
        log = self.folder / "respond.log"
        with process([sys.executable, "-m", "fireline.apps", "respond"], log, given) as responder:
            eventually("the responder works", lambda: self._beats() or responder.poll() is not None, 90)
            if responder.poll() is not None:
                raise SystemExit(f"the responder ended:\n{log.read_text()[-4000:]}")
            yield

    def _beats(self) -> bool:
        with self.store.reading() as tx:
            return tx.fact("heartbeat:timers") is not None


def trial(name: str, house: House, broker: str, across: float) -> Iterator[Figure]:
    """The two parts on one database, which is new."""
    with contextlib.closing(house.store):
        with house.responding(broker):
            house.arm(across)
            eventually("all second pages arrive", lambda: _all_reached(house, 2), house.wait + 120)
        lateness, arrival = _judged(house)
        for words, values in (("decided", lateness), ("on its channel", arrival)):
            yield Figure(f"{name}: {words} after, p50", percentile(values, 0.5), "ms")
            limit: Mapping[str, object] = {"peer": "planned", "peer_value": LIMIT} if words == "decided" else {}
            yield Figure(f"{name}: {words} after, p99", percentile(values, 0.99), "ms", **limit)  # type: ignore[arg-type] # both are fields
            yield Figure(f"{name}: {words} after, max", max(values), "ms")


def after_being_down(name: str, house: House, broker: str) -> Iterator[Figure]:
    """All come due while nobody responds."""
    with contextlib.closing(house.store):
        house.arm(0.0)
        time.sleep(house.wait + 0.5)
        started = SystemClock().now()
        with house.responding(broker):
            eventually("all second pages are decided", lambda: _all_asked(house, 2), 120)
        asked = [incident.pages[1].at for incident in house.incidents()]
        assert all(len(incident.pages) == 2 for incident in house.incidents()), "each is asked once"
        first = min(asked)
        yield Figure(f"{name}: {house.count} due while down, first to last asked", 1000 * (max(asked) - first), "ms")
        yield Figure(f"{name}: start of the process to the first", 1000 * (first - started), "ms")


def _judged(house: House) -> tuple[list[float], list[float]]:
    lateness, arrival = [], []
    for incident in house.incidents():
        first, second = incident.pages
        due_at = first.at + house.wait
        lateness.append(1000 * (second.at - due_at))
        arrival.append(1000 * (house.reached(incident, second.number) - due_at))
    assert len(lateness) == house.count, "none is lost"
    assert min(lateness) >= 0, f"early by {-min(lateness)} ms"
    return lateness, arrival


def _all_asked(house: House, pages: int) -> bool:
    found = house.incidents()
    return len(found) == house.count and all(len(incident.pages) >= pages for incident in found)


def _all_reached(house: House, pages: int) -> bool:
    done = {"delivered"}
    return _all_asked(house, pages) and all(
        incident.pages[-1].attempts and incident.pages[-1].attempts[-1].state in done for incident in house.incidents()
    )


def measured(name: str, urls: Sequence[str], home: Path, *, quick: bool) -> list[Figure]:
    """Both parts on two new databases of one kind."""
    count, across, wait = (20, 2.0, 3.0) if quick else (200, 20.0, 25.0)
    with EmbeddedBroker() as broker:
        broker.create(["fireline.incidents"])
        address = broker.bootstrap
        found = [*trial(name, House(home / name, urls[0], count, wait), address, across)]
        return [*found, *after_being_down(name, House(home / f"{name}-down", urls[1], count, 2.0), address)]


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 across 2 seconds")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--only", choices=("sqlite", "postgresql"), help="one database alone")
    given = parser.parse_args()
    found: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        if given.only != "postgresql":
            urls = [f"sqlite:///{home}/one.db", f"sqlite:///{home}/two.db"]
            found += measured("sqlite", urls, home, quick=given.quick)
        if given.only != "sqlite":
            with running_postgres() as server:
                urls = [server.new_database(), server.new_database()]
                found += measured("postgresql", urls, home, quick=given.quick)
    report(f"Lateness of {20 if given.quick else 200} escalations", found, in_json=given.json)


if __name__ == "__main__":
    main()
