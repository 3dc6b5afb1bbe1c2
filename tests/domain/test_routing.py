"""Routes and leases: what a change means, and what speaks against it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireline.domain import routing
from fireline.domain.catalog import Service, Target

SERVICE = Service(
    "fraud",
    "team",
    fallback="fallback",
    targets=(Target("primary", 2000.0), Target("fallback", 1000.0), Target("canary")),
)
PRIMARY, FALLBACK = {"primary": 100}, {"fallback": 100}


def change(route, weights, now=100.0, by="run:1"):
    return routing.change(route, SERVICE, weights, by=by, reason="because", now=now, lease_for=60.0)


def test_leaving_the_primary_opens_a_lease_that_remembers():
    route = change(None, FALLBACK)
    assert route.weights == FALLBACK
    assert route.version == 1
    assert route.lease is not None
    assert (route.lease.until, route.lease.prior, route.lease.holder) == (160.0, PRIMARY, "run:1")


def test_coming_back_in_part_keeps_the_lease_and_all_of_it_ends_it():
    route = change(None, FALLBACK)
    part = change(route, {"primary": 25, "fallback": 75}, now=110.0)
    assert part.lease == route.lease
    assert change(part, PRIMARY, now=120.0).lease is None


def test_going_further_away_renews_the_lease_but_not_what_it_remembers():
    part = change(None, {"primary": 50, "fallback": 50})
    further = change(part, FALLBACK, now=150.0, by="run:2")
    assert further.lease is not None
    assert further.lease.until == 210.0
    assert further.lease.prior == PRIMARY


def test_the_same_weights_are_no_change():
    route = change(None, FALLBACK)
    assert change(route, {"fallback": 100, "primary": 0}, now=500.0) is route
    assert change(None, PRIMARY).version == 0


def test_a_lease_that_ran_out_goes_back_to_the_primary_not_before():
    route = change(None, FALLBACK)
    assert routing.expire(route, SERVICE, 159.9) is route
    back = routing.expire(route, SERVICE, 160.0)
    assert back.weights == PRIMARY
    assert back.lease is None
    assert back.by == "lease"


def test_extending_keeps_the_weights():
    route = routing.extend(change(None, FALLBACK), 900.0, "still firing", 150.0)
    assert route.weights == FALLBACK
    assert route.lease is not None
    assert route.lease.until == 900.0


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ({"nowhere": 100}, "no target 'nowhere'"),
        ({"primary": 50}, "sum to 100"),
        ({"primary": 150, "fallback": -50}, "from 0 to 100"),
        ({"primary": 99.5, "fallback": 0.5}, "whole percents"),
        ({"primary": True, "fallback": 99}, "whole percents"),
    ],
)
def test_what_is_no_route_is_refused_with_the_reason(weights, reason):
    assert reason in (routing.preflight(SERVICE, weights) or "")
    with pytest.raises(ValueError, match=r"target|percent|sum"):
        change(None, weights)


def test_an_unhealthy_target_is_refused_but_never_the_way_back():
    assert routing.preflight(SERVICE, FALLBACK, unhealthy={"fallback"}) == "fallback is unhealthy"
    assert routing.preflight(SERVICE, PRIMARY, unhealthy={"primary"}) is None


weights = (
    st.lists(st.integers(0, 100), min_size=2, max_size=2)
    .map(sorted)
    .map(lambda cut: {"primary": cut[0], "fallback": cut[1] - cut[0], "canary": 100 - cut[1]})
)


@given(st.lists(weights, min_size=1, max_size=8))
def test_a_lease_is_in_force_exactly_while_traffic_is_off_the_primary(changes):
    route = None
    for number, target in enumerate(changes):
        before = route
        route = change(route, target, now=100.0 + number)
        assert sum(route.weights.values()) == 100
        assert (route.lease is None) == (route.weights == PRIMARY)
        if before is not None:
            assert route.version in (before.version, before.version + 1)


@given(weights, weights, st.integers(0, 100))
def test_a_blend_is_a_route_between_the_two(start, to, percent):
    mixed = routing.blend(start, to, percent)
    assert sum(mixed.values()) == 100
    for name, share in mixed.items():
        low, high = sorted((start.get(name, 0), to.get(name, 0)))
        assert low - 1 <= share <= high + 1
    assert routing.blend(start, to, 0) == routing.clean(start)
    assert routing.blend(start, to, 100) == routing.clean(to)
