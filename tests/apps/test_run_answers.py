"""`fireline runs answer` and `/api/runs/N/answer`: what fits goes on, what does not is told, and once is enough."""

import asyncio
import http.client
import json
import threading
import time
from contextlib import contextmanager

import pytest

from fireline.apps.bootstrap import assemble, settings_with
from fireline.apps.controls import Controls
from fireline.apps.web import create_app, listen, serve
from fireline.domain.runbooks import RunStatus, StepStatus
from tests.apps.runbook_responder import responder
from tests.engine.runs_world import FORM

PATIENCE = 120.0


def over(house, number=1):
    with house.store.reading() as tx:
        run = tx.run(number)
    assert run is not None
    return run


def until(holds):
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)


@pytest.fixture
def asked(house):
    """A run that waits for its form to be filled in."""
    (house.runbooks / "form.yaml").write_text(FORM)
    started = house("runbook", "run", "form", "--as", "dana", "--json")
    assert started.code == 0, started.err
    with responder(house):
        until(lambda: over(house).steps[0].status is StepStatus.WAITING)
        yield house


def test_what_fits_is_taken_and_a_second_answer_hears_of_the_first(asked):
    said = asked("runs", "answer", "1", "percent=25", "target=primary", "--as", "ann")
    assert (said.code, said.out.strip()) == (0, "Step how of run 1 is filled in.")
    until(lambda: over(asked).over)
    assert over(asked).status is RunStatus.SUCCEEDED
    assert over(asked).steps[0].output["values"] == {"percent": 25, "target": "primary"}
    for person, told in (("ann", "Already filled in by you"), ("ben", "Already filled in by Ann")):
        again = asked("runs", "answer", "1", "percent=30", "--as", person)
        assert (again.code, again.out.startswith(told)) == (1, True), again
    assert over(asked).steps[0].output["values"]["percent"] == 25


def test_what_does_not_fit_is_told_and_asked_on(asked):
    said = asked("runs", "answer", "1", "percent=much", "target=elsewhere", "--as", "ann")
    assert said.code == 1
    assert "percent" in said.out
    assert "target" in said.out
    assert over(asked).steps[0].status is StepStatus.WAITING
    assert asked("runs", "answer", "1", "percent", "--as", "ann").err.startswith("'percent' is not name=value")
    assert asked("runs", "answer", "1", "percent=7", "--as", "ann").code == 0


def test_who_is_unknown_or_not_asked_is_not_heard(asked):
    assert asked("runs", "answer", "1", "percent=7", "--as", "stranger").code != 0
    other = asked("runs", "answer", "1", "percent=7", "--as", "emil")
    assert other.code == 1
    assert "You are not one of those" in other.out
    assert over(asked).steps[0].status is StepStatus.WAITING


def test_who_comes_after_an_abort_is_told(asked):
    asked("runs", "abort", "1", "--reason", "wrong one", "--as", "ben")
    late = asked("runs", "answer", "1", "percent=7", "--as", "ann")
    assert late.code == 1
    assert "wrong one" in late.out
    assert asked("runs", "answer", "9", "percent=7", "--as", "ann").code != 0


@contextmanager
def web(house):
    """The web role over the house's own database; gives a function that posts."""
    parts = assemble(settings_with())
    app = create_app(parts.store, parts.files, parts.responder, Controls(parts), parts.clock)
    sock, servers = listen("127.0.0.1", 0), []
    thread = threading.Thread(target=lambda: asyncio.run(serve(app, sock, stop=servers.append)), daemon=True)
    thread.start()
    until(lambda: servers and servers[0].started)

    def post(path, body):
        connection = http.client.HTTPConnection("127.0.0.1", sock.getsockname()[1], timeout=PATIENCE)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    try:
        yield post
    finally:
        servers[0].should_exit = True
        thread.join(PATIENCE)
        sock.close()
        parts.store.close()


def test_over_http_it_is_the_same(asked):
    with web(asked) as post:
        unknown, _ = post("/api/runs/1/answer", {"person": "stranger", "values": {"percent": 7}})
        wrong, said = post("/api/runs/1/answer", {"person": "ann", "values": {"percent": "much"}})
        other, _ = post("/api/runs/1/answer", {"person": "emil", "values": {"percent": 7}})
        nothing, _ = post("/api/runs/9/answer", {"person": "ann", "values": {"percent": 7}})
        shapeless, _ = post("/api/runs/1/answer", {"person": "ann", "values": 7})
        assert (unknown, wrong, other, nothing, shapeless) == (400, 409, 409, 404, 400)
        assert "percent" in said
        assert over(asked).steps[0].status is StepStatus.WAITING
        assert post("/api/runs/1/answer", {"person": "ann", "step": "how", "values": {"percent": 7}})[0] == 200
        until(lambda: over(asked).over)
        late, told = post("/api/runs/1/answer", {"person": "ben", "values": {"percent": 8}})
    assert late == 409
    assert "Already filled in by Ann" in told
    assert over(asked).steps[0].output["values"]["percent"] == 7
