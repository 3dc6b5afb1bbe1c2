"""How far a runbook may go alone: every row of the shipped table, the order of rows, and what no table may allow."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireline.domain.autonomy import allowed
from fireline.domain.autonomy_table import BUILT_IN, Case, Reach, Record, Row, covers, row_for
from fireline.domain.runbooks import Autonomy, Oscillation, RunStatus
from tests.engine.runs_world import runbook, shipped

AT_WORK = datetime(2026, 11, 18, 10, 0, tzinfo=UTC).timestamp()
AT_NIGHT = datetime(2026, 11, 18, 2, 0, tzinfo=UTC).timestamp()
ONE = Reach(frozenset({"fraud-scoring"}), 100)
CASE = Case("route-to-fallback", AT_WORK, "outage", ONE)
BOOK = runbook("name: own\nowner: payments-ml\nstart: {mode: auto}\nsteps:\n  - {id: a, uses: wait, with: {for: 1s}}\n")


def ended(*statuses):
    """Runs of the past, the newest first."""
    run = replace(_run(), ended_at=1.0)
    return [replace(run, status=status) for status in statuses]


def _run():
    from fireline.domain.runbooks import Run  # noqa: PLC0415 - short

    return Run(1, "own", "", "", {}, None, Autonomy.AUTO, RunStatus.SUCCEEDED, (), 0.0, 1.0)


WRONG = ended(RunStatus.FAILED, RunStatus.REFUSED, RunStatus.UNDO_FAILED, RunStatus.ABORTED, RunStatus.FAILED)
EVERY_ROW = [
    ("not-reviewed", "approve", replace(CASE, overdue=True)),
    ("fares-badly", "approve", replace(CASE, history=WRONG)),
    ("mild-and-wide", "suggest", replace(CASE, severity="notice", reach=replace(ONE, share=50))),
    ("many-services", "approve", replace(CASE, reach=Reach(frozenset("abcd"), 10))),
    ("degraded-out-of-hours", "approve", replace(CASE, severity="degraded", now=AT_NIGHT)),
    ("all-else", "auto", CASE),
    # just beside each row
    ("all-else", "auto", replace(CASE, history=[*ended(RunStatus.SUCCEEDED), *WRONG])),
    ("all-else", "auto", replace(CASE, severity="notice", reach=replace(ONE, share=49))),
    ("all-else", "auto", replace(CASE, reach=Reach(frozenset("abc"), 100))),
    ("all-else", "auto", replace(CASE, severity="degraded")),
    ("all-else", "auto", replace(CASE, severity="degraded", now=AT_NIGHT, reach=replace(ONE, share=99))),
    # what cannot be told counts as the worst
    ("many-services", "approve", replace(CASE, reach=Reach(None, None))),
]


@pytest.mark.parametrize(("row", "mode", "case"), EVERY_ROW)
def test_every_row_of_the_shipped_table(row, mode, case):
    found = row_for(shipped().autonomy, case)
    assert found is not None
    assert (found[0].name, found[0].at_most.value) == (row, mode)


def test_how_often_runs_may_undo_each_other_is_written_as_it_is_without_a_file():
    assert shipped().oscillation == Oscillation() == Oscillation(3, 3600.0)


def test_no_row_was_forgotten():
    assert {row.name for row in shipped().autonomy} == {name for name, _, _ in EVERY_ROW}


@pytest.mark.parametrize("asked", list(Autonomy))
@pytest.mark.parametrize("limit", list(Autonomy))
def test_it_is_the_lower_of_what_is_asked_for_and_the_policy(asked, limit):
    order = list(Autonomy)
    found = allowed(BOOK, asked, (), rows=(Row("only", limit, line=7),), case=CASE)
    assert found.mode is min(asked, limit, key=order.index)
    assert "autonomy.yaml:7 `only` allows" in found.line, "the line of policy is told either way"


def test_what_the_table_cannot_allow():
    rows = (Row("all", Autonomy.AUTO, line=1),)
    assert allowed(BOOK, Autonomy.AUTO, (), timeline="replay", rows=rows, case=CASE).mode is Autonomy.SHADOW
    acts = runbook(
        "name: own\nowner: payments-ml\nsteps:\n"
        "  - {id: gone, uses: http.request, with: {url: https://a.example/}, irreversible: true}\n"
    )
    found = allowed(acts, Autonomy.AUTO, (), rows=rows, case=CASE)
    assert (found.mode, "gone is irreversible" in found.line) == (Autonomy.APPROVE, True)


def test_without_a_file_three_failures_in_a_row_ask():
    assert allowed(BOOK, Autonomy.AUTO, WRONG).mode is Autonomy.APPROVE
    assert allowed(BOOK, Autonomy.AUTO, WRONG[:3]).mode is Autonomy.AUTO
    assert BUILT_IN[0].record == Record(3, 3)


NAMES = st.lists(st.sampled_from(["a", "b", "c"]), max_size=2, unique=True).map(tuple)
MAYBE = st.none() | st.booleans()
ROWS = st.builds(
    Row,
    name=st.sampled_from(["one", "two"]),
    at_most=st.sampled_from(list(Autonomy)),
    severities=NAMES,
    services=NAMES,
    runbooks=NAMES,
    share=st.none() | st.integers(1, 3),
    touched=st.none() | st.integers(1, 3),
    irreversible=MAYBE,
    overdue=MAYBE,
    record=st.none() | st.builds(Record, st.integers(1, 2), st.integers(1, 3)),
    asked_by=st.sampled_from(["", "rule", "person"]),
)
CASES = st.builds(
    Case,
    runbook=st.sampled_from(["a", "b", "c"]),
    now=st.just(AT_WORK),
    severity=st.sampled_from(["a", "b", "c", ""]),
    reach=st.builds(Reach, st.none() | st.frozensets(st.sampled_from(["a", "b", "c"])), st.none() | st.integers(0, 4)),
    irreversible=st.booleans(),
    overdue=st.booleans(),
    asked_by=st.sampled_from(["rule", "person"]),
    history=st.lists(st.sampled_from([RunStatus.FAILED, RunStatus.SUCCEEDED]), max_size=4).map(lambda s: ended(*s)),
)


@given(ROWS, ROWS, CASES)
def test_a_row_that_is_covered_never_applies_first(earlier, later, case):
    if covers(earlier, later) and row_for([later], case):
        assert row_for([earlier], case), "it applies whenever the later one does"


def test_the_table_is_where_it_is():
    assert (Path(__file__).parents[2] / "rules" / "autonomy.yaml").is_file()
