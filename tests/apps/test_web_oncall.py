"""On-call over HTTP: looking ahead, overrides and swaps, and calendars that programs subscribe to."""

import time

import pytest
from icalendar import Calendar

from fireline.apps.oncall_ical import feed_token, may_read
from tests.servers.live_web import live_web

HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
def web(tmp_path):
    with live_web(tmp_path) as running:
        yield running


def override(**changes: object) -> dict[str, object]:
    now = time.time()
    return {"person": "ann", "on_call": "bob", "end": now + 4 * HOUR, "reason": "dentist", **changes}


def test_an_override_wins_at_once_and_can_be_taken_back(web):
    before = web.request("GET", "/api/oncall")[2]["oncall"][0]["person"]
    other = {"ann": "bob", "bob": "ann"}[before]
    status, _, told = web.request("POST", "/api/oncall/schedules/payments/override", override(on_call=other))
    assert status == 200
    assert told["overrides"][0]["person"] == other
    shift = web.request("GET", "/api/oncall")[2]["oncall"][0]
    assert (shift["person"], shift["source"]) == (other, "override 1 by ann: dentist")
    assert web.request("GET", "/api/oncall/overrides")[2]["overrides"][0]["number"] == 1
    shifts = web.request("GET", "/api/oncall/schedules/payments/shifts?days=2")[2]["shifts"]
    assert shifts[0]["because"] == "override 1 by ann: dentist"
    assert web.request("GET", "/api/oncall/schedules/payments/gaps")[2]["gaps"] == []
    assert web.request("POST", "/api/oncall/overrides/1/withdraw", {"person": "bob"})[0] == 200
    assert web.request("GET", "/api/oncall")[2]["oncall"][0]["person"] == before
    assert web.request("POST", "/api/oncall/overrides/1/withdraw", {"person": "bob"})[0] == 409


def test_a_swap_trades_a_shift_each(web):
    later = time.time() + 20 * DAY
    body = {"person": "ann", "one": "ann", "other": "bob", "shift": later, "reason": "wedding"}
    status, _, told = web.request("POST", "/api/oncall/schedules/payments/swap", body)
    assert status == 200
    assert [change["person"] for change in told["overrides"]] == ["bob", "ann"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/oncall/schedules/nothing/override", {}, 409),
        ("/api/oncall/schedules/payments/override", {"on_call": "zoe"}, 409),
        ("/api/oncall/schedules/payments/override", {"person": "zoe"}, 400),
        ("/api/oncall/schedules/payments/override", {"reason": ""}, 400),
        ("/api/oncall/schedules/payments/override", {"end": 1e300}, 400),
        ("/api/oncall/schedules/payments/override", {"end": 1_000_000_000}, 409),
    ],
)
def test_what_cannot_be_is_a_problem(web, path, body, status):
    assert web.request("POST", path, override(**body))[0] == status
    assert web.request("GET", "/api/oncall/overrides")[2]["overrides"] == []


def test_a_calendar_needs_no_token_on_a_machine_without_one(web):
    status, headers, text = web.request("GET", "/calendars/payments.ics")
    assert status == 200
    assert headers["content-type"].startswith("text/calendar")
    assert len(Calendar.from_ical(text).walk("VEVENT")) > 20
    assert web.request("GET", "/calendars/nothing.ics")[0] == 404


def test_with_an_api_token_a_calendar_opens_to_its_own_alone(tmp_path):
    with live_web(tmp_path, token="right") as running:
        assert running.request("GET", "/calendars/payments.ics")[0] == 401
        assert running.request("GET", "/calendars/payments.ics?token=right")[0] == 401
        token = feed_token("right", "payments")
        assert running.request("GET", f"/calendars/payments.ics?token={token}")[0] == 200
        assert running.request("GET", f"/api/oncall?token={token}")[0] == 401


def test_each_calendar_has_a_token_of_its_own():
    token = feed_token("secret", "payments")
    assert may_read("secret", "payments", token)
    assert not may_read("secret", "platform", token)
    assert not may_read("secret", "payments", "")
    assert not may_read("secret", "payments", "secret")
    assert may_read(None, "payments", "")
