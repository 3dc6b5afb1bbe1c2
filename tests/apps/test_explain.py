"""`fireline explain`: why a page reached its person, worked out again when files have changed; and why not."""

import json
from dataclasses import replace

import pytest

from fireline.domain.incidents import Acknowledge
from tests.apps.command import House


@pytest.fixture
def paged(house: House) -> tuple[House, str]:
    """An incident with one page, and whom it went to."""
    incident = house.incident()
    return house, incident.pages[0].person


def other(person: str) -> str:
    return {"ann": "ben", "ben": "cleo", "cleo": "ann"}[person]


def swapped(house: House) -> None:
    """The rotation of the shipped schedule, by one person."""
    path = house.rules / "oncall.yaml"
    text = path.read_text()
    assert "[ann, ben, cleo]" in text
    path.write_text(text.replace("[ann, ben, cleo]", "[ben, cleo, ann]"))


def test_a_page_is_worked_out_again_from_what_was_kept(paged: tuple[House, str]) -> None:
    house, person = paged
    said = house("explain", "INC-1", "--page", "1")
    assert said.code == 0
    assert f"again      the kept schedule payments-ml says the same: {person} by layer" in said.out
    assert "say the same" in said.out
    told = json.loads(house("explain", "INC-1", "--page", "1", "--json").out)["pages"][0]["checked"]
    assert told["same"] is True
    assert len(told["configuration"]) == 64
    assert told["channels"] == ["console"]


def test_changed_files_do_not_change_the_answer_and_are_told(paged: tuple[House, str]) -> None:
    house, person = paged
    swapped(house)
    said = house("explain", "INC-1", "--page", "1")
    assert f"says the same: {person} by layer" in said.out
    assert "would say otherwise" in said.out
    assert f"names {other(person)}" in said.out


def test_broken_files_do_not_keep_a_page_from_being_explained(paged: tuple[House, str]) -> None:
    house, person = paged
    (house.rules / "oncall.yaml").write_text("schedules: 1")
    said = house("explain", "INC-1", "--page", "1")
    assert said.code == 0
    assert f"says the same: {person} by layer" in said.out
    assert "the files of now cannot be read" in said.out


def test_a_page_of_an_older_version_says_so(paged: tuple[House, str]) -> None:
    house, _ = paged
    with house.store.reading() as tx:
        found, entries = tx.incident(1), tx.timeline(1)
    assert found is not None
    with house.store.transaction() as tx:
        tx.save_incident(replace(found, number=2, group="old", version=1))
        tx.append(2, [replace(entry, data={**entry.data, "facts": None}) for entry in entries])
    said = house("explain", "2", "--page", "1")
    assert "nothing was kept with this page" in said.out


def test_why_somebody_else_was_not_paged(paged: tuple[House, str]) -> None:
    house, person = paged
    house.parts()[1].handle(Acknowledge(1, person, "api"))
    said = house("explain", "INC-1", "--person", other(person))
    assert said.code == 0
    assert f"{other(person)} was not on call on schedule payments-ml then: {person} was (layer" in said.out
    assert "taken: no level beyond 1 was asked" in said.out
    assert "paged: page 1, level 1: acknowledged" in house("explain", "INC-1", "--person", person).out
    assert "eve is not in the catalog" in house("explain", "INC-1", "--person", "eve").out
    told = json.loads(house("explain", "INC-1", "--person", other(person), "--json").out)["person"]
    assert {reason["word"] for reason in told["reasons"]} == {"not on call", "taken"}


def test_why_nobody_was_paged(house: House) -> None:
    path = house.rules / "severities.yaml"
    text = path.read_text()
    path.write_text(text.replace("outage:   {urgency: high,", "outage:   {urgency: high, pages: false,"))
    assert "pages: false" in path.read_text()
    house.incident()
    said = house("explain", "INC-1")
    assert "Nobody was paged. Why:" in said.out
    assert "unpaged: Nobody is paged: severity outage does not page" in said.out
