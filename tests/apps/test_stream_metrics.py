"""What /metrics tells of stream workers: each by itself, with counters that only begin anew, and a bounded number."""

import time

from prometheus_client.parser import text_string_to_metric_families

from fireline.apps.stream_counts import AGES, STARTS, Ages
from fireline.apps.stream_metrics import EXAMPLE, FORGOTTEN, MOST_NAMES
from fireline.apps.stream_report import OLD, count
from fireline.apps.web_health import RESPOND_FACT, STREAM_FACT, Health, metrics_text, read_health
from tests.servers.live_web import Held, WallClock

REPORT = EXAMPLE.reports["w"]


class Database:
    """Facts that workers put, as the store would hold them."""

    def __init__(self, store) -> None:
        self.store, self.now = store, time.time()
        self.put(RESPOND_FACT, {})

    def put(self, name: str, report: dict[str, object], ago: float = 0.0) -> None:
        with self.store.transaction() as tx:
            tx.put_fact(name, report, self.now - ago)

    def worker(self, name: str, ago: float = 0.0, **changes: object) -> None:
        report = {**REPORT, "worker": name, **changes}
        self.put(STREAM_FACT, report, ago)
        self.put(f"stream:{name}", report, ago)

    def health(self) -> Health:
        return read_health(self.store, Held(), WallClock())

    def metrics(self) -> dict[tuple[str, ...], float]:
        families = text_string_to_metric_families(metrics_text(self.health()).decode())
        return {(s.name, *(s.labels[k] for k in sorted(s.labels))): s.value for f in families for s in f.samples}


def database(house) -> Database:
    return Database(house.store)


def test_every_worker_is_seen_with_its_own_numbers(house):
    told = database(house)
    told.worker("a", events=10, dead={"late": 2, "not-json": 1}, lags=[["t", 3, 7, 1.5], ["t", 4, 2, None]])
    told.worker("b", events=5, signals_by=[["firing", "outage", 4], ["clear", "", 3]], refused={"wide": 9})
    found = told.metrics()
    assert found["fireline_stream_events_total", "a"] == 10
    assert found["fireline_stream_events_total", "b"] == 5
    assert found["fireline_stream_dead_letters_total", "late", "a"] == 2
    assert found["fireline_stream_lag_records", "3", "t", "a"] == 7
    assert found["fireline_stream_lag_seconds", "3", "t", "a"] == 1.5
    assert ("fireline_stream_lag_seconds", "4", "t", "a") not in found, "nobody knows it"
    assert found["fireline_stream_signals_total", "outage", "firing", "b"] == 4
    assert found["fireline_stream_refused_events_total", "wide", "b"] == 9


def test_a_worker_that_is_gone_is_shown_no_longer(house):
    told = database(house)
    told.worker("gone", ago=FORGOTTEN + 5)
    told.worker("late", ago=FORGOTTEN - 5)
    told.worker("here")
    found = told.metrics()
    assert {key[1] for key in found if key[0] == "fireline_stream_rules"} == {"late", "here"}
    assert found["fireline_stream_report_age_seconds", "late"] >= FORGOTTEN - 5


def test_a_worker_that_lags_is_told_although_another_spoke_last(house):
    told = database(house)
    told.worker("slow", lag_seconds=95.0)
    told.worker("quick", lag_seconds=0.1)
    assert told.health().troubles == ("the stream worker is 95 s behind",)


def test_one_that_rules_make_too_many_names_for_keeps_their_number_bounded(house):
    told = database(house)
    told.worker("a", refused={f"rule{n}": 1 for n in range(MOST_NAMES + 50)})
    found = told.metrics()
    shown = {key[1]: value for key, value in found.items() if key[0] == "fireline_stream_refused_events_total"}
    assert len(shown) == MOST_NAMES + 1
    assert shown["other"] == 50
    told.worker("a", refused={f"rule{n}": 2 for n in range(MOST_NAMES + 50)})
    assert told.metrics()["fireline_stream_refused_events_total", "rule0", "a"] == 2, "no series changes its meaning"


def test_ages_become_a_histogram(house):
    told, ages = database(house), Ages()
    for age in (-3.0, 0.05, 0.1, 4.0, 1000.0):
        ages.add(age)
    told.worker("a", ages={"buckets": ages.buckets, "total": ages.total})
    found = told.metrics()
    assert [found["fireline_stream_event_age_seconds_bucket", str(bound), "a"] for bound in AGES] == [
        3, 3, 3, 3, 4, 4, 4, 4, 4,
    ]  # fmt: skip
    assert found["fireline_stream_event_age_seconds_count", "a"] == 5
    assert abs(found["fireline_stream_event_age_seconds_sum", "a"] - 1004.15) < 1e-9


def test_starts_and_ends_are_counted_over_restarts_and_old_reports_removed(house):
    told = database(house)
    told.worker("ancient", ago=OLD + 60)
    for what in (STARTS, STARTS, "stalled"):
        count(house.store, what, told.now)
    found = told.metrics()
    assert found["fireline_stream_starts_total",] == 2
    assert found["fireline_stream_gave_up_total", "stalled"] == 1
    with house.store.reading() as tx:
        assert tx.facts("stream:") == {}


def test_what_is_no_report_is_no_fault(house):
    told = database(house)
    told.put("stream:odd", {"events": "many", "dead": [1], "lags": [[1]], "ages": {"buckets": [1]}, "signals_by": 3})
    found = told.metrics()
    assert ("fireline_stream_events_total", "odd") not in found
    assert "fireline_stream_report_age_seconds" in {key[0] for key in found}


def test_while_the_database_is_away_no_zero_is_told():
    text = metrics_text(Health(troubles=("away",), database=False)).decode()
    assert "fireline_database_up 0.0" in text
    assert "fireline_healthy 0.0" in text
    assert "stream" not in text
    assert "outbox" not in text
