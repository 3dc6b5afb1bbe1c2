"""Measures of values and data quality in rules, from the file to the signal, on recorded events."""

import itertools
import shutil

import orjson
import pytest

from fireline.apps.bootstrap import plugins
from fireline.engine.playback import play
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from fireline.spec.loading import load
from tests.docs.texts import ROOT, snippets

START = 1_763_683_200.0
DAY = 86_400
HOUR = 3_600


def rule_of(tmp_path, text, name):
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    (tmp_path / "rules" / "tried.yaml").write_text(text)
    loaded = load(tmp_path / "rules", ROOT / "runbooks", plugins())
    assert [problem for problem in loaded.problems if "tried" in problem.file and problem.severity == "error"] == []
    assert loaded.configuration is not None
    return loaded.configuration.rules[name]


def prediction(at, **features):
    given = {"amount": 12.5, "income": 2000, "currency": "EUR", "category": "food", **features}
    known = {name: value for name, value in given.items() if value is not None}
    known["computed_at"] = START + at - 60
    event = {"type": "prediction", "service": "fraud-scoring", "ts": START + at, "features": known}
    return orjson.dumps(event)


def good(start, end, step=15):
    categories = itertools.cycle(["food", "fuel", "books"])
    return [prediction(at, category=next(categories)) for at in range(start, end, step)]


def told(rule, records):
    played = play([rule], FAMILIES, Native(), records)
    assert played.dead == ()
    return [(signal.state.value, signal.severity, signal.evidence) for signal in played.signals]


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    (text,) = [each.text for each in snippets("yaml") if "name: fraud_features" in each.text]
    return rule_of(tmp_path_factory.mktemp("files"), text, "fraud_features")


def test_the_documented_rule_is_silent_on_good_data_and_while_it_learns(features):
    assert told(features, good(0, DAY + 2 * HOUR)) == []


@pytest.mark.parametrize(
    ("change", "severity", "measure", "said"),
    [
        ({"income": None}, "degraded", "no_income", "reshaped has income (number) in "),
        ({"amount": None, "amount_eur": 12.5}, "degraded", "reshaped", "amount_eur (number) in "),
        ({"category": "casino"}, "notice", "merchants", "merchants saw casino ("),
        ({"currency": "BTC"}, "notice", "currencies", "currencies saw BTC ("),
    ],
)
def test_the_documented_rule_tells_what_changed(features, change, severity, measure, said):
    before = good(0, DAY + HOUR)
    after = [prediction(at, **change) for at in range(DAY + HOUR, DAY + 2 * HOUR, 15)]
    signals = told(features, before + after)
    assert (signals[-1][0], signals[-1][1]) == ("firing", severity)
    assert signals[-1][2].measures[measure] > 0.0
    assert any(said in note for note in signals[-1][2].notes), signals[-1][2].notes
