"""Predictions and their later labels: the scores, the bound on the time between them, and what chance does to them."""

import math
import random

import pytest
from pydantic import ValidationError

from fireline.domain.events import Kind
from fireline.domain.rules import Measure
from fireline.measures import FAMILIES


def fold(agg, kind, rows, options, at=0.0):
    family, measure = FAMILIES[agg], Measure("m", agg, options=options)
    times = [at + row.get("at", 0.0) for row in rows]
    return family.fold(family.column(kind, rows, measure), times, options)


def both(agg, predictions, labels, **options):
    """The value of predictions `(request, fields)` and labels `(request, label)`, the labels arriving first."""
    family = FAMILIES[agg]
    options = family.settings.model_validate(options).model_dump()
    predicted = fold(agg, Kind.PREDICTION, [{"request_id": r, **fields} for r, fields in predictions], options)
    labelled = fold(agg, Kind.FEEDBACK, [{"request_id": r, **fields} for r, fields in labels], options)
    return family.read(family.merge(labelled, predicted), 60.0, options)


def agreement(said_and_true, **options):
    predictions = [(f"r{i}", {"prediction": said}) for i, (said, _) in enumerate(said_and_true)]
    labels = [(f"r{i}", {"label": true}) for i, (_, true) in enumerate(said_and_true)]
    return both("agreement", predictions, labels, **options)


MIXED = [("deny", "deny")] * 3 + [("deny", "allow")] + [("allow", "deny")] * 2 + [("allow", "allow")] * 4


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 7 / 10),
        ({"score": "precision", "positive": "deny"}, 3 / 4),
        ({"score": "recall", "positive": "deny"}, 3 / 5),
        ({"score": "f1", "positive": "deny"}, 6 / 9),
        ({"score": "precision", "positive": "allow"}, 4 / 6),
        ({"score": "f1", "positive": "deny", "min_pairs": 10}, 6 / 9),
        ({"score": "f1", "positive": "deny", "min_pairs": 11}, None),
        ({"score": "precision", "positive": "review"}, None),
        ({"score": "recall", "positive": "review"}, None),
        ({"score": "f1", "positive": "review"}, None),
    ],
)
def test_scores_of_a_confusion_counted_by_hand(options, expected):
    assert agreement(MIXED, **options) == expected


