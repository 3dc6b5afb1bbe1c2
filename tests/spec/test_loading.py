"""Sound files become one configuration; hashes change with what they stand for, and with nothing else."""

import re
from pathlib import Path

import pytest

from fireline.domain.configuration import Configuration
from fireline.domain.events import Kind
from fireline.domain.rules import Match, Rule
from fireline.domain.runbooks import Autonomy, OnFailure
from fireline.domain.topics import FieldMap, Topic
from fireline.spec.loading import UnreadableRunbook, load, read_runbook
from fireline.spec.rule_test_forms import points
from tests.spec.world import CATALOG, PLUGINS, RULES, RUNBOOK, load_files


def sound(directory: Path, **changed: str) -> Configuration:
    names = {"rules": "rules/checkout.yaml", "catalog": "rules/catalog.yaml", "runbook": "runbooks/reroute.yaml"}
    loaded = load_files(directory, {names[key]: text for key, text in changed.items()})
    assert loaded.configuration is not None, loaded.problems
    return loaded.configuration


def rule_of(directory: Path, text: str) -> Rule:
    return next(iter(sound(directory, rules=text).rules.values()))


def test_the_sound_world_has_no_problem(tmp_path: Path) -> None:
    assert load_files(tmp_path, {}).problems == ()


def test_a_rule_becomes_what_was_written(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, RULES)
    assert (rule.name, rule.on, rule.by, rule.window, rule.pane) == ("slow", Kind.METRIC, ("service", "region"), 60, 2)
    assert [(m.label, m.how, m.values) for m in rule.where] == [
        ("name", Match.ANY_OF, ("latency_ms",)),
        ("service", Match.ANY_OF, ("checkout",)),
    ]
    assert rule.measures[0].options == {"q": 0.99}
    assert [level.severity for level in rule.levels] == ["outage", "degraded"]
    assert rule.levels[0].for_ == 30
    assert rule.levels[0].when.holds({"p99": 2500, "n": 50, "service": "checkout", "region": "eu"})
    assert rule.service.render({"service": "checkout"}) == "checkout"
    values = {"service": "checkout", "region": "eu", "measures": {"p99": 812.4}}
    assert rule.summary.render(values) == "p99 of checkout in eu is 812 ms"
    assert rule.where_file.endswith("rules/checkout.yaml:2")


def test_levels_go_from_the_worst_to_the_mildest_however_they_are_written(tmp_path: Path) -> None:
    lines = RULES.splitlines(keepends=True)
    swapped = "".join([*lines[:10], lines[11], lines[10], *lines[12:]])
    assert [level.severity for level in rule_of(tmp_path, swapped).levels] == ["outage", "degraded"]


def test_matchers(tmp_path: Path) -> None:
    where = "{name: ['~a.*', '~b'], service: checkout, region: '!eu', version: [14, true], zone: '!~x|y'}"
    rule = rule_of(tmp_path, RULES.replace("{name: latency_ms, service: checkout}", where))
    assert [(m.label, m.how, m.values) for m in rule.where] == [
        ("name", Match.REGEX, ("a.*", "b")),
        ("service", Match.ANY_OF, ("checkout",)),
        ("region", Match.NONE_OF, ("eu",)),
        ("version", Match.ANY_OF, ("14", "true")),
        ("zone", Match.NOT_REGEX, ("x|y",)),
    ]


def test_a_runbook_becomes_what_was_written(tmp_path: Path) -> None:
    runbook = sound(tmp_path).runbooks["reroute"]
    assert [step.id for step in runbook.steps] == ["before", "move", "verify"]
    assert runbook.mode is Autonomy.AUTO
    assert runbook.steps[2].on_failure is OnFailure.UNDO
    assert runbook.text == RUNBOOK
    assert runbook.lock is not None
    assert runbook.lock.render({"inputs": {"service": "checkout"}}) == "service:checkout"
    values = {"inputs": {"service": "checkout", "target": "static"}}
    assert runbook.steps[1].with_.render(values) == {"service": "checkout", "to": {"static": 100}}


def test_a_run_resumes_from_the_text_of_its_runbook(tmp_path: Path) -> None:
    pinned = sound(tmp_path).runbooks["reroute"]
    again = read_runbook(pinned.text, PLUGINS)
    assert again == pinned
    assert again.hash == pinned.hash


