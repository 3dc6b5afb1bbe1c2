"""Neighbours that go away and come back: nothing is lost, nothing is done twice, and the doctor says what is wrong."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fireline.domain.incidents import PageStatus
from tests.e2e.harness import Gateway
from tests.e2e.outside import LINE, Outside, eventually, gone
from tests.e2e.test_recovery import check_end_state, on_fallback, resolved
from tests.servers.kafka import ApacheKafka
from tests.servers.ports import free_port
from tests.servers.postgres import running_postgres
from tests.servers.slack import ANN, APP_TOKEN, BOT_TOKEN, LocalSlack, binary, end, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

WAIT = 25.0
"""Seconds until the next level is asked: others must be able to see the first page before."""
MEMBERS = {"ann": ANN, "ben": "U0BEN", "cleo": "U0CLEO"}


def quick_escalation(fireline: Outside, wait: str) -> None:
    """The first level of the owner's policy waits so long."""
    path = fireline.home / "rules" / "oncall.yaml"
    path.write_text(
        path.read_text().replace('["schedule:payments-ml"], wait: 5m', f'["schedule:payments-ml"], wait: {wait}')
    )


def during(seconds: float, look: Callable[[], None]) -> None:
    stop = time.monotonic() + seconds
    look()
    time.sleep(max(0.0, stop - time.monotonic()))


@pytest.mark.slack
def test_a_page_waits_for_slack_and_says_so_meanwhile(tmp_path: Path, repository: Path):
    port = free_port()
    slack = LocalSlack(f"http://127.0.0.1:{port}")
    environment = {
        "FIRELINE_SLACK_BOT_TOKEN": BOT_TOKEN,
        "FIRELINE_SLACK_APP_TOKEN": APP_TOKEN,
        "FIRELINE_SLACK_BASE_URL": slack.api,
    }
    home, there = tmp_path / "home", tmp_path / "slack"
    home.mkdir()
    there.mkdir()
    began = time.monotonic()
    with Outside(home, repository, environment) as fireline:
        fireline.bad_predictions()
        eventually("an incident is open", fireline.incidents, 30)

        def attempts() -> dict[str, str]:
            return {a.channel: a.state for a in fireline.incidents()[0].pages[0].attempts}

        eventually("the next channel of the same person is tried", lambda: attempts().get("console") == "delivered", 60)
        assert attempts()["slack"] == "sending", "and it goes on trying the first"
        eventually("it is told", lambda: any("pending" in f"{e.kind} {e.text}" for e in fireline.timeline()), 30)
        code, checks = fireline.doctor()
        assert code == 1
        assert checks["slack"]["finding"] == "fault"
        assert "reached" in checks["slack"]["found"]
        away = time.monotonic() - began
        noise = [line for line in logged(fireline, 0) if " INFO " not in line]
        assert len(noise) < 10 + away, f"{len(noise)} lines in {away:.0f} s"
        assert not fireline.lines("Traceback")

        process = run(binary(repository), there, port)
        try:
            person = MEMBERS[fireline.incidents()[0].pages[0].person]
            eventually("the page arrives in Slack", lambda: attempts()["slack"] == "delivered", 60)
            pages = [m for m in slack.messages(person) if "INC-1" in m["text"]]
            assert len(pages) == 1
            eventually("the card arrives in the room", lambda: [m for m in slack.messages() if "blocks" in m], 60)
            eventually("the doctor is content", lambda: fireline.doctor()[0] == 0, 30, every=1)
        finally:
            end(process)


@pytest.mark.long
@pytest.mark.postgres
def test_the_story_ends_the_same_with_postgresql_away_in_its_middle(tmp_path: Path, repository: Path):
    with running_postgres() as server:
        environment = {"FIRELINE_DATABASE": server.new_database()}
        with Outside(tmp_path, repository, environment) as fireline, Gateway(fireline) as gateway:
            eventually("the traffic is on the fallback", lambda: on_fallback(fireline), 60)
            before, began = len(fireline.said().splitlines()), time.monotonic()
            pids = fireline.roles()
            server.stop()
            during(15, lambda: check_database_fault(fireline))
            server.start()
            took = time.monotonic() - began
            fireline.store.close()  # the connections of the test itself ended with the server
            said = logged(fireline, before)
            assert any(" WARNING " in line for line in said), "it is told"
            assert len(said) < 60 + 4 * took, f"{len(said)} lines in {took:.0f} s"
            assert not fireline.lines("Traceback"), "an absence is no fault of ours"
            assert fireline.roles() == pids, "nobody had to be started again"
            gateway.heal()
            eventually("the incident is resolved", lambda: resolved(fireline), 150)
            check_end_state(fireline)
            assert len(fireline.incidents()[0].pages) == 1
            eventually("the doctor is content", lambda: fireline.doctor()[0] == 0, 30, every=1)


def logged(fireline: Outside, before: int) -> list[str]:
    """What the log says since line `before`: pages that go to the console are none of it."""
    return [line for line in fireline.said().splitlines()[before:] if LINE.match(line)]


def check_database_fault(fireline: Outside) -> None:
    code, checks = fireline.doctor()
    assert code == 1
    assert checks["database"]["finding"] == "fault"
    assert "FIRELINE_DATABASE" in checks["database"]["remedy"]


