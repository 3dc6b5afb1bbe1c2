"""Fireline that is blind says so: as an incident while the database answers, straight to people while it does not."""

import asyncio
from contextlib import contextmanager

import pytest

from fireline.adapters.clock import FakeClock
from fireline.adapters.database import open_store
from fireline.adapters.memory import MemoryChannel
from fireline.apps.sight import LastResort, Lookout, until_it_answers
from fireline.apps.web_health import STREAM_FACT
from fireline.channels.console import told
from fireline.channels.slack_blocks import render
from fireline.domain.deciding_world import World
from fireline.domain.effects import SendPage
from fireline.domain.incidents import Status
from fireline.domain.outcomes import Failed, RetryLater
from fireline.domain.sight import Blind, Patience
from fireline.engine.orphans import orphans
from fireline.engine.ports import Unavailable
from fireline.engine.respond import Responder
from fireline.engine.sight import RULE
from tests.engine.respond_world import configuration
from tests.engine.runs_world import Fixed
from tests.servers.ready import ready

START = 1_700_000_000.0
PATIENCE = Patience(60.0, 900.0)


class MayBeAway:
    """A store that is away when it is told to be."""

    def __init__(self, store):
        self.store, self.away = store, ""

    @contextmanager
    def transaction(self):
        if self.away:
            raise Unavailable(self.away)
        with self.store.transaction() as tx:
            yield tx

    def reading(self):
        return self.store.reading()


class Watching:
    """A lookout on a real database, a clock that the test moves, and one channel under the name of Slack."""

    def __init__(self, tmp_path):
        self.clock = FakeClock(START)
        self.store = MayBeAway(open_store(ready(tmp_path / "fireline.db")))
        self.slack = MemoryChannel("slack")
        self.responder = Responder(self.store, Fixed(configuration()), self.clock, {"slack"})
        resort = LastResort({"slack": self.slack}, lambda: self.responder.world, self.clock, PATIENCE)
        self.lookout = Lookout(self.store, self.responder, self.clock, resort, "me")
        self.resort = resort

    async def after(self, seconds, fact=None):
        self.clock.advance(seconds)
        if fact is not None:
            with self.store.transaction() as tx:
                tx.put_fact(STREAM_FACT, {"partitions": 4, **fact}, self.clock.now())
        await self.lookout.look()

    def incident(self):
        with self.store.reading() as tx:
            return tx.latest_incident("fireline", "", "live")

    @property
    def said(self):
        return [(message.address, message.title) for message in self.slack.delivered]


@pytest.fixture
def watching(tmp_path):
    made = Watching(tmp_path)
    yield made
    made.lookout.close()
    made.store.store.close()


async def test_without_the_database_people_are_told_once_then_the_next_level_and_at_the_end(watching):
    watching.store.away = "connection refused"
    for _ in range(31):
        await watching.after(2)
    team = watching.responder.world.team(watching.responder.world.default_team)
    room = team.channels["slack"]
    addresses = [address for address, _ in watching.said]
    assert sorted(addresses) == sorted({*addresses}), "each once"
    assert room in addresses
    (page,) = [message for message in watching.slack.delivered if message.kind == "page"]
    assert "blind" in page.title
    assert "connection refused" in page.title
    assert "22:13:22 UTC" in page.title
    assert "fireline doctor" in page.body
    assert "on call" in page.why or "named by" in page.why
    assert not page.buttons
    for _ in range(4):
        await watching.after(2)
    assert len(watching.said) == len(addresses)
    await watching.after(900)
    again = [m for m in watching.slack.delivered[len(addresses) :] if m.kind == "page"]
    assert again
    assert "2. time" in again[0].body
    watching.store.away = ""
    count = len(watching.said)
    await watching.after(2)
    over = watching.said[count:]
    assert {address for address, _ in over} == {address for address, _ in watching.said[:count]}
    assert all("sees again: blind from 22:13:22 UTC to" in title for _, title in over)
    await watching.after(2)
    assert len(watching.said) == count + len(over)


async def test_what_did_not_arrive_is_said_again_and_marked_where_it_may_have(watching):
    people = World.of(configuration()).catalog.people
    (target,) = {people["cyd"].contacts["slack"]}
    watching.slack.plan(target, RetryLater(1.0, "slow down"), Failed("no answer", unknown=True))
    watching.store.away = "gone"
    await watching.after(2)
    for _ in range(4):
        await watching.after(30)
    (page,) = [message for message in watching.slack.delivered if message.address == target]
    assert page.resent
    assert isinstance(watching.resort.sight, Blind)


