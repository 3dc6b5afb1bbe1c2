"""A page over real channels, from the decision to the servers: refused, taken, acknowledged and resolved everywhere."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from fireline.adapters.http import SafeFetch
from fireline.channels.discord import Discord, DiscordSettings
from fireline.channels.email import Email, EmailSettings
from fireline.channels.means import Means
from fireline.channels.pagerduty import PagerDuty, PagerDutySettings
from fireline.domain.catalog import Catalog, Person, Service, Team
from fireline.domain.incidents import PageStatus, Resolve
from fireline.domain.oncall import OnCall
from fireline.engine.respond import Responder
from tests.domain.deciding_world import SEVERITIES, policy, target
from tests.engine.respond_world import Desk
from tests.servers import hooks, mail
from tests.servers.hooks import Broken, Hooks
from tests.servers.mail import Mails

ROUTING = "0123456789abcdef0123456789abcdef"
ANN = "ann@x.example"


class Held(dict[str, str]):
    """Secrets by name."""

    def secret(self, name: str) -> str | None:
        return self.get(name)


@pytest_asyncio.fixture
async def posted() -> AsyncIterator[Hooks]:
    async with hooks.running() as found:
        yield found


@pytest_asyncio.fixture
async def mails() -> AsyncIterator[Mails]:
    async with mail.running() as found:
        yield found


@pytest_asyncio.fixture
async def desk(tmp_path: Path, posted: Hooks, mails: Mails) -> AsyncIterator[Desk]:
    """Ann by PagerDuty, then by mail; her team's room is on Discord."""
    people = {"ann": Person("ann", "Ann Berg", {"pagerduty": "secret:ROUTING", "email": ANN})}
    team = Team("payments-ml", "Payments ML", "payments", ("ann",), {"discord": "secret:DISCORD"})
    service = {"fraud-scoring": Service("fraud-scoring", "payments-ml")}
    catalog = Catalog(service, {"payments-ml": team}, people, SEVERITIES, default_team="payments-ml")
    oncall = OnCall({}, {"payments": policy("payments", [target("person", "ann")])})
    made = Desk(tmp_path, catalog=catalog, oncall=oncall)
    held = Held(ROUTING=ROUTING, DISCORD=f"{posted.url}/discord")
    means = Means(made.clock, SafeFetch(["127.0.0.1"], held), held, "https://fireline.example")
    made.channels = {
        "pagerduty": PagerDuty(PagerDutySettings(url=f"{posted.url}/pagerduty"), means),
        "email": Email(EmailSettings(server=mails.address, sender="f@x.example", security="none"), means),
        "discord": Discord(DiscordSettings(), means),
    }
    made.responder = Responder(made.store, made.settings, made.clock, frozenset(made.channels))
    yield made
    await means.fetch.close()
    made.store.store.close()


async def until_quiet(desk: Desk) -> None:
    """Perform, and let time pass, until nothing is queued."""
    for _ in range(100):
        await desk.drain()
        if not desk.backlog():
            return
        desk.clock.advance(1.0)
    raise AssertionError("it does not end")


async def test_an_alert_follows_its_incident_by_the_key_that_pagerduty_returned(desk: Desk, posted: Hooks) -> None:
    desk.fires()
    await until_quiet(desk)
    desk.takes()
    await until_quiet(desk)
    desk.responder.handle(Resolve(1, "ann", "cli"))
    await until_quiet(desk)
    [events] = posted.pagerduty.values()
    actions = [event["event_action"] for event in events]
    assert list(dict.fromkeys(actions)) == ["trigger", "acknowledge", "resolve"]
    card = next(shown for shown in posted.discord.values() if "embeds" in shown)
    assert "RESOLVED" in card["embeds"][0]["title"], "the card is one message, brought up to date"


async def test_what_pagerduty_refuses_goes_by_mail_and_the_thread_says_how_it_ended(
    desk: Desk, posted: Hooks, mails: Mails
) -> None:
    posted.next(*[Broken(status=400, text="Invalid routing key")] * 2)  # whichever is first: the card or the page
    desk.settings.current.catalog.teams["payments-ml"].channels.clear()  # type: ignore[attr-defined]  # no card
    desk.fires()
    await until_quiet(desk)
    [page] = mails.taken
    assert desk.incident().pages[0].status is PageStatus.DELIVERED
    refused = next(text for text in desk.texts() if "did not reach Ann Berg on pagerduty" in text)
    assert "trying email" in refused
    assert ROUTING not in str(desk.texts())
    desk.takes()
    await until_quiet(desk)
    desk.responder.handle(Resolve(1, "ann", "cli"))
    await until_quiet(desk)
    assert [each["References"] for each in mails.taken] == [None, page["Message-ID"], page["Message-ID"]]
    assert [each["To"] for each in mails.taken] == [ANN] * 3


async def test_a_trigger_whose_answer_was_lost_is_one_alert(desk: Desk, posted: Hooks) -> None:
    posted.next(Broken(accepted=True, drop=True), Broken(accepted=True, drop=True))
    desk.fires()
    await until_quiet(desk)
    assert len(posted.pagerduty) == 1
    assert desk.incident().pages[0].status is PageStatus.DELIVERED
