"""The score of the Numenta benchmark on cases that were counted by hand."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.nab_scoring import probationary, sigmoid, together, worth_of

TIMES = [float(at) for at in range(100)]


def score(*detected, windows=((40.0, 49.0), (70.0, 79.0)), times=TIMES):
    chosen = np.zeros(len(times), dtype=bool)
    chosen[list(detected)] = True
    return worth_of(times, windows).score(chosen)


def test_the_sigmoid_at_the_places_that_the_paper_tells():
    assert sigmoid(-1.0) == pytest.approx(0.98661, abs=1e-5)
    assert sigmoid(-0.5) == pytest.approx(0.84828, abs=1e-5)
    assert sigmoid(0.0) == 0.0
    assert sigmoid(1.0) == pytest.approx(-0.98661, abs=1e-5)
    assert (sigmoid(3.0), sigmoid(1e9)) == (-1.0, -1.0)


def test_nothing_scores_nothing_and_perfection_a_hundred():
    assert score().raw == -2.0
    assert score().normalised == 0.0
    assert score(40, 70).raw == pytest.approx(2.0)
    assert score(40, 70).normalised == pytest.approx(100.0)
    assert (score(40, 70).caught, score(40, 70).false) == (2, 0)


def test_the_earliest_detection_of_a_window_counts_and_the_others_are_free():
    middle = sigmoid(-0.5) / sigmoid(-1.0)  # record 45 of 40 to 49: five records are left of ten
    assert score(45).raw == pytest.approx(middle - 1.0)
    assert score(45, 46, 47, 49).raw == score(45).raw
    assert score(49).raw == pytest.approx(sigmoid(-0.1) / sigmoid(-1.0) - 1.0)
    assert score(45).normalised == pytest.approx(100 * (middle + 1) / 4)


def test_false_detections_cost_each_and_less_behind_a_window():
    assert score(20, 21, 30).raw == pytest.approx(-2.0 - 3 * 0.11)
    assert score(52).raw == pytest.approx(-2.0 + 0.11 * sigmoid(3 / 9))
    assert score(69).raw == pytest.approx(-2.0 + 0.11 * sigmoid(20 / 9))
    assert score(99).raw == pytest.approx(-2.0 + 0.11 * sigmoid(20 / 9))
    assert score(52).raw > score(55).raw > score(69).raw > score(39).raw
    assert score(20, 52, 45).false == 2


def test_the_beginning_counts_for_nothing():
    assert [probationary(n) for n in (10, 100, 5000, 22_695)] == [1, 15, 750, 750]
    assert score(*range(15)).raw == -2.0
    assert score(14, 15).raw == pytest.approx(-2.11)
    assert score(12, windows=((10.0, 13.0), (40.0, 49.0))).null == -1.0, "a window that nobody can detect"
    assert score(16, windows=((10.0, 19.0),)).caught == 1


def test_without_windows_only_false_detections_count():
    quiet = score(20, 21, windows=())
    assert quiet.raw == pytest.approx(-0.22)
    assert math.isnan(quiet.normalised)


def test_series_are_added_before_they_are_normalised():
    both = together([score(40, 70), score(20, 21, windows=())])
    assert both.normalised == pytest.approx(100 * (2 - 0.22 + 2) / 4)
    assert (both.windows, both.caught, both.false) == (2, 2, 2)


def test_irregular_times_are_counted_in_records():
    times = [float(at * at) for at in range(40)]
    found = score(25, windows=((400.0, 900.0),), times=times)  # records 20 to 30; 25 has six left of eleven
    assert found.raw == pytest.approx(sigmoid(-6 / 11) / sigmoid(-1.0))


@pytest.mark.shared_data
def test_recordings_are_scored(shared_data, repository):
    """The three shortest, each detector by both ways of counting."""
    run = [sys.executable, "benchmarks/bench_nab.py", "--quick", "--json", "--data", str(shared_data)]
    rows = json.loads(subprocess.run(run, cwd=repository, capture_output=True, check=True).stdout)
    assert {row["name"].split(", ")[1] for row in rows} == {"records", "pages"}
    assert all(row["value"] <= 100 for row in rows)
    assert len({row["value"] for row in rows}) > len(rows) // 2
