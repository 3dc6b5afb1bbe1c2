"""Approving: how many it takes, who may not be alone, and that nothing changes what was decided or expired."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireline.domain.approving import Approval, Asking, OnTimeout, People, Standing, Vote, escalated, read, voted

PEOPLE = People(frozenset({"ann", "ben", "cleo"}), asker="ann", names={"ann": "Ann", "ben": "Ben", "cleo": "Cleo"})
UNTIL = 1000.0


def asking(**terms):
    return Asking(Approval(**terms), UNTIL)


def yes(person, at=10.0):
    return Vote(person, True, at)


def no(person, at=10.0, reason=""):
    return Vote(person, False, at, reason)


def after(question, *votes):
    for vote in votes:
        question = voted(question, vote, PEOPLE)
        assert isinstance(question, Asking), question
    return question


def test_one_is_enough_where_one_is_asked_for():
    assert after(asking(), yes("ben")).standing(10) is Standing.APPROVED


def test_two_of_three_and_one_person_counts_once():
    one = after(asking(count=2), yes("ben"))
    assert one.standing(10) is Standing.OPEN
    again = voted(one, yes("ben", 20), PEOPLE)
    assert "counts once: 1 of 2 have approved (Ben)" in again
    assert after(one, yes("cleo")).standing(10) is Standing.APPROVED


def test_who_asked_is_not_the_only_one_who_approves():
    assert "You asked for this run yourself" in voted(asking(), yes("ann"), PEOPLE)
    assert after(asking(four_eyes=False), yes("ann")).standing(10) is Standing.APPROVED
    both = after(asking(count=2), yes("ann"), yes("ben"))
    assert both.standing(10) is Standing.APPROVED, "of two, one may be who asked"


def test_one_who_rejects_ends_it_and_says_why():
    ended = after(asking(count=2), yes("ben"), no("cleo", reason="not at noon"))
    assert ended.standing(10) is Standing.REFUSED
    assert voted(ended, yes("ann", 70), PEOPLE) == "Already rejected by Cleo at 00:00 UTC: not at noon."


def test_who_approved_may_think_again_while_it_is_open():
    assert after(asking(count=2), yes("ben"), no("ben")).standing(10) is Standing.REFUSED


def test_others_are_not_heard():
    assert voted(asking(), yes("emil"), PEOPLE) == "You are not one of those who may decide this: Ann, Ben, Cleo."


def test_at_its_time_it_is_over_whatever_is_under_way():
    last = after(asking(count=2), yes("ben", UNTIL - 0.001))
    assert voted(last, yes("cleo", UNTIL), PEOPLE) == ("Too late: it expired at 00:16 UTC; 1 of 2 have approved (Ben).")
    assert last.standing(UNTIL) is Standing.EXPIRED
    assert after(last, yes("cleo", UNTIL - 0.001)).standing(UNTIL + 9e9) is Standing.APPROVED, "it was in time"


def test_it_is_escalated_once_and_then_over():
    wide = Approval(timeout=60.0, on_timeout=OnTimeout.ESCALATE, escalate_to=("team:risk",))
    first = Asking(wide, UNTIL)
    second = escalated(first, UNTIL, 9e9)
    assert second is not None
    assert (second.of, second.until) == (("owner", "team:risk"), UNTIL + 60)
    assert escalated(second, UNTIL + 60, 9e9) is None
    assert escalated(first, UNTIL, UNTIL) is None, "the run itself is over"
    assert escalated(replace(first, terms=Approval()), UNTIL, 9e9) is None


@pytest.mark.parametrize("person", ["ann", "ben"])
def test_it_is_kept_and_read(person):
    kept = after(Asking(Approval(("owner", "person:x"), 2), UNTIL, "May it?", (("slack", "C1"),)), yes(person))
    assert read(kept.kept()) == kept
    assert read({}) is None


@given(st.lists(st.tuples(st.sampled_from(["ann", "ben", "cleo", "emil"]), st.booleans(), st.floats(0, 2000))))
def test_whatever_is_clicked_it_ends_once(clicks):
    question = asking(count=2)
    ended = None
    for person, approved, at in sorted(clicks, key=lambda click: click[2]):
        heard = voted(question, Vote(person, approved, at), PEOPLE)
        if ended is not None or at >= UNTIL:
            assert isinstance(heard, str), "late: told, not counted"
            continue
        question = question if isinstance(heard, str) else heard
        standing = question.standing(at)
        ended = None if standing is Standing.OPEN else standing
    assert len(set(question.approved_by)) == len(question.approved_by) <= 2
    assert "emil" not in question.approved_by
