"""Reported traffic: what workers saw reaches who changes routes, and five who ask at once find the room of one."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from fireline.adapters.database import open_store
from fireline.domain.catalog import Catalog, Service, Target
from fireline.domain.configuration import Configuration
from fireline.domain.oncall import OnCall
from fireline.domain.routing import initial
from fireline.domain.traffic import RULE, rules_of
from fireline.engine.routes import Changed, Refused, change_route
from fireline.engine.traffic import FACTS, FRESH, Seen, traffic_of
from fireline.engine.watching import Watch, WatchAnswer

NOW = 1_800_000_000.0
NAMES = ("a", "b", "c", "d", "e")
HOUSE = Configuration(
    {},
    {},
    Catalog(
        {
            name: Service(name, "team", fallback="small", targets=(Target("primary"), Target("small", 100.0, pool="s")))
            for name in NAMES
        },
        {},
        {},
        (),
    ),
    OnCall({}, {}),
)


@pytest.fixture
def store(tmp_path):
    return open_store(f"sqlite:///{tmp_path / 'fireline.db'}")


def answer(service: str, samples: int, at: float = NOW, behind: float = 0.0) -> WatchAnswer:
    return WatchAnswer(FACTS, f"service={service}", "unknown", samples, {}, "", at, behind)


def rates(store, now=NOW):
    with store.reading() as tx:
        return traffic_of(tx, HOUSE.catalog, initial(HOUSE.catalog.services["a"]), now).rates


def tell(store, seen, now=NOW, worker="one"):
    with store.transaction() as tx:
        seen.tell(tx, worker, now)


def move(store, service, **more):
    with store.transaction() as tx:
        return change_route(tx, HOUSE, service, {"small": 100}, by="run:1", reason="r", now=NOW, **more)


def test_a_worker_asks_itself_beside_what_others_ask_and_keeps_their_answers_apart():
    seen, other = Seen(), Watch("step", "fraud", {}, 0.0, 10.0, 1, NOW)
    asked = seen.asked([other], NOW, 0.0)
    assert [watch.rule for watch in asked] == ["fraud", RULE]
    theirs = WatchAnswer("step", "service=a", "clear", 3, {}, "", NOW)
    assert seen.heard([theirs, answer("a", 900)]) == [theirs]
    assert seen.asked([other], NOW, 31.0) == [other]  # so far behind that it says nothing of now


def test_what_was_seen_counts_for_a_minute_also_when_nothing_comes_any_more(store):
    seen = Seen()
    seen.heard([answer("a", 900), answer("b", 0)])
    tell(store, seen)
    assert rates(store) == {"a": 100.0}
    seen.heard([answer("a", 0, NOW + 30)])
    tell(store, seen, NOW + 30)
    assert rates(store, NOW + 59) == {"a": 100.0}
    assert rates(store, NOW + FRESH + 1) == {}


def test_the_most_of_a_minute_counts_because_who_breaks_down_is_asked_less_and_less(store):
    seen = Seen()
    for second, samples in enumerate((900, 600, 90)):
        seen.heard([answer("a", samples, NOW + second)])
        tell(store, seen, NOW + second)
    assert rates(store, NOW + 2) == {"a": 100.0}
    seen.heard([answer("a", 90, NOW + 55)])
    tell(store, seen, NOW + 55)
    assert rates(store, NOW + 55) == {"a": 10.0}


def test_a_partition_that_moved_to_another_worker_is_not_counted_twice(store):
    one, two = Seen(), Seen()
    one.heard([answer("a", 900)])
    tell(store, one)
    two.heard([answer("a", 450, NOW + 5)])
    tell(store, two, NOW + 5, "two")
    assert rates(store, NOW + 5) == {"a": 50.0}


def test_a_service_that_reports_nothing_moves_and_the_change_says_what_was_not_compared(store):
    done = move(store, "a")
    assert isinstance(done, Changed)
    assert "no requests of a are reported" in done.notes[0]


def test_a_repetition_finds_the_route_as_it_is_also_when_there_is_no_room_any_more(store):
    seen = Seen()
    seen.heard([answer("a", 900), answer("b", 90)])
    tell(store, seen)
    first = move(store, "a", key="k")
    assert isinstance(first, Changed)
    refused = move(store, "b")
    assert isinstance(refused, Refused)
    assert "10 requests/s would come on top of 100, capacity 100" in refused.reason
    again = move(store, "a", key="k")
    assert again == Changed(first.route, False, notes=first.notes), "who repeats a step after a crash hears the same"
    assert first.notes == ("small (pool s) takes 100 of 100 requests/s",)


@pytest.mark.parametrize("fit", [False, True])
def test_five_who_ask_at_once_find_the_room_of_one(store, fit):
    seen = Seen()
    seen.heard([answer(name, 360) for name in NAMES])  # 40 a second each, room for two and a half
    tell(store, seen)
    with ThreadPoolExecutor(len(NAMES)) as pool:
        done = list(pool.map(lambda name: move(store, name, fit=fit), NAMES))
    moved = sorted(result.route.weights.get("small", 0) for result in done if isinstance(result, Changed))
    assert moved == ([50, 100, 100] if fit else [100, 100])


def test_the_rule_that_counts_is_there_only_where_it_is_of_use():
    assert [rule.name for rule in rules_of(HOUSE)] == [RULE]
    assert rules_of(Configuration({}, {}, Catalog({"a": Service("a", "team")}, {}, {}, ()), OnCall({}, {}))) == ()
