"""A sequence from YAML through ingest and evaluate: what came before the window counts as a beginning."""

import json

from fireline.apps.bootstrap import plugins
from fireline.domain.catalog import Severity
from fireline.engine.playback import play
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from fireline.spec.documents import read_document
from fireline.spec.findings import Findings
from fireline.spec.rule_reader import Known
from fireline.spec.rules import read_rules

START = 1_700_006_400.0
RULES = """
rules:
  - name: retries
    on: prediction
    by: [service]
    window: 1m
    measures:
      retried: {agg: sequence, first: "error == 'timeout'", then: "error == '' && attempt > 1", within: 10s}
    severity: {degraded: {when: "retried >= 2"}}
"""


def signals(*events: tuple[float, str, int]) -> list[tuple[str, float, float | None]]:
    findings = Findings()
    (placed,) = read_rules(
        read_document("r.yaml", RULES.encode()), Known(plugins(), [Severity("degraded", 0)], {}), findings
    )
    assert findings.problems == []
    records = [
        json.dumps({"type": "prediction", "service": "a", "ts": START + at, "error": error, "attempt": attempt})
        for at, error, attempt in events
    ]
    played = play([placed.rule], FAMILIES, Native(), [record.encode() for record in records])
    return [(s.state.value, round(s.at - START), s.evidence.measures["retried"]) for s in played.signals]


def test_a_failure_and_then_a_second_attempt():
    assert signals((1, "timeout", 1), (5, "", 2), (9, "", 2), (30, "", 1)) == [("firing", 10, 2.0)]
    assert signals((1, "timeout", 1), (5, "", 1), (9, "", 1), (30, "", 1)) == []
    assert signals((1, "timeout", 1), (15, "", 2), (19, "", 2), (30, "", 1)) == []


def test_what_came_before_the_window_is_a_beginning():
    # the failure leaves the window of a minute after 160 s; the attempts, which stay until 170 s, still are second ones
    before = ((at, "", 1) for at in range(0, 100, 5))
    found = signals(
        *before, (101, "timeout", 1), (109, "", 2), (109.5, "", 2), *((at, "", 1) for at in range(120, 190, 5))
    )
    assert found == [("firing", 110, 2.0), ("clear", 170, 0.0)]
