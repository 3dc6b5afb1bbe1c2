"""The Slack channel against a local Slack, behind a proxy that is strict and breaks on request."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from fireline.channels.slack import Slack, SlackSettings
from fireline.domain.outcomes import Done, Failed, RetryLater
from fireline.engine.outward import Message, MessageRef
from tests.channels.messages import FixedClock, approval, card, page
from tests.servers.slack import ANN, BOT_TOKEN, ROOM, LocalSlack
from tests.servers.slack_proxy import Fault, SlackProxy, limited, running

pytestmark = pytest.mark.slack


@pytest_asyncio.fixture
async def proxy(local_slack: LocalSlack) -> AsyncIterator[SlackProxy]:
    async with running(local_slack) as found:
        yield found


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest_asyncio.fixture
async def slack(proxy: SlackProxy, clock: FixedClock) -> AsyncIterator[Slack]:
    channel = Slack(SlackSettings(bot_token=BOT_TOKEN, base_url=proxy.api, timeout=60.0), clock)
    yield channel
    await channel.close()


def ref(outcome: object, address: str = ROOM) -> MessageRef:
    assert isinstance(outcome, Done), outcome
    return MessageRef("slack", address, outcome.output)


async def test_a_card_is_posted_with_its_buttons_and_edited_in_place(slack: Slack, local_slack: LocalSlack) -> None:
    sent = ref(await slack.deliver(card()))
    over = card(status="resolved", title="INC-7 fraud-scoring is slow (over)", edit=sent)
    assert await slack.deliver(over) == Done(sent.ref)
    [shown] = local_slack.messages()
    assert "over" in shown["text"]
    assert "resolved" in str(shown["blocks"])
    assert "button" not in str(shown["blocks"]), "a closed incident has no buttons"


async def test_a_page_is_a_direct_message_that_says_why(slack: Slack, local_slack: LocalSlack) -> None:
    outcome = await slack.deliver(page(address=ANN))
    assert ref(outcome, ANN).ref["channel"] != ANN, "the reference names the conversation, which edits need"
    [shown] = local_slack.messages(ANN)
    assert "Why you" in str(shown["blocks"])
    assert "you are on call until Monday" in str(shown["blocks"])
    assert local_slack.messages() == []


async def test_a_line_goes_into_the_thread_of_the_card(slack: Slack, local_slack: LocalSlack) -> None:
    root = ref(await slack.deliver(card()))
    await slack.deliver(Message("say-1", "say", ROOM, "Ann acknowledged", thread=root))
    messages = local_slack.call("conversations.replies", channel=ROOM, ts=root.ref["ts"])["messages"]
    assert [m["text"] for m in messages][1:] == ["Ann acknowledged"]


async def test_an_approval_in_a_thread_is_seen_in_the_room_too(slack: Slack, proxy: SlackProxy) -> None:
    root = ref(await slack.deliver(card()))
    await slack.deliver(approval(address=ROOM, thread=root))
    sent = proxy.calls[-1][1]
    assert (sent["thread_ts"], sent["reply_broadcast"]) == (root.ref["ts"], True)


async def test_the_thread_of_another_room_is_not_answered_in(slack: Slack, proxy: SlackProxy) -> None:
    root = ref(await slack.deliver(card()))
    await slack.deliver(approval(address=ANN, thread=root))
    assert "thread_ts" not in proxy.calls[-1][1]


async def test_metadata_carries_the_key(slack: Slack, proxy: SlackProxy) -> None:
    await slack.deliver(card(key="card:7"))
    assert proxy.calls[-1][1]["metadata"]["event_payload"] == {"key": "card:7"}


async def test_too_many_requests_close_one_room_for_as_long_as_slack_says(
    slack: Slack, proxy: SlackProxy, clock: FixedClock
) -> None:
    proxy.next("chat.postMessage", limited(17))
    first = await slack.deliver(card())
    assert isinstance(first, RetryLater)
    assert first.delay == 17.0
    clock.at += 16.0
    held = await slack.deliver(card())
    assert isinstance(held, RetryLater)
    assert held.delay == pytest.approx(1.0)
    assert proxy.count("chat.postMessage") == 1, "Slack is not asked again before its time"
    assert isinstance(await slack.deliver(page(address=ANN)), Done), "the other room does not wait"
    clock.at += 1.0
    assert isinstance(await slack.deliver(card()), Done)


async def test_a_room_takes_one_message_a_second_without_blocking(
    slack: Slack, proxy: SlackProxy, clock: FixedClock
) -> None:
    outcomes = [await slack.deliver(card(key=str(number))) for number in range(8)]
    assert [type(o).__name__ for o in outcomes] == ["Done"] * 4 + ["RetryLater"] * 4
    clock.at += 1.0
    assert isinstance(await slack.deliver(card()), Done)
    assert proxy.count("chat.postMessage") == 5


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_broken_slack_is_tried_again(slack: Slack, proxy: SlackProxy, status: int) -> None:
    proxy.next("chat.postMessage", Fault(status=status))
    outcome = await slack.deliver(card())
    assert isinstance(outcome, RetryLater)
    assert str(status) in outcome.reason


async def test_nobody_there_is_tried_again(clock: FixedClock) -> None:
    away = Slack(SlackSettings(bot_token=BOT_TOKEN, base_url="http://127.0.0.1:9/api/", timeout=60.0), clock)
    outcome = await away.deliver(card())
    await away.close()
    assert isinstance(outcome, RetryLater)
    assert "cannot be reached" in outcome.reason


@pytest.mark.parametrize(
    "fault",
    [
        Fault(accepted=True, drop=True),
        Fault(accepted=True, seconds=600.0),
        Fault(status=504),
        Fault(error="fatal_error"),
    ],
    ids=["dropped after it was accepted", "hangs", "gateway time-out", "failed half-way"],
)
async def test_nobody_knows_whether_it_arrived(proxy: SlackProxy, clock: FixedClock, fault: Fault) -> None:
    proxy.next("chat.postMessage", fault)
    patience = 2.0 if fault.seconds else 60.0
    slack = Slack(SlackSettings(bot_token=BOT_TOKEN, base_url=proxy.api, timeout=patience), clock)
    outcome = await slack.deliver(card())
    await slack.close()
    assert isinstance(outcome, Failed)
    assert outcome.unknown
    assert proxy.count("chat.postMessage") == 1, "whether it is sent twice is decided elsewhere"


async def test_what_may_have_arrived_and_did_is_found_not_repeated(
    slack: Slack, proxy: SlackProxy, local_slack: LocalSlack
) -> None:
    proxy.next("chat.postMessage", Fault(accepted=True, drop=True))
    await slack.deliver(page(address=ANN))
    found = ref(await slack.deliver(page(address=ANN, resent=True)), ANN)
    [shown] = local_slack.messages(ANN)
    assert shown["ts"] == found.ref["ts"]
    assert "(resent)" not in shown["text"]


async def test_what_may_have_arrived_is_repeated_and_marked_where_history_is_closed(
    slack: Slack, proxy: SlackProxy, local_slack: LocalSlack
) -> None:
    proxy.next("chat.postMessage", Fault(accepted=True, drop=True))
    await slack.deliver(card())
    proxy.next("conversations.history", Fault(error="missing_scope"))
    assert isinstance(await slack.deliver(card(resent=True)), Done)
    first, second = local_slack.messages()
    assert "(resent)" not in first["text"]
    assert "(resent)" in second["text"]
    assert "(resent)" in second["blocks"][0]["text"]["text"]


async def test_what_did_not_arrive_is_sent(slack: Slack, proxy: SlackProxy, local_slack: LocalSlack) -> None:
    await slack.deliver(card(key="another"))
    proxy.next("chat.postMessage", Fault(drop=True))
    await slack.deliver(card())
    assert isinstance(await slack.deliver(card(resent=True)), Done)
    assert ["(resent)" in m["text"] for m in local_slack.messages()] == [False, True]


async def test_an_edit_that_was_cut_off_is_simply_repeated(slack: Slack, proxy: SlackProxy) -> None:
    sent = ref(await slack.deliver(card()))
    proxy.next("chat.update", Fault(accepted=True, drop=True))
    assert isinstance(await slack.deliver(card(edit=sent)), RetryLater)


async def test_a_message_that_is_gone_is_sent_anew(slack: Slack, local_slack: LocalSlack) -> None:
    gone = MessageRef("slack", ROOM, {"channel": ROOM, "ts": "1.000001"})
    outcome = await slack.deliver(card(edit=gone))
    [shown] = local_slack.messages()
    assert outcome == Done({"channel": ROOM, "ts": shown["ts"]})


async def test_a_layout_that_slack_refuses_leaves_the_text(
    slack: Slack, proxy: SlackProxy, local_slack: LocalSlack
) -> None:
    proxy.next("chat.postMessage", Fault(error="invalid_blocks"))
    assert isinstance(await slack.deliver(page(address=ANN)), Done)
    [shown] = local_slack.messages(ANN)
    assert not shown.get("blocks")
    assert "INC-7" in shown["text"]


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("channel_not_found", "rules/catalog.yaml"),
        ("not_in_channel", "/invite"),
        ("is_archived", "unarchive"),
        ("user_not_found", "contacts.slack"),
        ("invalid_auth", "FIRELINE_SLACK_BOT_TOKEN"),
        ("missing_scope", "deploy/slack-app-manifest.yaml"),
    ],
)
async def test_a_refusal_says_what_to_do(slack: Slack, proxy: SlackProxy, error: str, advice: str) -> None:
    proxy.next("chat.postMessage", Fault(error=error))
    outcome = await slack.deliver(card())
    assert isinstance(outcome, Failed)
    assert not outcome.unknown
    assert error in outcome.reason
    assert advice in outcome.reason


async def test_a_room_that_does_not_exist(slack: Slack) -> None:
    outcome = await slack.deliver(card(address="C0NOPE"))
    assert isinstance(outcome, Failed)
    assert "C0NOPE: channel_not_found" in outcome.reason


async def test_a_portal_that_answers_instead_of_slack(slack: Slack, proxy: SlackProxy) -> None:
    proxy.next("chat.postMessage", Fault(html=True))
    outcome = await slack.deliver(card())
    assert isinstance(outcome, RetryLater)
    assert "not Slack answered" in outcome.reason


async def test_a_hostile_monster_is_taken_as_it_is(slack: Slack, proxy: SlackProxy) -> None:
    monster = "<!channel> <@U0ANN> & \x00\ud800 *_`~ " * 2000
    message = replace(
        card(), title=monster, body=monster, why=monster, fields=((monster, monster),) * 60, facts=(monster,) * 40
    )
    assert isinstance(await slack.deliver(message), Done)
    assert proxy.refused == []
    assert proxy.count("chat.postMessage") == 1
