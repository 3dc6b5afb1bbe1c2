"""Baselines: built from events, shown, compared with, named by rules."""

import gzip
import json
import random

import pytest

from fireline.adapters.clock import SystemClock
from fireline.apps.bootstrap import plugins
from fireline.apps.demo_home import Home, settle_in
from fireline.apps.files import Files
from fireline.domain.rules import State
from fireline.engine.playback import play
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from fireline.spec.loading import load
from tests.apps.test_cli_commands import rows

START = 1_763_683_200.0
DAY = 86_400.0


def event(at, rng, shift=1.0, **fields):
    amount = round(rng.lognormvariate(3, 0.5) * shift, 2)
    country = rng.choice("ddddffffi")
    body = {"model": "fraud", "prediction": amount > 30, "features": {"amount": amount, "country": country}}
    return {"type": "prediction", "ts": at, **body, **fields}


def events(days, shift=1.0, start=0.0, every=120.0):
    rng = random.Random(start)
    first, n = START + start * DAY, int(days * DAY / every)
    return [event(first + every * i, rng, shift) for i in range(n)]


def put(path, found, more=""):
    text = "".join(json.dumps(each) + "\n" for each in found) + more
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())
    return str(path)


FIELDS = "features.amount,features.country,prediction"
BUILD = ("--on", "prediction", "--where", "model=fraud", "--fields", FIELDS)


@pytest.fixture
def good(tmp_path):
    return put(tmp_path / "good.ndjson", events(3))


def built(house, *words):
    said = house("baseline", "build", *words)
    assert said.code == 0, said.err
    return said


def test_a_baseline_has_sketches_and_where_they_are_from_and_no_place_of_this_machine(house, tmp_path):
    others = [
        event(START + 1, random.Random(1), model="other"),
        {"type": "metric", "name": "m", "value": 1, "ts": START},
    ]
    lacking = [event(START + 2, random.Random(2), features={})]
    file = put(tmp_path / "e.ndjson.gz", events(1) + others + lacking, more='{"type": "prediction"}\nnot json\n')
    said = built(house, "fraud", file, *BUILD)
    assert "721 events, 3 fields" in said.err
    assert "e.ndjson.gz:724: " in said.err
    assert "2 lines were no events and are left out" in said.err
    text = (house.rules / "baselines" / "fraud.json").read_text()
    assert str(tmp_path) not in text
    found = json.loads(text)
    assert found["period"] == {"from": "2025-11-21T00:00:00.000Z", "to": "2025-11-21T23:58:00.000Z"}
    assert found["where"] == {"model": ["fraud"]}
    assert found["bad_lines"] == 2
    assert (
        found["built"]
        == f"fireline baseline build fraud e.ndjson.gz --on prediction --where model=fraud --fields {FIELDS}"
    )
    assert [each["file"] for each in found["sources"]] == ["e.ndjson.gz"]
    assert list(found["fields"]) == sorted(FIELDS.split(","))
    amount, country, answer = found["fields"].values()
    assert (amount["kind"], amount["count"], amount["missing"]) == ("numeric", 720, 1)
    assert (country["kind"], country["count"], sum(country["state"]["counts"].values())) == ("categorical", 720, 720)
    assert set(answer["state"]["counts"]) == {"true", "false"}


def test_the_same_events_give_the_same_bytes_in_any_order_and_another_file_is_not_written_over(house, good, tmp_path):
    built(house, "fraud", good, *BUILD)
    path = house.rules / "baselines" / "fraud.json"
    before = path.read_bytes()
    built(house, "fraud", good, *BUILD)
    assert path.read_bytes() == before
    (tmp_path / "other").mkdir()
    turned = put(tmp_path / "other" / "good.ndjson", list(reversed(events(3))))
    said = house("baseline", "build", "fraud", turned, *BUILD)
    assert (said.code, path.read_bytes()) == (1, before)
    assert "is there and differs; rules stand on it: give --replace, or another name" in said.err
    built(house, "fraud", turned, *BUILD, "--replace")
    assert json.loads(path.read_bytes())["fields"] == json.loads(before)["fields"]
    assert json.loads(path.read_bytes())["period"] == json.loads(before)["period"]


