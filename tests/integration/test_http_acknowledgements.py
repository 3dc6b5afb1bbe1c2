"""Fifty people acknowledge over HTTP in the same moment: one of them has it, and forty-nine are told who.

The web role is served for real, over the real database and a real responder; each person has a connection of their own.
"""

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from fireline.adapters.clock import SystemClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.apps.web import create_app, listen, serve
from fireline.domain.catalog import Catalog, Person, Service, Team
from fireline.domain.configuration import Configuration
from fireline.domain.incidents import Incident, SignalArrived, Status
from fireline.domain.oncall import OnCall
from fireline.engine.respond import Responder
from tests.domain.deciding_world import SEVERITIES, policy, signal, target
from tests.engine.respond_world import eventually
from tests.engine.runs_world import Fixed
from tests.servers.live_web import Levers

PEOPLE = 50
PATIENCE = 120.0


def _configuration() -> Configuration:
    people = {f"p{n}": Person(f"p{n}", f"Person {n}", {"slack": f"U{n}"}) for n in range(PEOPLE)}
    team = Team("payments-ml", "Payments ML", "payments", tuple(people))
    policies = {"payments": policy("payments", [target("person", "p0")], [target("person", "p1")])}
    services = {"fraud-scoring": Service("fraud-scoring", "payments-ml")}
    catalog = Catalog(services, {"payments-ml": team}, people, SEVERITIES, default_team="payments-ml")
    return Configuration({}, {}, catalog, OnCall({}, policies))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseStore]:
    shared = request.param == "postgresql"
    opened = open_store(request.getfixturevalue("postgres_url") if shared else f"sqlite:///{tmp_path / 'web.db'}")
    yield opened
    opened.close()


@contextmanager
def _serving(app: object) -> Iterator[int]:
    """The port of this machine at which the app is served until the block ends."""
    sock, servers = listen("127.0.0.1", 0), list[object]()
    thread = threading.Thread(target=lambda: asyncio.run(serve(app, sock, stop=servers.append)), daemon=True)
    thread.start()
    try:
        asyncio.run(eventually(lambda: bool(servers) and servers[0].started, PATIENCE))
        yield sock.getsockname()[1]
    finally:
        servers[0].should_exit = True
        thread.join(PATIENCE)
        sock.close()


def _acknowledge(port: int, number: int, person: str, ready: threading.Barrier) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.connect()
        ready.wait(PATIENCE)
        body = json.dumps({"person": person})
        connection.request(
            "POST", f"/api/incidents/INC-{number}/acknowledge", body, {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_one_has_it_and_forty_nine_are_told_who(store: DatabaseStore) -> None:
    settings, clock = Fixed(_configuration()), SystemClock()
    responder = Responder(store, settings, clock)
    opened = responder.handle(SignalArrived(signal(at=clock.now()))).incident
    assert opened is not None
    ready = threading.Barrier(PEOPLE)
    with (
        _serving(create_app(store, settings, responder, Levers(), clock)) as port,
        ThreadPoolExecutor(PEOPLE) as pool,
    ):
        people = [f"p{n}" for n in range(PEOPLE)]
        answers = list(pool.map(lambda person: _acknowledge(port, opened.number, person, ready), people))
    assert [status for status, _ in answers] == [200] * PEOPLE
    replies = [str(said["reply"]) for _, said in answers]
    [winner] = [n for n, reply in enumerate(replies) if "is yours" in reply]
    told = [reply for reply in replies if f"already acknowledged by Person {winner} " in reply]
    assert len(told) == PEOPLE - 1, replies
    for _, said in answers:
        assert said["incident"]["acknowledged_by"] == f"p{winner}", "whoever asks sees whose it is"
    _check(store, opened, f"p{winner}")


def _check(store: DatabaseStore, before: Incident, winner: str) -> None:
    with store.reading() as tx:
        after, timeline = tx.incident(before.number), list(tx.timeline(before.number))
    assert after is not None
    assert (after.status, after.acknowledged_by) == (Status.ACKNOWLEDGED, winner)
    assert after.version == before.version + 1, "one transition"
    assert [entry.actor for entry in timeline if entry.kind == "acknowledged"] == [winner]
    assert after.escalation is not None
    assert after.escalation.due_at is None, "nobody else is asked"
