"""Signals that no rule will clear any more are cleared by whoever evaluates their partition."""

from dataclasses import replace

import pytest

from fireline.adapters.clock import FakeClock
from fireline.adapters.database import open_store
from fireline.apps.stream_evaluate import EvaluateSide
from fireline.apps.stream_signals import SignalLane
from fireline.domain.incidents import SignalArrived
from fireline.domain.rules import Evidence, Mode, Signal, State
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest_plans import partition_of
from fireline.engine.orphans import orphans
from fireline.engine.respond import Responder
from fireline.measures import FAMILIES
from tests.engine.runs_world import Fixed, shipped
from tests.engine.streams import rule
from tests.servers.ready import ready

PARTITIONS = 4
HOME = partition_of("latency", ["fraud-scoring"], PARTITIONS)


class Town:
    """An incident on which `latency` of fraud-scoring fires."""

    def __init__(self, path):
        self.store, self.clock = open_store(ready(path / "db")), FakeClock()
        self.responder = Responder(self.store, Fixed(shipped()), self.clock)
        self.signal = firing(self.clock.now())
        self.responder.handle(SignalArrived(self.signal))
        self.lane = SignalLane(lambda *_: None)

    def orphans(self, *rules):
        with self.store.reading() as tx:
            return orphans(tx, {each.name: each for each in rules})

    async def side(self, *rules, partitions=(HOME,)):
        side = EvaluateSide(
            lambda given: Evaluation(given, FAMILIES),
            rules,
            lane=self.lane,
            store=self.store,
            clock=self.clock,
            generation="g",
            partitions=PARTITIONS,
        )
        await side.resume(dict.fromkeys(partitions, (0, 0)))
        return side

    def incident(self):
        (found,) = self.responder.incidents(open_only=False)
        return found


def firing(now):
    evidence = Evidence({"top": 150.0}, 3, now - 60, now, "top > 100.0", "")
    entity = (("service", "fraud-scoring"),)
    return Signal(
        "s1", "latency", entity, "fraud-scoring", State.FIRING, "outage", now, now, now, "slow", evidence, sequence=3
    )


@pytest.fixture
def town(tmp_path):
    made = Town(tmp_path)
    yield made
    made.store.close()


def test_a_signal_whose_rule_is_in_force_is_no_orphan(town):
    assert town.orphans(rule()) == []


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ((), "rule latency was removed"),
        ((rule(mode=Mode.SHADOW),), "rule latency is a shadow now"),
        ((rule(by=("service", "region")),), "rule latency groups by service, region now"),
    ],
)
def test_an_orphan_is_cleared_with_the_reason_once(town, rules, why):
    (clear,) = town.orphans(*rules)
    town.responder.handle(SignalArrived(clear))
    incident = town.incident()
    assert incident.firing == ()
    assert incident.settle_due_at is not None
    assert f"Cleared: latency{{service=fraud-scoring}}: {why}" in [e.text for e in town.responder.explain(1)]
    assert town.orphans(*rules) == []
    town.responder.handle(SignalArrived(clear))
    assert town.incident() == incident


def test_the_rule_that_comes_back_and_fires_is_heard(town):
    (clear,) = town.orphans()
    town.responder.handle(SignalArrived(clear))
    town.clock.advance(10)
    now = town.clock.now()
    town.responder.handle(SignalArrived(replace(town.signal, id="s2", at=now, episode=now)))
    assert len(town.incident().firing) == 1
    assert town.incident().settle_due_at is None


async def test_only_the_worker_that_has_the_partition_clears(town):
    others = await town.side(partitions=[n for n in range(PARTITIONS) if n != HOME])
    await others.clear_orphans()
    assert town.lane.accepted == 0
    await (await town.side()).clear_orphans()
    assert town.lane.accepted == 1


async def test_a_worker_that_takes_over_knows_what_fires_and_what_cleared(town):
    (verdict,) = (await town.side(rule())).parts[HOME].evaluation.verdicts()
    assert (verdict.state, verdict.severity) == (State.FIRING, "outage")
    clear = replace(town.signal, id="s2", state=State.CLEAR, severity=None, sequence=4)
    town.responder.handle(SignalArrived(clear))
    (verdict,) = (await town.side(rule())).parts[HOME].evaluation.verdicts()
    assert (verdict.state, verdict.severity) == (State.CLEAR, None), "it would never be told that it fires again"
