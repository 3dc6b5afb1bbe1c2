"""What every Store keeps: numbers, incidents, timelines, messages, runs, locks, routes, watches, checkpoints, facts."""

from dataclasses import replace

import pytest

from fireline.adapters.database import DatabaseStore
from fireline.domain.incidents import Entry, Status
from fireline.domain.routes import Lease, Route
from fireline.domain.runbooks import RunStatus
from fireline.engine.outward import MessageRef
from fireline.engine.ports import StaleVersion
from fireline.engine.watching import Checkpoint, Watch, WatchAnswer

from .examples import incident, run, say


class RefusedError(Exception):
    """What a block raises that changed its mind."""


def refuse(after: object) -> None:
    assert after is not None
    raise RefusedError


def test_an_input_is_new_once(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        assert tx.first_time("signal:1", 1.0)
        assert not tx.first_time("signal:1", 1.0)
    with store.transaction() as tx:
        assert not tx.first_time("signal:1", 2.0)
        assert tx.first_time("signal:2", 2.0)


def test_numbers_count_from_one_and_a_rollback_leaves_no_gap(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        assert [tx.next_number("incident"), tx.next_number("incident"), tx.next_number("run")] == [1, 2, 1]
    with pytest.raises(RefusedError), store.transaction() as tx:
        refuse(after=tx.next_number("incident"))
    with store.transaction() as tx:
        assert tx.next_number("incident") == 3


def test_a_rollback_takes_back_everything(store: DatabaseStore) -> None:
    with pytest.raises(RefusedError), store.transaction() as tx:
        refuse(
            after=(
                tx.first_time("x", 1.0),
                tx.save_incident(incident()),
                tx.append(1, [Entry(1.0, "opened", "fireline", "x")]),
                tx.enqueue(say("a"), 1.0),
            )
        )
    with store.reading() as tx:
        assert tx.incident(1) is None
        assert tx.timeline(1) == []
    assert store.claim_effects("me", 10.0, 30.0, 10) == []


def test_an_incident_comes_back_equal(store: DatabaseStore) -> None:
    saved = incident()
    with store.transaction() as tx:
        tx.save_incident(saved)
    with store.transaction() as tx:
        assert tx.incident(1) == saved
        assert tx.incident(2) is None


def test_saving_compares_versions(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        tx.save_incident(incident(version=1))
        tx.save_incident(incident(version=2))
    for version in (1, 2, 4):
        with pytest.raises(StaleVersion), store.transaction() as tx:
            tx.save_incident(incident(version=version, status=Status.RESOLVED))
    with store.reading() as tx:
        kept = tx.incident(1)
    assert kept is not None
    assert (kept.version, kept.status) == (2, Status.TRIGGERED)


def test_the_latest_incident_of_a_key(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        tx.save_incident(incident(1, status=Status.RESOLVED))
        tx.save_incident(incident(2, status=Status.RESOLVED))
        tx.save_incident(incident(3, group="eu"))
        tx.save_incident(replace(incident(4), timeline="replay"))
        latest = tx.latest_incident("fraud", "", "live")
        other = tx.latest_incident("fraud", "us", "live")
    assert latest is not None
    assert latest.number == 2
    assert other is None


def test_incidents_are_listed_newest_first(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        for number in range(1, 6):
            tx.save_incident(incident(number, status=Status.RESOLVED if number % 2 else Status.TRIGGERED))
    with store.reading() as tx:
        assert [i.number for i in tx.incidents(limit=3)] == [5, 4, 3]
        assert [i.number for i in tx.incidents(open_only=True)] == [4, 2]


def test_the_latest_incidents_of_a_service_are_counted(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        for number in range(1, 6):
            tx.save_incident(replace(incident(number), opened_at=100.0 * number))
        tx.save_incident(replace(incident(6), opened_at=600.0, service="another"))
        tx.save_incident(replace(incident(7), opened_at=700.0, timeline="replay"))
        service = incident(1).service
        assert tx.opened(service, "live", 300.0, 10) == [(5, 500.0), (4, 400.0), (3, 300.0)]
        assert tx.opened(service, "live", 0.0, 2) == [(5, 500.0), (4, 400.0)]


def test_the_timeline_is_in_order_and_holds(store: DatabaseStore) -> None:
    entries = [Entry(float(n), "note", "ann", f"line {n}", {"n": n}) for n in range(5)]
    with store.transaction() as tx:
        tx.append(1, entries[:2])
        tx.append(2, entries[4:])
    with store.transaction() as tx:
        tx.append(1, [])
        tx.append(1, entries[2:4])
    with store.reading() as tx:
        assert tx.timeline(1) == entries[:4]
        assert tx.timeline(2) == entries[4:]


def test_message_references_are_kept_by_kind_channel_and_address(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        tx.save_message_ref(1, "card", MessageRef("slack", "C1", {"channel": "C1", "ts": "17.1"}))
        tx.save_message_ref(1, "card", MessageRef("slack", "C1", {"channel": "C1", "ts": "17.2"}))
    with store.transaction() as tx:
        assert tx.message_ref(1, "card", "slack", "C1") == MessageRef("slack", "C1", {"channel": "C1", "ts": "17.2"})
        assert tx.message_ref(1, "card", "slack", "C2") is None
        assert tx.message_ref(2, "card", "slack", "C1") is None


def test_runs_and_their_journal(store: DatabaseStore) -> None:
    first, second = run(version=1), run(version=2, status=RunStatus.SUCCEEDED)
    with store.transaction() as tx:
        tx.save_run(first, "started")
    with store.transaction() as tx:
        tx.save_run(second, "done")
        tx.save_run(run(2), "started")
    with pytest.raises(StaleVersion), store.transaction() as tx:
        tx.save_run(run(version=2), "too late")
    with store.transaction() as tx:
        assert tx.run(1) == second
        assert tx.run(3) is None
        assert tx.journal(1) == [(1, "started", first), (2, "done", second)]
        assert tx.journal(3) == []
        assert [r.id for r in tx.runs()] == [2, 1]
        assert [r.id for r in tx.runs(active_only=True)] == [2]
        assert tx.runs(incident=8) == []
        assert [r.id for r in tx.runs(incident=7, limit=1)] == [2]


def test_runs_are_counted_for_the_budget(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        for number in range(1, 5):
            tx.save_run(run(number), "started")
        tx.save_run(replace(run(5), started_at=None), "waits")
        assert tx.count_runs("route-to-fallback", "service:fraud", 3.0) == 2
        assert tx.count_runs("route-to-fallback", "service:other", 0.0) == 0
        assert tx.count_runs("other", "service:fraud", 0.0) == 0


def test_runs_that_started_since_then(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        for number in range(1, 5):
            tx.save_run(run(number), "started")
        tx.save_run(replace(run(5), started_at=None), "waits")
        started = {number: run(number).started_at for number in range(1, 5)}
        assert [each.id for each in tx.runs(since=3.0)] == [n for n in (4, 3, 2, 1) if (started[n] or 0.0) >= 3.0]
        assert [each.id for each in tx.runs(since=0.0, limit=1)] == [4]
        assert len(tx.runs()) == 5


def test_a_lock_has_one_holder(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        assert tx.take_lock("service:fraud", 1)
        assert tx.take_lock("service:fraud", 1)
        assert not tx.take_lock("service:fraud", 2)
        tx.release_lock("service:fraud", 2)
        assert tx.lock_holder("service:fraud") == 1
        tx.release_lock("service:fraud", 1)
        assert tx.lock_holder("service:fraud") is None


def test_a_run_is_leased_to_one_owner(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        tx.save_run(run(), "started")
    assert not store.claim_run(2, "a", 0.0, 10.0)
    assert store.claim_run(1, "a", 0.0, 10.0)
    assert store.claim_run(1, "a", 5.0, 10.0)
    assert not store.claim_run(1, "b", 12.0, 10.0)
    assert store.claim_run(1, "b", 15.0, 10.0)
    store.release_run(1, "a")
    assert not store.claim_run(1, "c", 16.0, 10.0)
    store.release_run(1, "b")
    assert store.claim_run(1, "c", 16.0, 10.0)


def test_saving_a_run_keeps_its_lease(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        tx.save_run(run(version=1), "started")
    assert store.claim_run(1, "a", 0.0, 10.0)
    with store.transaction() as tx:
        tx.save_run(run(version=2), "step done")
    assert not store.claim_run(1, "b", 1.0, 10.0)


def test_a_run_is_leased_in_the_transaction_that_begins_it(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        tx.save_run(run(version=1), "started")
        assert tx.claim_run(1, "a", 0.0, 10.0)
    assert not store.claim_run(1, "b", 1.0, 10.0)
    with store.transaction() as tx:
        assert not tx.claim_run(1, "b", 1.0, 10.0)


def test_a_transaction_knows_whose_a_run_is(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        tx.save_run(run(version=1), "started")
        assert (tx.run_leased_to(1), tx.run_leased_to(2)) == (None, None)
    assert store.claim_run(1, "a", 0.0, 10.0)
    assert store.claim_run(1, "b", 10.0, 10.0)
    with store.transaction() as tx:
        assert tx.run_leased_to(1) == "b"


def test_routes(store: DatabaseStore) -> None:
    first = Route("fraud", {"primary": 100}, 1, 1.0, "person:ann", "why")
    second = Route("fraud", {"fallback": 100}, 2, 2.0, "run:1", "slow", Lease(60.0, {"primary": 100}, "run:1"))
    with store.transaction() as tx:
        assert tx.route("fraud") is None
        tx.save_route(first)
        tx.save_route(second)
    with pytest.raises(StaleVersion), store.transaction() as tx:
        tx.save_route(second)
    with store.reading() as tx:
        assert tx.route("fraud") == second
        assert tx.routes() == [second]


def test_watches_are_asked_once_and_answered_by_entity(store: DatabaseStore) -> None:
    watch = Watch("w", "fraud_latency", {"service": "fraud"}, 10.0, 60.0, 20, 100.0)
    answer = WatchAnswer("w", "fraud,eu", "unknown", 3, {"p99": None}, "too few samples", 20.0)
    with store.transaction() as tx:
        tx.save_watch(watch)
        tx.save_watch(replace(watch, until=1000.0))
        tx.answer([answer, replace(answer, entity="fraud,us")])
        tx.answer([replace(answer, state="clear", at=30.0)])
    with store.reading() as tx:
        assert tx.watches(99.0) == [watch]
        assert tx.watches(100.0) == []
        assert [(a.entity, a.state) for a in tx.answers("w")] == [("fraud,eu", "clear"), ("fraud,us", "unknown")]
        assert tx.answers("other") == []


def test_a_checkpoint_merges_windows_and_moves_the_offset(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        tx.save_checkpoint(Checkpoint("partials", 0, "g1", 10, b"h1", {"a": b"1", "b": b"\0\xff", "c": b"3"}))
        tx.save_checkpoint(Checkpoint("partials", 1, "g1", 5, b"", {"a": b"other"}))
    with store.transaction() as tx:
        tx.save_checkpoint(Checkpoint("partials", 0, "g1", 20, b"h2", {"a": b"9", "c": None}))
    with store.reading() as tx:
        kept = tx.load_checkpoint("partials", 0, "g1")
        assert kept == Checkpoint("partials", 0, "g1", 20, b"h2", {"a": b"9", "b": b"\0\xff"})
        assert tx.load_checkpoint("partials", 0, "g2") is None
        assert tx.load_checkpoint("partials", 2, "g1") is None


def test_checkpoints_of_all_partitions_with_some_windows(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        both = {'["live","a_b",["x"]]': b"1", '["live","axb"': b"2"}
        tx.save_checkpoint(Checkpoint("partials", 0, "g1", 10, b"h1", both))
        tx.save_checkpoint(Checkpoint("partials", 1, "g1", 5, b"", {'["live","a_b",["y"]]': b"3"}))
        tx.save_checkpoint(Checkpoint("others", 0, "g1", 5, b"", {'["live","a_b",["z"]]': b"4"}))
    with store.reading() as tx:
        found = sorted(tx.checkpoints_with("partials", '["live","a_b",'), key=lambda kept: kept.partition)
    assert [kept.windows for kept in found] == [{'["live","a_b",["x"]]': b"1"}, {'["live","a_b",["y"]]': b"3"}]
    assert [(kept.offset, kept.header) for kept in found] == [(10, b"h1"), (5, b"")]


def test_a_checkpoint_of_another_log_starts_afresh(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        tx.save_checkpoint(Checkpoint("partials", 0, "g1", 1000, b"", {"a": b"1"}))
        tx.save_checkpoint(Checkpoint("partials", 0, "g2", 3, b"", {"b": b"2"}))
        assert tx.load_checkpoint("partials", 0, "g2") == Checkpoint("partials", 0, "g2", 3, b"", {"b": b"2"})
        assert tx.load_checkpoint("partials", 0, "g1") is None


def test_a_belated_checkpoint_is_refused(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        tx.save_checkpoint(Checkpoint("partials", 0, "g1", 20, b"", {"a": b"new"}))
        tx.save_checkpoint(Checkpoint("partials", 0, "g1", 20, b"", {"b": b"same offset"}))
    with pytest.raises(StaleVersion), store.transaction() as tx:
        tx.save_checkpoint(Checkpoint("partials", 0, "g1", 19, b"", {"a": b"old"}))
    with store.reading() as tx:
        kept = tx.load_checkpoint("partials", 0, "g1")
    assert kept is not None
    assert kept.windows == {"a": b"new", "b": b"same offset"}


def test_a_partition_that_was_taken_over_is_held_by_the_last_who_did(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        first, other = tx.claim("partials", 0, 1.0), tx.claim("partials", 1, 1.0)
        assert tx.holds(first)
    with store.transaction() as tx:
        second = tx.claim("partials", 0, 2.0)
        assert second.number > first.number
    with store.transaction() as tx:
        assert (tx.holds(first), tx.holds(second), tx.holds(other)) == (False, True, True)


def test_many_windows_go_and_come(store: DatabaseStore) -> None:
    windows: dict[str, bytes | None] = {f"w{n}": b"x" for n in range(1500)}
    with store.transaction() as tx:
        tx.save_checkpoint(Checkpoint("partials", 0, "g", 1, b"", windows))
        gone: dict[str, bytes | None] = {key: None for key in windows if key != "w7"}
        tx.save_checkpoint(Checkpoint("partials", 0, "g", 2, b"", gone))
        kept = tx.load_checkpoint("partials", 0, "g")
    assert kept is not None
    assert set(kept.windows) == {"w7"}


def test_facts(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        assert tx.fact("broker") is None
        tx.put_fact("broker", {"address": "127.0.0.1:1", "n": [1, None]}, 1.0)
        tx.put_fact("broker", {"address": "127.0.0.1:2"}, 2.0)
        assert tx.fact("broker") == ({"address": "127.0.0.1:2"}, 2.0)


def test_facts_are_found_and_forgotten_by_how_their_names_begin(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        for at, name in enumerate(("stream:b", "stream:a", "streamer", "str%am:c", "stream")):
            tx.put_fact(name, {"n": at}, float(at))
        assert tx.facts("stream:") == {"stream:a": ({"n": 1}, 1.0), "stream:b": ({"n": 0}, 0.0)}
        assert list(tx.facts("str%")) == ["str%am:c"]
        tx.forget_facts("stream:", 1.0)
        assert list(tx.facts("stream")) == ["stream", "stream:a", "streamer"]


def test_hostile_text_is_kept_or_replaced_never_an_error(store: DatabaseStore) -> None:
    hostile = "a\0b\ud800'; DROP TABLE incidents; --"
    saved = replace(incident(), service=hostile, title=hostile, group="\0")
    with store.transaction() as tx:
        assert tx.first_time(hostile, 1.0)
        assert not tx.first_time(hostile, 1.0)
        tx.save_incident(saved)
        tx.enqueue(say(hostile, address=hostile), 1.0)
        tx.put_fact(hostile, {hostile: hostile}, 1.0)
    with store.transaction() as tx:
        found = tx.latest_incident(hostile, "\0", "live")
    assert found is not None
    assert found.title == "a\0b?'; DROP TABLE incidents; --"
    [queued] = store.claim_effects("me", 2.0, 30.0, 10)
    store.finish_effect(queued.effect.key, "me", "done", 2.0)
    assert store.claim_effects("me", 200.0, 30.0, 10) == []


def test_a_view_cannot_write_and_stays_the_same(store: DatabaseStore) -> None:
    with pytest.raises(Exception, match=r"read-?only"), store.reading() as tx:
        tx.put_fact("x", {}, 1.0)
    with store.transaction() as tx:
        tx.put_fact("x", {}, 1.0)