def test_a_positive_label_is_compared_as_the_text_it_looks_like():
    assert agreement([(1, True), (True, True)], score="recall", positive=True) == 0.5
    assert agreement([(14.0, "14")], score="recall", positive=14) == 1.0
    long = "a label of more than sixty-four characters, which is kept as its hash only"
    assert agreement([(long, long)], score="recall", positive=long) == 1.0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"score": "recall"}, "needs `positive`"),
        ({"positive": "deny"}, "name a `score`"),
        ({"score": "recall", "positive": ""}, "a label was expected"),
        ({"within": "1 hour"}, "is not a duration"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_word(options, said):
    with pytest.raises(ValidationError, match=said):
        FAMILIES["agreement"].settings.model_validate(options)


def test_a_label_later_than_the_bound_is_not_paired_and_one_before_its_prediction_is():
    predictions = [(r, {"prediction": "up", "at": 1000.0}) for r in "abc"]
    labels = [
        ("a", {"label": "up", "at": 1060.0}),
        ("b", {"label": "down", "at": 1060.5}),
        ("c", {"label": "down", "at": 990.0}),
    ]
    assert both("agreement", predictions, labels) == 1 / 3
    assert both("agreement", predictions, labels, within="1m") == 1 / 2
    assert both("agreement", predictions, labels, within="1m", min_pairs=3) is None


def test_of_a_label_that_comes_twice_the_earlier_counts_within_a_bound():
    predictions = [("a", {"prediction": "up", "at": 0.0})]
    labels = [("a", {"label": "down", "at": 90.0}), ("a", {"label": "up", "at": 30.0})]
    assert both("agreement", predictions, labels, within="1m") == 1.0
    assert both("agreement", predictions, list(reversed(labels)), within="1m") == 1.0
    assert both("agreement", predictions, labels) == 0.0, "without a bound times are not kept: the smaller text"


def test_sampled_scores_stay_close_and_say_that_they_are_estimates():
    family, rng = FAMILIES["agreement"], random.Random(5)
    options = family.settings.model_validate({"score": "f1", "positive": "1", "sample": 2048}).model_dump()
    truth = [rng.random() < 0.3 for _ in range(20_000)]
    said = [label if rng.random() < 0.8 else not label for label in truth]
    predictions = [{"request_id": f"r{i}", "prediction": int(p)} for i, p in enumerate(said)]
    labels = [{"request_id": f"r{i}", "label": int(t)} for i, t in enumerate(truth)]
    state = family.merge(
        fold("agreement", Kind.PREDICTION, predictions, options), fold("agreement", Kind.FEEDBACK, labels, options)
    )
    assert len(state["p"]) <= 2048
    hits = sum(p and t for p, t in zip(said, truth, strict=True))
    assert family.read(state, 60.0, options) == pytest.approx(2 * hits / (sum(said) + sum(truth)), abs=0.05)
    assert family.caveat(state, 60.0, options) == "is an estimate from 1 in 16 of its requests"
    assert family.caveat(family.fold([], [], options), 60.0, options) is None


def calibration(sure_and_right, **options):
    predictions = [(f"r{i}", {"prediction": "up", "confidence": c}) for i, (c, _) in enumerate(sure_and_right)]
    labels = [(f"r{i}", {"label": "up" if right else "down"}) for i, (_, right) in enumerate(sure_and_right)]
    return both("calibration", predictions, labels, **{"min_pairs": 1, **options})


def test_expected_calibration_error_and_brier_score_by_hand():
    known = [(0.95, True), (0.95, False), (0.65, True), (0.62, True), (0.1, False), (1.0, True)]
    # bins: 0.9-1.0 holds three with mean 2.9/3 and 2/3 right, 0.6-0.7 two with 0.635 and 1, 0.1-0.2 one with 0.1 and 0
    expected = (abs(2.9 - 2) + abs(1.27 - 2) + 0.1) / 6
    assert calibration(known) == pytest.approx(expected, abs=1e-12)
    brier = (0.05**2 + 0.95**2 + 0.35**2 + 0.38**2 + 0.1**2 + 0) / 6
    assert calibration(known, score="brier") == pytest.approx(brier, abs=1e-12)
    assert calibration(known, min_pairs=7) is None
    assert calibration(known, bins=2) == pytest.approx((abs(0.1) + abs(4.17 - 4)) / 6, abs=1e-12)


def test_with_a_positive_label_the_confidence_is_its_probability_whatever_was_predicted():
    predictions = [("a", {"confidence": 0.2}), ("b", {"confidence": 0.7, "prediction": "allow"})]
    labels = [("a", {"label": "allow"}), ("b", {"label": "deny"})]
    found = both("calibration", predictions, labels, score="brier", positive="deny", min_pairs=1)
    assert found == pytest.approx((0.2**2 + 0.3**2) / 2)
    assert both("calibration", predictions, labels, score="brier", min_pairs=2) is None, "a predicts nothing"


@pytest.mark.parametrize("confidence", [-0.1, 1.1, "high", None, math.nan, True])
def test_what_is_no_probability_is_left_out(confidence):
    assert calibration([(confidence, True)]) is None


def test_the_confidence_may_be_another_field():
    found = both(
        "calibration",
        [("a", {"prediction": "up", "scores": {"top": 0.5}})],
        [("a", {"label": "up"})],
        confidence="scores.top",
        min_pairs=1,
    )
    assert found == 0.5


def test_a_calibrated_model_has_an_error_as_small_as_the_documented_noise():
    rng = random.Random(11)
    confidences = [rng.random() for _ in range(1000)]
    assert calibration([(c, rng.random() < c) for c in confidences]) < 0.4 * math.sqrt(10 / 1000)
    assert calibration([(c, rng.random() < c**3) for c in confidences]) > 0.15