async def test_a_short_absence_wakes_nobody(watching):
    watching.store.away = "gone"
    for _ in range(20):
        await watching.after(2)
    watching.store.away = ""
    await watching.after(2)
    assert watching.said == []
    assert watching.incident() is None


async def test_a_stream_worker_that_is_silent_is_an_incident_that_ends_when_it_reports(watching):
    await watching.after(30, {"lag_as_of": START + 30})
    await watching.after(59)
    assert watching.incident() is None
    await watching.after(1)
    incident = watching.incident()
    assert incident.status is Status.TRIGGERED
    assert incident.severity == "outage"
    assert incident.owner == watching.responder.world.default_team
    assert "no stream worker reports since 22:13:50 UTC" in incident.title
    with watching.store.reading() as tx:
        assert orphans(tx, {}) == [], "nobody else clears it"
    queued = watching.store.store.claim_effects("test", watching.clock.now(), 30.0, 100)
    assert [q.effect for q in queued if isinstance(q.effect, SendPage)], "it pages as any other does"
    await watching.after(30)
    assert len(watching.incident().signals) == 1
    await watching.after(2, {"lag_as_of": watching.clock.now() + 2})
    (attached,) = watching.incident().signals.values()
    assert attached.signal.rule == RULE
    assert attached.cleared_at == watching.clock.now()
    with watching.store.reading() as tx:
        texts = [entry.text for entry in tx.timeline(incident.number)]
    assert any("blind from 22:13:50 UTC" in text for text in texts), texts
    assert watching.said == [], "nothing goes past the ordinary way"


async def test_a_worker_that_kafka_does_not_answer_is_an_incident(watching):
    for seconds in (2, 30, 30):
        await watching.after(seconds, {"lag_as_of": START})
    assert "Kafka does not answer" in watching.incident().title


async def test_what_was_silent_before_we_began_has_time_to_begin_as_well(watching):
    with watching.store.transaction() as tx:
        tx.put_fact(STREAM_FACT, {"lag_as_of": START - 80_000}, START - 80_000)
    await watching.after(50)
    assert watching.incident() is None
    await watching.after(10)
    assert "no stream worker" in watching.incident().title


async def test_who_could_not_report_while_the_database_was_away_has_time_to_report_again(watching):
    await watching.after(30, {"lag_as_of": START + 30})
    await watching.after(20)
    watching.store.away = "gone"
    for _ in range(40):
        await watching.after(2)
    watching.store.away = ""
    await watching.after(2)
    assert watching.incident() is None, "people were told of the database, and nothing else is known to be wrong"
    await watching.after(36)
    assert watching.incident() is None
    await watching.after(4)
    assert "no stream worker" in watching.incident().title, "silent for 60 s in which it could have reported"
    await watching.after(2, {"lag_as_of": watching.clock.now() + 2})
    assert all(each.cleared_at is not None for each in watching.incident().signals.values())


async def test_two_responders_say_it_once(watching):
    other = Lookout(watching.store, watching.responder, watching.clock, watching.resort, "other")
    await watching.after(61)
    await other.look()
    assert len(watching.incident().signals) == 1
    assert len(watching.incident().pages) == 1
    other.close()


async def test_every_channel_can_show_it(watching):
    watching.store.away = "gone"
    for _ in range(4):
        await watching.after(30)
    watching.store.away = ""
    await watching.after(2)
    assert {message.kind for message in watching.slack.delivered} == {"page", "card"}
    for message in watching.slack.delivered:
        shown = render(message)
        assert shown.blocks, "Slack would refuse the layout"
        assert "Fireline" in shown.text
        assert "Fireline" in "".join(line.plain for line in told(message))


async def test_who_starts_while_the_database_is_away_says_so_and_goes_on_when_it_is_back(watching):
    def ask():
        watching.clock.advance(5)
        if watching.clock.now() < START + 120:
            raise Unavailable("gone")

    class Quick(FakeClock):
        async def sleep(self, seconds):
            await asyncio.sleep(0)

    await until_it_answers(ask, watching.resort, Quick(START))
    titles = [title for address, title in watching.said if address == "C2"]
    assert len(titles) == 2
    assert "is blind" in titles[0]
    assert "sees again" in titles[1]
