"""The database goes away under load: judging goes on or waits, people are told, nothing is lost, nothing piles up."""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.outside import Outside, eventually, one_page_each, only_rules
from tests.faults.kafka_trials import MANY, RULES, Sender
from tests.faults.test_kafka_away import LONG
from tests.servers.postgres import running_postgres

BLIND_AFTER = 8.0  # a slow machine is not blind
SECONDS = 30.0 if LONG else 9.0
PAGED = RULES.replace('severity: {notice: {when: "n >= 1"}}', 'severity: {outage: {when: "n >= 1"}}')

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


class Away:
    """A database that can be taken away: its URL, and how."""

    def __init__(self, url: str, go, come_back) -> None:
        self.url, self.go, self.come_back = url, go, come_back


@contextmanager
def stopped(_home: Path) -> Iterator[Away]:
    with running_postgres() as server:
        yield Away(server.new_database(), server.stop, server.start)


@contextmanager
def hanging(_home: Path) -> Iterator[Away]:
    with running_postgres() as server:
        yield Away(server.new_database(), server.hang, server.unhang)


@contextmanager
def locked(home: Path) -> Iterator[Away]:
    path = home / "fireline.db"
    held: list[sqlite3.Connection] = []

    def lock() -> None:
        held.append(sqlite3.connect(path, isolation_level=None, timeout=10))
        held[0].execute("BEGIN IMMEDIATE")

    yield Away(f"sqlite:///{path}", lock, lambda: held.pop().close())


CASES = {
    "PostgreSQL stopped": stopped,
    **({"PostgreSQL hanging": hanging, "SQLite locked": locked} if LONG else {}),
}


@pytest.mark.postgres
@pytest.mark.parametrize("case", CASES)
def test_a_database_that_is_away_for_a_while(tmp_path: Path, repository: Path, case: str):
    home = tmp_path / "home"
    home.mkdir()
    with CASES[case](home) as away:
        environment = {"FIRELINE_DATABASE": away.url, "FIRELINE_BLIND_AFTER": f"{BLIND_AFTER:g}"}
        fireline = Outside(home, repository, environment)
        only_rules(fireline, PAGED)
        one_page_each(fireline.home / "rules")
        with fireline:
            sender = Sender(fireline.bootstrap)
            sender.put("counted", "whole", MANY // 2)
            sender.put("probe", "before")
            assert sender.flush() == 0
            eventually("the first page is told", lambda: fireline.lines("PAGE to", "before was heard"), 40)
            roles, threads, before = fireline.roles(), counted(fireline, "Threads"), counted(fireline, "VmRSS")
            away.go()
            began = time.monotonic()
            sender.put("probe", "meanwhile")
            while time.monotonic() - began < SECONDS:
                sender.put("counted", "busy", 200)
                time.sleep(0.1)
            sender.put("counted", "whole", MANY - MANY // 2)
            assert sender.flush() == 0
            waits = 45.0 if case == "PostgreSQL hanging" else 15.0
            eventually("people are told", lambda: fireline.lines("PAGE to dana", "Fireline is blind"), waits)
            grown = {role: now - threads[role] for role, now in counted(fireline, "Threads").items()}
            held = {role: (now - before[role]) / 1024 for role, now in counted(fireline, "VmRSS").items()}
            away.come_back()
            back = time.monotonic()
            fireline.store.close()
            eventually("the page comes", lambda: fireline.lines("PAGE to", "meanwhile was heard"), 40)
            took = time.monotonic() - back
            eventually("the end is told", lambda: fireline.lines("Fireline sees again: blind from"), 30)
            eventually("all is counted", lambda: severity(fireline, "whole"), 30)
            time.sleep(1.0)
            assert severity(fireline, "whole") == "notice", "an event was counted twice"
            for service in ("before", "meanwhile"):
                assert len(fireline.lines("PAGE to", f"{service} was heard")) == 1, "a page came twice"
            assert len(fireline.lines("PAGE to", "Fireline is blind")) == 1
            assert fireline.roles() == roles, "nobody had to be started again"
            assert max(grown.values()) <= 12, f"threads pile up: {grown}"
            assert max(held.values()) <= 100, f"memory piles up: {held} MB"
            assert not fireline.lines("Traceback")
            print(f"{case}: page {took:.1f} s after the return, threads {grown}, memory {held} MB")


def severity(fireline: Outside, service: str) -> str | None:
    with fireline.store.reading() as tx:
        found = tx.latest_incident(service, "", "live")
    return None if found is None else found.severity


def counted(fireline: Outside, what: str) -> dict[str, int]:
    """A number of each role's process, as the kernel tells it."""
    return {
        role: int(re.search(rf"^{what}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1])
        for role, pid in fireline.roles().items()
    }
