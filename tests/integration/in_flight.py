"""One incident whose pages are on their way on Slack, by mail, to PagerDuty and to a webhook, in real time.

Real store, clock, responder, performer and sweeper, in this process; servers of this machine. Ann is asked on Slack,
Ben by PagerDuty, Cleo by mail, and two webhooks are asked whose receiver is out of order, so that they are tried again
and again; the room has a card. The next level is asked after a while, unless somebody acknowledges.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from fireline.adapters.clock import SystemClock
from fireline.adapters.database import DatabaseStore
from fireline.adapters.http import SafeFetch
from fireline.adapters.memory import MemoryPublisher
from fireline.channels.email import Email, EmailSettings
from fireline.channels.means import Means
from fireline.channels.pagerduty import PagerDuty, PagerDutySettings
from fireline.channels.slack import Slack, SlackSettings
from fireline.channels.webhook import Webhook, WebhookSettings
from fireline.domain.catalog import Catalog, Person, Service, Team
from fireline.domain.configuration import Configuration, Response
from fireline.domain.effects import StartRun
from fireline.domain.incidents import Entry, Incident, SignalArrived
from fireline.domain.oncall import OnCall
from fireline.domain.outcomes import Done, Outcome
from fireline.engine.outward import Channel, Message
from fireline.engine.perform import Performer
from fireline.engine.respond import Responder
from fireline.engine.timers import HANDS, Sweeper
from tests.domain.deciding_world import SEVERITIES, policy, signal, target
from tests.engine.respond_world import running
from tests.engine.runs_world import Fixed
from tests.servers import hooks, mail
from tests.servers.hooks import SIGNING, Broken, Hooks
from tests.servers.mail import Mails
from tests.servers.slack import ANN, BOT_TOKEN, ROOM, LocalSlack

ROUTING = "0123456789abcdef0123456789abcdef"
ASKED = ("ann", "ben", "cleo", "dan", "fay")
WAIT = 3600.0
"""Seconds until the next level is asked: longer than any test takes."""
OUT_OF_ORDER = Broken(status=503, retry_after="0.2")
"""What the receiver of webhooks answers."""


@dataclass
class Timed:
    """A channel that writes down what ended when (seconds since the epoch), and how."""

    inner: Channel
    done: list[tuple[float, str, Message, Outcome]]

    @property
    def name(self) -> str:
        return self.inner.name

    async def deliver(self, message: Message) -> Outcome:
        outcome = await self.inner.deliver(message)
        self.done.append((SystemClock().now(), self.name, message, outcome))
        return outcome

    async def close(self) -> None:
        await self.inner.close()


@dataclass
class House:
    """What a test looks at."""

    store: DatabaseStore
    responder: Responder
    slack: LocalSlack
    alerts: Hooks
    receiver: Hooks
    mails: Mails
    done: list[tuple[float, str, Message, Outcome]] = field(default_factory=list)

    def fires(self, region: str = "eu") -> Incident:
        """An incident of its own for each region."""
        told = replace(signal(at=SystemClock().now(), region=region), group=f"region={region}")
        found = self.responder.handle(SignalArrived(told)).incident
        assert found is not None
        return found

    def incident(self, number: int = 1) -> Incident:
        with self.store.reading() as tx:
            found = tx.incident(number)
        assert found is not None
        return found

    def timeline(self, number: int = 1) -> list[Entry]:
        return self.responder.explain(number)

    def backlog(self) -> int:
        with self.store.reading() as tx:
            return tx.backlog()

    def under_way(self) -> bool:
        """Whether three have arrived, the room has its card, and both webhooks were refused at least once."""
        arrived = {(name, m.kind) for _, name, m, outcome in self.done if isinstance(outcome, Done)}
        wanted = {("slack", "page"), ("slack", "card"), ("pagerduty", "page"), ("email", "page")}
        refused = {
            m.address for _, name, m, outcome in self.done if name == "webhook" and not isinstance(outcome, Done)
        }
        return wanted <= arrived and len(refused) == 2


class Held(dict[str, str]):
    """Secrets by name."""

    def secret(self, name: str) -> str | None:
        return self.get(name)


def _configuration(receiver: str) -> Configuration:
    contacts = {
        "ann": {"slack": ANN},
        "ben": {"pagerduty": "secret:ROUTING"},
        "cleo": {"email": "cleo@x.example"},
        "dan": {"webhook": f"{receiver}/hook/dan"},
        "fay": {"webhook": f"{receiver}/hook/fay"},
        "eve": {"email": "eve@x.example"},
    }
    people = {name: Person(name, name.capitalize(), given) for name, given in contacts.items()}
    team = Team("payments-ml", "Payments ML", "payments", tuple(people), {"slack": ROOM})
    service = {"fraud-scoring": Service("fraud-scoring", "payments-ml")}
    catalog = Catalog(service, {"payments-ml": team}, people, SEVERITIES, default_team="payments-ml")
    levels = [target("person", name) for name in ASKED], [target("person", "eve")]
    oncall = OnCall({}, {"payments": policy("payments", *levels, wait=WAIT)})
    return Configuration({}, {}, catalog, oncall, Response(settle=60.0, storm=0.0))


@asynccontextmanager
async def house(store: DatabaseStore, slack: LocalSlack) -> AsyncIterator[House]:
    """All of it, at work until the block ends."""
    async with AsyncExitStack() as held:
        alerts, receiver = [await held.enter_async_context(hooks.running()) for _ in range(2)]
        mails = await held.enter_async_context(mail.running())
        settings, clock = Fixed(_configuration(receiver.url)), SystemClock()
        secrets = Held(ROUTING=ROUTING)
        means = Means(clock, SafeFetch(["127.0.0.1"], secrets), secrets, "https://fireline.example")
        held.push_async_callback(means.fetch.close)
        real: tuple[Channel, ...] = (
            Slack(SlackSettings(bot_token=BOT_TOKEN, base_url=slack.api), clock),
            PagerDuty(PagerDutySettings(url=f"{alerts.url}/pagerduty"), means),
            Email(EmailSettings(server=mails.address, sender="f@x.example", security="none"), means),
            Webhook(WebhookSettings(secret=SIGNING), means),
        )
        done: list[tuple[float, str, Message, Outcome]] = []
        channels = {each.name: Timed(each, done) for each in real}
        held.push_async_callback(channels["slack"].close)
        responder = Responder(store, settings, clock, frozenset(channels))
        performer = Performer(
            store, channels, MemoryPublisher(), start_run=_start, clock=clock, owner="one", responder=responder
        )
        sweeper = Sweeper(store, responder, clock, "one", hands=HANDS if store.writes_at_once else 1)
        await held.enter_async_context(running(performer, sweeper))
        receiver.next(*[OUT_OF_ORDER] * 10_000)
        yield House(store, responder, slack, alerts, receiver, mails, done)


async def _start(_effect: StartRun) -> Outcome:
    return Done()
