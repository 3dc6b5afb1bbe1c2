"""One arm against another, beside SciPy's tests of the same numbers."""

import random

import pytest
from pydantic import ValidationError
from scipy import stats

from fireline.domain.events import Kind
from fireline.domain.expressions import EvaluationFault
from fireline.domain.rules import Measure
from fireline.measures import FAMILIES
from fireline.measures.two_samples import Sample, proportions, welch

ARMS = FAMILIES["arms"]
SIDES = {"both": "two-sided", "higher": "greater", "lower": "less"}


class Failed:
    source = "error != ''"
    variables = frozenset({"error"})

    def holds(self, values):
        if "error" not in values:
            raise EvaluationFault("no error")
        return values["error"] != ""


def told(rows, condition=None, of=None, parts=1, **options):
    options = ARMS.settings.model_validate({"arm": "version", **options}).model_dump()
    measure = Measure("m", "arms", of, options, condition=condition)
    state = ARMS.fold([], [], options)
    for part in range(parts):
        own = rows[part::parts]
        state = ARMS.merge(state, ARMS.fold(ARMS.column(Kind.PREDICTION, own, measure), [0.0] * len(own), options))
    return ARMS.read(state, 60.0, options), ARMS.caveat(state, 60.0, options)


def errors(**failed_of):
    return [
        {"version": version.removeprefix("v"), "error": "timeout" if i < failed else ""}
        for version, (failed, of) in failed_of.items()
        for i in range(of)
    ]


def test_shares_are_compared():
    rows = errors(v14=(30, 1000), v15=(9, 100))
    assert told(rows, Failed(), treatment=15, control=14)[0] == pytest.approx(0.06)
    assert told(rows, Failed(), treatment=15, control=14, tell="ratio", parts=7)[0] == pytest.approx(3.0)
    assert told(rows, Failed(), treatment=15, control=14)[1] == (
        "compares 0.09 (of 100 events) with 0.03 (of 1000 events) in control"
    )


def test_the_arm_that_is_not_named_is_all_the_others_that_name_one():
    rows = [*errors(v13=(0, 50), v14=(10, 50), v15=(30, 60)), {"error": "lost"}, {"version": "15"}]
    assert told(rows, Failed(), treatment="15")[0] == pytest.approx(0.5 - 0.1)
    assert told(rows, Failed(), control="15")[0] == pytest.approx(0.1 - 0.5)
    assert told(rows, Failed(), treatment="15", control="14")[0] == pytest.approx(0.5 - 0.2)


def test_too_few_in_either_arm_say_nothing():
    rows = errors(v14=(1, 100), v15=(10, 29))
    assert told(rows, Failed(), treatment="15") == (None, None)
    assert told(rows, Failed(), treatment="15", min_count=29)[0] is not None
    assert told(errors(v14=(0, 50), v15=(1, 50)), Failed(), treatment="15", tell="ratio")[0] is None
    two = [{"version": "15", "value": 1.0}, {"version": "14", "value": 2.0}]
    assert told(two, treatment="15", min_count=1)[0] == -1.0
    assert told(two, treatment="15", min_count=1, tell="p_value")[0] is None


def test_with_a_condition_a_mean_is_that_of_the_events_for_which_it_holds():
    rows = [{"version": "15", "ms": 90.0, "error": "x"}, {"version": "15", "ms": 5.0, "error": ""}, {"version": "15"}]
    rows.append({"version": "14", "ms": 70.0, "error": "x"})
    assert told(rows, Failed(), of="ms", treatment="15", min_count=1)[0] == 20.0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "name `treatment`"),
        ({"treatment": "14", "control": 14}, "are both `14`"),
        ({"treatment": "14", "arm": ""}, "at least 1 character"),
    ],
)
def test_arms_that_make_no_sense_are_refused(options, said):
    with pytest.raises(ValidationError, match=said):
        ARMS.settings.model_validate({"arm": "version", **options})


@pytest.mark.parametrize("side", SIDES)
def test_the_chance_of_a_share_is_that_of_the_pooled_z_test(side):
    rows = errors(v14=(30, 1000), v15=(9, 100))
    z = (0.09 - 0.03) / (39 / 1100 * (1 - 39 / 1100) * (1 / 100 + 1 / 1000)) ** 0.5
    expected = {"both": 2 * stats.norm.sf(z), "higher": stats.norm.sf(z), "lower": stats.norm.cdf(z)}[side]
    found = told(rows, Failed(), treatment=15, tell="p_value", side=side, parts=3)[0]
    assert found == pytest.approx(expected, rel=1e-9)
    if side == "both":  # the z-test is the chi-square test of the table, uncorrected
        table = stats.chi2_contingency([[9, 91], [30, 970]], correction=False)
        assert found == pytest.approx(table.pvalue, rel=1e-9)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("shift", "sizes"), [(0.0, (40, 40)), (3.0, (31, 400)), (-8.0, (2000, 35)), (1e9, (50, 60))])
def test_the_chance_of_a_mean_is_that_of_welch(side, shift, sizes):
    rng = random.Random(sizes[0])
    canary = [rng.lognormvariate(3, 1) + shift for _ in range(sizes[0])]
    control = [rng.lognormvariate(3, 0.7) + (shift if shift > 1e6 else 0.0) for _ in range(sizes[1])]
    rows = [{"version": "15", "ms": x} for x in canary] + [{"version": "14", "ms": x} for x in control]
    rng.shuffle(rows)
    found = told(rows, of="ms", treatment="15", tell="p_value", side=side, parts=4)[0]
    expected = stats.ttest_ind(canary, control, equal_var=False, alternative=SIDES[side]).pvalue
    assert found == pytest.approx(expected, rel=1e-9 if shift < 1e6 else 1e-4, abs=1e-9)


def test_tests_of_two_samples_agree_with_scipy_over_many():
    rng = random.Random(4)
    for _ in range(300):
        one = Sample(rng.choice([2, 3, 30, 10**6]), rng.gauss(0, rng.choice([0.01, 1, 30])), rng.random() * 100)
        two = Sample(rng.choice([2, 5, 2000]), rng.gauss(0, 1), rng.choice([1e-6, 1.0]) * rng.random())
        for side, alternative in SIDES.items():
            expected = stats.ttest_ind_from_stats(
                one.mean, one.variance**0.5, one.many, two.mean, two.variance**0.5, two.many, False, alternative
            ).pvalue
            assert welch(one, two, side) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_samples_that_do_not_vary_leave_nothing_to_chance():
    still = Sample(10, 1.0, 0.0)
    assert [welch(still, still, side) for side in SIDES] == [1.0, 0.5, 0.5]
    assert [welch(Sample(10, 2.0, 0.0), still, side) for side in SIDES] == [0.0, 0.0, 1.0]
    assert [proportions(5, 5, 9, 9, side) for side in SIDES] == [1.0, 1.0, 1.0]


def test_a_rule_on_chance_alone_cries_wolf_about_as_often_as_it_says():
    rng, low = random.Random(8), 0
    for _ in range(1000):
        hits, others = (sum(rng.random() < 0.1 for _ in range(150)) for _ in range(2))
        low += proportions(hits, 150, others, 150, "both") < 0.05
    assert 30 <= low <= 75