def test_only_events_of_the_time_that_was_asked_for_count(house, good):
    said = built(house, "fraud", good, *BUILD, "--from", "2025-11-22", "--to", "2025-11-23T12:00:00Z")
    assert "1080 events, 3 fields" in said.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--fields", "features.amont"), "none of 2160 events has `features.amont`; did you mean `features.amount`?"),
        (("--fields", "features.country:numeric"), "none of 2160 events has `features.country` as numeric"),
        (("--fields", "prediction:text"), "found the kind 'text' in --fields; expected numeric or categorical"),
        (("--fields", ","), "found 0 fields in --fields"),
        (("--where", "model"), "found --where 'model'; expected key=value"),
        (("--where", "region=eu"), "no event was chosen; look at --on, --where, --from and --to"),
        (("--on", "predictions"), "found --on 'predictions'; expected one of metric, prediction"),
        (("--from", "yesterday"), "found --from 'yesterday'; expected a date"),
    ],
)
def test_what_cannot_be_built_says_why(house, good, words, told):
    said = house("baseline", "build", "fraud", good, *BUILD, *words)
    assert (said.code, said.out) == (1, "")
    assert told in said.err.replace("\n", " ")
    assert not (house.rules / "baselines" / "fraud.json").exists()


def test_a_name_leads_nowhere_else(house, good):
    assert "expected a name of letters" in house("baseline", "build", "../fraud", good, *BUILD).err


def test_what_a_person_may_not_have_meant_is_said(house, tmp_path):
    found = [{**each, "version": i % 3, "mode": i if i % 9 else "a", "always": 7} for i, each in enumerate(events(1))]
    fields = "version,mode,always,prediction:categorical"
    said = built(house, "fraud", put(tmp_path / "e.ndjson", found), *BUILD[:-1], fields).err
    assert "`version`: 720 values are few; chance alone will look like drift" in said
    assert "`version` holds 3 different numbers; `version:categorical` compares them one by one" in said
    assert "`mode` is numeric: 80 texts or truth values are left out" in said
    assert "`always` never varies" in said


def test_show_tells_what_each_field_looks_like(house, good):
    built(house, "fraud", good, *BUILD)
    said = house("baseline", "show", "fraud").out
    assert "fraud: prediction events model=fraud" in said
    amount, country, answer = rows(said[said.index("field\t") :])
    assert (amount["field"], amount["values"], amount["missing"]) == ("features.amount", "2160", "0")
    assert float(amount["p50"]) == pytest.approx(20.1, rel=0.05)
    assert len(amount["looks like"].strip()) > 10
    assert country["looks like"] == "f 45%, d 44%, i 11%"
    assert answer["kind"] == "categorical"
    told = json.loads(house("baseline", "show", "fraud", "--json").out)
    assert told["fields"]["features.amount"]["p50"] == pytest.approx(20.1, rel=0.05)


def test_compare_tells_every_figure_by_field_and_over_time(house, good, tmp_path):
    built(house, "fraud", good, *BUILD)
    later = events(2, start=3) + events(2, shift=1.6, start=5)
    file = put(tmp_path / "later.ndjson", later)
    (amount, country, _) = json.loads(house("baseline", "compare", "fraud", file, "--json").out)
    reference = [each["features"]["amount"] for each in events(3)]
    current = [each["features"]["amount"] for each in later]
    states = [FAMILIES["psi"].fold(side, [], {}) for side in (reference, current)]
    assert amount["psi"] == FAMILIES["psi"].compare(states[1], [states[0]], 0.0, {})
    assert amount["values"] == len(later)
    assert (country["ks"], country["wasserstein"]) == (None, None)
    assert country["psi"] < 0.02
    over = rows(house("baseline", "compare", "fraud", file, "--every", "1d").out)
    amounts = [float(row["psi"]) for row in over if row["field"] == "features.amount"]
    assert max(amounts[:2]) < 0.1 < 0.5 < min(amounts[2:])
    assert [row["from"][:10] for row in over[::3]] == ["2025-11-24", "2025-11-25", "2025-11-26", "2025-11-27"]
    few = rows(house("baseline", "compare", "fraud", file, "--min-count", "5000").out)
    assert {row["psi"] for row in few} == {"-"}


def test_compare_and_show_of_what_is_not_there_say_so(house, good):
    for words in (("show", "fraud"), ("compare", "fraud", good)):
        said = house("baseline", *words)
        assert said.code == 1
        assert "there is no baseline `fraud`" in said.err
    built(house, "fraud", good, *BUILD)
    assert "no event was chosen" in house("baseline", "compare", "fraud", good, "--on", "feedback").err
    assert "has no unit" in house("baseline", "compare", "fraud", good, "--every", "7").err
    path = house.rules / "baselines" / "fraud.json"
    path.write_text(path.read_text().replace('"state":[', '"state":["x",'))
    assert "is not what `fireline baseline build` writes" in house("baseline", "show", "fraud").err


