import asyncio
import dataclasses

from fireline.apps.demo_facts import Facts, useless
from fireline.apps.demo_scorers import FEATURES, LogisticRegression, RuleSet, Scored, Served, Serving, transactions

GOOD = Served(Scored("allow", 0.9), 40.0)
LATE = Served(Scored("allow", 0.9), 900.0)
LOST = Served(None, 300.0, "upstream_error")


def test_what_is_late_or_lost_fails_its_caller_and_nothing_else_does():
    assert [useless(served) for served in (GOOD, LATE, LOST)] == [False, True, True]


def test_a_failure_counts_by_when_the_gateway_took_the_request():
    facts = Facts()
    facts.felt(9.0, failed=True)  # before any outage: counted, and nobody's
    facts.broke(10.0)
    for began, failed in ((10.1, True), (11.9, True), (11.95, False), (12.0, True), (12.5, True)):
        facts.served("fallback" if began == 12.0 else "primary", LATE if failed else GOOD, began, began + 0.9)
        facts.felt(began, failed=failed)
    (cycle,) = facts.cycles
    assert (facts.calls, facts.failures) == (6, 5)
    assert (cycle.failed_before, cycle.failed_after, cycle.on_fallback) == (2, 2, 1)
    assert (cycle.first_bad_at, cycle.first_on_fallback_at) == (11.0, 12.0)


def test_traffic_is_back_with_the_first_good_answer_of_the_primary_after_the_switch():
    facts = Facts()
    facts.broke(10.0)
    facts.served("fallback", GOOD, 12.0, 12.1)
    facts.served("primary", GOOD, 11.9, 12.2)  # was under way when traffic moved
    facts.served("primary", LATE, 19.0, 20.0)
    assert facts.cycles[0].back_on_primary_at is None
    facts.served("primary", GOOD, 20.0, 20.1)
    assert facts.cycles[0].back_on_primary_at == 20.0


def test_probes_are_no_requests():
    facts = Facts()
    facts.broke(1.0)
    facts.probed(LOST)
    assert (facts.requests, facts.probes, facts.probes_failed) == (0, 1, 1)
    assert facts.cycles[0].failed_before == 0


def test_each_outage_is_its_own():
    facts = Facts()
    facts.broke(1.0)
    facts.healed(2.0)
    facts.broke(3.0)
    assert [(c.broke_at, c.healed_at) for c in facts.cycles] == [(1.0, 2.0), (3.0, None)]
    assert facts.told()["cycles"][0] == dataclasses.asdict(facts.cycles[0])


def rows(count=400, seed=5):
    return [dict(zip(FEATURES, row, strict=True)) for row in transactions(count, seed).tolist()]


def test_the_models_are_real_and_the_same_at_every_start():
    first, second, rules = LogisticRegression(), LogisticRegression(), RuleSet()
    assert (first.weights == second.weights).all()
    given = rows()
    verdicts = [first.score(row).prediction for row in given]
    assert {"allow", "deny"} == set(verdicts)
    agree = sum(rules.score(row).prediction == verdict for row, verdict in zip(given, verdicts, strict=True))
    assert 0.7 < agree / len(given) < 1.0
    assert all(0.5 <= first.score(row).confidence <= 1.0 for row in given)
    risky = {"amount": 900.0, "night": 1.0, "foreign": 1.0, "attempts": 4.0, "account_days": 2.0}
    calm = {"amount": 12.0, "night": 0.0, "foreign": 0.0, "attempts": 0.0, "account_days": 900.0}
    for model in (first, rules):
        assert (model.score(risky).prediction, model.score(calm).prediction) == ("deny", "allow")


async def test_a_broken_target_is_slow_and_sometimes_fails():
    serving = Serving(RuleSet(), 5.0, seed=1)
    assert (await serving.serve(rows(1)[0])).latency_ms < 100.0
    serving.broken = True
    served = await asyncio.gather(*(serving.serve(rows(1)[0]) for _ in range(20)))
    assert all(one.latency_ms > 800.0 for one in served)
    assert any(one.error for one in served)