def test_a_text_that_is_no_runbook_any_more_is_refused_with_its_problems() -> None:
    with pytest.raises(UnreadableRunbook) as caught:
        read_runbook(RUNBOOK.replace("route.get", "route.gone"), PLUGINS)
    assert [problem.message for problem in caught.value.problems] == ["there is no action `route.gone`"]


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("p99 > 2000", "p99 > 2001", False),
        ("window: 1m", "window: 2m", False),
        ("window: 1m", "window: 60s", True),
        ("for: 30s", "for: 31s", False),
        ("q: 0.99", "q: 0.95", False),
        ("name: latency_ms", "name: latency_s", False),
        ("p99 of", "the p99 of", True),
        ("    runbooks: [reroute]\n", "", True),
        ("rules:", "# a comment\nrules:", True),
    ],
)
def test_a_rules_hash_is_over_what_decides_its_verdicts(tmp_path: Path, old: str, new: str, same: bool) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    before, after = rule_of(tmp_path / "a", RULES), rule_of(tmp_path / "b", RULES.replace(old, new))
    assert (before.hash == after.hash) is same


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("p99 > 2000", "p99 > 2001", True),
        ("for: 30s", "for: 31s", True),
        ("window: 1m", "window: 2m\n    pane: 2s", True),
        ("window: 1m", "window: 2m", False),
        ("q: 0.99", "q: 0.95", False),
        ("name: latency_ms", "name: latency_s", False),
    ],
)
def test_windows_outlive_a_change_of_anything_but_what_they_are_made_of(
    tmp_path: Path, old: str, new: str, same: bool
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    before, after = rule_of(tmp_path / "a", RULES), rule_of(tmp_path / "b", RULES.replace(old, new))
    assert (before.shape == after.shape) is same
    assert before.hash != after.hash


def test_the_configurations_hash_is_over_all_files_wherever_they_are(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = sound(tmp_path / "a"), sound(tmp_path / "b")
    assert first.hash == second.hash
    assert set(first.files) == {
        "rules/catalog.yaml",
        "rules/oncall.yaml",
        "rules/checkout.yaml",
        "runbooks/reroute.yaml",
    }
    changed = sound(tmp_path / "b", catalog=CATALOG.replace("tier: 3", "tier: 4"))
    assert changed.hash != first.hash


def test_directories_that_are_not_there_are_problems(tmp_path: Path) -> None:
    loaded = load(tmp_path / "no_rules", tmp_path / "no_runbooks", PLUGINS)
    assert loaded.configuration is None
    assert [problem.message for problem in loaded.problems if "directory" in problem.message] == [
        "there is no such directory",
        "there is no such directory",
    ]


def test_a_broken_file_does_not_hide_the_faults_of_others(tmp_path: Path) -> None:
    loaded = load_files(tmp_path, {"rules/a.yaml": "rules: [", "rules/b.yaml": "rules:\n  - {name: x}\n"})
    files = {problem.file.rpartition("/")[2] for problem in loaded.problems}
    assert files == {"a.yaml", "b.yaml"}


def test_warnings_do_not_hold_a_configuration_back(tmp_path: Path) -> None:
    loaded = load_files(tmp_path, {"rules/catalog.yaml": CATALOG.replace("tier: 3", "tier: 1")})
    assert loaded.configuration is not None
    assert {problem.severity for problem in loaded.problems} == {"warning"}


def test_series_of_tests_are_expanded(tmp_path: Path) -> None:
    test = """\
    tests:
      - name: t
        every: 5s
        series: [{fields: {service: checkout}, values: "1 _ 0+10x2 7x1 _x2 5-1x1"}]
        expect: [{at: 1m, state: firing, severity: outage, entity: {service: checkout}}]
"""
    (found,) = rule_of(tmp_path, RULES + test).tests
    assert found.every == 5
    assert found.series[0].values == (1, None, 0, 10, 20, 7, 7, None, None, 5, 4)
    assert found.expect[0].severity == "outage"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("7x3", [7, 7, 7, 7]),
        ("7x0", [7]),
        ("-1.5+.5x3", [-1.5, -1, -0.5, 0]),
        ("1E3-1e2x2", [1000, 900, 800]),
        ("1 stale _ 2", [1, None, None, 2]),
        (["3x1", None, 4, "_x2"], [3, 3, None, 4, None, None]),
        (12, [12]),
    ],
)
def test_a_series_is_written_as_for_prometheus(text: object, values: list[float | None]) -> None:
    assert points(text) == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 NaN", "`NaN` is not a number that an event may have; write `_` for a gap"),
        ("-inf", "`-inf` is not a number"),
        ("{{schema:0 sum:1 count:1}}x3", "histograms (`{{...}}`) cannot be written in a series"),
        ("1x2000000", "at most 100000 values"),
        ("_x99999999999999", "at most 100000 values"),
        ("1e308+1e308x3", "goes beyond all numbers"),
        ("1.2.3", "`1.2.3` is not a series; write values such as"),
        ("5x", "`5x` is not a series"),
        ([True], "values were expected"),
        ({"a": 1}, "values were expected"),
    ],
)
def test_what_is_no_series_is_told(text: object, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        points(text)


TOPICS = """\
topics:
  payments:
    format: cloudevents
    kind: metric
    time: when
    key: service
    labels: {service: [service.name, app], region: cloud.region}
    drop: [host.id]
    add: {team: payments, version: 14}
    service_aliases: true
  orders: {}
"""


def test_topics_become_what_was_written(tmp_path: Path) -> None:
    configuration = load_files(tmp_path, {"rules/topics.yaml": TOPICS}).configuration
    assert configuration is not None
    assert configuration.topics == {
        "payments": Topic(
            "payments",
            "cloudevents",
            FieldMap(
                labels={"service": ("service.name", "app"), "region": ("cloud.region",)},
                drop=frozenset({"host.id"}),
                key="service",
                add={"team": "payments", "version": "14"},
                services={"find": "search"},
                kind=Kind.METRIC,
                time=("when",),
            ),
        ),
        "orders": Topic("orders", "native", None),
    }
    assert configuration.files["rules/topics.yaml"] == TOPICS


@pytest.mark.parametrize("files", [{}, {"rules/topics.yaml": "# none yet\n"}])
def test_without_topics_there_are_none(tmp_path: Path, files: dict[str, str]) -> None:
    configuration = load_files(tmp_path, files).configuration
    assert configuration is not None
    assert configuration.topics == {}
