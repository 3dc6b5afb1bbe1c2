"""What Fireline tells of its own files: changes that came in force, and faults that keep others from it."""

import json

import pytest

from fireline.apps.own_files import FilesTold, changes_of
from fireline.domain.incidents import Status
from fireline.engine.orphans import orphans

BROKEN = "window: soon"


@pytest.fixture
def told(house):
    """The files of a running house, and who tells of them."""
    files, responder = house.parts()
    made = FilesTold(files, house.store, responder, house.clock)
    made.look()
    made.files, made.path = files, house.rules / "fraud.yaml"
    return made


def write(told, old, new):
    told.path.write_text(told.path.read_text().replace(old, new, 1))
    told.files.refresh()
    told.look()


def open_incidents(house):
    with house.store.reading() as tx:
        return list(tx.incidents(open_only=True))


def test_a_change_is_kept_with_its_files_its_owner_and_the_difference(house, told):
    before = told.files.current.hash
    write(told, "p99 > 800", "p99 > 801")
    told.look()
    with house.store.reading() as tx:
        (change,) = changes_of(tx)
    assert (change.was, change.hash, change.files) == (before, told.files.current.hash, ("rules/fraud.yaml",))
    assert change.who == (told.path.owner(),)
    assert '-      outage: {when: "p99 > 800' in change.diff
    assert '+      outage: {when: "p99 > 801' in change.diff


def test_changes_while_nobody_ran_are_kept_at_the_next_start(house, told):
    told.path.write_text(told.path.read_text().replace("p99 > 800", "p99 > 802", 1))
    files, responder = house.parts()
    for _ in range(2):
        FilesTold(files, house.store, responder, house.clock).look()
    with house.store.reading() as tx:
        assert [change.files for change in changes_of(tx)] == [("rules/fraud.yaml",)]


def test_broken_files_are_one_incident_that_names_each_place_and_wakes_nobody(house, told):
    kept = told.files.current.hash
    write(told, "window: 10s", BROKEN)
    told.look()
    (incident,) = open_incidents(house)
    (attached,) = incident.firing
    assert (incident.service, incident.severity, incident.pages) == ("fireline", "notice", ())
    assert "fraud.yaml:9:13: `soon` is not a duration" in attached.signal.evidence.reason
    assert f"configuration {kept[:12]} stays in force" in attached.signal.evidence.reason
    with house.store.reading() as tx:
        assert orphans(tx, told.files.current.rules) == []

    write(told, "window: 10s", BROKEN)
    (incident,) = open_incidents(house)
    (attached,) = incident.firing
    assert attached.signal.summary.startswith("2 faults in rules or runbooks")

    write(told, BROKEN, "window: 10s")
    write(told, BROKEN, "window: 10s")
    assert [each.firing for each in open_incidents(house)] == [()]
    with house.store.reading() as tx:
        assert tx.incident(1).status is not Status.RESOLVED, "it settles first, like any other"
        assert changes_of(tx) == [], "nothing came in force"


def test_the_changes_of_a_house_are_listed_and_shown(house, told):
    assert "Nothing has changed" in house("changes").err
    write(told, "p99 > 800", "p99 > 801")
    short = told.files.current.hash[:12]
    row = house("changes").out.splitlines()[1].split("\t")
    assert (row[0], row[2:]) == (short, [told.path.owner(), "rules/fraud.yaml"])
    assert "p99 > 801" in house("changes", short).out
    assert json.loads(house("changes", short, "--json").out)["files"] == ["rules/fraud.yaml"]
    assert json.loads(house("changes", "--json").out)[0]["hash"] == told.files.current.hash
    refused = house("changes", "ffffff")
    assert (refused.code, refused.out) == (1, "")
    assert "no change made a configuration 'ffffff'" in refused.err
