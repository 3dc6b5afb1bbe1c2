"""OpenSLO files as Fireline's objectives: what is taken over, that it is sound, and what is told of the rest."""

import pytest

from fireline.apps.bootstrap import plugins
from fireline.domain.catalog import Severity
from fireline.spec.documents import read_document
from fireline.spec.findings import Findings
from fireline.spec.openslo import Imported, read_openslo
from fireline.spec.openslo_forms import duration
from fireline.spec.promql import Selector, complement, selector_of
from fireline.spec.rule_reader import Known
from fireline.spec.slos import read_slos

HEAD = """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: checkout-ok}
spec:
  service: checkout
  budgetingMethod: Occurrences
  timeWindow: [{duration: 28d, isRolling: true}]
"""
ERRORS = 'sum(rate(http_requests_total{code=~"5.."}[5m]))'
ALL = "sum(rate(http_requests_total[5m]))"


def metric(query: str, kind: str = "Prometheus") -> str:
    return f"{{metricSource: {{type: {kind}, spec: {{query: '{query}'}}}}}}"


def ratio(**queries: str) -> str:
    parts = ", ".join(f"{name}: {metric(query)}" for name, query in queries.items())
    return f"  indicator: {{spec: {{ratioMetric: {{counter: true, {parts}}}}}}}\n"


def read(*parts: str) -> Imported:
    return read_openslo("slo.yaml", "".join(parts).encode())


def told(imported: Imported) -> list[str]:
    return [f"{problem.line}: {problem.severity}: {problem.message}" for problem in imported.problems]


def sound(imported: Imported) -> list[str]:
    """The rules that the objectives become, which must have no fault."""
    text = repr({"slos": [dict(slo) for slo in imported.slos]})  # a mapping of Python is one of YAML
    findings = Findings()
    levels = [Severity(name, rank) for rank, name in enumerate(["outage", "degraded", "notice"])]
    found = read_slos(read_document("slos.yaml", text.encode()), Known(plugins(), levels, {}), findings)
    assert findings.problems == []
    return [rule.rule.name for slo in found for rule in slo.rules]


def test_a_ratio_of_counters():
    imported = read(HEAD, ratio(bad=ERRORS, total=ALL), "  objectives: [{target: 0.999}]\n")
    assert told(imported) == []
    assert imported.slos == (
        {
            "name": "checkout_ok",
            "on": "metric",
            "service": "checkout",
            "counters": {"total": {"name": "http_requests_total"}, "bad": {"code": "~5.."}},
            "objective": 99.9,
            "period": "4w",
        },
    )
    assert sound(imported)[0] == "checkout_ok_fast_burn"


def test_what_is_not_good_is_bad():
    good = ERRORS.replace("=~", "!~")
    imported = read(HEAD, ratio(good=good, total=ALL), "  objectives: [{target: 0.999}, {targetPercent: 99}]\n")
    assert [slo["counters"] for slo in imported.slos] == [
        {"total": {"name": "http_requests_total"}, "bad": {"code": "~5.."}}
    ] * 2
    assert [(slo["name"], slo["objective"]) for slo in imported.slos] == [
        ("checkout_ok_1", 99.9),
        ("checkout_ok_2", 99),
    ]
    assert len(sound(imported)) == 8


def test_a_threshold_and_an_indicator_of_its_own():
    sli = (
        "---\napiVersion: openslo/v1\nkind: SLI\nmetadata: {name: latency}\nspec: {thresholdMetric: "
        + metric('latency_ms{env="prod"}')
        + "}\n"
    )
    imported = read(HEAD, "  indicatorRef: latency\n  objectives: [{op: lt, value: 5e2, targetPercent: 99.5}]\n", sli)
    assert told(imported) == []
    (slo,) = imported.slos
    assert (slo["good"], slo["where"]) == ("value < 500.0", {"name": "latency_ms", "env": "prod"})
    assert len(sound(imported)) == 4


def test_labels_of_a_sum_tell_entities_apart():
    queries = {
        "bad": 'sum by (region) (rate(x{code=~"5.."}[5m]))',
        "total": "sum(increase(x[1h])) by (region, zone)",
    }
    imported = read(HEAD, ratio(**queries), "  objectives: [{target: 0.99}]\n")
    assert imported.slos[0]["by"] == ["region", "zone"]
    assert len(sound(imported)) == 4


OBJECTIVE = "  objectives: [{target: 0.99}]\n"
BELOW = "  objectives: [{op: lt, value: 1, target: 0.99}]\n"
SOUND = ratio(bad=ERRORS, total=ALL)


