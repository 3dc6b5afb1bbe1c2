"""What every Store keeps of silences, and that who decides and who changes them wait for each other."""

import threading
from dataclasses import replace
from datetime import datetime

import pytest

from fireline.adapters.database import DatabaseStore, open_store
from fireline.domain.silence_matchers import parse
from fireline.domain.silences import Change, Comment, Recurrence, Resolves, Silence
from fireline.engine.ports import StaleVersion

PATIENCE = 120.0
WEEKLY = Recurrence("FREQ=WEEKLY;BYDAY=SU", "Europe/Berlin", datetime(2026, 11, 1, 2), 3600.0, ("2026-12-27",))
FIRST = Silence(
    number=1,
    name="",
    matchers=parse('service="fraud", region=~"e.*", rule!="x", zone!~"a|b"'),
    start=10.0,
    end=100.0,
    author="ann",
    reason="a \0 reason <!here>",
    resolves=Resolves.HOLD,
    safety=True,
    recurrence=WEEKLY,
    comments=(Comment(11.0, "bob", "why?"),),
    history=(Change(10.0, "ann", "made"),),
)


def test_a_silence_comes_back_as_it_was(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        tx.save_silence(FIRST)
        tx.save_silence(replace(FIRST, number=2, end=50.0, recurrence=None))
    with store.reading() as tx:
        assert tx.silence(1) == FIRST
        assert tx.silence(9) is None
        assert [each.number for each in tx.silences(0.0)] == [1, 2]
        assert [each.number for each in tx.silences(50.0)] == [1], "one that is over holds nothing"
        assert tx.silences(100.0) == []


def test_versions_replace_one_another_and_nobody_overwrites_what_they_did_not_see(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        tx.save_silence(FIRST)
    with store.transaction() as tx:
        tx.save_silence(replace(FIRST, end=200.0, version=2))
    with pytest.raises(StaleVersion), store.transaction() as tx:
        tx.save_silence(replace(FIRST, end=300.0, version=2))
    with store.reading() as tx:
        assert [each.end for each in tx.silences(150.0)] == [200.0]


def test_a_change_waits_for_decisions_that_read_silences_and_decisions_do_not_wait_for_each_other(
    postgres_url: str,
) -> None:
    store, other = open_store(postgres_url), open_store(postgres_url)
    saved = threading.Event()

    def change() -> None:
        with other.transaction() as tx:
            tx.save_silence(FIRST)
        saved.set()

    thread = threading.Thread(target=change)
    with store.transaction() as one, other.transaction() as two:
        assert one.silences(0.0) == two.silences(0.0) == []
        thread.start()
        assert not saved.wait(0.5), "it was saved beside a decision that had read silences"
    assert saved.wait(PATIENCE)
    thread.join(PATIENCE)
    with store.reading() as tx:
        assert [each.number for each in tx.silences(0.0)] == [1]
    store.close()
    other.close()
