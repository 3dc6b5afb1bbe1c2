"""`fireline audit`: what is put down, who reads it, and that nobody changes it unseen."""

import json
import stat
from pathlib import Path

import pytest
from sqlalchemy import text

from fireline.adapters.clock import FakeClock
from fireline.apps import audit_checkpoints
from fireline.apps.audit_checkpoints import Checkpoints
from fireline.apps.audit_keys import keys_of, rotate
from fireline.apps.faults import Refused
from fireline.apps.settings import load_settings
from fireline.domain.audit import Act, Keys
from fireline.domain.incidents import Acknowledge, AddNote
from fireline.engine.routes import change_route
from tests.apps.command import AUDIT_KEY, House

KEYS = Keys.of((AUDIT_KEY,))


@pytest.fixture
def acts(house: House) -> House:
    """An incident that was opened, taken and noted, and a route that was changed; with the files read only once."""
    files, responder = house.parts()
    house.parts = lambda: (files, responder)  # type: ignore[method-assign]  # reading them costs more than the rest
    house.incident()
    responder.handle(Acknowledge(1, "ann", "command line"))
    weights, now = {"fallback": 100}, house.clock.now()
    with house.store.transaction() as tx:
        change_route(tx, files.current, "fraud-scoring", weights, by="person:ben", reason="a drill", now=now)
    responder.handle(AddNote(1, "ann", "looking at it"))
    return house


def entries(house: House, *words: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(house("audit", "ls", "--json", *words).out)
    return found


def tamper(house: House, statement: str) -> None:
    with house.store._writing() as connection:
        connection.execute(text(statement))


def test_who_did_what_through_what_and_what_changed(acts: House) -> None:
    said = entries(acts)
    kinds = [entry["kind"] for entry in said]
    assert kinds[0] == "incident.opened"
    taken = next(entry for entry in said if entry["kind"] == "incident.acknowledged")
    assert (taken["actor"], taken["via"], taken["subject"]) == ("ann", "command line", "INC-1")
    assert taken["before"]["status"] == "triggered"  # type: ignore[index]  # JSON
    assert taken["after"]["status"] == "acknowledged"  # type: ignore[index]  # JSON
    assert taken["after"]["acknowledged_by"] == "ann"  # type: ignore[index]  # JSON
    [route] = entries(acts, "--subject", "route:fraud-scoring")
    assert (route["actor"], route["kind"]) == ("ben", "route.changed")
    assert route["after"]["weights"] == {"fallback": 100}  # type: ignore[index]  # JSON
    assert {entry["actor"] for entry in entries(acts, "--actor", "ann")} == {"ann"}
    shown = acts("audit", "show", str(route["number"]))
    assert "by      ben" in shown.out
    assert "a drill" in shown.out


def test_verify_is_content_and_says_what_it_cannot_tell(acts: House) -> None:
    said = acts("audit", "verify")
    assert said.code == 0, said.out
    assert "as they were written" in said.out
    assert "no checkpoints" in said.out


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE audit SET body = replace(body, 'ann', 'eve') WHERE number = 2", "entry 2: edited"),
        ("DELETE FROM audit WHERE number = 2", "entry 2: deleted"),
        ("UPDATE timeline SET data = replace(data, 'looking', 'sleeping')", "was changed after it was written"),
        ("DELETE FROM timeline WHERE position = 2", "line 2 of the timeline of INC-1 is not there"),
        ("INSERT INTO timeline SELECT incident, 99, data FROM timeline WHERE position = 2", "line 99"),
    ],
)
def test_verify_names_the_first_bad_entry(acts: House, statement: str, words: str) -> None:
    tamper(acts, statement)
    said = acts("audit", "verify")
    assert said.code == 1
    assert words in said.out


def test_a_cut_off_end_is_told_by_a_checkpoint(acts: House) -> None:
    settings, clock = load_settings(), FakeClock()
    marks = Checkpoints(acts.store, settings, KEYS, clock)
    mark = marks.look()
    assert mark is not None
    assert marks.look(last=True) is None, "nothing was put down since"
    assert "checkpoints: 1, the last at entry" in acts("audit", "verify").out
    tamper(acts, f"DELETE FROM audit WHERE number = {mark.number}")
    tamper(acts, "DELETE FROM timeline WHERE position = (SELECT max(position) FROM timeline)")
    tamper(
        acts, "UPDATE audit_head SET number = number - 1, mac = (SELECT mac FROM audit ORDER BY number DESC LIMIT 1)"
    )
    said = acts("audit", "verify", "--json")
    assert said.code == 1
    assert json.loads(said.out)["damage"]["kind"] == "truncated"
    assert json.loads(said.out)["damage"]["entry"] == mark.number
    (acts.home / audit_checkpoints.FILE).unlink()
    assert acts("audit", "verify").code == 0, "without the checkpoint nobody can tell"


