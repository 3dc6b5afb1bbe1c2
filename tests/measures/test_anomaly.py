"""The robust score of a value beside earlier ones, and which stretches of the past it asks for."""

import random
import statistics

import pytest
from pydantic import ValidationError
from scipy import stats

from fireline.domain.events import Kind
from fireline.domain.rules import Measure
from fireline.domain.windows import Compares, Lookback
from fireline.measures import FAMILIES
from fireline.measures.anomaly import score

ANOMALY = FAMILIES["anomaly"]
HOUR, DAY = 3600.0, 86_400.0


def options_of(**given):
    return ANOMALY.settings.model_validate(given).model_dump()


def state_of(values, options):
    column = ANOMALY.column(Kind.METRIC, [{"value": value} for value in values], Measure("m", "anomaly"))
    return ANOMALY.fold(column, [float(i) for i in range(len(values))], options)


def told(now, earlier, **given):
    """The score of a window with these values, beside stretches with those; None: nothing is known of a stretch."""
    options = options_of(**given)
    others = [None if values is None else state_of(values, options) for values in earlier]
    return ANOMALY.compare(state_of(now, options), others, HOUR, options)


def test_by_hand():
    # median 10; distances 2 1 0 1 4, their median 1; five values are corrected by 1.206
    assert score(20.0, [8, 9, 10, 11, 14], 0.0, 0.0) == pytest.approx(10 / (1.4826 * 1.206 * 1))
    assert score(0.0, [8, 9, 10, 11, 14], 0.0, 0.0) == pytest.approx(-10 / (1.4826 * 1.206 * 1))
    assert score(10.0, [8, 9, 10, 11, 14]) == 0.0


def test_the_spread_is_that_of_scipy_and_that_of_normal_noise():
    rng = random.Random(2)
    for many in (12, 31):
        earlier = [rng.gauss(100, 5) for _ in range(many)]
        spread = stats.median_abs_deviation(earlier, scale=1 / 1.4826) * many / (many - 0.8)
        assert score(150.0, earlier, 0.0, 0.0) == pytest.approx((150 - statistics.median(earlier)) / spread)
    for many in (3, 5, 7, 9, 20):
        spreads = [1 / (score(1e6, [rng.gauss(0, 1) for _ in range(many)], 1e4, 0.0) / 1e6) for _ in range(10)]
        assert spreads == pytest.approx([1e4] * 10, rel=1e-3), "the least spread"
        found = [1.0 / score(1.0, [rng.gauss(0, 1e-2) for _ in range(many)], 0.0, 0.0) for _ in range(3000)]
        assert statistics.mean(found) == pytest.approx(1e-2, rel=0.07), "on average the standard deviation"


def test_peaks_among_values_that_are_alike_are_usual_by_their_deviation():
    peaks = [0.0] * 9 + [100.0]
    assert told([100.0], [[value] for value in peaks]) == 1000.0
    deviation = 100 / 9**0.5  # around the median, by one less
    assert told([100.0], [[value] for value in peaks], spread="deviation") == pytest.approx(100 / deviation)
    assert told([-5.0], [[3.0], [3.0], [3.0]], spread="deviation", least_share=0.0) == -1000.0


def test_what_hardly_ever_changes_may_change_a_little():
    still = [100.0] * 7
    assert score(100.0, still) == 0.0
    assert score(101.0, still) == pytest.approx(1.0), "1 % of the median is one spread"
    assert score(101.0, still, least_spread=4.0) == 0.25
    assert (score(101.0, still, 0.0, 0.0), score(99.0, still, 0.0, 0.0)) == (1000.0, -1000.0)
    assert (score(1.0, [0.0] * 7), score(0.0, [0.0] * 7)) == (1000.0, 0.0)


@pytest.mark.parametrize(
    ("stat", "now"),
    [("avg", [30.0, 50.0]), ("sum", [40.0]), ("max", [1.0, 40.0]), ("min", [40.0, 90.0]), ("last", [7.0, 40.0])],
)
def test_each_stat_is_taken_of_every_stretch(stat, now):
    earlier = [[9.0], [10.0], [11.0], [10.0]]
    assert told(now, earlier, stat=stat) == pytest.approx(score(40.0, [9, 10, 11, 10]))


def test_quantiles_and_counts():
    earlier = [[10.0] * 9 + [100.0 + k] for k in range(3)]
    assert told([10.0] * 9 + [500.0], earlier, stat="quantile", q=1.0) == pytest.approx(score(500.0, [100, 101, 102]))
    full = [["r"] * 20, ["r"] * 21, ["r"] * 22, ["r"] * 20]
    assert told(["r"] * 2, full, stat="count") == pytest.approx(score(2, [20, 21, 22, 20]))
    assert told([], full, stat="count") == pytest.approx(score(0, [20, 21, 22, 20])), "silence is a count of nothing"
    assert told(["r"], [[]] * 3, stat="count") == 1000.0


def test_until_three_stretches_have_a_value_there_is_none():
    assert told([10.0], [[1.0], [2.0], None]) is None
    assert told([10.0], [[1.0], [2.0], []]) is None
    assert told([10.0], [[1.0], [2.0], ["no number"]]) is None
    assert told([10.0], [[1.0], None, [2.0], [3.0]]) == pytest.approx(score(10.0, [1, 2, 3]))
    assert told([], [[1.0], [2.0], [3.0]]) is None
    assert ANOMALY.read(state_of([1.0], options_of()), HOUR, options_of()) is None


def test_which_stretches_are_asked_for():
    assert isinstance(ANOMALY, Compares)
    assert ANOMALY.lookbacks(HOUR, options_of(period="1d", periods=3)) == [
        Lookback(HOUR, DAY),
        Lookback(HOUR, 2 * DAY),
        Lookback(HOUR, 3 * DAY),
    ]
    assert ANOMALY.lookbacks(HOUR, options_of(periods=3)) == [Lookback(HOUR, k * HOUR) for k in (1, 2, 3)]
    beside = ANOMALY.lookbacks(HOUR, options_of(period="1d", periods=3, beside=1))
    assert [back.offset / HOUR for back in beside] == [23, 24, 25, 47, 48, 49, 71, 72, 73]
    near = ANOMALY.lookbacks(HOUR, options_of(period="1h", periods=3, beside=2))
    assert min(back.offset for back in near) == HOUR, "no stretch shares in the window"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"beside": 1}, "needs a `period`"),
        ({"periods": 2}, "greater than or equal to 3"),
        ({"period": "0s"}, "longer than nothing"),
        ({"least_spread": -1}, "greater than or equal to 0"),
    ],
)
def test_what_makes_no_sense_is_refused(given, said):
    with pytest.raises(ValidationError, match=said):
        options_of(**given)


def test_the_documented_noise_of_few_stretches():
    rng = random.Random(1)
    for many, beyond, share in ((7, 5, 0.021), (7, 10, 0.003), (20, 5, 0.001)):
        found = [score(rng.gauss(0, 1), [rng.gauss(0, 1) for _ in range(many)], 0, 0) for _ in range(20_000)]
        assert sum(abs(each) > beyond for each in found) / len(found) == pytest.approx(share, rel=0.35)
