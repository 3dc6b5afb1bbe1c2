"""Mail to a real server on this machine: encrypted, authenticated, in threads, and what comes of every refusal."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
import trustme

from fireline.adapters.http import SafeFetch
from fireline.channels.email import MOST_AT_ONCE, Email, EmailSettings, mailbox
from fireline.channels.means import Means
from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater
from fireline.engine.outward import Message, MessageRef
from tests.channels.messages import FixedClock, card, page
from tests.servers import mail
from tests.servers.mail import PASSWORD, USER, Mails

ANN = "ann@x.example"


class Nothing:
    """No secrets."""

    def secret(self, name: str) -> str | None:
        return None


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="module")
def context(authority: trustme.CA) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(made)
    return made


@pytest_asyncio.fixture
async def mails() -> AsyncIterator[Mails]:
    async with mail.running() as found:
        yield found


@pytest.fixture
def email(mails: Mails) -> Email:
    return made(mails, security="none")


def made(mails: Mails, **settings: object) -> Email:
    given = {"server": mails.address, "sender": "Fireline <fireline@x.example>", "timeout": 60.0, **settings}
    means = Means(FixedClock(), SafeFetch([], Nothing()), Nothing(), "https://fireline.example", "house")
    return Email(EmailSettings.model_validate(given), means)


def to_ann(message: Message) -> Message:
    return replace(message, address=ANN)


async def told(email: Email, message: Message) -> MessageRef:
    outcome = await email.deliver(to_ann(message))
    assert isinstance(outcome, Done), outcome
    return MessageRef("email", ANN, outcome.output)


def body(mails: Mails, kind: str, number: int = -1) -> str:
    part = mails.taken[number].get_body((kind,))
    assert part is not None
    return str(part.get_content())


async def test_a_page_is_text_and_html_and_says_how_to_answer(email: Email, mails: Mails) -> None:
    await told(email, page())
    [sent] = mails.taken
    assert mails.recipients == [ANN]
    assert sent["From"] == "Fireline <fireline@x.example>"
    assert sent["Importance"] == "high"
    assert sent["Auto-Submitted"] == "auto-generated"
    assert "INC-7" in str(sent["Subject"])
    for kind in ("plain", "html"):
        text = body(mails, kind)
        for part in ("Why you", "fireline incidents ack INC-7", "https://fireline.example", "p99", "2310 ms"):
            assert part in text


async def test_what_belongs_together_is_one_thread_with_one_subject(email: Email, mails: Mails) -> None:
    first = await told(email, card())
    after = await told(email, card(key="v2", status="acknowledged", title="INC-7 something else", edit=first))
    await told(email, Message("say", "say", ANN, "Ann Keller took it", thread=after))
    root, update, line = mails.taken
    assert update["References"] == line["References"] == update["In-Reply-To"] == root["Message-ID"]
    assert str(update["Subject"]) == str(line["Subject"]) == f"Re: {root['Subject']}"
    assert len({each["Message-ID"] for each in mails.taken}) == 3
    assert "INC-7 something else" in body(mails, "plain", 1)


async def test_a_change_of_neither_status_nor_severity_is_not_mailed(email: Email, mails: Mails) -> None:
    first = await told(email, card())
    again = await told(email, card(key="v2", facts=("one more sample",), edit=first))
    assert again.ref == first.ref
    assert len(mails.taken) == 1


async def test_a_repeated_mail_has_the_same_id_and_says_so(email: Email, mails: Mails) -> None:
    mails.next("drop")
    lost = await email.deliver(to_ann(page()))
    assert isinstance(lost, Failed)
    assert lost.unknown
    await told(email, page(resent=True))
    first, second = mails.taken
    assert first["Message-ID"] == second["Message-ID"]
    assert "(resent)" not in str(first["Subject"])
    assert "(resent)" in str(second["Subject"])


async def test_hostile_text_is_no_header_and_no_markup(email: Email, mails: Mails) -> None:
    evil = "<script>x</script>\r\nBcc: everyone@x.example"
    await told(email, card(title=evil, body=evil, fields=((evil, evil),)))
    [sent] = mails.taken
    assert sent["Bcc"] is None
    assert mails.recipients == [ANN]
    assert "<script>" not in body(mails, "html")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("450 greylisted", RetryLater), ("451 later", RetryLater), ("552 too big", Failed), ("550 no", Failed)],
)
async def test_who_refuses_a_recipient_is_heard(email: Email, mails: Mails, answer: str, expected: type) -> None:
    mails.refused[ANN] = answer
    outcome = await email.deliver(to_ann(page()))
    assert isinstance(outcome, expected)
    assert answer in str(outcome)
    assert not getattr(outcome, "unknown", False)


async def test_a_server_that_is_not_there_is_tried_later(mails: Mails) -> None:
    outcome = await made(mails, server="127.0.0.1:9", security="none").deliver(to_ann(page()))
    assert isinstance(outcome, RetryLater)
    assert "cannot be reached" in outcome.reason


@pytest.mark.parametrize(
    "address", ["ann", "ann@", "a b@x.example", "ann@x.example, ben@x.example", "änn@x.example", ""]
)
async def test_what_is_no_address_is_refused(email: Email, mails: Mails, address: str) -> None:
    outcome = await email.deliver(page(address=address))
    assert isinstance(outcome, Failed)
    assert "rules/catalog.yaml" in outcome.reason
    assert mails.connections == 0


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "tls"])
async def test_it_is_encrypted_and_authenticated(context: ssl.SSLContext, ca: Path, implicit: bool) -> None:
    async with mail.running(context, implicit=implicit, auth=True) as mails:
        security = "tls" if implicit else "starttls"
        email = made(mails, security=security, ca=ca, user=USER, password=PASSWORD)
        assert isinstance(await email.deliver(to_ann(page())), Done)
        assert mails.encrypted == [True]
        assert mails.users == [USER]
        wrong = await made(mails, security=security, ca=ca, user=USER, password="other").deliver(to_ann(page()))
        assert isinstance(wrong, Failed)
        assert "FIRELINE_EMAIL_PASSWORD" in wrong.reason


async def test_a_certificate_that_is_not_trusted_gets_no_mail(context: ssl.SSLContext) -> None:
    async with mail.running(context) as mails:
        outcome: Outcome = await made(mails).deliver(to_ann(page()))
        assert isinstance(outcome, Failed), outcome
        assert "FIRELINE_EMAIL_CA" in outcome.reason
        assert mails.taken == []


async def test_a_server_without_starttls_gets_no_mail(mails: Mails) -> None:
    outcome = await made(mails).deliver(to_ann(page()))
    assert isinstance(outcome, Failed)
    assert "STARTTLS" in outcome.reason
    assert mails.taken == []


async def test_a_slow_server_gets_few_connections_at_once(mails: Mails) -> None:
    email = made(mails, security="none", timeout=60.0)
    mails.next(*["hang"] * MOST_AT_ONCE)
    sending = [asyncio.create_task(email.deliver(to_ann(page(key=f"p{n}")))) for n in range(3 * MOST_AT_ONCE)]
    async with asyncio.timeout(120):
        while len(mails.taken) < MOST_AT_ONCE:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    assert mails.connections == MOST_AT_ONCE
    mails.hanging.set()
    assert all(isinstance(outcome, Done) for outcome in await asyncio.gather(*sending))
    assert len(mails.taken) == 3 * MOST_AT_ONCE


async def test_a_mail_that_never_got_its_turn_was_not_sent(mails: Mails) -> None:
    slow, quick = made(mails, security="none", timeout=60.0), to_ann(page())
    mails.next(*["hang"] * MOST_AT_ONCE)
    sending = [asyncio.create_task(slow.deliver(to_ann(page(key=f"p{n}")))) for n in range(MOST_AT_ONCE)]
    async with asyncio.timeout(120):
        while len(mails.taken) < MOST_AT_ONCE:
            await asyncio.sleep(0.01)
    slow._settings = slow._settings.model_copy(update={"timeout": 0.2})
    assert isinstance(await slow.deliver(quick), RetryLater)
    mails.hanging.set()
    await asyncio.gather(*sending)


@pytest.mark.parametrize("sender", ["fireline", "a@x.example\nBcc: b@x.example", "a@x.example, b@x.example"])
def test_a_sender_that_is_none_is_refused(sender: str) -> None:
    with pytest.raises(ValueError, match="mail address"):
        EmailSettings.model_validate({"server": "x.example:25", "sender": sender})


def test_an_address_may_have_a_name() -> None:
    assert mailbox("Ann Keller <ann@x.example>").addr_spec == ANN
