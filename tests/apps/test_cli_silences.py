"""`fireline silence`: what it shows before it makes one, and what each command says."""

import json

import pytest

MATCHERS = ('service="fraud-scoring"', 'severity=~"outage|degraded"')


@pytest.fixture
def silence(house):
    return house("silence", "add", *MATCHERS, "--for", "2h", "--reason", "moving the database", "--as", "ann")


def test_add_shows_what_it_would_hold_back_and_makes_it(house):
    house.incident()
    said = house(
        "silence", "add", *MATCHERS, "--for", "2h", "--reason", "moving it", "--comment", "ask me", "--as", "ann"
    )
    assert said.code == 0
    before, after = said.out.split("S-1 holds until ")
    assert "INC-1 outage triggered fraud-scoring: fraud_latency (held back)" in before
    assert "Of 1 pages since" in before
    assert "it would have held back 1" in before
    assert "`fireline silence end S-1`" in after


def test_preview_makes_nothing(house):
    house.incident()
    told = json.loads(house("silence", "preview", 'service=~"fraud.*"', "--days", "7", "--json").out)
    assert (told["pages"], told["would_have_held_back"]) == (1, 1)
    assert [each["incident"] for each in told["now"]] == ["INC-1"]
    assert json.loads(house("silence", "ls", "--all", "--json").out) == []
    assert "Nothing is silenced" in house("silence", "ls").err


def test_ls_show_edit_comment_end(house, silence):
    head, line = house("silence", "ls").out.splitlines()
    assert head.split("\t") == ["id", "when", "by", "matches", "why"]
    assert line.split("\t")[2:] == ["ann", ", ".join(MATCHERS), "moving the database"]
    assert "edited end:" in house("silence", "edit", "S-1", "--for", "3h", "--as", "ben").out
    assert house("silence", "comment", "S-1", "takes longer", "--as", "ben").code == 0
    shown = house("silence", "show", "S-1").out
    assert "ben: takes longer" in shown
    assert "ann: made" in shown
    assert "S-1 is over" in house("silence", "end", "S-1", "--as", "ann").out
    again = house("silence", "end", "S-1", "--as", "ann")
    assert (again.code, "is over since" in again.err) == (1, True)
    assert "is over since" in house("silence", "ls", "--all").out


def test_one_that_repeats_shows_its_windows_in_its_zone(house):
    said = house(
        "silence", "add", MATCHERS[0], "--for", "1h", "--reason", "backups", "--repeats", "FREQ=WEEKLY;BYDAY=SU",
        "--start", "2031-03-23T02:30", "--end", "2031-05-01", "--time-zone", "Europe/Berlin", "--as", "ann",
    )  # fmt: skip
    assert said.code == 0, said.err
    (told,) = json.loads(house("silence", "ls", "--json").out)
    assert told["recurrence"]["first"] == "2031-03-23T02:30:00"
    assert not told["active"]


def test_all_that_is_wrong_is_told_at_once(house):
    said = house("silence", "add", MATCHERS[0], "--as", "ann")
    assert said.code == 1
    assert "a silence needs a reason" in said.err
    assert "without an end is forgotten" in said.err
    assert "not a regular expression" in house("silence", "add", 'a=~"("', "--for", "1h", "--as", "ann").err
    assert "has no unit" in house("silence", "add", MATCHERS[0], "--for", "2", "--as", "ann").err
    assert "pass or hold" in house("silence", "add", MATCHERS[0], "--resolves", "no", "--as", "ann").err


def test_planned_ones_are_listed_and_changed_in_their_file(house):
    (house.rules / "maintenance.yaml").write_text(
        "maintenance:\n  backups: {matchers: 'service=\"fraud-scoring\"', starts: '2031-03-23T02:30', lasts: 1h,"
        " time_zone: UTC, author: ann, reason: backups}\n"
    )
    assert [each["id"] for each in json.loads(house("silence", "ls", "--json").out)] == ["backups"]
    assert "planned in rules/maintenance.yaml" in house("silence", "show", "backups").out
    assert "change it there" in house("silence", "end", "backups", "--as", "ann").err
