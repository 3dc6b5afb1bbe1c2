"""The JSON Schemas that are checked in are current, valid, and agree with the loader about sound files."""

import json
import os
from pathlib import Path

import jsonschema
import pytest

from fireline.spec.documents import plain, read_document
from fireline.spec.schemas import schemas
from tests.spec.world import CATALOG, ONCALL, RULES, RUNBOOK

CALENDARS = """\
calendars:
  business:
    time_zone: Europe/Berlin
    hours: {mon-fri: "09:00-17:30", sat: ["10:00-12:00", "13:00-15:00"]}
    holidays: [2026-12-25]
"""
MAINTENANCE = """\
maintenance:
  backups:
    matchers: service="checkout"
    starts: "2026-11-01T02:00"
    time_zone: Europe/Berlin
    lasts: 1h
    repeats: FREQ=WEEKLY
    without: ["2026-12-27"]
    author: ann
    reason: backups
"""
SLOS = """\
slos:
  - {name: quick, on: metric, by: [service], good: "value < 800", objective: 99.9}
  - {name: sound, on: prediction, by: [service], good: {quick: "latency_ms < 800"}, objective: 99, during: business}
  - {name: cheap, on: prediction, by: [service], budget: {amount: 500, per: 30d}}
  - name: up
    on: metric
    by: [service]
    counters: {total: {name: requests}, bad: {code: "~5.."}}
    objective: 99
    alerts: [{name: burn, window: 1h, short: 5m, spends: 0.02, severity: outage}]
"""
SOUND = {
    "rules": RULES,
    "autonomy": "autonomy: [{name: a, severity: [outage], record: {wrong: 2, of: 3}, at_most: auto}]\n",
    "calendars": CALENDARS,
    "runbooks": RUNBOOK,
    "catalog": CATALOG,
    "maintenance": MAINTENANCE,
    "oncall": ONCALL,
    "topics": "topics: {payments: {key: service, labels: {service: app, region: [a, b.c]}, drop: [c]}}\n",
    "targets": "commands: {restart: {argv: [/bin/restart, '{unit}'], parameters: {unit: '[a-z]+'}, timeout: 30s}}\n",
    "severities": "severities: {outage: {ack_within: 5m}}\nresponse: {settle: 30s}\n",
}


@pytest.mark.parametrize("name", sorted(SOUND))
def test_the_schema_that_is_checked_in_is_current(name: str, repository: Path) -> None:
    path = repository / "docs" / "reference" / "schemas" / f"{name}.json"
    text = json.dumps(schemas()[name], indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if os.environ.get("FIRELINE_WRITE_SCHEMAS"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text, "run the tests once with FIRELINE_WRITE_SCHEMAS=1"


def test_there_is_a_schema_for_every_kind_of_file() -> None:
    assert set(schemas()) == set(SOUND)


@pytest.mark.parametrize("name", sorted(SOUND))
def test_sound_files_fulfil_their_schema_and_unknown_keys_do_not(name: str) -> None:
    schema = schemas()[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    value = plain(read_document(name, SOUND[name].encode()).root)
    assert isinstance(value, dict)
    assert list(validator.iter_errors(value)) == []
    assert list(validator.iter_errors({**value, "unknown": 1}))


def test_objectives_fulfil_the_schema_of_rules() -> None:
    validator = jsonschema.Draft202012Validator(schemas()["rules"])
    value = plain(read_document("slos", SLOS.encode()).root)
    assert list(validator.iter_errors(value)) == []
