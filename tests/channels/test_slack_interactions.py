"""A press of a button as Slack reports it: read without trust, never an exception."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier

from fireline.adapters.slack import person_by_slack_id, verified
from fireline.adapters.slack_interactions import Click, Place, asked, parse_interaction
from fireline.domain.catalog import Catalog, Person
from fireline.domain.clicks import ApprovalGiven, StopAsked, Subject, subject_of
from fireline.domain.events import Malformed
from fireline.domain.incidents import Acknowledge

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SECRET = "shh"
NOW = 1_800_000_000.0


def payload(**changes: Any) -> dict[str, Any]:
    action = {
        "type": "button",
        "action_id": "fireline:acknowledge",
        "value": '{"incident": 7, "version": 3, "page": 2}',
    }
    found = {
        "type": "block_actions",
        "user": {"id": "U0ANN"},
        "channel": {"id": "C1"},
        "response_url": "https://hooks.slack.com/actions/1",
        "actions": [action | changes.pop("action", {})],
    }
    return found | changes


def test_a_click_says_who_what_and_where_to_answer() -> None:
    place = Place("U0ANN", "C1", "https://hooks.slack.com/actions/1")
    assert parse_interaction(payload()) == Click(place, "acknowledge", Subject(7, 3, 2))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"type": "view_submission"}, "not_ours"),
        ({"actions": []}, "not_ours"),
        ({"action": {"action_id": "other:acknowledge"}}, "not_ours"),
        ({"user": {}}, "no_user"),
        ({"action": {"value": "{"}}, "bad_value"),
        ({"action": {"value": "{}"}}, "bad_value"),
        ({"action": {"value": '{"incident": "7"}'}}, "bad_value"),
        ({"action": {"value": '{"incident": true}'}}, "bad_value"),
        ({"action": {"value": '{"incident": -1}'}}, "bad_value"),
        ({"action": {"value": "[" * 100_000}}, "bad_value"),
    ],
)
def test_what_is_no_click_says_why(changed: dict[str, Any], reason: str) -> None:
    found = parse_interaction(payload(**changed))
    assert isinstance(found, Malformed)
    assert found.reason == reason


@given(JSON, st.sampled_from(["type", "user", "channel", "actions", "response_url", "container", "action_id", "value"]))
def test_nothing_in_a_payload_raises(value: Any, place: str) -> None:
    assert isinstance(parse_interaction(value), Malformed)
    for changed in (payload(**{place: value}), payload(action={place: value})):
        found = parse_interaction(changed)
        if isinstance(found, Click):
            assert isinstance(asked(found, "ann"), Acknowledge | Malformed)


@given(st.text())
def test_nothing_in_a_value_raises(value: str) -> None:
    subject_of(value)


def test_a_numbered_action_is_the_same_action() -> None:
    found = parse_interaction(payload(action={"action_id": "fireline:acknowledge:2"}))
    assert isinstance(found, Click)
    assert found.action == "acknowledge"


@pytest.mark.parametrize(
    ("action", "subject", "expected"),
    [
        ("acknowledge", Subject(7, 3), Acknowledge(7, "ann", "slack", 3)),
        ("approve", Subject(run=12, step="ask"), ApprovalGiven(12, "ask", "ann", True, "slack")),
        ("reject", Subject(7, run=12, step="ask"), ApprovalGiven(12, "ask", "ann", False, "slack")),
        ("stop", Subject(7, 3), StopAsked(7, "ann", False, "slack")),
        ("lift", Subject(7, 3), StopAsked(7, "ann", True, "slack")),
    ],
)
def test_what_a_click_asks_for(action: str, subject: Subject, expected: object) -> None:
    assert asked(Click(Place(), action, subject), "ann") == expected


@pytest.mark.parametrize(
    ("action", "subject"), [("dance", Subject(7)), ("resolve", Subject(run=1)), ("approve", Subject(7))]
)
def test_what_makes_no_sense_is_said(action: str, subject: Subject) -> None:
    assert isinstance(asked(Click(Place(), action, subject), "ann"), Malformed)


def signed(body: bytes, at: float = NOW, secret: str = SECRET) -> dict[str, str]:
    signature = SignatureVerifier(secret).generate_signature(timestamp=str(int(at)), body=body)
    return {"X-Slack-Request-Timestamp": str(int(at)), "X-Slack-Signature": signature or ""}


def test_what_slack_signed_is_let_in() -> None:
    assert verified(SECRET, signed(b"payload=1"), b"payload=1", NOW)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(b"payload=1", secret="other"),
        signed(b"payload=2"),
        signed(b"payload=1", at=NOW - 301),
        signed(b"payload=1", at=NOW + 301),
        signed(b"payload=1") | {"X-Slack-Request-Timestamp": "soon"},
        signed(b"payload=1") | {"X-Slack-Signature": "v0=é"},
        signed(b"payload=1") | {"X-Slack-Signature": ""},
    ],
    ids=["none", "other secret", "other body", "old", "future", "no number", "no ascii", "empty"],
)
def test_what_slack_did_not_sign_is_not(headers: dict[str, str]) -> None:
    assert verified(SECRET, headers, b"payload=1", NOW) is False


def test_a_body_that_is_no_text_and_a_secret_that_is_none() -> None:
    assert verified(SECRET, signed(b"payload=1"), b"\xff\xfe", NOW) is False
    assert verified("", signed(b""), b"", NOW) is False


def test_a_member_id_is_one_person() -> None:
    people = {"ann": Person("ann", "Ann", {"slack": "U0ANN"}), "ben": Person("ben", "Ben")}
    catalog = Catalog({}, {}, people, ())
    assert person_by_slack_id(catalog, "U0ANN") == "ann"
    assert person_by_slack_id(catalog, "U0EVE") is None
    assert person_by_slack_id(catalog, "") is None
