"""What `stop_if` knows: what rules say, how far the run is, where traffic goes; before a run and before each step."""

import pytest

from fireline.domain.outcomes import Done
from fireline.domain.runbooks import RunStatus
from fireline.engine.routes import change_route
from fireline.engine.stop_conditions import known
from fireline.spec.stop_conditions import stop_tree
from tests.engine.runs_world import SERVICE, world
from tests.engine.test_runs import act, own, scripted

INPUTS = "inputs: {service: {type: string, default: fraud-scoring}}\n"


@pytest.fixture
def w(tmp_path):
    made = world(tmp_path)
    yield made
    made.store.close()


def stops(condition, steps=""):
    return own(steps or act(), head=f'{INPUTS}guards: {{stop_if: "{condition}"}}')


def route(w, **weights):
    with w.store.transaction() as tx:
        change_route(tx, w.settings.current, SERVICE, weights, by="person:ann", reason="x", now=w.clock.now())


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("rules.fraud_latency.firing", True),
        ("rules['fraud_latency'].firing", True),
        ("rules.fraud_latency.severity == 'outage'", True),
        ("rules.fraud_latency.severity == 'degraded'", False),
        ("rules.fraud_latency.entities >= 1", True),
        ("rules.fraud_latency.measures.p99 > 2000", True),
        ("rules.fraud_latency.measures.p99 > 3000", False),
        ("rules.primary_health.firing", False),
        ("rules.fraud_latency.firing && incidents_open > 1", False),
    ],
)
async def test_what_a_rule_says_of_the_service(w, condition, holds):
    before = w.want(stops("rules.fraud_latency.firing"), key="before").run
    assert before.status is RunStatus.RUNNING, "it says nothing yet"
    w.fire()
    run = w.want(stops(condition)).run
    assert run.status is (RunStatus.REFUSED if holds else RunStatus.RUNNING), run.reason
    assert not holds or run.reason == f"stop_if holds: {condition}"


async def test_a_rule_that_fires_for_another_service_is_none_of_this_run_but_counts_among_all(w):
    w.fire()
    elsewhere = {"inputs": {"service": "checkout"}}
    assert w.want(stops("rules.fraud_latency.firing"), **elsewhere).run.status is RunStatus.RUNNING
    count = stops("rules.fraud_latency.entities > 0")
    assert w.want(count, key="all", **elsewhere).run.status is RunStatus.REFUSED


async def test_a_measure_that_was_never_told_cannot_be_told_and_stops_unless_it_is_not_asked_for(w):
    refused = w.want(stops("rules.fraud_latency.measures.p99 > 1")).run
    assert refused.status is RunStatus.REFUSED
    assert "stop_if cannot be told" in refused.reason
    asked = stops("rules.fraud_latency.firing && rules.fraud_latency.measures.p99 > 1")
    assert w.want(asked, key="both").run.status is RunStatus.RUNNING


async def test_a_replay_says_nothing_of_the_live_service(w):
    w.fire(timeline="replay")
    assert w.want(stops("rules.fraud_latency.firing")).run.status is RunStatus.RUNNING


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("route.off_primary >= 30", True),
        ("route.off_primary > 30", False),
        ("route.on_fallback", True),
        ("route.changes > 1", False),
        ("targets.fallback.share == 30", True),
        ("targets.primary.share < 70", False),
        ("!targets.primary.healthy", False),
        ("!targets.nowhere.healthy", None),
    ],
)
async def test_where_the_traffic_of_the_service_goes(w, condition, holds):
    route(w, primary=70, fallback=30)
    run = w.want(stops(condition)).run
    assert run.status is (RunStatus.RUNNING if holds is False else RunStatus.REFUSED), run.reason
    assert ("cannot be told" in run.reason) is (holds is None)


async def test_a_run_is_stopped_by_how_long_it_took_and_by_what_failed(w):
    scripted(w, last=Done())
    wait = "  - {id: pause, uses: wait, with: {for: 2m}}\n"
    long = w.want(stops("run.seconds > 60", act() + wait + act().replace("id: act", "id: more")), key="long")
    run = await w.drive(300, long.run.id)
    assert run.status is RunStatus.FAILED
    assert run.reason == "stopped before more: stop_if holds: run.seconds > 60"
    done = w.want(stops("run.steps_done >= 1", act() + act().replace("id: act", "id: more")), key="done").run
    await w.runs.run_once()
    assert w.run(done.id).reason == "stopped before more: stop_if holds: run.steps_done >= 1"


async def test_every_name_that_may_be_written_is_given(w):
    tree = stop_tree(["service"])
    run = w.want(stops("runs_active > 99")).run
    with w.store.reading() as tx:
        given = known(tx, run, w.settings.current, frozenset(tree), w.clock.now())
    assert set(given) == set(tree)
    for group in ("run", "route"):
        assert set(given[group]) == set(tree[group])
    for group, name in (("rules", "fraud_latency"), ("targets", "fallback")):
        assert set(given[group][name]) == set(tree[group]["*"])
