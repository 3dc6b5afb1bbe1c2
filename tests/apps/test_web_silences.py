"""The HTTP API of silences, over real HTTP."""

import pytest

from tests.servers.live_web import incident, live_web

FRAUD = 'service="fraud-scoring"'
GIVEN = {"person": "ann", "matchers": FRAUD, "lasts": "2h", "reason": "moving the database"}


@pytest.fixture
def web(tmp_path):
    with live_web(tmp_path) as running:
        yield running


def test_a_silence_from_its_making_to_its_end(web):
    web.save(incident(1))
    status, _, answer = web.request("POST", "/api/silences", GIVEN)
    assert status == 200
    made = answer["silence"]
    assert (made["id"], made["active"], made["author"], made["matchers"]) == ("S-1", True, "ann", FRAUD)
    assert made["until"] == made["end"] == pytest.approx(made["start"] + 7200)
    status, _, answer = web.request("POST", "/api/silences/S-1/edit", {"person": "bob", "reason": "still moving it"})
    assert (answer["silence"]["reason"], answer["silence"]["version"]) == ("still moving it", 2)
    web.request("POST", "/api/silences/S-1/comment", {"person": "bob", "text": "nearly done"})
    _, _, answer = web.request("GET", "/api/silences/S-1")
    assert [c["text"] for c in answer["silence"]["comments"]] == ["nearly done"]
    assert "would_have_held_back" in answer["preview"]
    status, _, answer = web.request("POST", "/api/silences/S-1/end", {"person": "bob"})
    assert not answer["silence"]["active"]
    assert web.request("GET", "/api/silences")[2]["silences"] == []
    assert [s["id"] for s in web.request("GET", "/api/silences?over=true")[2]["silences"]] == ["S-1"]
    status, _, answer = web.request("POST", "/api/silences/S-1/end", {"person": "bob"})
    assert (status, "is over since" in answer["detail"]) == (409, True)


def test_a_look_makes_nothing(web):
    status, _, answer = web.request("POST", "/api/silences/preview", {"matchers": FRAUD, "days": 7})
    assert status == 200
    assert answer["preview"]["pages"] == 0
    assert web.request("GET", "/api/silences?over=true")[2]["silences"] == []


@pytest.mark.parametrize(
    ("path", "body", "status", "why"),
    [
        ("", {**GIVEN, "matchers": 'region=~"("'}, 400, "not a regular expression"),
        ("", {**GIVEN, "lasts": "2"}, 400, "no unit"),
        ("", {**GIVEN, "lasts": None}, 400, "without an end"),
        ("", {**GIVEN, "person": "zoe"}, 400, "not in the catalog"),
        ("/S-7/end", {"person": "ann"}, 409, "there is no silence"),
        ("/preview", {"matchers": ""}, 400, "no matcher"),
    ],
)
def test_what_is_refused_says_why(web, path, body, status, why):
    found, _, answer = web.request("POST", f"/api/silences{path}", body)
    assert found == status
    assert why in answer["detail"]
