"""Faults a person can make, and faults of what stands around: told in words, with what to do; never a traceback."""

import sqlite3

import pytest


def check_told(said, code, *words):
    assert said.code == code, said
    text = said.out + said.err
    assert "Traceback" not in text
    assert "Error:" not in text.replace("ValidationError", "Error:")
    for word in words:
        assert word in text, text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["incidents", "show", "INC-99"], "there is no incident INC-99"),
        (["incidents", "ack", "99", "--as", "ann"], "there is no incident INC-99"),
        (["incidents", "show", "incident seven"], "expected INC-7"),
        (["incidents", "show", "²"], "expected INC-7"),
        (["incidents", "show", "99999999999999999999999"], "expected INC-7"),
        (["incidents", "show", "INC--1"], "expected INC-7"),
        (["explain", "7"], "there is no incident INC-7"),
        (["runs", "show", "7"], "there is no run 7"),
        (["runs", "show", "99999999999999999999"], "there is no run"),
        (["runs", "show", "0"], "there is no run 0"),
        (["runs", "approve", "7", "--as", "ann"], "there is no run 7"),
        (["runs", "abort", "99999999999999999999", "--as", "ann"], "there is no run"),
        (["schema", "nonsense"], "catalog, maintenance, oncall, rules, runbooks, severities"),
        (["oncall", "now", "--at", "tomorrow"], "RFC 3339"),
        (["oncall", "now", "--at", "0001-01-01T00:00:00"], "2000 to 2200"),
        (["oncall", "show", "nobody"], "payments-ml"),
        (["replay", "/no/such/file.ndjson"], "no Kafka is configured"),
        (["replay", "/no/such/file.ndjson", "--kafka", "127.0.0.1:1", "--label", "x"], "key=value"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(house, words, expected):
    check_told(house(*words), 1, expected)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (["primary=50", "fallback=60"], "110"),
        (["fallback=99"], "99"),
        (["fallback=x"], "expected target=percent"),
        (["fallback=²"], "expected target=percent"),
        (["fallback"], "expected target=percent"),
        (["fallback=-10", "primary=110"], "expected target=percent"),
        (["fallback=50", "fallback=50"], "twice"),
        (["nowhere=100"], "nowhere"),
    ],
)
def test_weights_that_cannot_be_are_refused_and_nothing_changes(house, weights, expected):
    said = house("routes", "set", "fraud-scoring", *weights, "--reason", "trying", "--as", "ann")
    check_told(said, 1, expected)
    assert "primary=100" in house("routes", "ls").out


def test_a_route_needs_a_known_service_a_person_and_a_reason(house):
    ask = ["routes", "set", "fraud-scoring", "fallback=100"]
    check_told(house("routes", "set", "x", "fallback=100", "--reason", "abc", "--as", "ann"), 1, "no service 'x'")
    check_told(house(*ask, "--reason", "abc", "--as", "zoe"), 1, "'zoe'", "ann", "--as PERSON")
    check_told(house(*ask, "--reason", " ", "--as", "ann"), 1, "a reason has 3 to 1000 characters")
    check_told(house(*ask, "--as", "ann"), 2, "--reason")


def test_an_unknown_person_is_told_who_there_is(house, monkeypatch):
    house.incident()
    check_told(house("incidents", "ack", "1", "--as", "zoe"), 1, "'zoe'", "ann", "ben", "cleo", "--as PERSON")
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    check_told(house("incidents", "ack", "1"), 1, "'root'", "--as PERSON")

    def nobody():
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    check_told(house("incidents", "ack", "1"), 1, "--as PERSON")


def test_a_note_says_something(house):
    house.incident()
    check_told(house("incidents", "note", "1", "  ", "--as", "ann"), 1, "1 to 4000")
    check_told(house("incidents", "note", "1", "x" * 4001, "--as", "ann"), 1, "1 to 4000")


def test_pages_that_are_not_there_are_told(house):
    house.incident()
    check_told(house("explain", "1", "--page", "9"), 1, "no page 9", "its pages: 1")


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("WEB_PORT", "eighty", "FIRELINE_WEB_PORT"),
        ("KAFKA", "nowhere", "host:port"),
        ("DATABASE", "mysql://root:canary-password@db/x", "FIRELINE_DATABASE"),
        ("DATABASE", "postgresql://u:canary-password@host:port/x", "FIRELINE_DATABASE"),
        ("TOPICS", "fireline.metrics", "topic=format"),
        ("LOG_LEVEL", "loud", "debug, info, warning or error"),
    ],
)
def test_a_broken_setting_ends_every_command_with_2_and_says_which(house, name, value, word):
    house.set(**{name: value})
    for words in (["incidents", "ls"], ["check"], ["doctor"], ["up"], ["routes", "ls"]):
        said = house(*words)
        check_told(said, 2, word)
        assert "canary" not in said.err + said.out


def test_a_format_that_nobody_knows_is_told_before_anything_starts(house):
    house.set(TOPICS="fireline.metrics=xml")
    check_told(house("up"), 2, "FIRELINE_TOPICS", "xml", "native")


def test_a_database_that_cannot_be_read_is_told(house, tmp_path):
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"this is no database, it is a text of some length" * 100)
    for url in (f"sqlite:///{broken}", f"sqlite:///{tmp_path}", f"sqlite:///{broken}/below/x.db"):
        house.set(DATABASE=url)
        for words in (["incidents", "ls"], ["routes", "ls"], ["up"], ["explain", "1"]):
            check_told(house(*words), 1, "fireline doctor")


def test_a_database_that_does_not_answer_is_told_without_its_password(house):
    house.set(DATABASE="postgresql://fireline:canary-password@127.0.0.1:1/fireline")
    for words in (["incidents", "ls"], ["doctor"]):
        said = house(*words)
        check_told(said, 1, "127.0.0.1")
        assert "canary" not in said.out + said.err


def test_a_database_of_a_newer_version_is_told(house):
    house.store.ping()
    with sqlite3.connect(house.home / "fireline.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffff'")
    connection.close()
    check_told(house("incidents", "ls"), 1, "another Fireline version")


@pytest.mark.parametrize("break_them", ["remove", "file", "garbage"])
def test_broken_rules_are_told_and_reading_still_works(house, break_them):
    house.incident()
    for path in house.rules.iterdir():
        path.unlink()
    if break_them == "garbage":
        (house.rules / "catalog.yaml").write_bytes(b"\xff\xfe\x00 not yaml: [")
    else:
        house.rules.rmdir()
    if break_them == "file":
        house.rules.write_text("a file where a directory should be")
    for words in (["routes", "ls"], ["up"], ["oncall", "now"], ["incidents", "ack", "1", "--as", "ann"]):
        check_told(house(*words), 1, "catalog.yaml" if break_them == "garbage" else "rules", "fireline check")
    said = house("check")
    check_told(said, 1, "error:")
    assert "INC-1" in house("incidents", "ls").out
    assert "INC-1" in house("explain", "1").out
    assert house("incidents", "show", "1").code == 0


def test_a_wrong_command_line_ends_with_2(house):
    for words in (
        ["nonsense"],
        ["incidents", "ls", "--limit", "0"],
        ["runs", "show", "x"],
        ["oncall", "show", "--days", "0"],
    ):
        check_told(house(*words), 2)
