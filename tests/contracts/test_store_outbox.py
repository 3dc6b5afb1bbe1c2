"""What every Store promises of effects and timers: order in a lane, one in flight, leases, nothing queued twice."""

from sqlalchemy import text

from fireline.adapters.database import DatabaseStore
from fireline.adapters.database_outbox import UNREADABLE_DELAY
from fireline.domain.effects import Effect, Publish, Timer

from .examples import card, say


def queue(store: DatabaseStore, *effects: Effect, now: float = 1.0) -> None:
    with store.transaction() as tx:
        for effect in effects:
            tx.enqueue(effect, now)


def claim(store: DatabaseStore, now: float, owner: str = "me", limit: int = 10) -> list[str]:
    return [queued.effect.key for queued in store.claim_effects(owner, now, 30.0, limit)]


def withdraw(store: DatabaseStore, key: str) -> bool:
    with store.transaction() as tx:
        return tx.withdraw(key, "acknowledged")


def outcome(store: DatabaseStore, key: str) -> tuple[str, float | None]:
    with store._writing() as connection:
        row = connection.execute(text("SELECT outcome, done_at FROM effects WHERE key = :key"), {"key": key}).one()
    return row.outcome, row.done_at


def test_an_effect_comes_back_equal_with_its_history(store: DatabaseStore) -> None:
    effect = Publish("p", "fireline.incidents", "1", {"n": 1, "nested": {"x": [1.5, None]}})
    queue(store, effect, now=3.0)
    [queued] = store.claim_effects("me", 4.0, 30.0, 10)
    assert queued.effect == effect
    assert (queued.attempts, queued.queued_at, queued.maybe_sent) == (0, 3.0, False)


def test_a_key_is_queued_once_also_when_it_is_done(store: DatabaseStore) -> None:
    queue(store, say("a"))
    queue(store, say("a"))
    assert claim(store, 2.0) == ["a"]
    store.finish_effect("a", "me", "delivered", 2.0)
    queue(store, say("a"))
    assert claim(store, 3.0) == []
    assert outcome(store, "a") == ("delivered", 2.0)


def test_a_lane_gives_its_oldest_and_one_at_a_time(store: DatabaseStore) -> None:
    queue(store, say("a1", "A"), say("b1", "B"), say("a2", "A"), say("b2", "B"))
    assert claim(store, 2.0) == ["a1", "b1"]
    assert claim(store, 2.0, "other") == []
    store.finish_effect("b1", "me", "delivered", 2.0)
    assert claim(store, 2.0, "other") == ["b2"]
    store.finish_effect("a1", "me", "delivered", 2.0)
    assert claim(store, 2.0) == ["a2"]


def test_the_limit_takes_the_oldest(store: DatabaseStore) -> None:
    queue(store, *(say(f"k{n}", f"lane-{n}") for n in range(5)))
    assert claim(store, 2.0, limit=2) == ["k0", "k1"]
    assert claim(store, 2.0, limit=2) == ["k2", "k3"]


def test_cards_go_before_the_lines_of_their_room_that_wait_for_their_turn(store: DatabaseStore) -> None:
    queue(store, card("opened"), say("paged"), say("delivered"))
    assert claim(store, 1.0) == ["opened"]
    queue(store, card("acknowledged"), say("who has it"), card("resolved"), now=2.0)
    assert claim(store, 2.0) == [], "one is in flight, whatever comes after it"
    store.finish_effect("opened", "me", "done", 2.0)
    assert claim(store, 3.0) == ["acknowledged"]
    store.finish_effect("acknowledged", "me", "done", 3.0)
    assert claim(store, 4.0) == ["resolved"]
    store.finish_effect("resolved", "me", "done", 4.0)
    lines = ["paged", "delivered", "who has it"]
    for at, line in enumerate(lines, 5):
        assert claim(store, float(at)) == [line]
        store.finish_effect(line, "me", "done", float(at))


def test_a_card_does_not_wait_for_a_line_that_was_put_off(store: DatabaseStore) -> None:
    queue(store, say("paged"))
    assert claim(store, 1.0) == ["paged"]
    store.postpone_effect("paged", "me", 60.0, "rate limited")
    queue(store, card("acknowledged"), now=2.0)
    assert store.next_due() == 2.0
    assert claim(store, 2.0) == ["acknowledged"]
    store.finish_effect("acknowledged", "me", "done", 3.0)
    assert (claim(store, 59.0), claim(store, 60.0)) == ([], ["paged"])


def test_a_postponed_effect_holds_its_lane_and_counts_attempts(store: DatabaseStore) -> None:
    queue(store, say("a1", "A"), say("a2", "A"))
    assert claim(store, 2.0) == ["a1"]
    store.postpone_effect("a1", "me", 50.0, "429")
    assert claim(store, 49.9) == []
    assert store.next_due() == 50.0
    [queued] = store.claim_effects("me", 50.0, 30.0, 10)
    assert (queued.effect.key, queued.attempts, queued.maybe_sent) == ("a1", 1, False)
    store.postpone_effect("a1", "me", 60.0, "time-out", maybe_sent=True)
    [queued] = store.claim_effects("me", 60.0, 30.0, 10)
    assert (queued.attempts, queued.maybe_sent) == (2, True)


def test_a_lease_that_ran_out_makes_the_effect_maybe_sent(store: DatabaseStore) -> None:
    queue(store, say("a1", "A"), say("a2", "A"))
    assert claim(store, 2.0, "crashed") == ["a1"]
    assert claim(store, 31.9) == []
    assert store.next_due() == 32.0
    [queued] = store.claim_effects("me", 32.0, 30.0, 10)
    assert (queued.effect.key, queued.attempts, queued.maybe_sent) == ("a1", 1, True)