@pytest.mark.parametrize(
    ("parts", "faults"),
    [
        (
            (HEAD.replace("Occurrences", "Timeslices"), SOUND, OBJECTIVE),
            ["6: error: `Timeslices` budgets cannot be taken over: Fireline counts events, not slices of time"],
        ),
        (
            (HEAD.replace("v1", "v1alpha"), SOUND, OBJECTIVE),
            ["1: error: `openslo/v1alpha` is not a version of OpenSLO that is read"],
        ),
        ((HEAD.replace("kind: SLO", "kind: Slow"), SOUND, OBJECTIVE), ["2: error: `Slow` is not a kind of OpenSLO"]),
        ((HEAD.replace("kind: SLO\n", "\n"), SOUND, OBJECTIVE), ["1: error: `kind` is missing"]),
        (
            (HEAD, "  objectives:\n    - {target: 0.99, compositeWeight: 2, indicatorRef: fast}\n"),
            ["9: error: an objective of several indicators cannot be taken over"],
        ),
        (
            (HEAD, ratio(bad="rate(a[5m]) / rate(b[5m])", total=ALL), OBJECTIVE),
            ["8: error: the query `rate(a[5m]) / rate(b[5m])` cannot be read"],
        ),
        (
            (HEAD, ratio(bad=ALL, total=ALL), OBJECTIVE),
            ["8: error: `bad` was expected to select a part of `total`; they select the same"],
        ),
        (
            (HEAD, ratio(bad=ERRORS, total='http_requests_total{job="a"}'), OBJECTIVE),
            ["8: error: `bad` was expected to select a part of `total`; `job` is not in both"],
        ),
        (
            (HEAD, SOUND.replace("counter: true", "counter: false"), OBJECTIVE),
            ["8: error: counts that go up and down cannot be added up over a window"],
        ),
        ((HEAD, ratio(raw="x"), OBJECTIVE), ["8: error: a ratio that is calculated elsewhere has no events to count"]),
        ((HEAD, ratio(total=ALL), OBJECTIVE), ["8: error: `total` and either `good` or `bad` were expected"]),
        (
            (HEAD, SOUND.replace("Prometheus", "Datadog"), OBJECTIVE),
            ["8: error: a source of the kind `Datadog` cannot be read"] * 2,
        ),
        ((HEAD, "  indicatorRef: none\n", OBJECTIVE), ["8: error: the file has no SLI `none`"]),
        ((HEAD, OBJECTIVE), ["5: error: `indicator` or `indicatorRef` is missing"]),
        (
            (HEAD, SOUND, "  objectives: [{target: 0.99, targetPercent: 99}]\n"),
            ["9: error: either `target` or `targetPercent` was expected"],
        ),
        (
            (HEAD, SOUND, "  objectives: [{target: 99}]\n"),
            ["9: error: a number below 1.0 was expected, found the number 99"],
        ),
        (
            (HEAD, "  indicator: {spec: {thresholdMetric: " + metric("x") + "}}\n", OBJECTIVE),
            ["9: error: `op` and `value` are missing: what a good value is"],
        ),
        (
            (HEAD, "  indicator: {spec: {thresholdMetric: " + metric("rate(x[5m])") + "}}\n", BELOW),
            ["8: error: a value that is summed or a rate is not an event's own"],
        ),
        (("kind: [",), ["2: error: a value was expected here"]),
        (("",), ["1: error: there is no objective in the file"]),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_over_is_told(parts: tuple[str, ...], faults: list[str]):
    imported = read(*parts)
    assert imported.slos == ()
    assert [fault.split("; did")[0] for fault in told(imported)][: len(faults)] == faults


def test_no_alert_policies_are_none() -> None:
    imported = read(HEAD, SOUND, OBJECTIVE, "  alertPolicies:\n")
    assert len(imported.slos) == 1
    assert told(imported) == []


def test_what_is_taken_over_otherwise_is_told_too():
    head = HEAD.replace("{duration: 28d, isRolling: true}", "{duration: 1M, calendar: {timeZone: UTC}}")
    head = head.replace("  service: checkout\n", "")
    imported = read(head, SOUND, OBJECTIVE, "  alertPolicies: [{alertPolicyRef: a}]\n")
    assert imported.slos[0]["period"] == "30d"
    assert told(imported) == [
        "5: warning: the objective belongs to no service",
        "6: warning: the period follows the calendar there; here it is the time that ends now",
        "9: warning: alert policies are not taken over: an objective has alerts of several windows by itself",
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("x", Selector({"name": "x"})),
        ('{__name__="x", a="b"}', Selector({"name": "x", "a": "b"})),
        ('x{a!="b",c=~"d|e",f!~"g",}', Selector({"name": "x", "a": "!b", "c": "~d|e", "f": "!~g"})),
        ("x{a='say \\'it\\''}", Selector({"name": "x", "a": "say 'it'"})),
        ("sum(rate(x[5m]))", Selector({"name": "x"}, (), True)),
        ("sum(x)", Selector({"name": "x"}, (), True)),
        ("x[5m]", None),
        ("rate(x)", None),
        ("sum(x) + 1", None),
        ('x{a="b" c="d"}', None),
        ('x{a="b",a="c"}', None),
        ("", None),
    ],
)
def test_selectors(query: str, found: Selector | None):
    assert selector_of(query) == found


def test_small_parts():
    assert [complement(value) for value in ("a", "!a", "~a", "!~a")] == ["!a", "a", "!~a", "~a"]
    assert [duration(text) for text in ("12h", "4w", "1M", "1Q")] == [43_200.0, 2_419_200.0, 2_592_000.0, 7_776_000.0]
    with pytest.raises(ValueError, match="not a duration of OpenSLO"):
        duration("30 days")
