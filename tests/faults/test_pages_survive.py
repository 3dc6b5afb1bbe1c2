"""No page is lost and few are doubled, whichever role is killed: counted in Slack, not in our own books.

A thousand outages, each an incident of its own, arrive while a role of Fireline is killed every few seconds (the short
form: some sixty outages and three kills). A killed responder may have been sending: what it sent is looked for in
Slack before it is sent again. With two responders on PostgreSQL the other one goes on where the killed one was.
"""

import asyncio
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from fireline.adapters.clock import SystemClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.apps.bootstrap import plugins
from fireline.apps.files import Files
from fireline.domain.incidents import Incident, SignalArrived
from fireline.domain.rules import Evidence, Signal, State
from fireline.engine.respond import Responder
from tests.e2e.outside import Outside, one_page_each
from tests.faults.page_trials import RULE, TOPIC, member, people, tally, write_rules
from tests.servers.last_words import remember, tail
from tests.servers.ports import free_port
from tests.servers.slack import APP_TOKEN, BOT_TOKEN, LocalSlack, binary, end, run
from tests.servers.slack_proxy import SlackProxy, running

LONG = os.environ.get("FIRELINE_FAULTS") == "long"
OUTAGES, PEOPLE, EVERY = (1000, 50, 4.0) if LONG else (64, 16, 3.0)
BESIDE = 400 if LONG else 112  # more than the four that Slack takes of one room at once
KILLS = 30 if LONG else 4
pytestmark = [pytest.mark.slow, pytest.mark.slack, pytest.mark.timeout(2400)]


@dataclass(frozen=True)
class Pair:
    """Two responders: where their files are, their database, and their processes."""

    folder: Path
    database: str
    processes: list["subprocess.Popen[bytes]"]


@pytest_asyncio.fixture
async def slack(repository: Path, tmp_path: Path) -> AsyncIterator[SlackProxy]:
    """A Slack in which everybody is, behind a proxy that keeps what the real one keeps."""
    port = free_port()
    process = run(binary(repository), tmp_path, port, [member(person) for person in people(PEOPLE)])
    try:
        async with running(LocalSlack(f"http://127.0.0.1:{port}")) as proxy:
            yield proxy
    finally:
        end(process)


def environment(slack: SlackProxy) -> dict[str, str]:
    return {
        "FIRELINE_SLACK_BOT_TOKEN": BOT_TOKEN,
        "FIRELINE_SLACK_APP_TOKEN": APP_TOKEN,
        "FIRELINE_SLACK_BASE_URL": slack.api,
    }


async def until(what: str, found: Callable[[], object], seconds: float) -> None:
    """Wait in a thread: the proxy lives in this loop."""
    deadline = time.monotonic() + 3 * seconds
    while not await asyncio.to_thread(found):
        assert time.monotonic() < deadline, f"not within {3 * seconds:.0f} s: {what}"
        await asyncio.sleep(0.25)


def break_something(fireline: Outside, number: int, person: str) -> None:
    labels = {"service": f"service-{person}", "case": f"c{number}"}
    body = {"type": "metric", "name": "broken", "value": 1, "ts": time.time(), "labels": labels}
    fireline.produce(TOPIC, labels["service"], orjson.dumps(body))


def all_incidents(fireline: Outside) -> list[Incident]:
    with fireline.store.reading() as tx:
        return list(tx.incidents(limit=10_000))


def settled(fireline: Outside, wanted: int) -> bool:
    """Whether everything that happened is an incident, and every page has left."""
    return all_left(fireline.store, wanted)


def all_left(store: DatabaseStore, wanted: int) -> bool:
    with store.reading() as tx:
        incidents = tx.incidents(limit=10_000)
    return len(incidents) >= wanted and all(
        page.attempts and all(a.state != "sending" for a in page.attempts) for one in incidents for page in one.pages
    )


async def kill_now_and_then(fireline: Outside, dice: random.Random) -> list[str]:
    """kill -9 of one role after the other, in any order, responders twice as often; who was killed."""
    killed: list[str] = []
    while len(killed) < KILLS:
        turn = ["respond", "respond", "stream", "web"]
        dice.shuffle(turn)
        for role in turn[: KILLS - len(killed)]:
            await asyncio.sleep(EVERY * dice.uniform(0.5, 1.5))
            await until(f"{role} runs", lambda role=role: role in fireline.roles(), 60)
            await asyncio.to_thread(fireline.kill, role)
            killed.append(role)
    return killed


