"""What holds for every channel: whoever adds one adds a way to build it here, and passes.

Each is run against a real server on this machine, which breaks as the services may: what comes of it is one of arrived,
later, never, and nobody knows.
"""

import io
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from email.message import EmailMessage

import pytest
import yaml
from rich.console import Console as Terminal

from fireline.adapters.http import SafeFetch
from fireline.channels import CHANNELS
from fireline.channels.console import Console, ConsoleSettings
from fireline.channels.email import Email, EmailSettings
from fireline.channels.means import Means
from fireline.channels.slack import Slack, SlackSettings
from fireline.domain.outcomes import Done, Failed, RetryLater
from fireline.engine.outgoing import MaybeSent, NotSent, Request, Response
from fireline.engine.outward import Channel, Message, MessageRef
from tests.channels.messages import FixedClock, approval, card, page
from tests.servers import hooks, mail
from tests.servers.hooks import SIGNING, Broken, Hooks
from tests.servers.mail import Mails
from tests.servers.slack import BOT_TOKEN, ROOM, LocalSlack
from tests.servers.slack_proxy import Fault, SlackProxy, limited, running

NAMES = sorted(CHANNELS)
HOSTILE = "<!channel> <@U0ANN> @here & \x00\x1b[2J\ud800\u202e [red] {{ 7*7 }} %s ``` \n\n" * 200


SHORT = 2.5
"""Seconds that a channel waits for an answer where a test lets it wait in vain."""
PATIENT = 60.0
"""Likewise where an answer comes, on however slow a machine."""
SECRETS = {"ROUTING": "0123456789abcdef0123456789abcdef"}


class Held(dict[str, str]):
    """Secrets by name."""

    def secret(self, name: str) -> str | None:
        return self.get(name)


class Shown:
    """A channel, what people see of it, and how to break the service behind it.

    `takes` are the kinds of messages it shows; `doubt` whether a lost answer leaves doubt (otherwise a repetition does
    no harm); `limits` whether the service says for how long it wants to be left alone.
    """

    takes = frozenset({"page", "card", "say", "approval"})
    doubt = limits = True

    def __init__(self, channel: Channel, address: str) -> None:
        self.channel, self.address = channel, address

    def text(self) -> str:
        raise NotImplementedError

    def breaks(self, how: str) -> None:
        """Let the next request end so: limited, trouble, refused, dropped (after it was taken), hang."""
        raise NotImplementedError

    def waits(self, seconds: float) -> None:
        """Let the channel wait so long for an answer; before it is first used."""
        settings = vars(self.channel)["_settings"]
        vars(self.channel)["_settings"] = settings.model_copy(update={"timeout": seconds})

    def taken(self) -> int:
        """How many messages people see."""
        raise NotImplementedError


class OnConsole(Shown):
    def __init__(self) -> None:
        self.out = io.StringIO()
        terminal = Terminal(file=self.out, width=10_000)
        super().__init__(Console(ConsoleSettings(), FixedClock(), terminal), "incidents")

    def text(self) -> str:
        return self.out.getvalue()


class OnSlack(Shown):
    def __init__(self, slack: LocalSlack, proxy: SlackProxy) -> None:
        self.slack, self.proxy = slack, proxy
        settings = SlackSettings(bot_token=BOT_TOKEN, base_url=proxy.api, posts_per_second=1000.0, timeout=PATIENT)
        super().__init__(Slack(settings, _Racing()), ROOM)

    def text(self) -> str:
        return "\n".join(f"{m['text']}\n{m.get('blocks', '')}" for m in self.slack.messages())

    def breaks(self, how: str) -> None:
        faults = {
            "limited": limited(17),
            "trouble": Fault(status=503),
            "refused": Fault(error="channel_not_found"),
            "dropped": Fault(accepted=True, drop=True),
            "hang": Fault(accepted=True, seconds=SHORT * 1.5),
        }
        self.proxy.next("chat.postMessage", faults[how])

    def taken(self) -> int:
        return len(self.slack.messages())


