"""Responding: one input, one transaction; repeated ones change nothing, and nothing is ever half done."""

import threading
from dataclasses import replace

import pytest

from fireline.domain.effects import SendPage
from fireline.domain.incidents import Acknowledge, AddNote, Resolve, SignalArrived, Status
from fireline.engine.ports import StaleVersion, Unavailable
from fireline.engine.respond import ATTEMPTS, OUTDATED, Responder
from tests.domain.deciding_world import signal
from tests.engine.respond_world import Desk, configuration


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.store.close()


def arrived(desk, **given):
    return SignalArrived(signal(at=desk.clock.now(), **given))


def seen(desk):
    """All that an input may leave behind: incidents, lines, effects, deadlines."""
    with desk.store.store.reading() as tx:
        incidents = tx.incidents()
        return incidents, [list(tx.timeline(i.number)) for i in incidents], tx.backlog(), desk.store.store.next_due()


# idempotence
def test_a_signal_counts_once_however_often_it_is_told(desk):
    what = arrived(desk)
    desk.responder.handle(what)
    before = seen(desk)
    again = desk.responder.handle(what)
    assert "was handled before" in again.reason
    assert seen(desk) == before


def test_a_signal_of_a_worker_that_lost_its_partition_is_refused_and_may_come_from_the_next(desk):
    with desk.store.transaction() as tx:
        lost, held = tx.claim("partials", 0, 1.0), tx.claim("partials", 0, 2.0)
    what = arrived(desk)
    assert desk.responder.handle(what, claim=lost).reason == OUTDATED
    assert desk.responder.incidents() == []
    assert desk.responder.handle(what, claim=held).incident is not None


def test_an_input_under_a_known_name_counts_once(desk):
    desk.fires()
    note = AddNote(1, "ann", "looking")
    desk.responder.handle(note, once="click:1")
    assert "click:1 was handled before" in desk.responder.handle(note, once="click:1").reason
    assert desk.texts().count("Ann Berg: looking") == 1
    desk.responder.handle(note, once="click:2")
    assert desk.texts().count("Ann Berg: looking") == 2


