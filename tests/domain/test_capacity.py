"""Capacity: what is reported is never more than what a target declares, whatever is asked for in which order."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.domain import capacity, traffic
from fireline.domain.capacity import Traffic
from fireline.domain.catalog import Catalog, Service, Target
from fireline.domain.rules import Match


def house(*services: Service) -> Catalog:
    return Catalog({service.id: service for service in services}, {}, {}, ())


def service(name: str, pool: str = "small", own: float | None = None, limit: float | None = 1000.0) -> Service:
    targets = (Target("primary"), Target("fallback", limit, pool=pool), Target("spare", own))
    return Service(name, "team", fallback="fallback", targets=targets)


A, B, C = service("a"), service("b", limit=None), service("c")
ALL = house(A, B, C)
AWAY = {"fallback": 100}


def test_what_would_come_on_top_of_what_others_moved_is_refused_with_figures():
    known = Traffic({"a": 1240.0, "b": 400.0}, {"b": AWAY})
    assert capacity.room(ALL, A, AWAY, known).against == (
        "fallback (pool small) has no room: 1,240 requests/s would come on top of 400, capacity 1,000"
    )


def test_what_fits_is_told_too():
    room = capacity.room(ALL, A, AWAY, Traffic({"a": 600.0, "b": 400.0}, {"b": AWAY}))
    assert room == capacity.Room(None, ("fallback (pool small) takes 1,000 of 1,000 requests/s",))


def test_traffic_that_nobody_reports_moves_and_that_is_told():
    room = capacity.room(ALL, A, AWAY, Traffic({}, {}))
    assert room.against is None
    assert room.notes == (
        "not compared with the capacity of fallback (pool small) (1,000 requests/s): no requests of a are reported",
    )


def test_a_service_that_is_there_already_and_reports_nothing_is_named():
    room = capacity.room(ALL, A, AWAY, Traffic({"a": 10.0}, {"b": AWAY}))
    assert room.notes[-1] == "not counted, as none of their requests are reported: b"


def test_the_way_back_and_a_smaller_share_are_never_barred():
    full = Traffic({"a": 5000.0, "b": 5000.0}, {"a": AWAY, "b": AWAY})
    for weights in ({"primary": 100}, {"primary": 5, "fallback": 95}, AWAY):
        assert capacity.room(ALL, A, weights, full).against is None


def test_as_much_goes_as_fits():
    known = Traffic({"a": 1240.0, "b": 400.0}, {"b": AWAY})
    assert capacity.fitting(ALL, A, AWAY, known) == {"primary": 52, "fallback": 48}
    assert capacity.fitting(ALL, A, AWAY, Traffic({"a": 1e9}, {})) is None


def test_without_a_pool_a_target_is_the_services_own():
    alone = house(service("a", pool=""), service("b", pool=""))
    moved = Traffic({"a": 900.0, "b": 900.0}, {"b": AWAY})
    assert capacity.room(alone, alone.services["a"], AWAY, moved).against is None


def test_no_declared_capacity_asks_nothing():
    free = house(service("a", limit=None))
    assert capacity.room(free, free.services["a"], AWAY, Traffic({"a": 1e9}, {})) == capacity.Room()
    assert traffic.rule(free) is None


def test_requests_are_counted_where_a_capacity_is_declared_and_probes_are_not():
    rule = traffic.rule(house(A, B, service("d", pool="", limit=None)))
    assert rule is not None
    assert [(m.label, m.how, m.values) for m in rule.where] == [
        ("service", Match.ANY_OF, ("a", "b")),
        ("probe", Match.NONE_OF, ("true",)),
    ]


@pytest.mark.parametrize(("at", "covered"), [(100.0, 9.0), (100.5, 9.5), (100.999, 9.999)])
def test_the_pane_that_is_filling_counts_for_as_much_as_has_passed_of_it(at, covered):
    assert traffic.per_second(90, at) == pytest.approx(90 / covered)


def test_the_latest_word_counts_and_an_alias_is_its_service():
    named = house(Service("a", "team", aliases=("a-legacy",)))
    told = [("a", 10.0, 100.0), ("a", 20.0, 130.0), ("a-legacy", 5.0, 120.0), ("gone", 1.0, 130.0), ("a", 99.0, 40.0)]
    assert traffic.merged(named, told, 71.0) == {"a": 25.0}
    assert traffic.merged(named, told[:1], 101.0) == {}


weights = (
    st.lists(st.integers(0, 100), min_size=2, max_size=2)
    .map(sorted)
    .map(lambda cut: {"primary": cut[0], "fallback": cut[1] - cut[0], "spare": 100 - cut[1]})
)
rates = st.floats(0.1, 3000.0)


@st.composite
def houses(draw) -> Catalog:
    names = [f"s{number}" for number in range(draw(st.integers(2, 5)))]
    limit = draw(st.none() | st.floats(1.0, 3000.0))
    some = st.none() | st.floats(1.0, 3000.0)
    return house(*(service(n, pool=draw(st.sampled_from(["", "small"])), own=draw(some), limit=limit) for n in names))


@settings(deadline=None)
@given(houses(), st.data())
def test_when_all_is_reported_no_place_ever_gets_more_than_its_capacity(catalog, data):
    known = {name: data.draw(rates) for name in catalog.services}
    routes: dict[str, dict[str, int]] = {}
    for _ in range(data.draw(st.integers(1, 8))):
        chosen = catalog.services[data.draw(st.sampled_from(sorted(catalog.services)))]
        wanted, state = data.draw(weights), Traffic(known, dict(routes))
        if data.draw(st.booleans()):
            wanted = capacity.fitting(catalog, chosen, wanted, state) or {}
        if not wanted or capacity.room(catalog, chosen, wanted, state).against is not None:
            continue
        routes[chosen.id] = wanted
        for each in catalog.services.values():
            for target in each.targets:
                place = capacity.place_of(catalog, each, target.name)
                if place is not None:
                    load, silent = capacity.load(catalog, place, Traffic(known, routes))
                    assert load <= place.capacity + 1e-3
                    assert not silent


@settings(deadline=None)
@given(houses(), st.data())
def test_as_much_as_fits_is_never_less_than_another_share_of_the_same_way_that_fits(catalog, data):
    chosen = next(iter(catalog.services.values()))
    known = Traffic({name: data.draw(rates) for name in catalog.services}, {})
    found = capacity.fitting(catalog, chosen, AWAY, known)
    moved = 0 if found is None else found.get("fallback", 0)
    assert moved == 100 or capacity.room(catalog, chosen, {"primary": 99 - moved, "fallback": moved + 1}, known).against


@settings(deadline=None)
@given(st.data())
def test_requests_are_counted_exactly_where_a_target_has_a_place(data):
    catalog = data.draw(houses())
    placed = {
        each.id
        for each in catalog.services.values()
        if any(capacity.place_of(catalog, each, target.name) for target in each.targets)
    }
    assert {each.id for each in capacity.measured(catalog)} == placed