class OnHooks(Shown):
    """What posts to a URL."""

    def __init__(self, name: str, hooks: Hooks, settings: dict[str, object], address: str) -> None:
        self.hooks = hooks
        held = Held(SECRETS | {"URL": f"{hooks.url}/{name}"})
        self._fetch = Waiting(SafeFetch(["127.0.0.1"], held))
        means = Means(FixedClock(time.time()), self._fetch, held)
        kind = CHANNELS[name]
        super().__init__(kind.build(kind.settings.model_validate(settings), means), address)

    def text(self) -> str:
        texts = [text for call in self.hooks.taken for text in _texts(call.body)]
        return "\n".join(texts)

    def waits(self, seconds: float) -> None:
        self._fetch.seconds = seconds

    def breaks(self, how: str) -> None:
        faults = {
            "limited": Broken(status=429, retry_after="17"),
            "trouble": Broken(status=503),
            "refused": Broken(status=404),
            "dropped": Broken(accepted=True, drop=True),
            "hang": Broken(accepted=True, hang=True),
        }
        self.hooks.next(faults[how])

    def taken(self) -> int:
        return len(self.hooks.taken)


class OnDiscord(OnHooks):
    def __init__(self, hooks: Hooks) -> None:
        super().__init__("discord", hooks, {}, "secret:URL")

    def text(self) -> str:
        shown = "\n".join(text for body in self.hooks.discord.values() for text in _texts(body))
        return re.sub(r"\\(.)", r"\1", shown)

    def taken(self) -> int:
        return len(self.hooks.discord)


class OnPagerDuty(OnHooks):
    takes = frozenset({"page", "card"})
    doubt = False

    def __init__(self, hooks: Hooks) -> None:
        super().__init__("pagerduty", hooks, {"url": f"{hooks.url}/pagerduty"}, "secret:ROUTING")

    def text(self) -> str:
        said = [text for events in self.hooks.pagerduty.values() for event in events for text in _texts(event)]
        return "\n".join(said).replace("event_action: acknowledge", "acknowledged")

    def taken(self) -> int:
        return len(self.hooks.pagerduty)


class OnMail(Shown):
    def __init__(self, mails: Mails) -> None:
        self.mails = mails
        settings = EmailSettings(server=mails.address, sender="fireline@x.example", security="none", timeout=PATIENT)
        means = Means(FixedClock(), SafeFetch([], Held()), Held(), "https://fireline.example")
        super().__init__(Email(settings, means), "ann@x.example")

    def text(self) -> str:
        return "\n".join(f"{mail['Subject']}\n{_plain(mail)}" for mail in self.mails.taken)

    def breaks(self, how: str) -> None:
        answers = {
            "limited": "451 later",
            "trouble": "451 later",
            "refused": "554 no",
            "dropped": "drop",
            "hang": "hang",
        }
        self.mails.next(answers[how])

    limits = False

    def taken(self) -> int:
        return len(self.mails.taken)


class Waiting:
    """A fetch that waits as long as the test says, whatever a channel asks."""

    def __init__(self, fetch: SafeFetch) -> None:
        self._fetch, self.seconds = fetch, PATIENT

    async def __call__(self, request: Request) -> Response | NotSent | MaybeSent:
        return await self._fetch(replace(request, timeout=self.seconds))

    async def close(self) -> None:
        await self._fetch.close()


def _texts(value: object) -> Iterator[str]:
    """All that JSON says: `name: value` for texts, texts as they are."""
    match value:
        case str():
            yield value
        case dict():
            for name, inner in value.items():
                if inner is True:
                    yield f"({name})"
                elif isinstance(inner, str):
                    yield f"{name}: {inner}"
                else:
                    yield str(name)
                    yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)
        case _:
            pass


