"""Which channels the environment switches on, and that what settings accept, channels accept too."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireline.adapters.clock import SystemClock
from fireline.apps import settings as module
from fireline.apps.bootstrap import channels_of, configured_channels
from fireline.apps.settings import SettingsFault, load_settings
from fireline.channels import CHANNELS
from fireline.channels.email import mailbox
from fireline.channels.webhook import keys

ALWAYS = {"console", "discord", "pagerduty", "teams"}
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYq="


@pytest.fixture(autouse=True)
def _bare(monkeypatch):
    for name in (each for each in os.environ if each.startswith("FIRELINE_")):
        monkeypatch.delenv(name)


def test_what_needs_nothing_is_always_on_and_all_can_be():
    assert configured_channels(load_settings()) == ALWAYS
    everything = load_settings(
        slack_bot_token="xoxb-1",
        email_server="smtp.example.com:587",
        email_from="Fireline <fireline@example.com>",
        webhook_secret=SIGNING,
    )
    assert configured_channels(everything) == set(CHANNELS)
    built = channels_of(everything, SystemClock())
    assert {name: channel.name for name, channel in built.items()} == {name: name for name in CHANNELS}
    assert SIGNING in everything.secrets()


@pytest.mark.parametrize(
    ("given_", "variable"),
    [
        ({"email_server": "smtp.example.com:587"}, "EMAIL_SERVER"),
        ({"email_from": "a@x.example"}, "EMAIL_SERVER"),
        ({"email_server": "smtp.example.com", "email_from": "a@x.example"}, "EMAIL_SERVER"),
        ({"email_server": "smtp.example.com:99999", "email_from": "a@x.example"}, "EMAIL_SERVER"),
        ({"email_server": "x:25", "email_from": "nobody"}, "EMAIL_FROM"),
        ({"email_server": "x:25", "email_from": "a@x.example\nBcc: b@x.example"}, "EMAIL_FROM"),
        ({"email_server": "x:25", "email_from": "a@x.example", "email_user": "a"}, "EMAIL_USER"),
        (
            {
                "email_server": "x:25",
                "email_from": "a@x.example",
                "email_user": "a",
                "email_password": "p",
                "email_security": "none",
            },
            "EMAIL_SECURITY",
        ),
        ({"webhook_secret": "short-secret"}, "WEBHOOK_SECRET"),
        ({"webhook_secret": " "}, "WEBHOOK_SECRET"),
        ({"webhook_secret": "whsec_" + "A" * 31 + "="}, "WEBHOOK_SECRET"),
        ({"pagerduty_url": "events.pagerduty.com"}, "PAGERDUTY_URL"),
        ({"installation": "a b"}, "INSTALLATION"),
    ],
)
def test_a_setting_that_cannot_work_is_named(given_, variable):
    with pytest.raises(SettingsFault) as refused:
        load_settings(**given_)
    assert f"FIRELINE_{variable}" in str(refused.value)
    assert "short-secret" not in str(refused.value)


@given(st.from_regex(module._SENDER, fullmatch=True))
def test_a_sender_that_settings_accept_is_one(sender):
    assert "@" in mailbox(sender).addr_spec


@given(st.binary(min_size=24, max_size=64))
def test_a_key_that_is_one_is_accepted(key):
    secret = "whsec_" + base64.b64encode(key).decode()
    assert keys(load_settings(webhook_secret=secret).webhook_secret.get_secret_value()) == [key]
