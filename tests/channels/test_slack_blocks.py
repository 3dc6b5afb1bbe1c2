"""What a message becomes in Slack: complete, escaped, within every limit, whatever the event text holds."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.channels.slack_blocks import escaped, problems, render
from fireline.domain.texts import cut, length
from fireline.engine.outward import Button, Message
from tests.channels.messages import approval, buttons, card, page
from tests.examples import examples
from tests.servers.slack_proxy import limits_broken

HOSTILE = st.one_of(
    st.text(alphabet=st.characters(), max_size=200),
    st.sampled_from(
        [
            "<!channel>",
            "<!here|x>",
            "@here @channel @everyone",
            "<@U0ANN>",
            "<#C1>",
            "<https://evil.example|bank>",
            "&amp;&lt;",
            "\ud800",
            "\x1b[31mred",
            "\u202eevil",
            "😀" * 3000,
            "&" * 5000,
            "<" * 160,
            " ",
            "",
            "```",
        ]
    ),
    st.integers(1, 9000).map("x".__mul__),
)
BUTTONS = st.builds(
    Button,
    action=st.sampled_from(["acknowledge", "escalate", "resolve", "approve", "reject", "runbook"]),
    label=HOSTILE,
    value=st.one_of(HOSTILE, st.just('{"incident": 7, "version": 1}')),
    style=st.sampled_from(["", "primary", "danger", "pink"]),
    confirm=HOSTILE,
)
MESSAGES = st.builds(
    Message,
    key=st.just("k"),
    kind=st.sampled_from(["page", "card", "say", "approval"]),
    address=st.just("C1"),
    title=HOSTILE,
    severity=st.one_of(st.sampled_from(["safety", "outage", ""]), HOSTILE),
    status=st.one_of(st.sampled_from(["triggered", "resolved", ""]), HOSTILE),
    body=HOSTILE,
    fields=st.lists(st.tuples(HOSTILE, HOSTILE), max_size=60).map(tuple),
    facts=st.lists(HOSTILE, max_size=40).map(tuple),
    why=HOSTILE,
    buttons=st.lists(BUTTONS, max_size=30).map(tuple),
    resent=st.booleans(),
)

BUTTON = {"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "x"}, "value": "v"}


def texts(value: Any) -> list[str]:
    """All strings that Slack would show."""
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [t for v in value.values() for t in texts(v)]
    return [t for v in value for t in texts(v)] if isinstance(value, list | tuple) else []


@settings(max_examples=examples(300), deadline=None)
@given(MESSAGES)
def test_whatever_it_says_slack_takes_it(message: Message) -> None:
    rendered = render(message)
    assert message.kind == "say" or rendered.blocks, "the layout is never given up"
    assert problems(rendered.blocks) == []
    assert list(limits_broken(list(rendered.blocks))) == []
    assert rendered.text.strip()
    assert length(rendered.text) <= 3000
    shown = [rendered.text, *texts(rendered.blocks)]
    assert sum(map(length, shown[1:])) <= 13_000, "Slack takes about as much in all blocks together"
    for text in shown:
        text.encode("utf-8")
        assert not re.search(r"<[!@#]", text), "nobody is mentioned"
        assert not re.search(r"@(here|channel|everyone)\b", text)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", text)
        assert ("(resent)" in text) <= (message.resent or "(resent)" in str(message))
    json.dumps(rendered.blocks).encode("utf-8")
    assert not message.resent or "(resent)" in rendered.text


@given(HOSTILE)
def test_no_entity_is_torn_apart(text: str) -> None:
    for limit in (20, 75, 150):
        shown = cut(text, limit, escape=escaped)
        assert length(shown) <= limit
        assert not re.search(r"&(?!amp;|lt;|gt;)", shown)


def test_a_page_shows_all_there_is() -> None:
    shown = "\n".join(texts(render(page()).blocks))
    for part in (
        "🔴 INC-7 p99 of fraud-scoring in eu is 2310 ms",
        "*OUTAGE* · *triggered*",
        "p99 > 2000.0 && n >= 50 has held for 30 s",
        "*Owner*\npayments-ml",
        "Why you: fraud_latency -> fraud-scoring",
        "opened 03:12:04 UTC",
        "Acknowledge",
    ):
        assert part in shown


def test_the_notification_says_how_bad_it_is() -> None:
    first = render(page()).text.splitlines()[0]
    assert first == "🔴 INC-7 p99 of fraud-scoring in eu is 2310 ms [OUTAGE · triggered]"


def test_what_the_title_or_a_field_says_is_not_said_again() -> None:
    message = card(title="OUTAGE INC-7 fraud-scoring: slow", fields=(("Status", "triggered"),))
    assert render(message).text.splitlines()[0] == "🔴 OUTAGE INC-7 fraud-scoring: slow [triggered]"
    shown = texts(render(message).blocks)
    assert sum(t.casefold().count("outage") for t in shown) == 1
    assert sum("triggered" in t for t in shown) == 1


def test_buttons_name_their_action_and_carry_their_value() -> None:
    [actions] = [b for b in render(card()).blocks if b["type"] == "actions"]
    elements: Any = actions["elements"]
    assert [e["action_id"] for e in elements] == ["fireline:acknowledge", "fireline:escalate", "fireline:resolve"]
    assert json.loads(elements[0]["value"]) == {"incident": 7, "version": 3}
    assert [e.get("style") for e in elements] == ["primary", "danger", None]
    assert elements[1]["confirm"]["text"]["text"] == "Ask the next person at once?"


def test_an_approval_has_two_buttons_while_it_is_open() -> None:
    assert "fireline:approve" in str(render(approval()).blocks)
    assert "fireline:reject" in str(render(approval()).blocks)
    assert "button" not in str(render(approval(buttons=())).blocks)


def test_two_buttons_of_one_action_have_ids_of_their_own() -> None:
    twice = (*buttons(), *buttons())
    [actions] = [b for b in render(card(buttons=twice)).blocks if b["type"] == "actions"]
    ids = [e["action_id"] for e in actions["elements"]]  # type: ignore[attr-defined]
    assert ids[3:] == ["fireline:acknowledge:2", "fireline:escalate:2", "fireline:resolve:2"]


def test_what_is_cut_says_so() -> None:
    shown = "\n".join(texts(render(card(body="x" * 9000, fields=(("a", "b"),) * 25, facts=("f",) * 12)).blocks))
    assert "… (cut, 9000 characters)" in shown
    assert "5 more fields are not shown" in shown
    assert "more lines are not shown" in shown


def test_a_button_that_cannot_travel_is_named_as_missing() -> None:
    shown = render(card(buttons=(Button("resolve", "Resolve", "x" * 2001),))).blocks
    assert "1 more actions: use the command line" in str(shown)
    assert "'button'" not in str(shown)


def test_a_long_title_is_shown_in_full_below() -> None:
    title = "INC-7 " + "very " * 40 + "slow"
    blocks = render(card(title=title)).blocks
    assert blocks[0]["text"]["text"].endswith("…")  # type: ignore[index]
    assert blocks[1]["text"]["text"] == title  # type: ignore[index]


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ([{"type": "divider"}] * 51, "more than 50 blocks"),
        ([{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}], "header"),
        ([{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}], "section"),
        ([{"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2001}]}], "field"),
        ([{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11}], "10 items"),
        ([{"type": "section", "text": {"type": "mrkdwn", "text": ""}}], "empty"),
        ([{"type": "nonsense"}], "nonsense"),
        ([{"type": "actions", "elements": [BUTTON] * 2}], "twice"),
        ([{"type": "actions", "elements": [{**BUTTON, "value": "v" * 2001}]}], "2000"),
        ([{"type": "actions", "elements": [{**BUTTON, "text": {"type": "plain_text", "text": "x" * 76}}]}], "75"),
    ],
)
def test_what_slack_would_refuse_is_seen_before(blocks: list[dict[str, Any]], said: str) -> None:
    assert said in " ".join(problems(blocks))


def test_a_group_is_called_by_what_a_policy_names_alone() -> None:
    line = Message(key="k", kind="say", address="C1", title="Asked <!subteam^S999>", mentions=("S123AB", "x> <!here"))
    text = render(line).text
    assert text.startswith("<!subteam^S123AB> ")
    assert text.count("<") == 1, "neither the text nor a name that is no group's calls anybody"
