"""Nothing is queued for a channel that is not switched on, whoever queues it: decisions, runs and their steps."""

import pytest

from fireline.actions import OPTIONS, Ports, build_actions
from fireline.domain.effects import AskApproval, Say, SendPage, UpdateCard, UpdatePage
from fireline.domain.incidents import Acknowledge
from fireline.domain.runbooks import Autonomy
from fireline.engine.outward import StepContext
from fireline.engine.runs import Wanted
from tests.engine.runs_world import World, runbook, world

SHOWN = (SendPage, UpdateCard, UpdatePage, Say, AskApproval)


@pytest.fixture
def w(tmp_path):
    made = world(tmp_path)
    console = World(made.store, made.clock, made.settings, channels=frozenset({"console"}))
    yield console
    made.store.close()


def shown_on(w, *kinds):
    """The channels of what is queued, of these kinds."""
    found = [effect for effect in w.effects(object) if isinstance(effect, kinds or SHOWN)]
    return {effect.channel for effect in found}


def test_the_catalog_names_slack_first_and_everywhere(w):
    catalog = w.settings.current.catalog
    assert all(next(iter(person.contacts)) == "slack" for person in catalog.people.values())
    assert all("slack" in team.channels for team in catalog.teams.values())


def test_pages_cards_and_lines_go_to_configured_channels_alone(w):
    incident = w.fire()
    person = incident.pages[0].person
    assert shown_on(w, SendPage) == {"console"}
    w.responder.handle(Acknowledge(incident.number, person, incident.version))
    assert shown_on(w) == {"console"}


async def test_a_notice_goes_to_the_rooms_on_configured_channels_and_says_which(w):
    number = w.fire().number
    w.effects(object)
    now = w.clock.now()
    step = StepContext("run-1.tell", 1, "tell", number, now, {}, now)
    action = build_actions(Ports(w.store, w.settings, w.clock, w.responder))["notify"]
    outcome = await action.perform(OPTIONS["notify"](text="hello"), step)
    assert outcome.output == {"told": ["console:incidents"]}
    assert shown_on(w, Say) == {"console"}


def test_the_question_whether_a_run_may_start_is_asked_where_it_can_be_heard(w):
    number = w.fire().number
    w.effects(object)
    w.runs.request(Wanted("k", "route-to-fallback", number, {"service": "fraud-scoring"}, mode=Autonomy.APPROVE))
    assert shown_on(w, AskApproval) == {"console"}


async def test_an_approval_step_asks_where_it_can_be_heard(w):
    steps = "steps:\n  - {id: ask, uses: approval, with: {ask: Really?}}\n"
    book = runbook("name: asks\nowner: payments-ml\nstart: {mode: auto}\n" + steps)
    w.want(book, incident=w.fire().number)
    w.effects(object)
    await w.runs.run_once()
    assert shown_on(w, AskApproval) == {"console"}
