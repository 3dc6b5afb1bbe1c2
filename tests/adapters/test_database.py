"""The database when it is away, locked, broken or asked for in the wrong words."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fireline.adapters import database, database_engines
from fireline.adapters.database import open_store
from fireline.domain.effects import Publish
from fireline.engine.ports import Unavailable
from tests.servers.postgres import PostgresServer, running_postgres


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server that these tests may kill."""
    with running_postgres() as server:
        yield server


def effect(key: str) -> Publish:
    return Publish(key, "fireline.incidents", key, {})


def test_the_directory_and_the_file_are_made(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/a/b/fireline.db").close()
    assert (tmp_path / "a/b/fireline.db").exists()


def test_a_commit_is_on_disk_before_it_counts(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/fireline.db")
    with store._writing() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == database.PATIENCE * 1000
    store.close()


def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/fireline.db")
    with store.transaction() as tx:
        tx.put_fact("a", {"n": 1}, 1.0)
        with store.reading() as view:
            assert view.fact("a") is None
        assert store.next_due() is None
    with store.reading() as view:
        assert view.fact("a") == ({"n": 1}, 1.0)
    store.close()


def test_a_file_that_is_locked_for_long_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_engines, "PATIENCE", 0.1)
    store = open_store(f"sqlite:///{tmp_path}/fireline.db")
    other = sqlite3.connect(tmp_path / "fireline.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"), store.transaction():
        pass
    other.execute("ROLLBACK")
    other.close()
    with store.transaction() as tx:
        assert tx.next_number("incident") == 1
    store.close()


def test_a_transaction_inside_a_transaction_is_refused_not_a_deadlock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.1)
    store = open_store(f"sqlite:///{tmp_path}/fireline.db")
    with store.transaction(), pytest.raises(Unavailable, match="this process"):
        store.finish_effect("x", "me", "done", 1.0)
    store.close()


def test_a_broken_file_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "fireline.db").write_bytes(b"this is no database " * 1000)
    with pytest.raises(Unavailable, match="not a database"):
        open_store(f"sqlite:///{tmp_path}/fireline.db")


def test_a_directory_in_the_place_of_the_file_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="unable to open"):
        open_store(f"sqlite:///{tmp_path}")


def test_a_file_in_the_place_of_the_directory_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(Unavailable, match="state"):
        open_store(f"sqlite:///{tmp_path}/state/fireline.db")


def test_another_kind_of_database_is_refused_with_the_choice_there_is() -> None:
    with pytest.raises(ValueError, match=r"mysql.*sqlite:///.*postgresql://"):
        open_store("mysql://root@localhost/x")


def test_asking_for_changes_is_cheap(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/fireline.db")
    started = time.thread_time()  # of this thread alone: whoever else has the processor does not count
    for _ in range(500):
        store.changed()
    assert (time.thread_time() - started) / 500 < 0.001
    store.close()


def test_many_threads_write_without_a_fault(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/fireline.db")

    def write() -> None:
        for _ in range(20):
            with store.transaction() as tx:
                tx.next_number("incident")

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.transaction() as tx:
        assert tx.next_number("incident") == 161
    store.close()


@pytest.mark.postgres
def test_a_server_that_is_away_is_unavailable_and_comes_back(own_server: PostgresServer) -> None:
    store = open_store(own_server.new_database())
    with store.transaction() as tx:
        tx.enqueue(effect("before"), 1.0)
    seen = store.changed()
    own_server.stop()
    for attempt in (store.changed, store.next_due, store.ping, lambda: store.finish_effect("x", "me", "done", 1.0)):
        with pytest.raises(Unavailable):
            attempt()
    with pytest.raises(Unavailable), store.transaction():
        pass
    own_server.start()
    store.ping()
    assert store.changed() != seen
    assert [queued.effect.key for queued in store.claim_effects("me", 2.0, 30.0, 10)] == ["before"]
    store.close()


@pytest.mark.postgres
def test_a_server_killed_inside_a_transaction_keeps_what_was_committed_alone(own_server: PostgresServer) -> None:
    store = open_store(own_server.new_database())
    with store.transaction() as tx:
        assert tx.next_number("incident") == 1
        tx.enqueue(effect("committed"), 1.0)
    with pytest.raises(Unavailable), store.transaction() as tx:
        _write_until_the_server_dies(tx, own_server)
    own_server.start()
    with store.transaction() as tx:
        assert tx.next_number("incident") == 2
    assert [queued.effect.key for queued in store.claim_effects("me", 2.0, 30.0, 10)] == ["committed"]
    store.close()


def _write_until_the_server_dies(tx: database.DatabaseTransaction, server: PostgresServer) -> None:
    tx.next_number("incident")
    tx.enqueue(effect("lost"), 1.0)
    server.kill()
    tx.enqueue(effect("never"), 1.0)


@pytest.mark.postgres
def test_a_server_that_is_not_there_is_unavailable(own_server: PostgresServer) -> None:
    url = own_server.new_database()
    own_server.stop()
    try:
        with pytest.raises(Unavailable):
            open_store(url)
    finally:
        own_server.start()
    with pytest.raises(Unavailable, match="does not exist"):
        open_store(own_server.url("nowhere"))


@pytest.mark.postgres
def test_a_deadlock_is_a_stale_version_for_one_and_nothing_for_the_other(postgres_url: str) -> None:
    store = open_store(postgres_url)
    both = threading.Barrier(2)
    outcomes: list[str] = []

    def take(first: str, second: str) -> None:
        try:
            with store.transaction() as tx:
                tx.next_number(first)
                both.wait(240)
                tx.next_number(second)
            outcomes.append("committed")
        except database.StaleVersion:
            outcomes.append("stale")

    with store.transaction() as tx:
        tx.next_number("incident")
        tx.next_number("run")
    threads = [threading.Thread(target=take, args=names) for names in (("incident", "run"), ("run", "incident"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["committed", "stale"]
    store.close()


def until_it_answers(store: database.DatabaseStore) -> None:
    end = time.monotonic() + 240
    while True:
        try:
            store.ping()
        except Unavailable:
            assert time.monotonic() < end, "it does not come back"
        else:
            return


@pytest.mark.postgres
def test_a_server_that_hangs_is_unavailable_and_comes_back(
    own_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(own_server.new_database() + "?connect_timeout=2")
    store.changed()
    with store.transaction() as tx:
        tx.put_fact("before", {}, 1.0)
    own_server.hang()
    monkeypatch.setattr("fireline.adapters.database_postgres.ANSWER_WITHIN", 1.0)
    try:
        for ask in (store.changed, store.ping, lambda: store.claim_effects("me", 1.0, 1.0, 1)):
            with pytest.raises(Unavailable):
                ask()
        with pytest.raises(Unavailable), store.transaction() as tx:
            tx.put_fact("meanwhile", {}, 2.0)
    finally:
        own_server.unhang()
    monkeypatch.undo()
    until_it_answers(store)
    with store.transaction() as tx:
        tx.put_fact("after", {}, 3.0)
        assert tx.fact("before") is not None
        assert tx.fact("meanwhile") is None
    store.close()
