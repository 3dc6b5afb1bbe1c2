"""Clicks over Socket Mode: recorded before they are acknowledged, answered to the person alone."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from fireline.adapters.slack import SlackSocket, slack_client, who_am_i
from fireline.adapters.slack_interactions import Asked
from fireline.channels.slack import Slack, SlackSettings
from fireline.domain.clicks import ApprovalGiven
from fireline.domain.incidents import Acknowledge, EscalateNow, Resolve
from fireline.domain.outcomes import Done
from fireline.engine.outward import Message, MessageRef
from fireline.engine.ports import Unavailable
from tests.channels.messages import FixedClock, approval, buttons, card, page
from tests.servers.ports import free_port
from tests.servers.slack import (
    ANN,
    APP_TOKEN,
    BOT_TOKEN,
    ROOM,
    STRANGER,
    LocalSlack,
    binary,
    end,
    run,
    until,
)
from tests.servers.slack_proxy import Fault, SlackProxy, running

pytestmark = pytest.mark.slack


@dataclass
class Recorder:
    """What decides and commits: it remembers, and may be away, slow or broken."""

    reply: str = ""
    away: int = 0
    held: threading.Event | None = None
    broken: bool = False
    inputs: list[Asked] = field(default_factory=list)
    acknowledged_before: list[int] = field(default_factory=list)
    look: Callable[[], int] = lambda: 0
    threads: set[int] = field(default_factory=set)

    def __call__(self, wanted: Asked) -> str:
        self.threads.add(threading.get_ident())
        if self.away > 0:
            self.away -= 1
            raise Unavailable("the database is away")
        if self.broken:
            raise RuntimeError("a fault of ours")
        if self.held is not None:
            assert self.held.wait(240)
        self.acknowledged_before.append(self.look())
        self.inputs.append(wanted)
        return self.reply


@pytest_asyncio.fixture
async def proxy(local_slack: LocalSlack) -> AsyncIterator[SlackProxy]:
    async with running(local_slack) as found:
        yield found


@pytest.fixture
def recorder(proxy: SlackProxy) -> Recorder:
    return Recorder(look=lambda: len(proxy.acknowledged))


def listening(recorder: Recorder, api: str, *, sockets: int = 1) -> SlackSocket:
    people = {ANN: "ann"}
    web = slack_client(BOT_TOKEN, api)
    return SlackSocket(APP_TOKEN, web, recorder, people.get, sockets=sockets, patience=240.0)


@pytest_asyncio.fixture
async def connected(
    proxy: SlackProxy, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SlackSocket]:
    monkeypatch.setattr("fireline.adapters.slack.SLOW_AFTER", 240.0)  # a slow machine is no slow database
    socket = listening(recorder, proxy.api)
    socket.start()
    await until(lambda: socket.connected)
    yield socket
    await socket.close()


async def posted(proxy: SlackProxy, message: Message) -> MessageRef:
    channel = Slack(SlackSettings(bot_token=BOT_TOKEN, base_url=proxy.api, timeout=60.0), FixedClock())
    outcome = await channel.deliver(message)
    await channel.close()
    assert isinstance(outcome, Done)
    return MessageRef("slack", message.address, outcome.output)


async def press(slack: LocalSlack, action: str, user: str = ANN, room: str = ROOM) -> None:
    """Press a button; the local Slack's own answer, which waits for the acknowledgement, is not waited for."""
    message = (await asyncio.to_thread(slack.messages, room))[0]

    def pressing() -> None:
        with suppress(OSError):  # the test may be over, and the local Slack with it
            slack.press(message, f"fireline:{action}", user, message["channel"])

    threading.Thread(target=pressing, daemon=True).start()


def whispers(slack: LocalSlack, user: str, room: str = ROOM) -> list[str]:
    return [m["text"] for m in slack.messages(room) if m.get("ephemeral_to") == user]


