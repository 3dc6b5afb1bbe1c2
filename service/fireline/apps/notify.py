"""The work behind `fireline notify`: what is switched on, and whether a message reaches a person on each channel."""

import asyncio
import time
from collections.abc import Mapping
from typing import assert_never

from fireline.apps.bootstrap import Parts, assemble, channels_of, configured_channels, settings_with
from fireline.apps.faults import Refused
from fireline.apps.output import out, print_json, say, table
from fireline.apps.reach import PROVES_NOTHING, Tried, keep, standing
from fireline.apps.settings import Settings
from fireline.channels import CHANNELS
from fireline.domain.audit_acts import By, of_change
from fireline.domain.catalog import Person
from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater, Waiting
from fireline.engine.outward import Channel, Message

TIMEOUT = 10.0
"""Seconds a channel has to answer, as when it pages."""
PATIENCE = 15.0
"""Seconds in which a test is repeated that a channel puts off."""
_UNTRIED = ("off", "not tried")
_SWITCH: Mapping[str, str] = {
    "slack": "set FIRELINE_SLACK_BOT_TOKEN (docs/how-to/slack.md)",
    "email": "set FIRELINE_EMAIL_SERVER and FIRELINE_EMAIL_FROM",
    "webhook": "set FIRELINE_WEBHOOK_SECRET, and the receivers' hosts in FIRELINE_HTTP_ALLOW",
}


def channels(as_json: bool) -> int:
    """List every channel: whether it is switched on, how, and who would be reached there."""
    parts = assemble(settings_with())
    rows = [_row(name, parts) for name in CHANNELS]
    if as_json:
        print_json(rows)
        return 0
    shown = ("channel", "state", "how", "people", "rooms")
    table(shown, [tuple(_cell(row[name]) for name in shown) for row in rows], "There are no channels.")
    return 0


def _row(name: str, parts: Parts) -> dict[str, object]:
    catalog = parts.files.current.catalog
    on = name in configured_channels(parts.settings)
    return {
        "channel": name,
        "state": "on" if on else "off",
        "how": _how(name, parts.settings) if on else _SWITCH.get(name, ""),
        "people": [person.id for person in catalog.people.values() if person.contacts.get(name)],
        "rooms": [team.id for team in catalog.teams.values() if team.channels.get(name)],
    }


def _how(name: str, settings: Settings) -> str:
    match name:
        case "slack":
            clicks = (
                "clicks come back" if settings.slack_app_token is not None else "no clicks: no FIRELINE_SLACK_APP_TOKEN"
            )
            return f"{settings.slack_base_url}, {clicks}"
        case "email":
            return f"{settings.email_server} by {settings.email_security}, from {settings.email_from}"
        case "webhook":
            return "signed; hosts: " + (", ".join(settings.http_allow) or "none, set FIRELINE_HTTP_ALLOW")
        case "pagerduty":
            return settings.pagerduty_url
        case "console":
            return "standard output of `fireline respond`"
        case _:
            return "addresses are secrets: secret:NAME"


def _cell(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def prove(name: str, channel: str | None, as_person: str | None, as_json: bool) -> int:
    """Send a test to a person on each of their channels; 0 when all that are switched on, and one at least, took it."""
    parts = assemble(settings_with())
    person = _person(parts, name)
    wanted = {c: a for c, a in person.contacts.items() if a and (channel is None or c == channel)}
    if not wanted:
        known = ", ".join(person.contacts) or "none"
        raise Refused(f"{name} has no contact on {channel or 'any channel'}; there is {known} in rules/catalog.yaml")
    tried = asyncio.run(_try_all(parts, person, wanted, as_person or "somebody"))
    now = parts.clock.now()
    with parts.store.transaction() as tx:
        for each in tried:
            if each.outcome not in _UNTRIED:
                keep(tx, person.id, each, now)
                by = By(as_person or "somebody", "command line", now, f"a test page on {each.channel}: {each.outcome}")
                found = (None, {"channel": each.channel, "outcome": each.outcome, "detail": each.detail})
                tx.record(of_change("notify.tested", f"person:{person.id}", found, by))
        before = {each.channel: each.words for each in standing(tx, [person], frozenset(CHANNELS), now)}
    _tell(person, tried, before, as_json)
    asked = [each for each in tried if each.outcome not in _UNTRIED]
    return 0 if asked and all(each.outcome == "delivered" for each in asked) else 1


def _person(parts: Parts, name: str) -> Person:
    people = parts.files.current.catalog.people
    if name not in people:
        raise Refused(f"{name!r} is not in the catalog's people ({', '.join(sorted(people)) or 'nobody'})")
    return people[name]


async def _try_all(parts: Parts, person: Person, wanted: Mapping[str, str], who: str) -> list[Tried]:
    found, token = channels_of(parts.settings, parts.clock), parts.clock.token()[:12]
    try:
        tests = [
            _try(name, found.get(name), _message(person, name, address, f"test/{person.id}/{name}/{token}", who))
            for name, address in wanted.items()
        ]
        return list(await asyncio.gather(*tests))
    finally:
        for each in found.values():
            await each.close()


def _message(person: Person, channel: str, address: str, key: str, who: str) -> Message:
    return Message(
        key=key,
        kind="page",
        address=address,
        title=f"Test of how Fireline reaches {person.name}: nothing is wrong",
        status="test",
        body=f"{who} asked for it with `fireline notify test {person.id}`. There is nothing to do.",
        fields=(("Person", person.id), ("Channel", channel)),
        why="this is how a page would reach you; if it should not, have rules/catalog.yaml changed",
    )


async def _try(name: str, channel: Channel | None, message: Message) -> Tried:
    if name in PROVES_NOTHING:
        return Tried(name, message.address, "not tried", "nobody need be looking at a console", 0.0)
    if channel is None:
        return Tried(name, message.address, "off", _SWITCH.get(name, "see docs/how-to/channels.md"), 0.0)
    began = time.monotonic()
    while True:
        outcome = await _deliver(channel, message)
        taken = time.monotonic() - began
        if not isinstance(outcome, RetryLater) or taken + outcome.delay > PATIENCE:
            return Tried(name, message.address, *_words(outcome), taken)
        await asyncio.sleep(outcome.delay)


async def _deliver(channel: Channel, message: Message) -> Outcome:
    try:
        async with asyncio.timeout(TIMEOUT):
            return await channel.deliver(message)
    except TimeoutError:
        return Failed(f"no answer within {TIMEOUT:g} s", unknown=True)


def _words(outcome: Outcome) -> tuple[str, str]:
    match outcome:
        case Done():
            return "delivered", ""
        case RetryLater(delay, reason) | Waiting(delay, reason):
            return "put off", f"{reason}; again in {delay:.0f} s"
        case Failed(reason, unknown):
            return ("unknown" if unknown else "refused"), reason
        case _:
            assert_never(outcome)


def _tell(person: Person, tried: list[Tried], standing_: Mapping[str, str], as_json: bool) -> None:
    rows = [
        {
            "channel": each.channel,
            "address": each.address,
            "outcome": each.outcome,
            "seconds": round(each.seconds, 2),
            "reach": standing_.get(each.channel, "-"),
            "detail": each.detail,
        }
        for each in tried
    ]
    if as_json:
        print_json({"person": person.id, "channels": rows})
        return
    shown = ("channel", "address", "outcome", "seconds", "reach", "detail")
    table(shown, [tuple(row[name] for name in shown) for row in rows], "No channel was tried.")
    if any(each.outcome == "delivered" for each in tried):
        say("Delivered means that the channel took it: ask whether it rang.", "dim", to=out())
