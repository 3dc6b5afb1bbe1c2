"""What holds for every channel: whoever adds one adds a way to build it here, and passes."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import yaml
from rich.console import Console as Terminal

from fireline.channels import CHANNELS
from fireline.channels.console import Console, ConsoleSettings
from fireline.channels.slack import Slack, SlackSettings
from fireline.domain.outcomes import Done, Failed, RetryLater
from fireline.engine.outward import Channel, Message, MessageRef
from tests.channels.messages import FixedClock, approval, card, page
from tests.servers.slack import BOT_TOKEN, ROOM, LocalSlack
from tests.servers.slack_proxy import running

NAMES = sorted(CHANNELS)
HOSTILE = "<!channel> <@U0ANN> @here & \x00\x1b[2J\ud800\u202e [red] {{ 7*7 }} %s ``` \n\n" * 200


class Shown:
    """A channel and what people see of it."""

    def __init__(self, channel: Channel, address: str) -> None:
        self.channel, self.address = channel, address

    def text(self) -> str:
        raise NotImplementedError


class OnConsole(Shown):
    def __init__(self) -> None:
        self.out = io.StringIO()
        terminal = Terminal(file=self.out, width=10_000)
        super().__init__(Console(ConsoleSettings(), FixedClock(), terminal), "incidents")

    def text(self) -> str:
        return self.out.getvalue()


class OnSlack(Shown):
    def __init__(self, slack: LocalSlack, api: str) -> None:
        self.slack = slack
        settings = SlackSettings(bot_token=BOT_TOKEN, base_url=api, posts_per_second=1000.0)
        super().__init__(Slack(settings, _Racing()), ROOM)

    def text(self) -> str:
        return "\n".join(f"{m['text']}\n{m.get('blocks', '')}" for m in self.slack.messages())


class _Racing(FixedClock):
    """A second passes whenever someone looks, so that no limit is ever met."""

    def now(self) -> float:
        self.at += 1.0
        return self.at


@asynccontextmanager
async def shown_on(name: str, slack: LocalSlack) -> AsyncIterator[Shown]:
    if name == "console":
        yield OnConsole()
        return
    async with running(slack) as proxy:
        on = OnSlack(slack, proxy.api)
        yield on
        await on.channel.close()
        assert proxy.refused == [], "Slack's limits are kept"


@pytest.fixture(params=NAMES)
async def shown(request: pytest.FixtureRequest, local_slack: LocalSlack) -> AsyncIterator[Shown]:
    async with shown_on(request.param, local_slack) as found:
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
    assert kind.build(settings, FixedClock()).name == name, "building it connects to nothing"
    with pytest.raises(ValueError, match="nonsense"):
        kind.settings.model_validate({**yaml.safe_load(kind.example), "nonsense": 1})


@pytest.mark.parametrize("message", [page(), card(), approval()], ids=lambda m: m.kind)
async def test_what_it_shows_is_complete(shown: Shown, message: Message) -> None:
    await sent(shown, message)
    text = shown.text()
    for part in (message.title, message.body, message.severity.upper(), message.status):
        assert part in text
    for label, value in message.fields:
        assert label in text
        assert value in text
    assert message.why.replace(">", "") in text.replace("&gt;", "").replace(">", "")
    assert "(resent)" not in text


async def test_an_edit_is_seen_and_keeps_its_reference(shown: Shown) -> None:
    ref = await sent(shown, card())
    again = await sent(shown, card(key="card:7:2", status="acknowledged", edit=ref))
    assert again.ref == ref.ref
    assert "acknowledged" in shown.text()


async def test_an_edit_of_what_nobody_knows_is_shown(shown: Shown) -> None:
    await sent(shown, card(edit=MessageRef(shown.channel.name, shown.address, {"channel": ROOM, "ts": "1.1"})))
    assert "INC-7" in shown.text()


@pytest.mark.parametrize("ref", [{}, {"channel": 1, "ts": None}, {"key": []}], ids=str)
async def test_a_reference_of_another_channel_does_no_harm(shown: Shown, ref: dict[str, object]) -> None:
    elsewhere = MessageRef("elsewhere", "x", ref)
    await sent(shown, card(edit=elsewhere))
    await sent(shown, Message("say", "say", shown.address, "a line", thread=elsewhere))
    assert "a line" in shown.text()


async def test_a_line_in_a_thread_is_shown(shown: Shown) -> None:
    root = await sent(shown, card())
    await sent(shown, Message("say", "say", shown.address, "Ann acknowledged", thread=root))
    assert "Ann acknowledged" in shown.text()


@pytest.mark.parametrize("kind", ["page", "card", "say", "approval"])
async def test_hostile_and_endless_text_does_no_harm(shown: Shown, kind: str) -> None:
    monster = card(
        kind=kind, title=HOSTILE, body=HOSTILE, severity=HOSTILE, status=HOSTILE, why=HOSTILE, facts=(HOSTILE,) * 50
    )
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