def test_a_lost_lease_finishes_and_postpones_nothing(store: DatabaseStore) -> None:
    queue(store, say("a"))
    claim(store, 2.0, "slow")
    claim(store, 40.0, "me")
    store.finish_effect("a", "slow", "delivered", 41.0)
    store.postpone_effect("a", "slow", 500.0, "late")
    assert outcome(store, "a") == ("", None)
    store.finish_effect("a", "me", "delivered", 42.0)
    assert outcome(store, "a") == ("delivered", 42.0)


def test_a_late_finish_counts_while_nobody_else_took_it(store: DatabaseStore) -> None:
    queue(store, say("a"))
    claim(store, 2.0, "slow")
    store.finish_effect("a", "slow", "delivered", 99.0)
    assert claim(store, 100.0) == []


def test_a_queued_effect_is_withdrawn(store: DatabaseStore) -> None:
    queue(store, say("a1", "A"), say("a2", "A"))
    assert withdraw(store, "a1")
    assert not withdraw(store, "a1")
    assert not withdraw(store, "unknown")
    assert claim(store, 2.0) == ["a2"]
    assert outcome(store, "a1")[0] == "withdrawn: acknowledged"


def test_an_effect_in_flight_is_withdrawn_from_repetition_only(store: DatabaseStore) -> None:
    queue(store, say("a1", "A"), say("a2", "A"))
    claim(store, 2.0, "me")
    assert not withdraw(store, "a1")
    assert claim(store, 3.0) == [], "a1 is still being sent, and its lane keeps its order"
    assert store.next_due() == 32.0
    store.finish_effect("a1", "me", "delivered", 4.0)
    assert outcome(store, "a1") == ("delivered", 4.0)
    assert claim(store, 5.0) == ["a2"]


def test_an_effect_that_may_have_been_sent_is_not_called_withdrawn(store: DatabaseStore) -> None:
    queue(store, say("a"))
    claim(store, 2.0)
    store.postpone_effect("a", "me", 10.0, "time-out", maybe_sent=True)
    assert not withdraw(store, "a")
    assert claim(store, 100.0) == []


def test_a_withdrawn_effect_whose_sender_crashed_frees_its_lane(store: DatabaseStore) -> None:
    queue(store, say("a1", "A"), say("a2", "A"))
    claim(store, 2.0, "crashed")
    withdraw(store, "a1")
    assert claim(store, 32.0) == ["a2"]


def test_an_effect_that_this_version_cannot_read_waits(store: DatabaseStore) -> None:
    queue(store, say("a", "A"), say("b", "B"))
    with store._writing() as connection:
        connection.execute(text("UPDATE effects SET data = :data WHERE key = 'a'"), {"data": b'["Sing",{}]'})
    assert claim(store, 2.0) == ["b"]
    assert store.next_due() == 2.0 + 30.0
    store.finish_effect("b", "me", "done", 2.0)
    assert store.next_due() == 2.0 + UNREADABLE_DELAY
    assert "cannot read" in outcome(store, "a")[0]


def test_timers_are_claimed_when_due_the_most_overdue_first(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        for due in (30.0, 10.0, 20.0):
            tx.arm(Timer(f"t{due:g}", due, "escalate", incident=1))
    assert store.next_due() == 10.0
    assert store.claim_timers("me", 9.9, 30.0, 10) == []
    assert store.next_timer() == 10.0
    assert [t.key for t in store.claim_timers("me", 20.0, 30.0, 10)] == ["t10", "t20"]
    assert store.claim_timers("other", 20.0, 30.0, 10) == []
    assert store.next_due() == 30.0


def test_a_timer_that_was_not_handled_comes_again(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        tx.arm(Timer("t", 10.0, "escalate", incident=1))
    assert len(store.claim_timers("crashed", 10.0, 30.0, 10)) == 1
    assert store.claim_timers("me", 39.0, 30.0, 10) == []
    assert len(store.claim_timers("me", 40.0, 30.0, 10)) == 1


def test_arming_again_replaces_and_disarming_removes(store: DatabaseStore) -> None:
    with store.transaction() as tx:
        tx.arm(Timer("t", 10.0, "escalate", incident=1))
        tx.disarm("unknown")
    store.claim_timers("me", 10.0, 30.0, 10)
    with store.transaction() as tx:
        tx.arm(Timer("t", 15.0, "escalate", incident=1))
    assert [t.due_at for t in store.claim_timers("me", 15.0, 30.0, 10)] == [15.0]
    with store.transaction() as tx:
        tx.disarm("t")
    assert store.claim_timers("me", 1000.0, 30.0, 10) == []
    assert store.next_due() is None


def test_changed_moves_with_each_commit_and_only_then(store: DatabaseStore) -> None:
    queue(store, card("a"))
    seen = store.changed()
    store.next_due()
    assert claim(store, 0.5) == []
    with store.transaction() as tx:
        tx.enqueue(card("b"), 1.0)
        during = store.changed()
    after = store.changed()
    assert after != seen
    assert after != during
    claim(store, 2.0)
    assert store.changed() != after


def test_lanes_of_a_channel_may_be_left_out(store: DatabaseStore) -> None:
    queue(store, say("a", "A"), Publish("p", "fireline.incidents", "1", {}))
    without = frozenset({"slack"})
    assert [queued.effect.key for queued in store.claim_effects("me", 2.0, 30.0, 10, without)] == ["p"]
    assert store.next_due(without) == 32.0, "what is left out is not waited for"
    assert store.next_due() == 1.0
    assert store.claim_effects("me", 2.0, 30.0, 10, frozenset({"slack", "kafka"})) == []
    assert claim(store, 2.0) == ["a"], "and is there when it may be had again"