RULE = """\
rules:
  - name: fraud_inputs
    on: prediction
    where: {model: fraud}
    by: [model]
    service: fraud-scoring
    window: 1d
    measures:
      drift: {agg: %s, of: features.%s, %s}
    severity:
      degraded: {when: "drift > 0.25"}
"""


def loaded(house, agg="psi", of="amount", options="baseline: fraud"):
    (house.rules / "drift.yaml").write_text(RULE % (agg, of, options))
    found = load(house.rules, house.runbooks, plugins())
    return found.configuration, "\n".join(map(str, found.problems)).replace(str(house.rules), "rules")


def test_a_rule_with_a_baseline_fires_when_the_field_drifts_and_says_what_chance_gives(house, good):
    built(house, "fraud", good, *BUILD)
    configuration, problems = loaded(house)
    assert configuration is not None, problems
    records = [json.dumps(each).encode() for each in events(2, start=3) + events(1, shift=1.6, start=5, every=300.0)]
    signals = play([configuration.rules["fraud_inputs"]], FAMILIES, Native(), records).signals
    assert [(signal.state, signal.severity) for signal in signals] == [(State.FIRING, "degraded")]
    assert signals[0].at > START + 5 * DAY
    assert signals[0].evidence.measures["drift"] > 0.25
    quiet = [json.dumps(each).encode() for each in events(1, start=3, every=500.0)]
    assert play([configuration.rules["fraud_inputs"]], FAMILIES, Native(), quiet).signals == ()


def test_a_rule_may_compare_with_the_past_instead(house):
    configuration, problems = loaded(house, options="window: 12h, against: {window: 1d}")
    assert configuration is not None, problems
    records = [json.dumps(each).encode() for each in events(2) + events(0.5, shift=1.6, start=2)]
    signals = play([configuration.rules["fraud_inputs"]], FAMILIES, Native(), records).signals
    assert [(signal.state, signal.severity) for signal in signals] == [(State.FIRING, "degraded")]
    assert signals[0].at > START + 2 * DAY


def test_a_rule_is_another_when_its_field_of_the_baseline_changes(house, good, tmp_path):
    built(house, "fraud", good, *BUILD)
    configuration, _ = loaded(house)
    name = "rules/baselines/fraud.json"
    assert configuration.files[name] == (house.rules / "baselines" / "fraud.json").read_text()
    built(house, "fraud", put(tmp_path / "more.ndjson", events(4)), *BUILD, "--replace")
    changed, _ = loaded(house)
    assert changed.rules["fraud_inputs"].hash != configuration.rules["fraud_inputs"].hash
    assert changed.hash != configuration.hash
    others = {rule: each.hash for rule, each in configuration.rules.items() if rule != "fraud_inputs"}
    assert {rule: changed.rules[rule].hash for rule in others} == others


def test_a_changed_baseline_is_noticed_and_a_lost_one_leaves_the_last_good(house, good, tmp_path):
    built(house, "fraud", good, *BUILD)
    configuration, problems = loaded(house)
    assert configuration is not None, problems
    kept = tmp_path / "kept"
    files = Files(house.rules, house.runbooks, plugins(), SystemClock(), kept=kept)
    (house.rules / "baselines" / "fraud.json").unlink()
    assert "there is no baseline `fraud`" in str(files.refresh()[0])
    assert files.current.hash == configuration.hash
    again = Files(house.rules, house.runbooks, plugins(), SystemClock(), kept=kept)
    assert again.current.rules["fraud_inputs"].hash == configuration.rules["fraud_inputs"].hash


@pytest.mark.parametrize(
    ("agg", "of", "options", "told"),
    [
        ("ks", "country", "baseline: fraud", "`ks` compares numeric fields, and this one is categorical"),
        (
            "psi",
            "country",
            "baseline: fraud, kind: numeric",
            "the field is categorical there [invalid]\n  hint: remove `kind`",
        ),
        (
            "psi",
            "amount",
            "baseline: fraud, min_count: 9000",
            "it has 2160 values of the field, and `min_count` is 9000",
        ),
        ("psi", "amount", "baseline: frau", "did you mean `fraud`?"),
        ("psi", "amont", "baseline: fraud", "does not know the field `features.amont`"),
        ("psi", "amount", "bins: 10", "there is nothing to compare with"),
        ("psi", "amount", "baseline: fraud, against: {window: 1d}", "`baseline` and `against` are both given"),
        ("psi", "amount", "against: {window: 7}", "the duration `7` has no unit"),
        ("psi", "amount", "baseline: fraud, bins: 1", "a number of at least 2 was expected"),
        ("psi", "amount", "baseline: ../fraud", "a text that matches `^[A-Za-z0-9]"),
    ],
)
def test_what_a_measure_of_drift_may_not_say_is_a_fault(house, good, agg, of, options, told):
    built(house, "fraud", good, *BUILD)
    configuration, problems = loaded(house, agg, of, options)
    assert configuration is None
    assert told in problems