def test_a_signal_told_to_many_at_once_opens_one_incident_and_pages_once(desk):
    what = arrived(desk)
    responders = [Responder(desk.store, desk.settings, desk.clock, desk.channels) for _ in range(6)]
    threads = [threading.Thread(target=each.handle, args=(what,)) for each in responders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    incidents, _, _, _ = seen(desk)
    assert [(i.number, i.version, len(i.pages)) for i in incidents] == [(1, 1, 1)]


def test_many_people_at_once_and_one_has_it(desk):
    desk.fires()
    replies = {}

    def ask(person):
        replies[person] = desk.responder.handle(Acknowledge(1, person, "slack")).reply

    threads = [threading.Thread(target=ask, args=(person,)) for person in ("ann", "bob", "cyd")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [person for person, reply in replies.items() if "is yours" in reply]
    assert winners == [desk.incident().acknowledged_by]
    assert sum("was already acknowledged by" in reply for reply in replies.values()) == 2


# conflicts
class Conflicting:
    """A transaction in which saving an incident fails as often as `times` says."""

    def __init__(self, tx, faults):
        self._tx, self._faults = tx, faults

    def __getattr__(self, name):
        return getattr(self._tx, name)

    def save_incident(self, incident):
        if self._faults:
            raise self._faults.pop()
        self._tx.save_incident(incident)


def conflicting(desk, monkeypatch, *faults):
    rest, transaction = list(faults), desk.store.store.transaction

    class Entered:
        def __enter__(self):
            self.held = transaction()
            return Conflicting(self.held.__enter__(), rest)

        def __exit__(self, *fault):
            return self.held.__exit__(*fault)

    monkeypatch.setattr(desk.store.store, "transaction", Entered)
    return rest


def test_a_decision_is_made_anew_when_somebody_else_was_quicker(desk, monkeypatch):
    conflicting(desk, monkeypatch, *[StaleVersion("version 1")] * (ATTEMPTS - 1))
    assert desk.responder.handle(arrived(desk)).incident.version == 1
    assert desk.incident().pages[0].person == "ann"


def test_who_is_never_quick_enough_is_told_and_nothing_is_half_done(desk, monkeypatch):
    before = seen(desk)
    conflicting(desk, monkeypatch, *[StaleVersion("version 1")] * ATTEMPTS)
    with pytest.raises(StaleVersion):
        desk.responder.handle(arrived(desk))
    assert seen(desk) == before


# all or nothing
@pytest.mark.parametrize("at", ["save_incident", "append", "disarm", "arm", "withdraw", "enqueue"])
def test_a_crash_anywhere_inside_leaves_nothing_half_done_and_the_input_can_come_again(desk, monkeypatch, at):
    desk.fires()
    before = seen(desk)

    def crash(*given):
        raise MemoryError("killed here")

    kind = type(_transaction(desk))
    with monkeypatch.context() as patched:
        patched.setattr(kind, at, crash)
        with pytest.raises(MemoryError):
            desk.responder.handle(Acknowledge(1, "ann", "slack"), once="click")
    assert seen(desk) == before
    assert "is yours" in desk.responder.handle(Acknowledge(1, "ann", "slack"), once="click").reply


def _transaction(desk):
    with desk.store.store.transaction() as tx:
        return tx


def test_a_crash_while_a_signal_opens_an_incident_wastes_no_number(desk, monkeypatch):
    what = arrived(desk)

    def crash(*given):
        raise MemoryError("killed here")

    with monkeypatch.context() as patched:
        patched.setattr(type(_transaction(desk)), "enqueue", crash)
        with pytest.raises(MemoryError):
            desk.responder.handle(what)
    assert desk.responder.handle(what).incident.number == 1


def test_a_database_that_is_away_is_said_and_the_signal_can_come_again(desk):
    what = arrived(desk)
    desk.store.away["transaction"] = 1
    with pytest.raises(Unavailable):
        desk.responder.handle(what)
    assert desk.responder.handle(what).incident.number == 1


# what it decides with
def test_the_configuration_in_force_decides_and_a_reload_is_seen(desk):
    desk.fires()
    people = desk.settings.current.catalog.people
    changed = configuration().catalog
    changed = replace(changed, people={**people, "ann": replace(people["ann"], contacts={"slack": "U9"})})
    desk.settings.current = replace(desk.settings.current, catalog=changed)
    desk.responder.handle(Resolve(1, "ann", "cli"))
    desk.clock.advance(3600)
    desk.fires()
    effects = [queued.effect for queued in desk.store.claim_effects("t", desk.clock.now(), 1.0, 100)]
    assert [e.address for e in effects if isinstance(e, SendPage)] == ["U9"]


def test_an_alias_of_a_service_is_the_service(desk):
    desk.fires()
    desk.fires(service="fraud", region="us")
    assert [len(i.signals) for i in desk.responder.incidents()] == [2]


def test_the_services_personal_data_is_gone_before_anything_is_stored(desk):
    catalog = desk.settings.current.catalog
    service = replace(catalog.services["fraud-scoring"], personal_data=(r"[\w.]+@[\w.]+",))
    services = {**catalog.services, "fraud-scoring": service}
    desk.settings.current = replace(desk.settings.current, catalog=replace(catalog, services=services))
    what = arrived(desk)
    desk.responder.handle(SignalArrived(replace(what.signal, summary="slow for jane@example.com")))
    assert desk.incident().title == "slow for [redacted]"
    assert "jane" not in repr(seen(desk))


def test_an_incident_that_does_not_exist_is_an_answer(desk):
    assert desk.responder.handle(Acknowledge(7, "ann", "cli")).reply == "INC-7 does not exist"


def test_explaining_tells_every_line_with_its_reason(desk):
    desk.fires()
    lines = desk.responder.explain(1)
    paged = next(line for line in lines if line.kind == "paged")
    assert (paged.data["why"]["policy"], paged.data["why"]["rule"]) == ("payments", "fraud_latency")
    assert paged.data["escalates_in"] == "5 min"


def test_incidents_are_told_the_newest_first_and_closed_ones_when_asked(desk):
    desk.fires()
    desk.fires(service="search")
    desk.responder.handle(Resolve(1, "ann", "cli"))
    assert [i.number for i in desk.responder.incidents()] == [2]
    assert [(i.number, i.status) for i in desk.responder.incidents(open_only=False)][1] == (1, Status.RESOLVED)
