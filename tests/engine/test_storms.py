"""Much breaks at once: few incidents, one page a person, and nothing of it lost."""

from collections import Counter
from dataclasses import replace

import pytest

from fireline.domain.effects import SendPage
from fireline.domain.incidents import Acknowledge, PageStatus, SignalArrived, Status
from fireline.engine.outward import Message
from fireline.engine.storms import fold
from fireline.engine.timers import Sweeper
from tests.domain.deciding_world import signal
from tests.engine.respond_world import Desk

SIGNALS, SERVICES, ENTITIES, WITHIN = 500, 25, 20, 10.0


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    made.settings.current = replace(made.settings.current, response=replace(made.settings.current.response, storm=30.0))
    yield made
    made.store.close()


async def pass_until(desk: Desk, at: float) -> None:
    """Let time pass in small steps, and do what is due."""
    sweeper = Sweeper(desk.store, desk.responder, desk.clock, "sweeper")
    while True:
        while await sweeper.run_once():
            pass
        await desk.drain()
        if desk.clock.now() >= at:
            return
        desk.clock.advance(min(1.0, at - desk.clock.now()))


def first_pages(messages: list[Message]) -> Counter[str]:
    return Counter(m.address for m in messages if m.kind == "page" and m.edit is None)


async def test_five_hundred_signals_in_ten_seconds_are_few_incidents_and_one_page_a_person(desk):
    began = desk.clock.now()
    for number in range(SIGNALS):
        service = ["fraud-scoring", *(f"s{n}" for n in range(1, SERVICES))][number % SERVICES]
        desk.fires(service=service, region=f"r{number // SERVICES}")
        desk.clock.advance(WITHIN / SIGNALS)
        if number % 125 == 0:
            await desk.drain()
    await pass_until(desk, began + 35.0)
    incidents = desk.responder.incidents(limit=1000)
    assert len(incidents) == SERVICES
    assert sum(len(i.signals) for i in incidents) == SIGNALS
    assert first_pages(desk.slack.came) == {"U1": 1, "U3": 1}
    lead = next(i for i in reversed(incidents) if i.service != "fraud-scoring")
    for incident in incidents:
        (page,) = incident.pages
        assert page.status is PageStatus.DELIVERED
        assert incident.escalation is not None
        assert incident.escalation.due_at is not None, "it escalates as ever"
        alone = incident.service == "fraud-scoring" or incident.number == lead.number
        assert page.why.folded_into == ("" if alone else f"page 1 of {lead.id}")
    newest = [m for m in desk.slack.came if m.address == "U3"][-1]
    assert newest.title.startswith(f"{SERVICES - 1} incidents, the first: OUTAGE {lead.id}")
    assert "and 3 more" in newest.body


async def test_one_press_takes_all_that_the_page_lists(desk):
    for number in range(5):
        desk.fires(service=f"s{number}")
    await pass_until(desk, desk.clock.now() + 11.0)
    reply = desk.responder.handle(Acknowledge(1, "cyd", "slack", page=1, listed=4)).reply
    assert reply.endswith("and the 4 further incidents of this page")
    await pass_until(desk, desk.clock.now() + 1.0)
    assert {i.acknowledged_by for i in desk.responder.incidents()} == {"cyd"}
    await pass_until(desk, desk.clock.now() + 30.0)
    assert first_pages(desk.slack.came) == {"U3": 1}


async def test_what_came_after_the_press_is_not_taken_by_it_and_pages_by_itself(desk):
    for number in range(3):
        desk.fires(service=f"s{number}")
    await pass_until(desk, desk.clock.now() + 11.0)
    desk.fires(service="late")
    await desk.drain()
    assert desk.incident(4).pages[0].why.folded_into == "page 1 of INC-1"
    desk.responder.handle(Acknowledge(1, "cyd", "slack", page=1, listed=2))
    await pass_until(desk, desk.clock.now() + 11.0)
    assert [desk.incident(n).acknowledged_by for n in (1, 2, 3, 4)] == ["cyd", "cyd", "cyd", None]
    assert first_pages(desk.slack.came) == {"U3": 2}
    assert desk.incident(4).pages[0].why.folded_into == ""


async def test_a_page_that_resolves_before_it_lists_the_others_lets_them_out(desk):
    desk.fires(service="s0")
    desk.fires(service="s1")
    await desk.drain()
    desk.takes(1, "cyd")
    await pass_until(desk, desk.clock.now() + 15.0)
    assert first_pages(desk.slack.came) == {"U3": 2}
    assert desk.incident(2).status is Status.TRIGGERED
    assert any("goes out by itself" in text for text in desk.texts(2))


async def test_a_crash_after_folding_folds_once_and_loses_nothing(desk):
    desk.fires(service="s0")
    await desk.drain()
    desk.fires(service="s1")
    effect = SendPage("inc-2/page-1/slack", 2, 1, "cyd", "slack", "U3")
    responder = desk.responder
    for expected in (True, True):  # the effect comes again, as after a crash before it was finished
        with desk.store.transaction() as tx:
            done = fold(tx, effect, responder.world, desk.clock.now(), lambda what: responder.handle_in(tx, what))
        assert done is expected
    await pass_until(desk, desk.clock.now() + 12.0)
    assert first_pages(desk.slack.came) == {"U3": 1}
    assert sum("is folded into" in text for text in desk.texts(2)) == 1
    newest = [m for m in desk.slack.came if m.address == "U3"][-1]
    assert newest.title.startswith("2 incidents, the first: OUTAGE INC-1")


async def test_where_messages_are_not_edited_one_more_lists_all_of_them(desk):
    known = desk.settings.current
    cyd = replace(known.catalog.people["cyd"], contacts={"email": "cyd@x.example"})
    people = {**known.catalog.people, "cyd": cyd}
    desk.settings.current = replace(known, catalog=replace(known.catalog, people=people))
    for number in range(6):
        desk.responder.handle(SignalArrived(signal(service=f"s{number}", at=desk.clock.now())))
    await pass_until(desk, desk.clock.now() + 60.0)
    assert first_pages(desk.email.came) == {"cyd@x.example": 2}
    assert desk.email.pages()[-1].title.startswith("6 incidents")