@pytest.mark.usefixtures("connected")
async def test_a_click_is_recorded_before_it_is_acknowledged(
    proxy: SlackProxy, recorder: Recorder, local_slack: LocalSlack
) -> None:
    await posted(proxy, card())
    await press(local_slack, "acknowledge")
    await until(lambda: proxy.acknowledged)
    assert recorder.inputs == [Acknowledge(7, "ann", "slack", 3)]
    assert recorder.acknowledged_before == [0]
    assert threading.get_ident() not in recorder.threads, "the loop is not blocked by the database"


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize(
    ("action", "expected"),
    [("escalate", EscalateNow(7, "ann", "slack", 3)), ("resolve", Resolve(7, "ann", "slack", 3))],
)
async def test_every_button_of_a_page_asks_for_its_own(
    proxy: SlackProxy, recorder: Recorder, local_slack: LocalSlack, action: str, expected: Asked
) -> None:
    await posted(proxy, page(address=ANN))
    await press(local_slack, action, room=ANN)
    await until(lambda: recorder.inputs)
    assert recorder.inputs == [expected]


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize(("action", "approved"), [("approve", True), ("reject", False)])
async def test_an_approval_is_given_or_refused(
    proxy: SlackProxy, recorder: Recorder, local_slack: LocalSlack, action: str, approved: bool
) -> None:
    await posted(proxy, approval(address=ANN))
    await press(local_slack, action, room=ANN)
    await until(lambda: recorder.inputs)
    assert recorder.inputs == [ApprovalGiven(12, "ask", "ann", approved, "slack")]


@pytest.mark.usefixtures("connected")
async def test_the_reply_reaches_the_person_alone(
    proxy: SlackProxy, recorder: Recorder, local_slack: LocalSlack
) -> None:
    recorder.reply = "already acknowledged by Ben 12 s ago <!channel>"
    await posted(proxy, card())
    await press(local_slack, "acknowledge")
    [text] = await until(lambda: whispers(local_slack, ANN))
    assert text == "already acknowledged by Ben 12 s ago &lt;!channel&gt;"


@pytest.mark.usefixtures("connected")
async def test_the_click_of_someone_unknown_changes_nothing_and_says_why(
    proxy: SlackProxy, recorder: Recorder, local_slack: LocalSlack
) -> None:
    await posted(proxy, card())
    await press(local_slack, "acknowledge", STRANGER)
    [text] = await until(lambda: whispers(local_slack, STRANGER))
    assert "Nothing was changed" in text
    assert "contacts: {slack: U0EVE}" in text
    assert "fireline incidents ack INC-7" in text
    assert recorder.inputs == []


@pytest.mark.usefixtures("connected")
async def test_a_short_absence_of_the_database_goes_unseen(
    proxy: SlackProxy, recorder: Recorder, local_slack: LocalSlack
) -> None:
    recorder.away = 2
    await posted(proxy, card())
    await press(local_slack, "acknowledge")
    await until(lambda: proxy.acknowledged)
    assert len(recorder.inputs) == 1
    assert whispers(local_slack, ANN) == []


@pytest.mark.parametrize(("away", "broken", "said"), [(100, False, "database is away"), (0, True, "failed to record")])
async def test_what_could_not_be_recorded_is_not_acknowledged(
    proxy: SlackProxy,
    recorder: Recorder,
    local_slack: LocalSlack,
    connected: SlackSocket,
    monkeypatch: pytest.MonkeyPatch,
    away: int,
    broken: bool,
    said: str,
) -> None:
    monkeypatch.setattr(connected, "_patience", 0.5)
    recorder.away, recorder.broken = away, broken
    await posted(proxy, card())
    await press(local_slack, "acknowledge")
    [text] = await until(lambda: whispers(local_slack, ANN))
    assert said in text
    assert "fireline incidents ack INC-7" in text
    assert proxy.acknowledged == []
    recorder.away, recorder.broken = 0, False
    await press(local_slack, "acknowledge")
    await until(lambda: proxy.acknowledged)
    assert len(recorder.inputs) == 1