@pytest.fixture
def elec2(house, shared_data):
    file = str(shared_data / "elec2" / "events.ndjson.gz")
    fields = "features.nswprice,features.nswdemand,confidence"
    built(house, "elec2", file, "--on", "prediction", "--fields", fields, "--to", "1996-11-01")
    return house, file


@pytest.mark.shared_data
def test_the_drift_of_the_electricity_market_rises_before_and_with_the_decay_of_its_model(elec2):
    house, file = elec2
    said = house("baseline", "compare", "elec2", file, "--from", "1996-11-01", "--every", "26w", "--json")
    found = [each for each in json.loads(said.out) if each["field"] == "features.nswprice"]
    for figure, least in (("psi", 1.0), ("ks", 0.3), ("wasserstein_normed", 0.5)):
        values = [each[figure] for each in found if each["values"] > 2000]
        assert max(values) > least
        assert max(values[2:]) > 2 * values[0]


def test_values_close_together_are_kept_by_their_distance_from_an_origin(house, tmp_path):
    rng = random.Random(4)
    hot = [{**each, "kelvin": rng.gauss(293, 2)} for each in events(2)]
    file, more = put(tmp_path / "e.ndjson", hot), ("--on", "prediction", "--fields", "kelvin")
    assert "--origin kelvin=29" in built(house, "plain", file, *more).err
    said = built(house, "kelvin", file, *more, "--origin", "kelvin=293").err
    assert "--origin" not in said
    (row,) = rows(house("baseline", "show", "kelvin").out.partition("field\t")[2].join(["field\t", ""]))
    assert float(row["p50"]) == pytest.approx(293, abs=0.2)
    assert float(row["deviation"]) == pytest.approx(2, abs=0.1)
    warmer = put(tmp_path / "w.ndjson", [{**each, "kelvin": each["kelvin"] + 1} for each in hot])
    (figures,) = json.loads(house("baseline", "compare", "kelvin", warmer, "--json").out)
    assert figures["wasserstein"] == pytest.approx(1.0, abs=0.02)
    for words, told in (("kelvin=warm", "expected a number"), ("celsius=20", "which is not in --fields")):
        assert told in house("baseline", "build", "other", file, *more, "--origin", words).err


def test_the_rule_of_the_documentation_passes_its_tests(house, repository, tmp_path):
    text = (repository / "docs" / "how-to" / "drift.md").read_text(encoding="utf-8")
    rule = next(block for block in text.split("```yaml\n")[1:] if "price_inputs" in block).partition("```")[0]
    (tmp_path / "price.yaml").write_text(rule)
    (house.rules / "baselines").mkdir()
    shipped = repository / "rules" / "baselines" / "price-direction.json"
    (house.rules / "baselines" / shipped.name).write_text(shipped.read_text(encoding="utf-8"))
    said = house("test", str(tmp_path / "price.yaml"))
    assert said.code == 0, said.out + said.err


def test_a_csv_of_numbers_makes_a_baseline_of_a_metric_too(house, tmp_path):
    path = tmp_path / "cpu.csv"
    path.write_text("timestamp,value\n" + "".join(f"2026-01-05 00:{i // 60:02}:{i % 60:02},{i}\n" for i in range(600)))
    built(house, "cpu", str(path), "--on", "metric", "--fields", "value", "--name", "load", "--where", "name=load")
    found = json.loads((house.rules / "baselines" / "cpu.json").read_text())
    assert (found["fields"]["value"]["count"], found["fields"]["value"]["max"]) == (600, 599)
    assert found["built"].endswith("cpu.csv --on metric --where name=load --fields value --name load")


def test_the_demo_takes_baselines_along(house, good, tmp_path):
    built(house, "fraud", good, *BUILD)
    home = Home(tmp_path / "demo")
    settle_in(home, house.rules, house.runbooks)
    assert (home.rules / "baselines" / "fraud.json").exists()
