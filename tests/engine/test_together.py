"""What is written while a transaction is under way shares the next one, and one that fails costs the others nothing."""

import asyncio
import threading
from contextlib import contextmanager

import pytest

from fireline.engine.ports import StaleVersion
from fireline.engine.together import MOST, Together
from tests.engine.respond_world import Desk


class Counting:
    """A store that counts the transactions it commits; the first waits at the gate."""

    writes_at_once = False

    def __init__(self, store) -> None:
        self.store, self.committed = store, 0
        self.gate, self.inside = threading.Event(), threading.Event()

    @contextmanager
    def transaction(self):
        with self.store.transaction() as tx:
            yield tx
            self.inside.set()
            assert self.gate.wait(60)
        self.committed += 1


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def fact(name):
    return lambda tx: tx.put_fact(name, {"is": "there"}, 1.0)


def known(desk, prefix="f"):
    with desk.store.reading() as tx:
        return set(tx.facts(prefix))


async def under_way(store, together):
    """One piece of work that is in its transaction until the gate opens."""
    first = asyncio.create_task(together.do(fact("f-first")))
    assert await asyncio.to_thread(store.inside.wait, 60)
    return first


async def test_what_comes_while_one_is_under_way_shares_the_next(desk):
    store = Counting(desk.store)
    together = Together(store)
    first = await under_way(store, together)
    others = [asyncio.create_task(together.do(fact(f"f-{n}"))) for n in range(MOST)]
    await asyncio.sleep(0)
    store.gate.set()
    await asyncio.gather(first, *others)
    assert known(desk) == {"f-first", *(f"f-{n}" for n in range(MOST))}
    assert store.committed == 2


async def test_no_transaction_is_shared_by_more_than_so_many(desk):
    store = Counting(desk.store)
    together = Together(store)
    first = await under_way(store, together)
    others = [asyncio.create_task(together.do(fact(f"f-{n}"))) for n in range(2 * MOST)]
    await asyncio.sleep(0)
    store.gate.set()
    await asyncio.gather(first, *others)
    assert store.committed == 3


async def test_one_that_fails_is_told_and_the_others_are_written_all_the_same(desk):
    store = Counting(desk.store)
    together = Together(store)
    first = await under_way(store, together)

    def fails(tx):
        tx.put_fact("f-wrong", {}, 1.0)
        raise StaleVersion("somebody else")

    works = [fact("f-a"), fails, fact("f-b")]
    others = [asyncio.create_task(together.do(work)) for work in works]
    await asyncio.sleep(0)
    store.gate.set()
    await first
    ended = await asyncio.gather(*others, return_exceptions=True)
    assert [type(each) for each in ended] == [type(None), StaleVersion, type(None)]
    assert known(desk) == {"f-first", "f-a", "f-b"}


async def test_whoever_is_gone_keeps_nobody_else_waiting(desk):
    store = Counting(desk.store)
    together = Together(store)
    first = await under_way(store, together)
    gone, stays = asyncio.create_task(together.do(fact("f-gone"))), asyncio.create_task(together.do(fact("f-stays")))
    await asyncio.sleep(0)
    gone.cancel()
    store.gate.set()
    await asyncio.gather(first, stays)
    assert "f-stays" in known(desk)
    await together.do(fact("f-later"))
    assert "f-later" in known(desk)


async def test_where_several_write_at_once_nobody_waits_for_another(desk):
    store = Counting(desk.store)
    store.writes_at_once = True
    store.gate.set()
    together = Together(store)
    await asyncio.gather(*(together.do(fact(f"f-{n}")) for n in range(3)))
    assert store.committed == 3
