"""The doctor: one line a check, each fault with its remedy; 1 when something is faulty, whatever it is."""

import json

from fireline.apps.web_health import RESPOND_FACT, STREAM_FACT
from fireline.domain.incidents import DeliveryReported


def checks(house):
    said = house("doctor", "--json")
    found = {check["check"]: check for check in json.loads(said.out)}
    assert all(set(check) == {"check", "finding", "found", "remedy"} for check in found.values())
    assert all(check["remedy"] for check in found.values() if check["finding"] == "fault")
    assert said.code == (1 if any(check["finding"] == "fault" for check in found.values()) else 0)
    return found


def roles_run(house, **stream):
    now = house.clock.now()
    with house.store.transaction() as tx:
        tx.put_fact(STREAM_FACT, {"events": 1000, "lag_seconds": 0.1, "dead_letters": 0, "dead": {}, **stream}, now)
        tx.put_fact(RESPOND_FACT, {}, now)


def test_nothing_runs(house):
    found = checks(house)
    assert found["files"]["finding"] != "fault"
    assert found["database"]["finding"] == "sound"
    assert found["slack"]["finding"] == "note"
    assert found["kafka"]["finding"] == "fault"
    assert "FIRELINE_KAFKA" in found["kafka"]["found"]
    assert found["stream"]["found"] == "has not been heard of"
    assert "fireline up" in found["stream"]["remedy"]


def test_it_reads_well_in_a_pipe(house):
    said = house("doctor")
    assert said.code == 1
    lines = said.out.splitlines()
    assert any(line.startswith("ok database") for line in lines)
    assert any(line.startswith("!! kafka") for line in lines)
    assert any(line.strip().startswith("->") for line in lines)


def test_roles_that_run_are_sound_and_late_ones_faulty(house):
    roles_run(house)
    found = checks(house)
    assert found["stream"]["finding"] == found["respond"]["finding"] == "sound"
    with house.store.transaction() as tx:
        tx.put_fact(RESPOND_FACT, {}, house.clock.now() - 100)
    late = checks(house)["respond"]
    assert late["finding"] == "fault"
    assert "was last heard of 1" in late["found"]  # 100 s ago, or a little more on a busy machine


def test_dead_letters_are_told_by_reason_and_where_they_are(house):
    roles_run(house, dead_letters=5, dead={"not-json": 3, "late": 2})
    found = checks(house)["events"]
    assert found["finding"] == "note"
    assert "2 late, 3 not-json" in found["found"]
    assert "fireline.dead-letter" in found["remedy"]


def test_a_stream_worker_that_lags_is_a_fault(house):
    roles_run(house, lag_seconds=120.0)
    assert checks(house)["events"]["finding"] == "fault"


def test_a_page_that_no_channel_takes_is_a_fault_that_says_why(house, monkeypatch):
    roles_run(house)
    number = house.incident().number
    house.parts()[1].handle(DeliveryReported(number, 1, "console", False, "it is closed", pending=True))
    assert checks(house)["pages"]["finding"] == "sound", "it is young"
    later = house.clock.now() + 60
    monkeypatch.setattr("fireline.adapters.clock.SystemClock.now", lambda self: later)
    found = checks(house)["pages"]
    assert found["finding"] == "fault"
    assert "page 1 of INC-1" in found["found"]


def test_broken_files_hide_nothing_else(house):
    roles_run(house)
    (house.rules / "fraud.yaml").write_text("rules: [")
    found = checks(house)
    assert found["files"]["finding"] == "fault"
    assert "fireline check" in found["files"]["remedy"]
    assert found["stream"]["finding"] == "sound"
    assert found["events"]["finding"] == "sound"


def test_a_database_that_is_away_is_told_and_the_rest_not_guessed(house):
    house.set(DATABASE="postgresql://fireline:canary-password@127.0.0.1:1/fireline")
    said = house("doctor", "--json")
    assert "canary" not in said.out + said.err
    found = {check["check"]: check for check in json.loads(said.out)}
    assert found["database"]["finding"] == "fault"
    assert found["files"]["finding"] != "fault"
    assert "stream" not in found


def test_a_slack_that_does_not_answer_is_told_without_its_token(house):
    house.set(SLACK_BOT_TOKEN="xoxb-canary", SLACK_BASE_URL="http://127.0.0.1:1/api/")
    said = house("doctor", "--json")
    assert "canary" not in said.out + said.err
    found = {check["check"]: check for check in json.loads(said.out)}
    assert found["slack"]["finding"] == "fault"
    assert "FIRELINE_SLACK_BOT_TOKEN" in found["slack"]["remedy"]