@pytest.mark.usefixtures("connected")
async def test_a_slow_recording_says_so_and_is_acknowledged_once_it_is_done(
    proxy: SlackProxy, recorder: Recorder, local_slack: LocalSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fireline.adapters.slack.SLOW_AFTER", 0.1)
    recorder.held = threading.Event()
    await posted(proxy, card())
    await press(local_slack, "acknowledge")
    [text] = await until(lambda: whispers(local_slack, ANN))
    assert "longer than usual" in text
    assert recorder.inputs == []
    assert proxy.acknowledged == []
    recorder.held.set()
    await until(lambda: proxy.acknowledged)
    assert len(recorder.inputs) == 1


@pytest.mark.usefixtures("connected")
async def test_an_envelope_delivered_twice_is_recorded_once(
    proxy: SlackProxy, recorder: Recorder, local_slack: LocalSlack
) -> None:
    proxy.duplicate_envelopes = True
    await posted(proxy, card())
    await press(local_slack, "acknowledge")
    await until(lambda: len(proxy.acknowledged) == 2)
    assert len(set(proxy.acknowledged)) == 1
    assert len(recorder.inputs) == 1


@pytest.mark.usefixtures("connected")
async def test_a_button_that_says_nonsense_is_answered(
    proxy: SlackProxy, recorder: Recorder, local_slack: LocalSlack
) -> None:
    await posted(proxy, card())
    message = local_slack.messages()[0]
    nonsense = {"type": "button", "action_id": "fireline:acknowledge", "block_id": "b", "value": "[[[["}
    await asyncio.to_thread(local_slack.interact, message, ROOM, ANN, nonsense)
    [text] = await until(lambda: whispers(local_slack, ANN))
    assert "Nothing was changed" in text
    assert recorder.inputs == []
    await until(lambda: proxy.acknowledged)
    assert len(proxy.acknowledged) == 1


async def test_a_broken_socket_comes_back(
    proxy: SlackProxy, recorder: Recorder, local_slack: LocalSlack, connected: SlackSocket
) -> None:
    await posted(proxy, card())
    before = set(proxy.sockets)
    await proxy.break_sockets()
    await until(lambda: connected.connected and proxy.sockets - before)
    await press(local_slack, "acknowledge")
    await until(lambda: recorder.inputs)


async def test_two_sockets_one_click_one_record(proxy: SlackProxy, recorder: Recorder, local_slack: LocalSlack) -> None:
    both = listening(recorder, proxy.api, sockets=2)
    both.start()
    await until(lambda: both.connected == 2)
    await posted(proxy, card(buttons=buttons()))
    await press(local_slack, "acknowledge")
    await until(lambda: proxy.acknowledged)
    await asyncio.sleep(0.3)  # long enough for a second delivery to be recorded, if there were one
    await both.close()
    assert both.connected == 0
    assert len(recorder.inputs) == 1


async def test_a_token_says_who_it_is_or_why_not(proxy: SlackProxy) -> None:
    assert "Fireline" in await who_am_i(BOT_TOKEN, proxy.api)
    proxy.next("auth.test", Fault(error="invalid_auth"))
    with pytest.raises(Unavailable, match="invalid_auth"):
        await who_am_i(BOT_TOKEN, proxy.api)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await who_am_i(BOT_TOKEN, "http://127.0.0.1:9/api/")


@pytest.mark.slow
async def test_start_waits_for_nobody_and_the_socket_comes_up_with_slack(repository: Path, tmp_path: Path) -> None:
    port = free_port()
    recorder = Recorder()
    socket = listening(recorder, f"http://127.0.0.1:{port}/api/")
    socket.start()
    await asyncio.sleep(1.0)
    assert socket.connected == 0
    process = await asyncio.to_thread(run, binary(repository), tmp_path, port)
    try:
        await until(lambda: socket.connected)
    finally:
        await socket.close()
        end(process)
