"""The stop switch as people reach it: the command line, the HTTP API; and where everybody sees it."""

import json

import pytest

from fireline.domain.clicks import StopAsked
from fireline.engine.stops import Switch
from tests.servers.live_web import live_web


@pytest.fixture
def web(tmp_path):
    with live_web(tmp_path) as running:
        yield running


def test_it_is_pulled_seen_and_lifted_on_the_command_line(house):
    house.incident()
    house.run(1)
    why = ("--reason", "the fallback is worse", "--as", "ann")
    said = house("stop", *why)
    assert (said.code, "1 run holds (1 route-to-fallback)" in said.out) == (0, True)
    again = house("stop", *why)
    assert (again.code, "everything is stopped already by" in again.out) == (1, True)
    assert house("stop", "--service", "fraud-scoring", *why).code == 0
    head, everything, one = house("stop", "ls").out.splitlines()
    assert head.split("\t") == ["what", "state", "by", "since", "undoing", "why"]
    assert everything.split("\t")[0] == "everything"
    assert one.split("\t")[0] == "fraud-scoring"
    assert "Runs are held by the stop switch for everything" in house("incidents", "ls").err
    doctor = {each["check"]: each for each in json.loads(house("doctor", "--json").out)}
    assert doctor["stop switch"]["finding"] == "note"
    assert "the fallback is worse" in doctor["stop switch"]["found"]
    lifted = house("stop", "--lift", "--as", "ann")
    assert (lifted.code, "fraud-scoring is still stopped" in lifted.out) == (0, True)
    assert house("stop", "--lift", "--service", "fraud-scoring", "--as", "ann").code == 0
    assert "Nothing is stopped" in house("stop", "ls").err
    assert len(json.loads(house("stop", "ls", "--all", "--json").out)) == 2
    assert "stop.pulled" in house("audit", "ls", "--actor", "ann", "--json").out


def test_only_known_people_pull_it_with_a_reason_and_for_services_there_are(house):
    assert house("stop", "--reason", "because", "--as", "mallory").code == 1
    assert "say why with --reason" in house("stop", "--as", "ann").err
    wrong = house("stop", "--service", "nope", "--reason", "because", "--as", "ann")
    assert (wrong.code, "there is no service 'nope'" in wrong.out) == (1, True)
    assert "Nothing is stopped" in house("stop", "ls").err


def test_the_api_pulls_shows_and_lifts_it(web):
    given = {"person": "ann", "reason": "the fallback is worse", "service": "ranking"}
    status, _, answer = web.request("POST", "/api/stops", given)
    assert (status, answer["stop"]["service"], answer["stop"]["by"]) == (200, "ranking", "ann")
    assert web.request("POST", "/api/stops", given)[0] == 409
    assert web.request("POST", "/api/stops", {**given, "person": "mallory"})[0] == 400
    assert web.request("POST", "/api/stops", {**given, "service": "nope"})[0] == 409
    assert [stop["service"] for stop in web.request("GET", "/api/stops")[2]["stops"]] == ["ranking"]
    page = web.request("GET", "/")[2]
    assert "Runs are held by the stop switch for ranking, pulled by Ann Lindqvist: the fallback is worse" in page
    metrics = web.request("GET", "/metrics")[2]
    assert "fireline_stops_pulled 1.0" in metrics
    assert web.request("POST", "/api/stops/lift", {"person": "bob", "service": "ranking"})[0] == 200
    assert web.request("POST", "/api/stops/lift", {"person": "bob", "service": "ranking"})[0] == 409
    assert web.request("GET", "/api/stops")[2]["stops"] == []
    (known,) = web.request("GET", "/api/stops?lifted=true")[2]["stops"]
    assert (known["lifted_by"], known["pulled"]) == ("bob", False)


def test_a_button_pulls_it_for_the_service_of_its_incident(house):
    number = house.incident().number
    files, responder = house.parts()
    switch = Switch(house.store, files, house.clock, responder.configured)
    press = StopAsked(number, "ann", False, "slack")
    for lifted, words in ((press.lift, "pulled the stop switch for fraud-scoring"), (True, "lifted")):
        answer = switch.of_incident(press.incident, press.person, press.via, lifted=lifted)
        assert answer.done
        assert words in answer.text
    assert not switch.of_incident(99, "ann", "slack", lifted=False).done
