"""Slack's way in: clicks over Socket Mode, recorded before they are acknowledged; and signatures of posted ones.

Slack does not repeat a click that got lost, so none is acknowledged before what it asks for is committed. Nothing here
is awaited at start: while Slack is away the sockets try again in the background.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.signature import Clock as SignatureClock
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from fireline.adapters.slack_interactions import (
    NOT_OURS,
    Asked,
    Click,
    Place,
    asked,
    parse_interaction,
    place_of,
    typed_instead,
)
from fireline.domain.catalog import Catalog
from fireline.domain.events import Malformed
from fireline.domain.texts import clean, cut
from fireline.engine.ports import Unavailable

log = logging.getLogger(__name__)

LONGEST_BACKOFF = 30.0
SLOW_AFTER = 2.5
"""Seconds after which a person is told that the answer takes long; Slack gives up on an acknowledgement after 3."""

_REMEMBERED = 500
_OUTSIDE = (SlackClientError, aiohttp.ClientError, TimeoutError, OSError, ValueError)


def slack_client(bot_token: str, base_url: str = "https://slack.com/api/") -> AsyncWebClient:
    """A client for what a socket needs: its address, and answers that only one person sees."""
    return AsyncWebClient(token=bot_token, base_url=base_url, timeout=10, retry_handlers=[])


async def who_am_i(bot_token: str, base_url: str) -> str:
    """The app's name and workspace, as Slack knows this token; raises `Unavailable` saying why it does not."""
    try:
        answer = await slack_client(bot_token, base_url).auth_test()
    except SlackApiError as fault:
        said = fault.response.get("error") if isinstance(fault.response.data, dict) else fault.response.status_code
        raise Unavailable(f"Slack does not take the token: {said}") from None
    except _OUTSIDE as fault:
        raise Unavailable(f"Slack cannot be reached: {fault or type(fault).__name__}") from None
    return f"{answer.get('user', '?')} in {answer.get('team', '?')}"


def person_by_slack_id(catalog: Catalog, user: str) -> str | None:
    """The id of the person whose `contacts.slack` is this member id."""
    return next((person.id for person in catalog.people.values() if person.contacts.get("slack") == user), None)


