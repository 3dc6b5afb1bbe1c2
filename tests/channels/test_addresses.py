"""What is checked of an address before anybody has to be reached is what the channel itself takes."""

import pytest

from fireline.channels import CHANNELS
from fireline.channels.addresses import FORMS
from fireline.channels.email import mailbox

SECRET = "secret:PAYMENTS"


def test_every_channel_that_is_written_down_exists_and_only_the_console_takes_any_text() -> None:
    assert set(CHANNELS) - set(FORMS) == {"console"}
    assert set(FORMS) <= set(CHANNELS)


@pytest.mark.parametrize(
    ("channel", "person", "good"),
    [
        ("slack", "U0123ABCD", True),
        ("slack", "W0123ABCD", True),
        ("slack", "@ann", False),
        ("slack", "Ann Berg", False),
        ("slack", "C0123ABCD", False),
        ("slack", "", False),
        ("pagerduty", SECRET, True),
        ("pagerduty", "0123456789abcdef0123456789abcdef", False),
        ("teams", "https://x.logic.azure.com/workflows/1", False),
        ("teams", SECRET, True),
        ("discord", "secret:", False),
        ("webhook", "https://hooks.example.com/ann?x=1", True),
        ("webhook", "http://127.0.0.1:8080/hook", True),
        ("webhook", SECRET, True),
        ("webhook", "hooks.example.com", False),
        ("webhook", "https:// example.com", False),
    ],
)
def test_the_form_of_a_persons_address(channel: str, person: str, good: bool) -> None:
    assert FORMS[channel][0].fits(person) is good


@pytest.mark.parametrize(
    "text",
    ["ann@example.com", "Ann Berg <ann@example.com>", "ann@localhost", "ann", "ann.example.com", "@x", "a@b, c@d"],
)
def test_a_mail_address_is_one_that_can_be_mailed_to(text: str) -> None:
    try:
        mailbox(text)
    except ValueError:
        assert not FORMS["email"][0].fits(text)
    else:
        assert FORMS["email"][0].fits(text)


def test_rooms_of_slack_are_no_members() -> None:
    member, room = FORMS["slack"]
    assert room.fits("C0INCIDENTS")
    assert not room.fits("#incidents")
    assert not room.fits("U0ANN")
    assert not member.certain, "what Slack names may change its form; a page must not fail for it"
