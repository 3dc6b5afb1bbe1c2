"""A runbook whose review ran out may not go on alone, and says so."""

from dataclasses import replace
from datetime import date

import pytest

from fireline.domain.autonomy import allowed, unreviewed
from fireline.domain.reviews import due, overdue
from fireline.domain.runbooks import Autonomy, Runbook, Step
from fireline.spec.templates import compile_template

DAY = 86_400.0
BOOK = Runbook("route-back", "payments-ml", (), reviewed="2026-11-01", review_every=90 * DAY)


@pytest.mark.parametrize(("today", "late"), [(date(2026, 11, 1), 0), (date(2027, 1, 30), 0), (date(2027, 1, 31), 1)])
def test_a_review_lasts_its_days(today, late):
    assert overdue(BOOK.reviewed, BOOK.review_every, today) == late
    assert overdue(None, BOOK.review_every, today) == overdue(BOOK.reviewed, None, today) == 0
    assert due("9999-12-01", 1e11) == date.max


@pytest.mark.parametrize(
    ("asked", "today", "mode"),
    [
        (Autonomy.AUTO, date(2027, 1, 30), Autonomy.AUTO),
        (Autonomy.AUTO, date(2027, 1, 31), Autonomy.APPROVE),
        (Autonomy.SUGGEST, date(2027, 1, 31), Autonomy.SUGGEST),
        (Autonomy.AUTO, None, Autonomy.AUTO),
    ],
)
def test_an_overdue_one_asks_before_it_starts(asked, today, mode):
    found = allowed(BOOK, asked, (), today=today)
    assert found.mode is mode
    if mode is Autonomy.APPROVE:
        assert found.line == "its review of 2026-11-01 is overdue by 1 day"


def test_so_does_one_that_runs_an_overdue_one():
    outer = Runbook("outer", "payments-ml", (Step("inner", "runbook.run", compile_template({}), sub=BOOK),))
    assert unreviewed(outer, date(2027, 2, 9)) == "the review of route-back of 2026-11-01 is overdue by 10 days"
    assert unreviewed(replace(outer, steps=()), date(2027, 2, 9)) == ""