def verified(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether Slack signed this request within five minutes of `now`; whatever is wrong with it means no."""

    class Now(SignatureClock):
        def now(self) -> float:
            return now

    try:
        return SignatureVerifier(secret, Now()).is_valid_request(body, dict(headers)) is True
    except Exception:  # the verifier raises on odd time stamps and signatures: a stranger's request is no fault of ours
        return False


class SlackSocket:
    """Listens for clicks. `on_click` decides and commits in a thread and returns the reply for the person, if any.

    `people` maps a Slack member id to a person's id. Of several `sockets` Slack uses any: while one reconnects,
    another listens. `patience` is how many seconds an unavailable database is tried again before the person is told.
    """

    def __init__(
        self,
        app_token: str,
        web_client: AsyncWebClient,
        on_click: Callable[[Asked], str],
        people: Callable[[str], str | None],
        *,
        sockets: int = 2,
        ping_interval: float = 3.0,
        patience: float = 2.0,
    ) -> None:
        self._app_token = app_token
        self._web = web_client
        self._on_click = on_click
        self._people = people
        self._sockets = sockets
        self._ping = ping_interval
        self._patience = patience
        self._connected = [False] * sockets
        self._tasks: set[asyncio.Task[None]] = set()
        self._clicks: OrderedDict[str, asyncio.Task[bool]] = OrderedDict()

    @property
    def connected(self) -> int:
        """How many sockets are open now."""
        return sum(self._connected)

    def start(self) -> None:
        """Begin to listen in the background; returns at once, whether Slack answers or not."""
        for number in range(self._sockets):
            self._tasks.add(asyncio.ensure_future(self._listen(number)))

    async def close(self) -> None:
        """Stop listening; clicks that are being recorded are finished first."""
        running = [task for task in self._clicks.values() if not task.done()]
        if running:
            await asyncio.wait(running, timeout=5.0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    # --- connections

    async def _listen(self, number: int) -> None:
        failures = 0
        while True:
            try:
                if await self._session(number):
                    failures = 0
            except Exception as fault:  # the listener must outlive whatever a connection brings
                log.warning("slack socket %d: %s: %s", number, type(fault).__name__, fault)
            await asyncio.sleep(min(LONGEST_BACKOFF, 0.5 * 2**failures))
            failures = min(failures + 1, 10)

    async def _session(self, number: int) -> bool:
        """One connection, from its opening until it is lost; whether it ever stood."""
        client = SocketModeClient(
            self._app_token,
            web_client=self._web,
            auto_reconnect_enabled=False,
            ping_interval=self._ping,
            logger=_quiet(),
        )
        client.socket_mode_request_listeners.append(self._on_request)
        try:
            client.wss_uri = await asyncio.wait_for(client.issue_new_wss_url(), 15)
            connecting = client.connect()  # type: ignore[no-untyped-call]  # untyped there
            await asyncio.wait_for(connecting, 15)
            log.info("slack socket %d is connected", number)
            while await client.is_connected():
                self._connected[number] = True
                await asyncio.sleep(0.2)
            log.info("slack socket %d was lost", number)
            return self._connected[number]
        finally:
            self._connected[number] = False
            await _let_go(client)

    async def _on_request(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        """Record, then acknowledge: what Slack delivers twice is recorded once and acknowledged twice."""
        task = self._clicks.get(request.envelope_id)
        if task is None:
            task = self._clicks[request.envelope_id] = asyncio.ensure_future(self._settle(client, request))
            if len(self._clicks) > _REMEMBERED:
                self._clicks.popitem(last=False)
            await asyncio.shield(task)
        elif await asyncio.shield(task):
            await _acknowledge(client, request)

    # --- clicks

    async def _settle(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> bool:
        """Do what one envelope asks; whether it is settled: a repetition then needs an acknowledgement only."""
        try:
            return await self._answer(client, request)
        except Exception:  # a listener that raises is silent: the library swallows it
            log.exception("a click could not be handled")
            self._clicks.pop(request.envelope_id, None)
            return False

    async def _answer(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> bool:
        interactive = request.type == "interactive"
        click = parse_interaction(request.payload) if interactive else Malformed(NOT_OURS, request.type)
        if isinstance(click, Malformed):
            await _acknowledge(client, request)
            await self._refuse(place_of(request.payload), click)
            return True
        person = self._people(click.place.user)
        if person is None:
            await _acknowledge(client, request)
            await self._whisper(click.place, _unlinked(click))
            return True
        wanted = asked(click, person)
        if isinstance(wanted, Malformed):
            await _acknowledge(client, request)
            await self._refuse(click.place, wanted)
            return True
        return await self._record(client, request, click, wanted)

    async def _record(
        self, client: AsyncBaseSocketModeClient, request: SocketModeRequest, click: Click, wanted: Asked
    ) -> bool:
        committing = asyncio.ensure_future(self._commit(wanted))
        done, _ = await asyncio.wait({committing}, timeout=SLOW_AFTER)
        if not done:
            await self._whisper(click.place, "This takes longer than usual; your click is being recorded.")
        try:
            reply = await committing
        except Exception as fault:  # every fault of the handler is told to the person, and not acknowledged as done
            self._clicks.pop(request.envelope_id, None)
            log.warning("a click was not recorded: %s: %s", type(fault).__name__, fault, exc_info=_unexpected(fault))
            await self._whisper(click.place, _not_recorded(click, fault))
            return False
        await _acknowledge(client, request)
        if reply:
            await self._whisper(click.place, _escaped(reply))
        return True

    async def _commit(self, wanted: Asked) -> str:
        """Call the handler in a thread, again while the database is away and patience lasts."""
        deadline = asyncio.get_running_loop().time() + self._patience
        while True:
            try:
                return await asyncio.to_thread(self._on_click, wanted)
            except Unavailable:
                if asyncio.get_running_loop().time() >= deadline:
                    raise
                await asyncio.sleep(0.2)

    async def _refuse(self, place: Place, why: Malformed) -> None:
        if why.reason == NOT_OURS:
            return
        log.warning("a click that cannot be read: %s: %s", why.reason, why.detail)
        if place.user:
            await self._whisper(place, f"Nothing was changed: {_escaped(why.detail)}.")

    async def _whisper(self, place: Place, text: str) -> None:
        """Tell the person alone; a failure is logged, the click is what counts."""
        try:
            if place.response_url:
                hook = AsyncWebhookClient(place.response_url, timeout=5, retry_handlers=[])
                answer = await hook.send(text=text, response_type="ephemeral", replace_original=False)
                if answer.status_code == 200:
                    return
            await self._web.chat_postEphemeral(channel=place.room, user=place.user, text=text)
        except _OUTSIDE as fault:
            log.warning("could not answer a click: %s: %s", type(fault).__name__, fault)


async def _acknowledge(client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
    """Tell Slack that it is settled; when the socket is gone by now, the card shows it all the same."""
    try:
        await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
    except (*_OUTSIDE, AttributeError) as fault:
        log.warning("could not acknowledge a click to Slack: %s: %s", type(fault).__name__, fault)


async def _let_go(client: SocketModeClient) -> None:
    """Close a connection and wait for its tasks, so that none outlives it."""
    tasks = (client.message_processor, client.current_session_monitor, client.message_receiver)
    with contextlib.suppress(*_OUTSIDE, asyncio.TimeoutError):
        closing = client.close()  # type: ignore[no-untyped-call]  # untyped there
        await asyncio.wait_for(closing, 5)
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def _quiet() -> logging.Logger:
    """The library's own log tells each failed attempt with its trace; ours tells it in one line."""
    quiet = logging.getLogger(f"{__name__}.library")
    quiet.setLevel(logging.CRITICAL)
    return quiet


def _unexpected(fault: Exception) -> Exception | None:
    return None if isinstance(fault, Unavailable) else fault


def _escaped(text: str) -> str:
    shown = cut(clean(text), 2500, note=True)
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _unlinked(click: Click) -> str:
    return (
        f"Nothing was changed: your Slack account ({_escaped(click.place.user)}) is not linked to anyone whom Fireline "
        f"knows.\nAdd `contacts: {{slack: {_escaped(click.place.user)}}}` to your entry under `people` in "
        f"rules/catalog.yaml, or use {typed_instead(click.subject)}."
    )


def _not_recorded(click: Click, fault: Exception) -> str:
    why = "Fireline's database is away" if isinstance(fault, Unavailable) else "Fireline failed to record it"
    return (
        f"Your click was not recorded: {why}. Click again in a moment, or use {typed_instead(click.subject)}; "
        "until then the page goes on to the next person."
    )