def _plain(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


class _Racing(FixedClock):
    """A second passes whenever someone looks, so that no limit is ever met."""

    def now(self) -> float:
        self.at += 1.0
        return self.at


@asynccontextmanager
async def shown_on(name: str, request: pytest.FixtureRequest) -> AsyncIterator[Shown]:
    async with AsyncExitStack() as held:
        match name:
            case "console":
                yield OnConsole()
                return
            case "slack":
                slack = request.getfixturevalue("local_slack")
                proxy = await held.enter_async_context(running(slack))
                held.callback(_assert_limits_kept, proxy)
                shown: Shown = OnSlack(slack, proxy)
            case "email":
                shown = OnMail(await held.enter_async_context(mail.running()))
            case _:
                shown = _on_hooks(name, await held.enter_async_context(hooks.running()))
        held.push_async_callback(shown.channel.close)
        yield shown


def _on_hooks(name: str, server: Hooks) -> Shown:
    match name:
        case "discord":
            return OnDiscord(server)
        case "pagerduty":
            return OnPagerDuty(server)
        case "webhook":
            return OnHooks(name, server, {"secret": SIGNING}, f"{server.url}/hook")
        case "teams":
            return OnHooks(name, server, {}, "secret:URL")
        case _:
            raise AssertionError(f"{name}: add a way to build it here")


def _assert_limits_kept(proxy: SlackProxy) -> None:
    assert proxy.refused == [], "Slack's limits are kept"


@pytest.fixture(params=NAMES)
async def shown(request: pytest.FixtureRequest) -> AsyncIterator[Shown]:
    async with shown_on(request.param, request) as found:
        yield found


@pytest.fixture(params=[name for name in NAMES if name != "console"])
async def answering(request: pytest.FixtureRequest) -> AsyncIterator[Shown]:
    """A channel with a service behind it that answers, or does not."""
    async with shown_on(request.param, request) as found:
        yield found


def at(shown: Shown, message: Message) -> Message:
    return replace(message, address=shown.address)


async def sent(shown: Shown, message: Message) -> MessageRef:
    outcome = await shown.channel.deliver(at(shown, message))
    assert isinstance(outcome, Done), outcome
    return MessageRef(shown.channel.name, shown.address, outcome.output)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_documented_and_its_example_is_valid(name: str) -> None:
    kind = CHANNELS[name]
    assert kind.page.startswith(f"{name}: "), "its page begins with its name and one line about it"
    settings = kind.settings.model_validate(yaml.safe_load(kind.example))
    means = Means(FixedClock(), SafeFetch([], Held()), Held())
    assert kind.build(settings, means).name == name, "building it connects to nothing"
    with pytest.raises(ValueError, match="nonsense"):
        kind.settings.model_validate({**yaml.safe_load(kind.example), "nonsense": 1})


def may_show(shown: Shown, kind: str) -> bool:
    return kind in shown.takes


@pytest.mark.parametrize("message", [page(), card(), approval()], ids=lambda m: m.kind)
async def test_what_it_shows_is_complete(shown: Shown, message: Message) -> None:
    if not may_show(shown, message.kind):
        assert isinstance(await shown.channel.deliver(at(shown, message)), Failed), "and says so"
        return
    await sent(shown, message)
    text = shown.text()
    for part in (message.title, message.body, message.status):
        assert part in text
    assert message.severity.casefold() in text.casefold()
    for label, value in message.fields:
        assert label in text
        assert value in text
    assert message.why.replace(">", "") in text.replace("&gt;", "").replace(">", "")
    assert "(resent)" not in text


def place(ref: MessageRef) -> dict[str, object]:
    """Where it is, without what is remembered of what it said."""
    return {name: value for name, value in ref.ref.items() if name not in ("status", "severity")}


async def test_an_edit_is_seen_and_keeps_its_reference(shown: Shown) -> None:
    ref = await sent(shown, card())
    again = await sent(shown, card(key="card:7:2", status="acknowledged", edit=ref))
    assert place(again) == place(ref)
    assert "acknowledged" in shown.text()


async def test_an_edit_of_what_nobody_knows_is_shown(shown: Shown) -> None:
    await sent(shown, card(edit=MessageRef(shown.channel.name, shown.address, {"channel": ROOM, "ts": "1.1"})))
    assert "INC-7" in shown.text()


@pytest.mark.parametrize("ref", [{}, {"channel": 1, "ts": None}, {"key": []}], ids=str)
async def test_a_reference_of_another_channel_does_no_harm(shown: Shown, ref: dict[str, object]) -> None:
    elsewhere = MessageRef("elsewhere", "x", ref)
    await sent(shown, card(edit=elsewhere))
    await sent(shown, Message("say", "say", shown.address, "a line", thread=elsewhere))
    assert "a line" in shown.text() or not may_show(shown, "say")


async def test_a_line_in_a_thread_is_shown(shown: Shown) -> None:
    root = await sent(shown, card())
    await sent(shown, Message("say", "say", shown.address, "Ann acknowledged", thread=root))
    assert "Ann acknowledged" in shown.text() or not may_show(shown, "say")


@pytest.mark.parametrize("kind", ["page", "card", "say", "approval"])
async def test_hostile_and_endless_text_does_no_harm(shown: Shown, kind: str) -> None:
    monster = card(
        kind=kind, title=HOSTILE, body=HOSTILE, severity=HOSTILE, status=HOSTILE, why=HOSTILE, facts=(HOSTILE,) * 50
    )
    if not may_show(shown, kind):
        return
    await sent(shown, replace(monster, fields=((HOSTILE, HOSTILE),) * 60))
    text = shown.text()
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "\u202e" not in text
    assert "49" not in text, "data is never a template"
    assert len(text) < 400_000


async def test_empty_text_is_a_message_all_the_same(shown: Shown) -> None:
    await sent(shown, Message("k", "card", shown.address, ""))
    assert shown.text().strip()


async def test_what_is_repeated_says_so(shown: Shown) -> None:
    await sent(shown, page(resent=True))
    assert "(resent)" in shown.text()


async def test_closing_twice_and_unused_is_no_fault(shown: Shown) -> None:
    await shown.channel.close()
    await shown.channel.close()


async def test_it_works_again_after_it_was_closed_or_says_why_not(shown: Shown) -> None:
    await shown.channel.close()
    outcome = await shown.channel.deliver(at(shown, card()))
    assert isinstance(outcome, Done | RetryLater | Failed)


# how a delivery may end
async def test_who_asks_to_be_left_alone_is_left_alone_as_long_as_they_say(answering: Shown) -> None:
    answering.breaks("limited")
    outcome = await answering.channel.deliver(at(answering, page()))
    assert isinstance(outcome, RetryLater), outcome
    assert outcome.limited
    if answering.limits:
        assert outcome.delay == 17.0
    assert answering.taken() == 0


async def test_trouble_is_tried_again(answering: Shown) -> None:
    answering.breaks("trouble")
    outcome = await answering.channel.deliver(at(answering, page()))
    assert isinstance(outcome, RetryLater), outcome
    assert isinstance(await answering.channel.deliver(at(answering, page())), Done)
    assert "(resent)" not in answering.text()


async def test_a_refusal_is_final_and_says_what_to_mend(answering: Shown) -> None:
    answering.breaks("refused")
    outcome = await answering.channel.deliver(at(answering, page()))
    assert isinstance(outcome, Failed), outcome
    assert not outcome.unknown
    assert ":" in outcome.reason


@pytest.mark.parametrize("how", ["dropped", "hang"])
async def test_nobody_knows_whether_it_arrived_or_repeating_it_does_no_harm(answering: Shown, how: str) -> None:
    answering.breaks(how)
    if how == "hang":
        answering.waits(SHORT)
    outcome = await answering.channel.deliver(at(answering, page()))
    if answering.doubt:
        assert isinstance(outcome, Failed), outcome
        assert outcome.unknown
        return
    assert isinstance(outcome, RetryLater), outcome
    answering.waits(PATIENT)
    assert isinstance(await answering.channel.deliver(at(answering, page())), Done)
    assert answering.taken() == 1


async def test_a_secret_is_in_no_outcome(answering: Shown) -> None:
    for how in ("limited", "refused"):
        answering.breaks(how)
        reason = str(await answering.channel.deliver(at(answering, page())))
        assert SECRETS["ROUTING"] not in reason
        assert "127.0.0.1" not in reason or answering.channel.name == "email"
