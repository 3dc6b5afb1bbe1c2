"""Several threads and processes on one database: each thing happens once, and a killed process leaves nothing."""

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from fireline.adapters.database import DatabaseStore, open_store
from fireline.domain.audit import Keys
from fireline.domain.audit_checking import Outside, check
from fireline.domain.incidents import Entry
from fireline.engine.ports import StaleVersion

from .examples import incident, say

CLAIM_ALL = """
import sys
from fireline.adapters.database import open_store
url, owner = sys.argv[1:]
store = open_store(url)
print("ready", flush=True)
sys.stdin.readline()
misses = 0
while misses < 20:
    claimed = store.claim_effects(owner, 10.0, 1000.0, 3)
    misses = 0 if claimed else misses + 1
    for queued in claimed:
        print(queued.effect.key, flush=True)
        store.finish_effect(queued.effect.key, owner, "by " + owner, 10.0)
store.close()
"""

OPEN_AND_NUMBER = """
import sys
from fireline.adapters.database import open_store
sys.stdin.readline()
store = open_store(sys.argv[1])
for _ in range(20):
    with store.transaction() as tx:
        number = tx.next_number("incident")
    print(number, flush=True)
store.close()
"""

DIE_INSIDE = """
import os, signal, sys
from fireline.adapters.database import open_store
from fireline.domain.effects import Say, Timer
from fireline.domain.incidents import Entry
store = open_store(sys.argv[1])
for committed in (True, False):
    with store.transaction() as tx:
        number = tx.next_number("incident")
        tx.first_time(f"signal:{number}", 1.0)
        tx.append(number, [Entry(1.0, "opened", "fireline", "x")])
        tx.enqueue(Say(f"page:{number}", number, "slack", "C1", "x"), 1.0)
        tx.arm(Timer(f"escalate:{number}", 50.0, "escalate", number))
        if not committed:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def open_shared(shared_url: str) -> Iterator[Callable[[], DatabaseStore]]:
    """Opens a store of its own each time, as another process would."""
    opened: list[DatabaseStore] = []

    def one() -> DatabaseStore:
        opened.append(open_store(shared_url))
        return opened[-1]

    yield one
    for store in opened:
        store.close()


def processes(code: str, *arguments: tuple[str, ...]) -> list[list[str]]:
    """Run the code in one process per tuple of arguments, let them go together, and give the lines each printed."""
    started = [
        subprocess.Popen([sys.executable, "-c", code, *some], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for some in arguments
    ]
    try:
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        outputs = [process.communicate(timeout=120)[0].split() for process in started]
        assert [process.returncode for process in started] == [0] * len(started)
        return outputs
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_two_processes_perform_each_effect_once(open_shared: Callable[[], DatabaseStore], shared_url: str) -> None:
    with open_shared().transaction() as tx:
        for n in range(200):
            tx.enqueue(say(f"effect-{n}", address=f"lane-{n % 20}"), 1.0)
    first, second = processes(CLAIM_ALL, (shared_url, "a"), (shared_url, "b"))
    done = Counter(key for key in first + second if key != "ready")
    assert done == Counter({f"effect-{n}": 1 for n in range(200)})
    for lane in range(20):
        for keys in (first, second):
            mine = [int(k.split("-")[1]) for k in keys if k != "ready" and int(k.split("-")[1]) % 20 == lane]
            assert mine == sorted(mine), "a lane keeps its order"


def test_threads_never_have_two_effects_of_a_lane_in_flight(open_shared: Callable[[], DatabaseStore]) -> None:
    stores = [open_shared(), open_shared()]
    with stores[0].transaction() as tx:
        for n in range(60):
            tx.enqueue(say(f"effect-{n}", address=f"lane-{n % 3}"), 1.0)
    flying: Counter[str] = Counter()
    seen: list[str] = []
    guard = threading.Lock()

    def work(index: int) -> None:
        store, owner, misses = stores[index % 2], f"owner-{index}", 0
        while misses < 30:
            claimed = store.claim_effects(owner, 10.0, 1000.0, 2)
            misses = 0 if claimed else misses + 1
            for queued in claimed:
                address = getattr(queued.effect, "address", "")
                with guard:
                    flying[address] += 1
                    assert flying[address] == 1
                    seen.append(queued.effect.key)
                with guard:
                    flying[address] -= 1
                store.finish_effect(queued.effect.key, owner, "done", 10.0)

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(work, index) for index in range(4)]:
            future.result()
    assert sorted(seen) == sorted(f"effect-{n}" for n in range(60))


def test_of_fifty_savers_of_one_version_one_wins(open_shared: Callable[[], DatabaseStore]) -> None:
    stores = [open_shared(), open_shared()]
    with stores[0].transaction() as tx:
        tx.save_incident(incident(version=1))
    with stores[0].reading() as tx:
        before = tx.incident(1)
    assert before is not None

    def save(n: int) -> bool:
        try:
            with stores[n % 2].transaction() as tx:
                tx.save_incident(replace(before, version=2, acknowledged_by=f"person-{n}"))
                tx.append(1, [Entry(1.0, "acknowledged", f"person-{n}", "x")])
        except StaleVersion:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        won = list(pool.map(save, range(50)))
    assert won.count(True) == 1
    with stores[1].reading() as tx:
        after, timeline = tx.incident(1), tx.timeline(1)
    assert after is not None
    assert after.acknowledged_by == f"person-{won.index(True)}"
    assert [entry.actor for entry in timeline] == [after.acknowledged_by]


def test_fifty_signals_of_one_key_open_one_incident(open_shared: Callable[[], DatabaseStore]) -> None:
    stores = [open_shared(), open_shared()]

    def arrive(n: int) -> None:
        with stores[n % 2].transaction() as tx:
            found = tx.latest_incident("fraud", "", "live")
            if found is None:
                tx.save_incident(incident(tx.next_number("incident"), version=1))
            else:
                tx.save_incident(replace(found, version=found.version + 1))
            tx.append(1, [Entry(float(n), "signal", "evaluate", "x")])

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(arrive, range(50)))
    with stores[0].reading() as tx:
        [only] = tx.incidents()
        assert (only.number, only.version) == (1, 50)
        assert len(tx.timeline(1)) == 50
        assert check(tx.audit_chain(), Keys.of(()), Outside(tx.audit_head())).damage is None


def test_processes_that_start_together_migrate_once_and_number_without_gaps(shared_url: str) -> None:
    outputs = processes(OPEN_AND_NUMBER, (shared_url,), (shared_url,), (shared_url,))
    assert sorted(int(line) for lines in outputs for line in lines) == list(range(1, 61))


def test_a_process_killed_inside_a_transaction_leaves_nothing_half_written(
    open_shared: Callable[[], DatabaseStore], shared_url: str
) -> None:
    died = subprocess.run([sys.executable, "-c", DIE_INSIDE, shared_url], check=False, timeout=120)
    assert died.returncode == -9
    store = open_shared()
    assert [queued.effect.key for queued in store.claim_effects("me", 100.0, 30.0, 10)] == ["page:1"]
    assert [timer.key for timer in store.claim_timers("me", 100.0, 30.0, 10)] == ["escalate:1"]
    with store.transaction() as tx:
        assert not tx.first_time("signal:1", 2.0)
        assert tx.first_time("signal:2", 2.0)
        assert tx.timeline(2) == []
        assert tx.next_number("incident") == 2


def test_what_another_process_commits_is_seen(open_shared: Callable[[], DatabaseStore], shared_url: str) -> None:
    store = open_shared()
    before = store.changed()
    processes(OPEN_AND_NUMBER, (shared_url,))
    assert store.changed() != before
