"""Escalations that are armed, and what became of them: for trials that kill responders or set their clocks.

Every case is an incident of its own, whose first level is paged at once and whose second is due after a wait of its
policy. What is counted is in the books of the decision itself: the page of the second level, when it was decided, and
when it was due. The next deadline is an hour away, so that whatever else fires is a second time.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fireline.adapters.clock import SystemClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.apps.bootstrap import plugins
from fireline.apps.files import Files
from fireline.domain.incidents import Incident, SignalArrived
from fireline.domain.rules import Evidence, Signal, State
from fireline.engine.respond import Responder
from tests.servers.last_words import remember, tail

REAL = [sys.executable, "-m", "fireline.apps", "respond"]
PATIENCE = 300.0
"""Seconds until a deadline that has passed must have been heard, on a machine that others use as well."""


def write_house(folder: Path, waits: Sequence[float]) -> None:
    """One service for each wait, its policy of two levels, and nobody who is asked twice."""
    (folder / "rules").mkdir(parents=True)
    (folder / "runbooks").mkdir()
    names = [f"w{number}" for number in range(len(waits))]
    people = "people:\n  ann: {name: Ann, contacts: {console: ann}}\n  ben: {name: Ben, contacts: {console: ben}}\n"
    teams = "teams:\n" + "".join(f"  {n}: {{name: Team {n}, policy: {n}, members: [ann]}}\n" for n in names)
    services = "services:\n" + "".join(f"  {n}: {{owner: {n}, what: A service., tier: 3}}\n" for n in names)
    (folder / "rules" / "catalog.yaml").write_text(people + teams + services)
    levels = "    levels:\n      - {targets: ['person:ann'], wait: %gs}\n      - {targets: ['person:ben'], wait: 1h}\n"
    policies = "".join(f"  {name}:\n" + levels % wait for name, wait in zip(names, waits, strict=True))
    (folder / "rules" / "oncall.yaml").write_text(f"schedules: {{}}\npolicies:\n{policies}")


def outage(number: int, service: str, now: float) -> SignalArrived:
    """What the stream tells of one case: an incident of its own."""
    case = f"c{number}"
    evidence = Evidence({"n": 1.0}, 1, now - 600, now, "n > 0", "it does")
    told = Signal(
        id=f"s{number}",
        rule="something_broke",
        entity=(("service", service), ("case", case)),
        service=service,
        state=State.FIRING,
        severity="outage",
        at=now,
        started=now,
        episode=now,
        summary=f"{service} broke, case {case}",
        evidence=evidence,
        group=f"case={case}",
    )
    return SignalArrived(told)


@dataclass
class Trial:
    """A house, its database, and the responders that run there."""

    folder: Path
    database: str
    kafka: str
    program: Sequence[str] = field(default_factory=lambda: REAL)
    extra: Mapping[str, str] = field(default_factory=dict)
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store: DatabaseStore = open_store(self.database)
        self.due: dict[int, float] = {}
        self.away: list[tuple[float, float]] = []
        self._gone: float | None = None

    def start(self, count: int = 1) -> None:
        """Run so many responders more."""
        told = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FIRELINE_")},
            **self.extra,
            "FIRELINE_DATABASE": self.database,
            "FIRELINE_KAFKA": self.kafka,
            "FIRELINE_RULES": str(self.folder / "rules"),
            "FIRELINE_RUNBOOKS": str(self.folder / "runbooks"),
            "FIRELINE_STATE_DIR": str(self.folder / "state"),
        }
        remember("the log of the responders", lambda: tail(self.folder / "respond.log"))
        with (self.folder / "respond.log").open("ab") as log:
            self.processes += [subprocess.Popen(self.program, env=told, stdout=log, stderr=log) for _ in range(count)]

    def kill(self, count: int = 1) -> None:
        """kill -9 of the oldest responders."""
        for process in self.processes[:count]:
            process.kill()
            process.wait(60)
        del self.processes[:count]
        self._gone = time.time() if not self.processes else None

    def close(self) -> None:
        self.kill(len(self.processes))
        self.store.close()

    def arm(self, cases: int, waits: int, first: int = 0) -> None:
        """Decide on so many outages, and keep when the second level of each is due."""
        clock = SystemClock()
        files = Files(self.folder / "rules", self.folder / "runbooks", plugins(), clock)
        responder = Responder(self.store, files, clock, {"console"})
        for number in range(first, first + cases):
            decided = responder.handle(outage(number, f"w{number % waits}", clock.now())).incident
            assert decided is not None
            assert decided.escalation is not None
            assert decided.escalation.due_at is not None
            self.due[decided.number] = decided.escalation.due_at

    def incidents(self) -> list[Incident]:
        with self.store.reading() as tx:
            return list(tx.incidents(limit=10_000))

    def wait_until_it_beats(self) -> None:
        """Until a responder that was started now has begun to look at deadlines."""
        deadline, since = time.monotonic() + PATIENCE, time.time()
        while True:
            with self.store.reading() as tx:
                beat = tx.fact("heartbeat:timers")
            if beat is not None and beat[1] >= since:
                break
            log = (self.folder / "respond.log").read_text()[-2000:]
            assert time.monotonic() < deadline, f"no responder has begun:\n{log}"
            time.sleep(0.1)
        if self._gone is not None:
            self.away.append((self._gone, beat[1]))
            self._gone = None

    def fired(self) -> dict[int, list[float]]:
        """When the second level of each armed incident was asked, by the time of who decided it."""
        armed = [
            one for one in self.incidents() if one.number in self.due
        ]  # Fireline may have one of its own: no stream
        return {one.number: [page.at for page in one.pages if page.level == 1] for one in armed}

    def wait_until_fired(self) -> None:
        """Until every deadline was heard."""
        deadline = max(max(self.due.values()) - time.time(), 0.0) + time.monotonic() + PATIENCE
        while not all(self.fired().get(number) for number in self.due):
            assert time.monotonic() < deadline, f"not fired: {[n for n in self.due if not self.fired().get(n)]}"
            time.sleep(0.2)


@dataclass(frozen=True)
class Tally:
    """What came of the escalations; seconds. `waited` is how late each was but for the time in which nobody ran."""

    armed: int
    fired: int
    once: int
    early: int
    late: tuple[float, ...]
    waited: tuple[float, ...]

    def __str__(self) -> str:
        late, waited = sorted(self.late), sorted(self.waited)
        return (
            f"{self.armed} escalations armed: fired {self.fired}, each once {self.once}, early {self.early}; "
            f"late: median {_middle(late):.2f} s, worst {late[-1]:.2f} s; but for the time in which nobody ran: "
            f"median {_middle(waited):.2f} s, worst {waited[-1]:.2f} s"
        )


def tally(trial: Trial) -> Tally:
    """Compare when every escalation was due with when it was decided."""
    fired = trial.fired()
    times = Counter({number: len(fired.get(number, [])) for number in trial.due})
    asked = [(due, fired[number][0]) for number, due in trial.due.items() if fired.get(number)]
    late = tuple(at - due for due, at in asked)
    return Tally(
        armed=len(trial.due),
        fired=sum(count > 0 for count in times.values()),
        once=sum(count == 1 for count in times.values()),
        early=sum(each < 0 for each in late),
        late=late,
        waited=tuple(at - due - _away(trial, due, at) for due, at in asked),
    )


def _middle(ordered: Sequence[float]) -> float:
    return ordered[len(ordered) // 2]


def _away(trial: Trial, start: float, end: float) -> float:
    return sum(max(0.0, min(end, until) - max(start, since)) for since, until in trial.away)
