import dataclasses
import http.client
import json
import time
from contextlib import contextmanager

import pytest

from tests.servers.live_web import live_web


@pytest.fixture
def web(tmp_path):
    with live_web(tmp_path) as running:
        yield running


@contextmanager
def following(web, path):
    """Yields a function that reads the next event as (name, text), pings left out."""
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=120)
    connection.request("GET", path, headers={"Accept": "text/event-stream"})
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.getheader("content-type").startswith("text/event-stream")

    def following_event():
        event = {}
        while True:
            line = answer.readline().decode().rstrip("\r\n")
            if not line and "event" in event:
                return event["event"], event["data"]
            name, _, value = line.partition(": ")
            event[name] = value

    try:
        yield following_event
    finally:
        connection.close()


def test_the_stream_starts_with_the_table_and_then_tells_each_change_at_once(web):
    with following(web, "/routes/stream") as following_event:
        name, data = following_event()
        assert name == "table"
        assert {r["service"]: r["weights"] for r in json.loads(data)["routes"]} == {
            "fraud-scoring": {"primary": 100},
            "ranking": {"primary": 100},
        }
        route = web.move(fallback=100)
        name, data = following_event()
        assert name == "change"
        (told,) = json.loads(data)["routes"]
        assert (told["service"], told["weights"], told["version"]) == ("fraud-scoring", {"fallback": 100}, 1)
        assert told["lease"]["until"] == route.lease.until


def test_a_late_follower_gets_the_table_as_it_is(web):
    web.move(fallback=100)
    web.eventually(lambda: web.request("GET", "/api/routes")[2]["routes"][0]["version"] == 1)
    with following(web, "/routes/stream") as following_event:
        name, data = following_event()
    assert name == "table"
    assert json.loads(data)["routes"][0]["weights"] == {"fallback": 100}


def test_the_page_is_woken_by_any_change(web):
    with following(web, "/changes") as following_event:
        first = following_event()
        with web.store.transaction() as tx:
            tx.put_fact("stream", {"events_per_second": 5.0}, time.time())
        assert following_event()[0] == first[0] == "changed"


def test_a_reloaded_catalog_changes_the_table_without_a_change_in_the_database(web):
    held = web.held.current
    services = {"fraud-scoring": held.catalog.services["fraud-scoring"]}
    catalog = dataclasses.replace(held.catalog, services=services)
    web.held.current = dataclasses.replace(held, catalog=catalog)
    web.eventually(lambda: len(web.request("GET", "/api/routes")[2]["routes"]) == 1)


def test_stopping_does_not_wait_for_followers(tmp_path):
    with live_web(tmp_path) as web, following(web, "/routes/stream") as following_event:
        following_event()
        web.server.should_exit = True
        web.eventually(lambda: not web.thread.is_alive())
