import re

import pytest

from fireline.domain.incidents import Page, PageStatus, RunRef, Why
from tests.servers.live_web import incident, live_web

HOSTILE = "<script>alert(1)</script> {{ 7*7 }}"


@pytest.fixture
def web(tmp_path):
    with live_web(tmp_path) as running:
        yield running


def shown(web):
    status, headers, text = web.request("GET", "/")
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    return headers, text


def test_an_empty_house_is_calm(web):
    _, text = shown(web)
    assert "Nothing is open." in text
    assert "Ann Lindqvist" in text or "Bob Okafor" in text
    assert "fraud-scoring" in text
    assert "the responder has not been heard of" in text


def test_what_is_open_says_how_bad_who_was_paged_and_what_runs(web):
    page = Page(1, "ann", 0, 0, 1000.0, Why("r", "s", "o", "p", 0), PageStatus.DELIVERED)
    web.save(incident(1, pages=(page,), runs={"route-to-fallback": RunRef(1, "route-to-fallback", "running")}))
    _, text = shown(web)
    for expected in ("INC-1", "outage", "p99 is 900 ms", "paged Ann Lindqvist", "route-to-fallback: running"):
        assert expected in text
    assert "(1) Fireline" in text


def test_a_moved_route_shows_its_share_reason_and_lease(web):
    web.move(primary=25, fallback=75)
    web.eventually(lambda: "fallback 75 % · primary 25 %" in shown(web)[1])
    _, text = shown(web)
    assert "p99 is too high · run:1" in text
    assert re.search(r"until \d\d:\d\d:\d\d UTC", text)


def test_hostile_event_text_is_text(web):
    web.save(incident(1, title=HOSTILE, service="fraud-scoring"))
    headers, text = shown(web)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7*7 }}" in text
    nonce = re.search(r"script-src 'nonce-([^']+)'", headers["content-security-policy"]).group(1)
    assert text.count(f'nonce="{nonce}"') == 2
    assert len(re.findall(r"<script\b", text)) == 1
    assert shown(web)[0]["content-security-policy"] != headers["content-security-policy"]