def test_a_database_begun_anew_is_told_by_a_checkpoint(acts: House) -> None:
    Checkpoints(acts.store, load_settings(), KEYS, FakeClock()).look()
    for statement in ("DELETE FROM audit", "DELETE FROM audit_head", "DELETE FROM timeline"):
        tamper(acts, statement)
    with acts.store.transaction() as tx:
        tx.record(Act(1.0, "eve", "api", "note", "INC-1", "nothing happened"))
    said = acts("audit", "verify")
    assert said.code == 1
    assert "replaced" in said.out


def test_checkpoints_come_with_entries_and_minutes(acts: House) -> None:
    clock = FakeClock()
    marks = Checkpoints(acts.store, load_settings(), KEYS, clock)
    assert marks.look() is not None
    with acts.store.transaction() as tx:
        tx.record(Act(1.0, "ann", "api", "note", "INC-1", "one more"))
    assert marks.look() is None, "too soon"
    clock.advance(audit_checkpoints.EVERY)
    assert marks.look() is not None
    found, bad = audit_checkpoints.read([acts.home / audit_checkpoints.FILE], KEYS)
    assert (len(found), bad) == (2, [])
    log = acts.home / "log"
    log.write_text(
        f"12:00:00 respond INFO fireline.audit: checkpoint {(acts.home / audit_checkpoints.FILE).read_text()}"
    )
    assert len(audit_checkpoints.read([log], KEYS)[0]) == 2
    log.write_text((acts.home / audit_checkpoints.FILE).read_text().replace('"number": ', '"number": 1'))
    assert len(audit_checkpoints.read([log], KEYS)[1]) == 2


def test_an_export_verifies_and_an_edited_one_does_not(acts: House) -> None:
    file = acts.home / "audit.ndjson"
    assert acts("audit", "export", "--out", str(file)).code == 0
    assert acts("audit", "verify", "--file", str(file)).code == 0
    lines = file.read_text().splitlines()
    for edited in (
        [lines[0], *lines[2:]],
        [line.replace("ann", "eve") for line in lines],
        lines[:-1],
        [*lines[:-2], lines[-1]],
        [lines[1], lines[0], *lines[2:]],
        [*lines[:-1], lines[-1].replace('"entries":', '"entries":1')],
        [lines[0].replace('{"act"', '{"act":1,"act"'), *lines[1:]],
        ["not an entry", *lines],
    ):
        file.write_text("\n".join(edited))
        assert acts("audit", "verify", "--file", str(file)).code == 1, edited


def test_a_selection_verifies_too(acts: House) -> None:
    file = acts.home / "ann.ndjson"
    assert acts("audit", "export", "--actor", "ann", "--out", str(file)).code == 0
    assert acts("audit", "verify", "--file", str(file)).code == 0
    lines = file.read_text().splitlines()
    assert len(lines) == 3
    for edited in ([lines[0], lines[2]], lines[:-1], [lines[0].replace("ann", "eve"), *lines[1:]]):
        file.write_text("\n".join(edited))
        assert acts("audit", "verify", "--file", str(file)).code == 1


def test_without_the_key_nothing_is_believed(acts: House) -> None:
    acts.set(AUDIT_KEY="another key of sixteen")
    said = acts("audit", "verify")
    assert said.code == 1
    assert "FIRELINE_AUDIT_KEY" in said.out
    acts.set(AUDIT_KEY=f"another key of sixteen,{AUDIT_KEY}")
    assert acts("audit", "verify").code == 0
    assert acts("incidents", "note", "1", "after the change", "--as", "ann").code == 0
    assert acts("audit", "verify").code == 0
    assert len({entry["key"] for entry in entries(acts)}) == 2


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRELINE_STATE_DIR", str(tmp_path / "state"))
    settings = load_settings()
    first = keys_of(settings)
    path = tmp_path / "state" / "audit-key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys_of(settings) == first
    second = rotate(settings)
    assert second.current != first.current
    assert set(first.secrets) < set(second.secrets)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["audit-key"]


def test_a_key_that_cannot_be_kept_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FIRELINE_STATE_DIR", str(tmp_path / "file"))
    with pytest.raises(Refused, match="FIRELINE_AUDIT_KEY"):
        keys_of(load_settings())


def test_an_entry_that_is_not_there(acts: House) -> None:
    said = acts("audit", "show", "4711")
    assert said.code == 1
    assert "there is no entry 4711" in said.err
