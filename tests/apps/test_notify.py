"""`fireline notify`: what is switched on, what a test comes to on each channel, and what is remembered of it."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

import pytest

from fireline.apps.reach import OLD, PREFIX
from tests.servers import hooks, mail

T = TypeVar("T")
DAY = 86_400.0


@contextmanager
def beside(server: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """A server in a loop of its own, since a command has its own as well."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(120)
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(120)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(120)
        loop.close()


@pytest.fixture
def posted() -> Iterator[hooks.Hooks]:
    with beside(hooks.running()) as found:
        yield found


@pytest.fixture
def mails() -> Iterator[mail.Mails]:
    with beside(mail.running()) as found:
        yield found


@pytest.fixture
def ann(house, posted, mails):
    """Ann with four contacts, three of them on channels that are switched on."""
    path = house.rules / "catalog.yaml"
    text = path.read_text()
    [line] = [line for line in text.splitlines() if line.strip().startswith("ann:")]
    indent = line[: len(line) - len(line.lstrip())]
    contacts = "{slack: U0ANN, email: ann@x.example, discord: 'secret:DISCORD', console: ann}"
    path.write_text(text.replace(line, f"{indent}ann: {{name: Ann Keller, contacts: {contacts}}}"))
    house.set(
        EMAIL_SERVER=mails.address,
        EMAIL_FROM="fireline@x.example",
        EMAIL_SECURITY="none",
        HTTP_ALLOW="127.0.0.1",
        SECRET_DISCORD=f"{posted.url}/discord",
    )
    return house


def tried(house, *words):
    said = house("notify", "test", "ann", *words, "--json")
    told = json.loads(said.out)
    return said.code, {each["channel"]: each for each in told["channels"]}


def test_every_channel_that_is_on_is_tried_and_the_date_kept(ann, posted, mails):
    code, found = tried(ann)
    assert code == 0
    outcomes = {name: each["outcome"] for name, each in found.items()}
    assert outcomes == {"slack": "off", "email": "delivered", "discord": "delivered", "console": "not tried"}
    assert "FIRELINE_SLACK_BOT_TOKEN" in found["slack"]["detail"]
    assert found["email"]["reach"] == found["discord"]["reach"] == "proven today"
    assert found["console"]["reach"] == "-"
    assert "Test of how Fireline reaches Ann Keller" in mails.taken[0]["Subject"]
    assert len(posted.discord) == 1


def test_what_fails_is_said_and_an_earlier_proof_stays(ann, posted, mails):
    assert tried(ann, "--channel", "discord")[0] == 0
    posted.next(hooks.Broken(status=404))
    code, found = tried(ann, "--channel", "discord")
    assert code == 1
    assert found["discord"]["outcome"] == "refused"
    assert found["discord"]["reach"] == "proven today, but the test today was refused"
    assert posted.url not in str(found), "the address is a secret"


def test_what_is_put_off_for_long_is_not_waited_for(ann, mails):
    mails.refused["ann@x.example"] = "550 no such mailbox"
    code, found = tried(ann, "--channel", "email")
    assert (code, found["email"]["outcome"]) == (1, "refused")
    assert "550 no such mailbox" in found["email"]["detail"]
    assert found["email"]["reach"] == "never proven; the last test was today: refused"


def test_a_channel_that_is_off_proves_nothing_when_it_is_asked_for(ann):
    code, found = tried(ann, "--channel", "slack")
    assert (code, found["slack"]["outcome"]) == (1, "off")


def test_in_a_pipe_it_is_a_table(ann):
    said = ann("notify", "test", "ann", "--channel", "email", "--as", "ben")
    assert said.code == 0
    head, line, *_ = said.out.splitlines()
    assert head.split("\t") == ["channel", "address", "outcome", "seconds", "reach", "detail"]
    assert line.startswith("email\tann@x.example\tdelivered\t")


def test_who_is_unknown_or_has_no_such_contact_is_told(ann):
    said = ann("notify", "test", "nobody")
    assert said.code == 1
    assert "not in the catalog's people" in said.err
    said = ann("notify", "test", "ann", "--channel", "teams")
    assert said.code == 1
    assert "no contact on teams" in said.err


def test_the_doctor_says_whose_reach_was_never_proven_and_whose_long_ago(ann):
    found = reach(ann)
    assert found["finding"] == "note"
    assert "ann on email never proven" in found["found"]
    assert tried(ann)[0] == 0
    assert "ann on" not in reach(ann)["found"]
    age_by(ann, OLD + DAY)
    assert "ann on email proven 91 days ago" in reach(ann)["found"]


def test_a_test_that_failed_is_a_fault_until_one_succeeds(ann, posted):
    posted.next(hooks.Broken(status=404))
    tried(ann, "--channel", "discord")
    found = reach(ann)
    assert found["finding"] == "fault"
    assert "fireline notify test ann" in found["remedy"]
    tried(ann, "--channel", "discord")
    assert reach(ann)["finding"] != "fault"


def test_another_address_is_not_proven(ann):
    tried(ann)
    path = ann.rules / "catalog.yaml"
    path.write_text(path.read_text().replace("ann@x.example", "keller@x.example"))
    assert "ann on email never proven" in reach(ann)["found"]


def test_channels_say_how_they_are_reached_or_switched_on(ann):
    said = ann("notify", "channels", "--json")
    assert said.code == 0
    found = {each["channel"]: each for each in json.loads(said.out)}
    assert {name: each["state"] for name, each in found.items()} == {
        "slack": "off",
        "email": "on",
        "pagerduty": "on",
        "teams": "on",
        "discord": "on",
        "webhook": "off",
        "console": "on",
    }
    assert "FIRELINE_WEBHOOK_SECRET" in found["webhook"]["how"]
    assert "ann" in found["email"]["people"]
    assert "channel\tstate\thow" in ann("notify", "channels").out


def reach(house):
    return next(check for check in json.loads(house("doctor", "--json").out) if check["check"] == "reach")


def age_by(house, seconds):
    with house.store.transaction() as tx:
        for key, (value, at) in tx.facts(PREFIX).items():
            older = {**value, "proven_at": value["proven_at"] - seconds if value["proven_at"] else None}
            tx.put_fact(key, older, at - seconds)
