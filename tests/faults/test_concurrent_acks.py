"""Fifty people press Acknowledge at the same moment: one of them has it, and forty-nine are told who.

Each has a connection of their own to the one database, and begins when all are ready. What counts is what was decided
(one transition, one line on the timeline, one level of escalation stopped) and what each of them was answered.
"""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fireline.adapters.clock import SystemClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.apps.bootstrap import plugins
from fireline.apps.files import Files
from fireline.domain.incidents import Acknowledge, Status
from fireline.engine.respond import Responder
from tests.faults.escalation_trials import outage, write_house

LONG = os.environ.get("FIRELINE_FAULTS") == "long"
PEOPLE = 50
ROUNDS = 40 if LONG else 3
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "postgresql":
        yield request.getfixturevalue("postgres_url")
    else:
        yield f"sqlite:///{tmp_path / 'fireline.db'}"


@pytest.fixture
def responders(url: str, tmp_path: Path) -> Iterator[list[tuple[DatabaseStore, Responder]]]:
    """Five processes' worth of them, ten people at each."""
    write_house(tmp_path, [3600.0])
    names = ", ".join(f"p{n}: {{name: Person {n}, contacts: {{console: p{n}}}}}" for n in range(PEOPLE))
    catalog = tmp_path / "rules" / "catalog.yaml"
    catalog.write_text(catalog.read_text().replace("people:\n", "people:\n  " + names.replace("}}, ", "}}\n  ") + "\n"))
    files, clock = Files(tmp_path / "rules", tmp_path / "runbooks", plugins(), SystemClock()), SystemClock()
    stores = [open_store(url) for _ in range(5)]
    yield [(store, Responder(store, files, clock, {"console"})) for store in stores]
    for store in stores:
        store.close()


def test_one_has_it_and_the_others_are_told_who(responders: list[tuple[DatabaseStore, Responder]], url: str) -> None:
    store, first = responders[0]
    for turn in range(ROUNDS):
        opened = first.handle(outage(turn, "w0", SystemClock().now())).incident
        assert opened is not None
        ready = threading.Barrier(PEOPLE)

        def press(person: int, number: int = opened.number, ready: threading.Barrier = ready) -> str:
            responder = responders[person % len(responders)][1]
            ready.wait(60)
            return responder.handle(Acknowledge(number, f"p{person}", "slack")).reply

        with ThreadPoolExecutor(PEOPLE) as pool:
            replies = list(pool.map(press, range(PEOPLE)))
        with store.reading() as tx:
            after, timeline = tx.incident(opened.number), list(tx.timeline(opened.number))
        assert after is not None
        assert after.status is Status.ACKNOWLEDGED
        won = [person for person, reply in enumerate(replies) if "is yours" in reply]
        told = [reply for reply in replies if f"already acknowledged by Person {won[0]} " in reply]
        assert (len(won), len(told)) == (1, PEOPLE - 1), Counter(replies)
        assert after.acknowledged_by == f"p{won[0]}"
        assert [entry.actor for entry in timeline if entry.kind == "acknowledged"] == [f"p{won[0]}"]
        assert after.version == opened.version + 1
        assert after.escalation is not None
        assert after.escalation.due_at is None
    print(
        f"\n{url.partition(':')[0]}: {ROUNDS} times {PEOPLE} at once: 1 transition and {PEOPLE - 1} told so, each time"
    )
