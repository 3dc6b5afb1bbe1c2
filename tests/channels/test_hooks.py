"""What channels over HTTP send, as each service has it, and what they keep to themselves."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from standardwebhooks import Webhook as Verifier

from fireline.adapters.http import SafeFetch
from fireline.channels.discord import Discord, DiscordSettings
from fireline.channels.means import Means
from fireline.channels.pagerduty import PagerDuty, PagerDutySettings
from fireline.channels.teams import Teams, TeamsSettings
from fireline.channels.webhook import Webhook, WebhookSettings
from fireline.domain.outcomes import Done, Failed, RetryLater
from fireline.engine.outgoing import Request, Response
from fireline.engine.outward import Channel, Message, MessageRef
from tests.channels.messages import FixedClock, approval, card, page
from tests.servers import hooks
from tests.servers.hooks import SIGNING, Broken, Hooks

ROUTING = "0123456789abcdef0123456789abcdef"
SECOND = "whsec_bmV3IGtleSBvZiAyNCBieXRlcyBvciBtb3Jl"


class Held(dict[str, str]):
    """Secrets by name."""

    def secret(self, name: str) -> str | None:
        return self.get(name)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Hooks]:
    async with hooks.running() as found:
        yield found


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def means(server: Hooks, clock: FixedClock) -> Means:
    held = Held(ROUTING=ROUTING, DISCORD=f"{server.url}/discord?thread_id=7", TEAMS=f"{server.url}/teams", BAD="no URL")
    return Means(clock, SafeFetch(["127.0.0.1"], held), held, "https://fireline.example", "house")


async def told(channel: Channel, message: Message) -> MessageRef:
    outcome = await channel.deliver(message)
    assert isinstance(outcome, Done), outcome
    return MessageRef(channel.name, message.address, outcome.output)


# webhook
@pytest_asyncio.fixture
async def webhook(means: Means) -> AsyncIterator[Webhook]:
    clock = FixedClock(time.time())  # the library takes no message from another time
    channel = Webhook(WebhookSettings.model_validate({"secret": f"{SIGNING} {SECOND}"}), replace(means, clock=clock))
    yield channel
    await channel.close()


async def test_a_webhook_is_signed_for_old_and_new_key(webhook: Webhook, server: Hooks) -> None:
    await told(webhook, page(address=f"{server.url}/hook"))
    [call] = server.taken
    for key in (SIGNING, SECOND):
        assert json.dumps(Verifier(key).verify(call.raw, call.headers))
    with pytest.raises(Exception, match="signature"):
        Verifier(SIGNING).verify(call.raw.replace(b"INC-7", b"INC-8"), call.headers)
    assert call.body["type"] == "page"
    assert call.body["data"]["fields"][0] == {"label": "Service", "value": "fraud-scoring"}
    action = call.body["data"]["actions"][0]
    assert (action["action"], action["incident"]) == ("acknowledge", 7)
    assert action["command"] == "fireline incidents ack INC-7"


async def test_a_webhook_keeps_its_id_when_it_is_repeated_and_not_when_it_says_something_else(
    webhook: Webhook, server: Hooks
) -> None:
    address = f"{server.url}/hook"
    first = await told(webhook, card(address=address))
    again = await told(webhook, card(address=address, resent=True))
    assert first.ref == again.ref
    await told(webhook, card(address=address, key="card:7:2", status="acknowledged", edit=first))
    one, two, three = (call.headers["webhook-id"] for call in server.taken)
    assert one == two == first.ref["id"]
    assert three != one
    assert server.taken[2].body["type"] == "card.updated"
    assert server.taken[2].body["data"]["updates"] == one


@pytest.mark.parametrize("secret", ["whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_#####"])
def test_a_key_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        WebhookSettings.model_validate({"secret": secret})


async def test_a_host_that_is_not_allowed_is_not_reached(means: Means, server: Hooks) -> None:
    strict = replace(means, fetch=SafeFetch([], Held()))
    channel = Webhook(WebhookSettings.model_validate({"secret": SIGNING}), strict)
    outcome = await channel.deliver(page(address=f"{server.url}/hook"))
    await channel.close()
    assert isinstance(outcome, Failed)
    assert "FIRELINE_HTTP_ALLOW" in outcome.reason
    assert server.calls == []


async def test_a_redirect_is_not_followed(webhook: Webhook, server: Hooks) -> None:
    server.next(Broken(status=307, headers=(("Location", f"{server.url}/elsewhere"),)))
    outcome = await webhook.deliver(page(address=f"{server.url}/hook"))
    assert isinstance(outcome, Failed)
    assert "elsewhere" in outcome.reason
    assert len(server.calls) == 1


async def test_a_date_in_retry_after_is_understood_and_kept(webhook: Webhook, server: Hooks) -> None:
    server.next(Broken(status=429, retry_after="Wed, 21 Oct 2099 07:28:00 GMT"))
    first = await webhook.deliver(page(address=f"{server.url}/hook"))
    assert isinstance(first, RetryLater)
    assert first.delay == 3600.0, "but nobody is left alone for longer than an hour"
    second = await webhook.deliver(page(address=f"{server.url}/hook"))
    assert isinstance(second, RetryLater)
    assert second.limited
    assert len(server.calls) == 1
    assert isinstance(await webhook.deliver(page(address=f"{server.url}/hook?other")), Done), "others are not meant"


# Discord
@pytest_asyncio.fixture
async def discord(means: Means) -> AsyncIterator[Discord]:
    channel = Discord(DiscordSettings(), means)
    yield channel
    await channel.close()


async def test_a_discord_message_is_edited_in_its_thread(discord: Discord, server: Hooks) -> None:
    sent = await told(discord, card(address="secret:DISCORD"))
    assert server.calls[0].query == {"thread_id": "7", "wait": "true"}
    again = await told(discord, card(address="secret:DISCORD", status="resolved", edit=sent))
    assert again.ref == sent.ref
    assert (server.calls[1].method, server.calls[1].query) == ("PATCH", {"thread_id": "7"})
    [shown] = server.discord.values()
    assert "resolved" in shown["embeds"][0]["title"]
    assert shown["allowed_mentions"] == {"parse": [], "roles": []}


async def test_a_role_is_mentioned_when_a_policy_says_so_and_nobody_else(discord: Discord, server: Hooks) -> None:
    line = Message("s", "say", "secret:DISCORD", "look, <@&2> @everyone", mentions=("123", "everyone", "9" * 21))
    await told(discord, line)
    [shown] = server.discord.values()
    assert shown["allowed_mentions"] == {"parse": [], "roles": ["123"]}
    assert shown["content"].startswith("<@&123> ")
    assert "<@&2>" not in shown["content"]


async def test_a_discord_message_that_is_gone_is_sent_anew(discord: Discord, server: Hooks) -> None:
    gone = MessageRef("discord", "secret:DISCORD", {"message": "999"})
    found = await told(discord, card(address="secret:DISCORD", edit=gone))
    assert found.ref["message"] in server.discord


async def test_discord_is_left_alone_before_it_has_to_say_so(
    discord: Discord, server: Hooks, clock: FixedClock
) -> None:
    spent = (("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset-After", "1.5"))
    server.next(Broken(accepted=True, headers=spent))
    await told(discord, card(address="secret:DISCORD"))
    held = await discord.deliver(card(address="secret:DISCORD"))
    assert isinstance(held, RetryLater)
    assert held.delay == pytest.approx(1.5)
    assert len(server.calls) == 1
    clock.at += 1.5
    await told(discord, card(address="secret:DISCORD"))


async def test_markup_of_discord_in_a_text_means_nothing(discord: Discord, server: Hooks) -> None:
    await told(discord, card(address="secret:DISCORD", body="[click](https://evil.example) <@1> **loud**"))
    [shown] = server.discord.values()
    assert "[click](" not in shown["embeds"][0]["description"]
    assert "<@1>" not in shown["embeds"][0]["description"]
    assert "**" not in shown["embeds"][0]["description"].replace("\\*", "")


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("https://discord.com/api/webhooks/12/to-k_en", "https://discord.com/api/v10/webhooks/12/to-k_en?wait=true"),
        ("https://discord.com/api/v9/webhooks/12/t", "https://discord.com/api/v9/webhooks/12/t?wait=true"),
        (
            "https://discordapp.com/api/webhooks/12/t?thread_id=7",
            "https://discordapp.com/api/v10/webhooks/12/t?thread_id=7&wait=true",
        ),
    ],
)
async def test_discord_is_asked_as_a_version_that_counts_in_seconds(address: str, asked: str) -> None:
    seen: list[str] = []

    class Seen:
        async def __call__(self, request: Request) -> Response:
            seen.append(request.url)
            return Response(200, {}, "{}")

        async def close(self) -> None: ...

    await told(Discord(DiscordSettings(), Means(FixedClock(), Seen(), Held(D=address))), card(address="secret:D"))
    assert seen == [asked]


# PagerDuty
@pytest_asyncio.fixture
async def pagerduty(means: Means, server: Hooks) -> AsyncIterator[PagerDuty]:
    channel = PagerDuty(PagerDutySettings(url=f"{server.url}/pagerduty"), means)
    yield channel
    await channel.close()


async def test_a_dedup_key_goes_all_the_way_round(pagerduty: PagerDuty, server: Hooks) -> None:
    sent = await told(pagerduty, page(address="secret:ROUTING"))
    taken = await told(pagerduty, page(address="secret:ROUTING", key="u1", status="acknowledged", edit=sent))
    over = await told(pagerduty, page(address="secret:ROUTING", key="u2", status="resolved", edit=taken))
    assert sent.ref == taken.ref == over.ref
    [(key, events)] = server.pagerduty.items()
    assert key == sent.ref["dedup_key"] == "house/page:7:1"
    assert [event["event_action"] for event in events] == ["trigger", "acknowledge", "resolve"]
    assert {event["routing_key"] for event in events} == {ROUTING}
    assert events[0]["payload"]["severity"] == "critical"
    assert events[0]["payload"]["source"] == "fraud-scoring"
    assert events[0]["links"][0]["href"] == "https://fireline.example"


async def test_a_card_that_is_shown_late_is_in_its_state_at_once(pagerduty: PagerDuty, server: Hooks) -> None:
    await told(pagerduty, card(address="secret:ROUTING", status="acknowledged"))
    [events] = server.pagerduty.values()
    assert [event["event_action"] for event in events] == ["trigger", "acknowledge"]


async def test_an_alert_that_fires_again_is_triggered_again(pagerduty: PagerDuty, server: Hooks) -> None:
    over = await told(pagerduty, card(address="secret:ROUTING", status="resolved"))
    await told(pagerduty, card(address="secret:ROUTING", key="v9", status="triggered", edit=over))
    [events] = server.pagerduty.values()
    assert [event["event_action"] for event in events] == ["trigger", "resolve", "trigger"]


async def test_pagerduty_takes_no_questions_and_no_lines(pagerduty: PagerDuty, server: Hooks) -> None:
    assert isinstance(await pagerduty.deliver(approval(address="secret:ROUTING")), Failed)
    assert await pagerduty.deliver(Message("s", "say", "secret:ROUTING", "a line")) == Done({})
    assert server.calls == []


# Teams
@pytest_asyncio.fixture
async def teams(means: Means) -> AsyncIterator[Teams]:
    channel = Teams(TeamsSettings(), means)
    yield channel
    await channel.close()


async def test_teams_hears_of_a_change_that_matters_and_of_no_other(teams: Teams, server: Hooks) -> None:
    sent = await told(teams, card(address="secret:TEAMS"))
    same = await told(teams, card(address="secret:TEAMS", key="v2", facts=("more",), edit=sent))
    assert len(server.taken) == 1
    after = await told(teams, card(address="secret:TEAMS", key="v3", status="acknowledged", edit=same))
    assert len(server.taken) == 2
    assert after.ref["id"] == sent.ref["id"]
    content = server.taken[0].body["attachments"][0]["content"]
    assert content["actions"] == [
        {"type": "Action.OpenUrl", "title": "Status page", "url": "https://fireline.example"},
    ]
    assert {block["type"] for block in content["body"]} <= {"RichTextBlock", "Container"}, "nothing reads markup"


@pytest.mark.parametrize("text", ["a\n" * 2000, "\N{POLICE CARS REVOLVING LIGHT}" * 3000, '"' * 4000, "\u6f22" * 4000])
@pytest.mark.parametrize("kind", ["page", "say"])
async def test_a_card_is_never_larger_than_teams_takes(teams: Teams, server: Hooks, text: str, kind: str) -> None:
    fields = tuple((text, text) for _ in range(40))
    large = page(address="secret:TEAMS", kind=kind, title=text, body=text, why=text, fields=fields, facts=(text,) * 20)
    await told(teams, large)
    [call] = server.taken
    assert max(len(call.raw), len(json.dumps(call.raw.decode()))) <= 28_000
    shown = json.dumps(call.body)
    assert "fireline incidents ack INC-7" in shown, "how to answer is never left out"
    assert "are not shown" in shown


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (
            "HTTP error 429 with ContextId tcid=0",
            RetryLater(30.0, "Teams asks to be left alone for a while (429)", True),
        ),
        ("HTTP error 503 with ContextId tcid=0", RetryLater(2.0, "Teams is in trouble (503)")),
    ],
)
async def test_a_yes_of_teams_that_means_no_is_none(teams: Teams, server: Hooks, said: str, meant: RetryLater) -> None:
    server.next(
        Broken(status=200, text=f"Webhook message delivery failed with error: Microsoft Teams endpoint returned {said}")
    )
    assert await teams.deliver(page(address="secret:TEAMS")) == meant
    again = await teams.deliver(page(address="secret:TEAMS"))
    assert isinstance(again, RetryLater if meant.limited else Done)


async def test_a_card_that_teams_finds_too_large_is_no_delivery(teams: Teams, server: Hooks) -> None:
    server.next(Broken(status=200, text="Webhook message delivery failed with error: HTTP error 413"))
    outcome = await teams.deliver(page(address="secret:TEAMS"))
    assert isinstance(outcome, Failed)
    assert "413" in outcome.reason


# addresses
@pytest.mark.parametrize("name", ["teams", "discord", "pagerduty"])
async def test_an_address_that_is_a_secret_is_not_written_down(name: str, server: Hooks) -> None:
    made = _made(name, server)
    outcome = await made.deliver(page(address=f"{server.url}/{name}"))
    await made.close()
    assert isinstance(outcome, Failed)
    assert "secret:NAME" in outcome.reason
    assert server.calls == []


def _made(name: str, server: Hooks) -> Channel:
    held = Held()
    means = Means(FixedClock(), SafeFetch(["127.0.0.1"], held), held)
    match name:
        case "teams":
            return Teams(TeamsSettings(), means)
        case "discord":
            return Discord(DiscordSettings(), means)
        case _:
            return PagerDuty(PagerDutySettings(url=f"{server.url}/pagerduty"), means)


async def test_a_secret_that_is_missing_or_no_url_is_told_by_its_name(discord: Discord, server: Hooks) -> None:
    missing = await discord.deliver(page(address="secret:NOWHERE"))
    assert isinstance(missing, Failed)
    assert "FIRELINE_SECRET_NOWHERE" in missing.reason
    bad = await discord.deliver(page(address="secret:BAD"))
    assert isinstance(bad, Failed)
    assert "no URL" not in bad.reason
    assert "secret:BAD" in bad.reason or "Discord" in bad.reason