async def test_no_page_is_lost_whichever_role_is_killed(tmp_path: Path, repository: Path, slack: SlackProxy):
    home, dice, persons = tmp_path / "home", random.Random(5), people(PEOPLE)
    home.mkdir()
    fireline = Outside(home, repository, environment(slack))
    write_rules(home / "rules", persons)
    for book in (home / "patient-runbooks").glob("*.yaml"):  # they are of teams that are not here
        book.unlink()
    await asyncio.to_thread(fireline.__enter__)
    try:
        killing = asyncio.create_task(kill_now_and_then(fireline, dice))
        span = EVERY * KILLS
        for number in range(OUTAGES):
            await asyncio.to_thread(break_something, fireline, number, persons[number % PEOPLE])
            await asyncio.sleep(span / OUTAGES)
        await asyncio.to_thread(fireline.flush)
        killed = await killing
        await until("every outage is paged", lambda: settled(fireline, OUTAGES), 400 if LONG else 120)
        incidents = await asyncio.to_thread(all_incidents, fireline)
        seen = await asyncio.to_thread(tally, slack.upstream, persons, incidents)
    finally:
        await asyncio.to_thread(fireline.stop)
    print(f"\n{seen.incidents} incidents, {seen.messages} messages, lost {len(seen.lost)}, doubled {seen.doubled}, "
          f"{len(killed)} kills ({', '.join(f'{killed.count(r)} {r}' for r in sorted({*killed}))})")  # fmt: skip
    assert seen.incidents == OUTAGES
    assert seen.lost == ()
    assert seen.doubled <= len(killed)


def outage(number: int, person: str, now: float) -> SignalArrived:
    """What the stream tells of one case."""
    service, case = f"service-{person}", f"c{number}"
    told = Signal(
        id=f"s{number}",
        rule=RULE,
        entity=(("service", service), ("case", case)),
        service=service,
        state=State.FIRING,
        severity="outage",
        at=now,
        started=now,
        episode=now,
        summary=f"{service} broke, case {case}",
        evidence=Evidence({"n": 1.0}, 1, now - 600, now, "n > 0", "it does"),
        group=f"case={case}",
    )
    return SignalArrived(told)


@pytest_asyncio.fixture
async def pair(tmp_path: Path, slack: SlackProxy, postgres_url: str, embedded_broker) -> AsyncIterator[Pair]:
    """Two responders on one PostgreSQL."""
    write_rules(tmp_path / "rules", people(PEOPLE))
    shutil.copy(Path(__file__).parents[2] / "rules" / "severities.yaml", tmp_path / "rules")
    one_page_each(tmp_path / "rules")
    (tmp_path / "runbooks").mkdir()
    told = {
        **{name: value for name, value in os.environ.items() if not name.startswith("FIRELINE_")},
        **environment(slack),
        "FIRELINE_DATABASE": postgres_url,
        "FIRELINE_KAFKA": embedded_broker.bootstrap,
        "FIRELINE_RULES": str(tmp_path / "rules"),
        "FIRELINE_RUNBOOKS": str(tmp_path / "runbooks"),
        "FIRELINE_STATE_DIR": str(tmp_path),
    }
    with (tmp_path / "respond.log").open("wb") as log:
        remember("the log of the responders", lambda: tail(tmp_path / "respond.log"))
        command = [sys.executable, "-m", "fireline.apps", "respond"]
        made = [subprocess.Popen(command, env=told, stdout=log, stderr=log) for _ in range(2)]
        try:
            yield Pair(tmp_path, postgres_url, made)
        finally:
            for process in made:
                process.kill()
                process.wait(60)


async def test_the_other_responder_goes_on_with_what_the_killed_one_had_begun(pair: Pair, slack: SlackProxy):
    persons, clock = people(PEOPLE), SystemClock()
    store = await asyncio.to_thread(open_store, pair.database)
    try:
        responder = Responder(
            store, Files(pair.folder / "rules", pair.folder / "runbooks", plugins(), clock), clock, {"slack"}
        )
        for number in range(BESIDE):
            await asyncio.to_thread(responder.handle, outage(number, persons[number % PEOPLE], clock.now()))
        await until("pages arrive", lambda: slack.count("chat.postMessage") >= 4 * PEOPLE, 60)
        pair.processes[0].kill()
        killed, before = time.monotonic(), slack.count("chat.postMessage")
        await until("pages go on", lambda: slack.count("chat.postMessage") > before, 80)
        first = time.monotonic() - killed
        await until("every page has left", lambda: all_left(store, BESIDE), 120)
        with store.reading() as tx:
            incidents = list(tx.incidents(limit=1000))
        seen = await asyncio.to_thread(tally, slack.upstream, persons, incidents)
    finally:
        store.close()
    print(f"\n{seen}; first after {first:.1f} s, all after {time.monotonic() - killed:.1f} s")
    assert seen.lost == ()
    assert seen.doubled <= 1
