"""Merge and split over a real database: whoever hears what, also when several people and signals come at once."""

import threading
from collections.abc import Callable

import pytest

from fireline.adapters.clock import FakeClock
from fireline.adapters.database import open_store
from fireline.domain.effects import StartRun
from fireline.domain.incident_acts import Merge, Split
from fireline.domain.incidents import AddNote, Resolve, RunReported, SignalArrived, Status
from fireline.engine.respond import Responder
from fireline.engine.starting import Wanted, start
from tests.domain.deciding_world import signal
from tests.engine.respond_world import Fixed, configuration


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path):
    made = request.getfixturevalue("postgres_url") if request.param == "postgres" else f"sqlite:///{tmp_path}/f.db"
    found = open_store(made)
    yield found
    found.close()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def responder(store, clock):
    return Responder(store, Fixed(configuration()), clock, {"slack", "email"})


def fires(responder, **given):
    return responder.handle(SignalArrived(signal(**given))).incident


def together(*what: Callable[[], object]) -> list[object]:
    """Do all of it at once; what came of each."""
    barrier, found = threading.Barrier(len(what)), [None] * len(what)

    def do(place: int, one: Callable[[], object]) -> None:
        barrier.wait()
        found[place] = one()

    threads = [threading.Thread(target=do, args=pair) for pair in enumerate(what)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def incident(responder, number):
    return next(i for i in responder.incidents(open_only=False) if i.number == number)


def test_of_two_merges_at_once_one_is_done_and_the_other_told(responder):
    fires(responder), fires(responder, service="search")
    merges = Merge(1, 2, "ann", "cli"), Merge(2, 1, "bob", "cli")
    found = together(*(lambda m=m: responder.handle(m) for m in merges))
    assert sorted(decision.refused for decision in found) == [False, True]
    [refused] = [decision for decision in found if decision.refused]
    assert "merged into" in refused.reply
    one, two = incident(responder, 1), incident(responder, 2)
    [left] = [i for i in (one, two) if i.status is not Status.RESOLVED]
    assert len(left.signals) == 2


def test_signals_that_come_while_their_incident_is_merged_are_the_targets(responder):
    fires(responder), fires(responder, service="search")
    regions = [f"r{n}" for n in range(6)]
    told = [SignalArrived(signal(service="search", region=region)) for region in regions]
    together(*(lambda s=s: responder.handle(s) for s in told), lambda: responder.handle(Merge(2, 1, "ann", "cli")))
    assert len(responder.incidents()) == 1
    assert len(incident(responder, 1).firing) == 2 + len(regions)
    assert incident(responder, 2).merged_into == 1


def test_what_its_runs_say_is_heard_by_the_target_and_one_that_was_asked_for_may_start(responder, store):
    fires(responder), fires(responder, service="search")
    responder.handle(RunReported(2, 5, "reroute", "running", ""))
    responder.handle(Merge(2, 1, "ann", "cli"))
    responder.handle(RunReported(2, 5, "reroute", "succeeded", "all is well"))
    assert incident(responder, 1).runs["5"].status == "succeeded"
    assert "all is well" in responder.explain(1)[-1].text
    effect = StartRun("k", 2, "nothing", {})
    with store.transaction() as tx:
        started = start(tx, configuration(), Wanted("k", effect.runbook, 2, {}), 1.0, lambda channel: True)
    assert "there is no runbook" in started.reason, "its incident is not over: it is part of another"


def test_both_timelines_have_the_merge(responder):
    fires(responder), fires(responder, service="search")
    responder.handle(AddNote(2, "ann", "looking"))
    responder.handle(Merge(2, 1, "ann", "cli", "one cause"))
    for number in (1, 2):
        [line] = [entry for entry in responder.explain(number) if entry.kind == "merged"]
        assert "one cause" in line.text


def test_a_refused_split_takes_no_number(responder):
    fires(responder)
    assert responder.handle(Split(1, "ann", "cli", ("nothing",))).refused
    assert responder.handle(Split(1, "ann", "cli", ("fraud_latency",))).refused
    assert fires(responder, service="search").number == 2


def test_what_was_split_off_and_is_over_for_good_comes_back(responder, clock):
    fires(responder), fires(responder, rule="other")
    responder.handle(Split(1, "ann", "cli", ("other",)))
    responder.handle(Resolve(2, "ann", "cli"))
    clock.advance(2000)
    fires(responder, rule="other", at=signal().at + 2000)
    assert [i.number for i in responder.incidents()] == [1]
    assert len(incident(responder, 1).firing) == 2
    responder.handle(SignalArrived(signal("clear", rule="other", at=signal().at + 2010)))
    assert len(incident(responder, 1).firing) == 1
