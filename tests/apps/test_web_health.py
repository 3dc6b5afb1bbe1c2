import re
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fireline.apps.web_health import RESPOND_FACT, STREAM_FACT, read_health
from fireline.domain.effects import Publish
from fireline.engine.ports import Unavailable
from tests.servers.live_web import Held, WallClock, incident, live_web


@pytest.fixture
def web(tmp_path):
    with live_web(tmp_path) as running:
        yield running


def beat(web, ago=0.0, **stream):
    with web.store.transaction() as tx:
        tx.put_fact(STREAM_FACT, stream, time.time() - ago)
        tx.put_fact(RESPOND_FACT, {"owner": "x"}, time.time() - ago)


def samples(web):
    families = text_string_to_metric_families(web.request("GET", "/metrics")[2])
    return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}


def test_health_names_the_roles_that_were_never_heard_of(web):
    status, _, answer = web.request("GET", "/healthz")
    assert status == 503
    assert len(answer["reasons"]) == 2
    assert "the stream worker has not been heard of" in answer["reasons"]


def test_health_is_good_when_all_roles_report(web):
    beat(web)
    status, _, answer = web.request("GET", "/healthz")
    assert (status, answer["status"], answer["reasons"]) == (200, "ok", [])


def test_a_role_that_fell_silent_is_told_with_how_long(web):
    beat(web, ago=60.0)
    status, _, answer = web.request("GET", "/healthz")
    assert status == 503
    assert re.search(r"6\d s ago", answer["reasons"][0])


def test_a_stream_that_lags_is_told(web):
    beat(web, lag_seconds=95.0)
    _, _, answer = web.request("GET", "/healthz")
    assert answer["reasons"] == ["the stream worker is 95 s behind"]


class Gone:
    def reading(self):
        raise Unavailable("connection refused")


def test_a_database_that_is_away_is_a_reason_not_a_fault():
    health = read_health(Gone(), Held(), WallClock())
    assert health.database is False
    assert "connection refused" in health.troubles[0]


def test_metrics_tell_incidents_routes_and_what_roles_report(web):
    beat(web, events=900)
    web.save(incident(1), incident(2, severity="degraded", group="b"))
    web.move(fallback=100)
    with web.store.transaction() as tx:
        tx.enqueue(Publish("k", "fireline.routes", "fraud-scoring", {}), 1.0)
    found = samples(web)
    assert found[("fireline_open_incidents", "outage")] == 1
    assert found[("fireline_open_incidents", "degraded")] == 1
    assert found[("fireline_open_incidents", "safety")] == 0
    assert found[("fireline_outbox_depth",)] == 1
    assert found[("fireline_fallbacks_active",)] == 1
    assert found[("fireline_database_up",)] == 1
    assert 0 <= found[("fireline_heartbeat_age_seconds", "respond")] < 30
