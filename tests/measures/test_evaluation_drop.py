"""Scores of the newest version against those before it."""

import itertools

import pytest

from fireline.domain.events import Kind
from fireline.domain.rules import Measure
from fireline.measures import FAMILIES

DROP = FAMILIES["evaluation_drop"]


def state_of(runs, options):
    """The state of `(at, version, score)` or `(at, version, score, suite, name)`."""
    rows = [
        {"version": version, "score": score, "suite": (rest or ("golden",))[0], "name": (rest or ("", "f1"))[1]}
        for _, version, score, *rest in runs
    ]
    column = DROP.column(Kind.EVALUATION, rows, Measure("m", "evaluation_drop"))
    return DROP.fold(column, [float(run[0]) for run in runs], options)


def drop(*runs, **options):
    options = DROP.settings.model_validate(options).model_dump()
    state = DROP.fold([], [], options)
    for run in runs:
        state = DROP.merge(state_of([run], options), state)
    assert state == state_of(runs, options)
    value = DROP.read(state, 60.0, options)
    return None if value is None else pytest.approx(value), DROP.caveat(state, 60.0, options)


HISTORY = ((1, "13", 0.93), (2, "14", 0.90), (3, "15", 0.85))


def test_the_newest_version_is_compared_with_the_best_before_it_or_the_last():
    assert drop(*HISTORY) == (0.08, "is of golden f1: 0.85 in version 15, 0.93 in version 13")
    assert drop(*HISTORY, against="last") == (0.05, "is of golden f1: 0.85 in version 15, 0.9 in version 14")
    assert drop(*HISTORY[:2], (3, "15", 0.95))[0] == -0.02, "better is below zero"


def test_nothing_to_compare_with_has_no_value():
    assert drop() == (None, None)
    assert drop((1, "14", 0.9), (2, "14", 0.8)) == (None, None), "one version, scored twice"
    assert drop((1, "14", 0.9), (2, "15", None), (3, "", 0.1)) == (None, None), "no score, no version"


def test_only_good_versions_are_compared_with():
    bad = ((1, "13", 0.95), (2, "14", 0.60), (3, "15", 0.61))
    assert drop(*bad, against="last")[0] == -0.01
    assert drop(*bad, against="last", good=0.9)[0] == 0.34
    assert drop(*bad, good=0.99)[0] is None


def test_scores_that_should_be_small():
    gap = ((1, "14", 0.02, "bias", "gap"), (2, "15", 0.09, "bias", "gap"))
    assert drop(*gap, better="lower")[0] == 0.07
    assert drop(*gap, better="lower", good=0.01)[0] is None
    assert drop(*gap, better="lower", good=0.05)[0] == 0.07


def test_of_several_suites_the_worst_is_told():
    runs = [
        (1, "14", 0.9),
        (2, "15", 0.9),
        (1, "14", 0.8, "red team", "refusals"),
        (2, "15", 0.5, "red team", "refusals"),
    ]
    assert drop(*runs) == (0.3, "is of red team refusals: 0.5 in version 15, 0.8 in version 14")
    assert drop((1, "14", 0.9), (2, "15", 0.4, "golden", "recall"))[0] is None, (
        "suites are not compared with each other"
    )


def test_the_version_scored_last_is_the_newest_unless_versions_decide():
    again = ((1, "9", 0.9), (2, "10", 0.7), (3, "9", 0.9))
    assert drop(*again)[0] == -0.2, "rolled back to 9"
    assert drop(*again, newest_by="version")[0] == 0.2, "an old version scored beside the new one"
    assert drop((1, "v9", 0.9), (2, "v10", 0.7), newest_by="version")[0] == 0.2
    assert drop((1, "2026-09-01", 0.9), (1, "2026-11-01", 0.7), newest_by="version")[0] == 0.2


def test_a_score_is_the_mean_of_its_runs_and_enough_of_them_are_needed():
    runs = [(1, "14", 1.0), (2, "14", 0.8), (3, "15", 0.6), (4, "15", 0.7)]
    assert drop(*runs)[0] == 0.25
    assert drop(*runs, min_scores=2)[0] == 0.25
    assert drop(*runs, min_scores=3)[0] is None


def test_very_many_versions_are_bounded_and_then_not_told_of_in_any_order():
    runs = [(i, f"v{i}", 0.5) for i in range(300)]
    parts = [state_of(runs[i::3], {}) for i in range(3)]
    merged = [DROP.merge(DROP.merge(parts[a], parts[b]), parts[c]) for a, b, c in itertools.permutations(range(3))]
    assert all(state == merged[0] == state_of(runs, {}) for state in merged)
    assert len(merged[0]["v"]) == 256
    assert DROP.read(merged[0], 60.0, {}) is None
