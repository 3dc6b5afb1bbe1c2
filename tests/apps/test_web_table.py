import dataclasses

from fireline.apps.web_table import bucket, choose, sole_target, table_of
from fireline.domain.routes import Route
from tests.servers.live_web import configuration


def route(**weights):
    return Route("fraud-scoring", weights, 1, 10.0, "run:1", "why")


def test_every_service_of_the_catalog_has_a_route_before_any_change():
    table = table_of(configuration().catalog, ())
    assert {name: dict(r.weights) for name, r in table.routes.items()} == {
        "fraud-scoring": {"primary": 100},
        "ranking": {"primary": 100},
    }


def test_a_changed_route_replaces_and_a_foreign_one_stays():
    stray = Route("gone", {"x": 100}, 3, 5.0, "person:ann", "")
    table = table_of(configuration().catalog, [route(fallback=100), stray])
    assert table.routes["fraud-scoring"].weights == {"fallback": 100}
    assert table.routes["gone"] is stray


def test_the_tag_follows_what_a_gateway_would_do():
    catalog = configuration().catalog
    first, second = table_of(catalog, [route(fallback=100)]), table_of(catalog, [route(fallback=90, primary=10)])
    assert first.etag != second.etag
    assert first.etag == table_of(catalog, [route(fallback=100)]).etag
    later = dataclasses.replace(route(fallback=100), version=2)
    assert table_of(catalog, [later]).etag != first.etag


def test_shares_are_kept_over_many_callers():
    split = route(primary=25, fallback=75)
    keys = [f"user-{i}" for i in range(20_000)]
    share = sum(choose(split, key) == "primary" for key in keys) / len(keys)
    assert abs(share - 0.25) < 0.015


def test_a_caller_stays_with_a_target_whose_share_grows():
    keys = [f"user-{i}" for i in range(2000)]
    before = set()
    for percent in (5, 25, 60, 100):
        now = {key for key in keys if choose(route(primary=percent, fallback=100 - percent), key) == "primary"}
        assert before <= now
        before = now
    assert before == set(keys)


def test_the_place_of_a_caller_is_the_same_for_ever():
    assert [bucket("fraud-scoring", key) for key in ("a", "b", "user-1", "")] == GOLDEN
    assert bucket("ranking", "a") != bucket("fraud-scoring", "a")


def test_a_target_without_a_share_takes_nothing():
    assert sole_target({"primary": 0, "fallback": 100}) == "fallback"
    assert sole_target({"primary": 50, "fallback": 50}) is None
    assert {choose(route(primary=0, fallback=100), str(i)) for i in range(50)} == {"fallback"}


GOLDEN = [9240, 4035, 8684, 3322]
