"""The audit chain of every Store: acts go with their transaction, in one order, and tampering shows."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from sqlalchemy import text

from fireline.adapters.database import DatabaseStore, open_store
from fireline.domain.audit import Act, Keys, Sought
from fireline.domain.audit_checking import Damage, Kind, Outside, check
from fireline.domain.incidents import Entry

KEYS = Keys.of(())


def act(number: int, actor: str = "ann", text: str = "") -> Act:
    return Act(float(number), actor, "api", "note", f"INC-{number}", text or f"act {number}", {}, {"n": number})


def filled(store: DatabaseStore, count: int) -> DatabaseStore:
    for number in range(1, count + 1):
        with store.transaction() as tx:
            tx.record(act(number, "ann" if number % 2 else "bob"))
    return store


def damage(store: DatabaseStore) -> Damage | None:
    with store.reading() as tx:
        return check(tx.audit_chain(), KEYS, Outside(tx.audit_head())).damage


def test_acts_are_written_with_their_transaction_or_not_at_all(store: DatabaseStore) -> None:
    filled(store, 3)
    with suppress(InterruptedError), store.transaction() as tx:
        tx.record(act(4))
        raise InterruptedError
    with store.reading() as tx:
        assert [entry.number for entry in tx.audit_chain()] == [1, 2, 3]
        assert tx.audit_head()[0] == 3
    assert damage(store) is None


def test_entries_are_found_by_actor_subject_and_time(store: DatabaseStore) -> None:
    filled(store, 9)
    with store.reading() as tx:

        def numbers(**wanted: object) -> list[int]:
            return [entry.number for entry, _ in tx.audit_of(Sought(**wanted))]  # type: ignore[arg-type]  # by name

        assert numbers(actor="bob") == [2, 4, 6, 8]
        assert numbers(subject="INC-3") == [3]
        assert numbers(since=3.0, until=6.0) == [3, 4, 5]
        assert numbers(limit=2) == [8, 9]
        assert [before for _, before in tx.audit_of(Sought())][1:] == [e.mac for e, _ in tx.audit_of(Sought())][:-1]


@pytest.mark.parametrize(
    ("tampering", "number", "kind"),
    [
        ("UPDATE audit SET body = replace(body, 'act 4', 'act 5') WHERE number = 4", 4, Kind.EDITED),
        ("UPDATE audit SET actor = 'mallory' WHERE number = 4", 4, Kind.EDITED),
        ("UPDATE audit SET at = 1.0 WHERE number = 4", 4, Kind.EDITED),
        ("DELETE FROM audit WHERE number = 4", 4, Kind.DELETED),
        ("DELETE FROM audit WHERE number = 1", 1, Kind.DELETED),
        ("DELETE FROM audit WHERE number > 7", 8, Kind.TRUNCATED),
        ("DELETE FROM audit", 1, Kind.TRUNCATED),
        ("UPDATE audit SET number = 20 WHERE number = 4", 4, Kind.REORDERED),
        (
            "INSERT INTO audit SELECT 10, at, actor, subject, key, body, mac FROM audit WHERE number = 2",
            10,
            Kind.EDITED,
        ),
        ("UPDATE audit_head SET number = 8", 9, Kind.EDITED),
    ],
)
def test_tampering_with_the_rows_is_found(store: DatabaseStore, tampering: str, number: int, kind: Kind) -> None:
    filled(store, 9)
    with store._writing() as connection:
        connection.execute(text(tampering))
    found = damage(store)
    assert found is not None
    assert (found.number, found.kind) == (number, kind), found.detail


def test_a_lost_head_stops_nothing_and_the_chain_goes_on(store: DatabaseStore) -> None:
    filled(store, 2)
    with store._writing() as connection:
        connection.execute(text("DELETE FROM audit_head"))
    with store.transaction() as tx:
        tx.record(act(3))
    with store.reading() as tx:
        assert [entry.number for entry in tx.audit_chain()] == [1, 2, 3]
    assert damage(store) is None


def test_the_chain_keeps_the_digest_of_each_line_of_a_timeline(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        tx.append(7, [Entry(1.0, "note", "ann", "one"), Entry(2.0, "note", "ann", "two")])
        tx.record(act(7))
    with store.reading() as tx:
        [entry] = tx.audit_chain()
        for incident, position, digest in tx.timeline_digests():
            assert f'"{incident}/{position}":"{digest}"' in entry.body


def test_secrets_never_get_into_the_chain(shared_url: str) -> None:
    store = open_store(shared_url, secrets=("xoxb-very-secret",))
    with store.transaction() as tx:
        tx.record(Act(1.0, "ann", "api", "note", "INC-1", "it is xoxb-very-secret", {"a": ["xoxb-very-secret!"]}, {}))
    with store.reading() as tx:
        [entry] = tx.audit_chain()
    assert "very-secret" not in entry.body
    assert entry.body.count("[secret]") == 2
    store.close()


def test_who_writes_at_once_writes_one_chain(shared_url: str) -> None:
    stores = [open_store(shared_url) for _ in range(3)]

    def write(number: int) -> None:
        with stores[number % 3].transaction() as tx:
            tx.record(act(number))
            tx.record(act(number, "bob"))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(60)))
    assert damage(stores[0]) is None
    with stores[0].reading() as tx:
        entries = [entry.body for entry, _ in tx.audit_of(Sought())]
    assert len(entries) == 120
    for store in stores:
        store.close()