@pytest.mark.long
@pytest.mark.kafka
def test_the_story_ends_the_same_with_kafka_away_in_its_middle(
    tmp_path: Path, repository: Path, own_apache_kafka: ApacheKafka
):
    environment = {"FIRELINE_KAFKA": own_apache_kafka.bootstrap}
    with Outside(tmp_path, repository, environment) as fireline, Gateway(fireline) as gateway:
        eventually("the traffic is on the fallback", lambda: on_fallback(fireline), 60)
        before, began = len(fireline.said().splitlines()), time.monotonic()
        own_apache_kafka.stop()
        during(10, lambda: check_kafka_fault(fireline))
        own_apache_kafka.start()
        took = time.monotonic() - began
        said = logged(fireline, before)
        assert any(" WARNING " in line for line in said), "it is told"
        assert len(said) < 80 + 5 * took, f"{len(said)} lines in {took:.0f} s"
        assert not fireline.lines("Traceback")
        gateway.heal()
        eventually("the incident is resolved", lambda: resolved(fireline), 150)
        check_end_state(fireline)
        eventually("the doctor is content", lambda: fireline.doctor()[0] == 0, 60, every=1)


def check_kafka_fault(fireline: Outside) -> None:
    code, checks = fireline.doctor()
    assert code == 1
    assert checks["kafka"]["finding"] == "fault"
    assert "FIRELINE_KAFKA" in checks["kafka"]["remedy"]


def test_an_open_incident_escalates_once_and_not_early_after_a_crash_of_everything(tmp_path: Path, repository: Path):
    fireline = Outside(tmp_path, repository)
    quick_escalation(fireline, f"{WAIT:g}s")
    left: list[int] = []
    try:
        with fireline:
            fireline.bad_predictions()
            eventually("the page is delivered", lambda: delivered(fireline), 30)
            due = fireline.incidents()[0].pages[0].at + WAIT
            left = list(fireline.crash().values())
            eventually("no orphan is left", lambda: all(gone(pid) for pid in left), 15)
            fireline.store.close()
            first = (tmp_path / "up.log").read_text()
            with fireline:
                eventually("the next level is asked", lambda: len(fireline.incidents()[0].pages) > 1, 60)
                # how late on a quiet machine: benchmarks/bench_escalations.py
                assert fireline.incidents()[0].pages[1].at >= due, "not early"
                eventually("they are told", lambda: all(states(fireline)), 20)
                (incident,) = fireline.incidents()
                people = Counter((page.person, page.level) for page in incident.pages)
                assert max(people.values()) == 1, f"nobody is paged twice for a level: {people}"
                shown = Counter(line for line in (first + fireline.said()).splitlines() if "PAGE to" in line)
                assert sum(shown.values()) == len(incident.pages), shown
                kinds = Counter(entry.kind for entry in fireline.timeline())
                assert kinds["opened"] == 1
                left = list(fireline.roles().values())
    finally:
        fireline.sweep([pid for pid in left if not gone(pid)])


def delivered(fireline: Outside) -> bool:
    incidents = fireline.incidents()
    return bool(incidents and incidents[0].pages and incidents[0].pages[0].status is PageStatus.DELIVERED)


def states(fireline: Outside) -> list[bool]:
    return [page.attempts[0].state == "delivered" for page in fireline.incidents()[0].pages]


def test_a_graceful_stop_loses_and_repeats_nothing(tmp_path: Path, repository: Path):
    fireline = Outside(tmp_path, repository)
    with fireline, Gateway(fireline):
        eventually("the traffic is on the fallback", lambda: on_fallback(fireline), 60)
        roles, process = fireline.roles(), fireline._process
        process.send_signal(signal.SIGTERM)
        assert process.wait(240) == 0
        assert all(gone(pid) for pid in roles.values())
        text = fireline.said()
        assert "did not end within" not in text
        assert "Traceback" not in text
        assert "CRITICAL" not in text
        fireline._producer = None
        fireline.store.close()
    with fireline, Gateway(fireline, break_after=10_000):
        eventually("the incident is resolved", lambda: resolved(fireline), 150)
        check_end_state(fireline)
        assert len(fireline.incidents()[0].pages) == 1


@pytest.mark.parametrize("ready", [True, False], ids=["running", "still starting"])
def test_control_c_reaches_everybody_at_once_and_ends_in_good_order(tmp_path: Path, repository: Path, ready: bool):
    fireline = Outside(tmp_path, repository)
    with fireline if ready else starting(fireline):
        pids, process = list(fireline.roles().values()), fireline._process
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)  # impatient fingers
        code = process.wait(240)
        assert all(gone(pid) for pid in pids)
        assert code == 0
        assert not fireline.lines("Traceback")
        assert not fireline.lines("CRITICAL")


@contextmanager
def starting(fireline: Outside) -> Iterator[None]:
    """`fireline up` as soon as its roles have been started, long before they are ready."""
    with fireline.log.open("wb") as log:
        command = [sys.executable, "-m", "fireline.apps", "up"]
        fireline._process = subprocess.Popen(
            command, env=fireline.environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        eventually("the roles were started", lambda: len(fireline.roles()) == 3, 30, every=0.01)
        yield
    finally:
        fireline.stop()
