"""The page in Slack, end to end: `fireline up` against a Slack that is not ours."""

from pathlib import Path
from time import time

import orjson
import pytest

from fireline.domain.incidents import PageStatus, Status
from tests.e2e.harness import Fireline, eventually
from tests.servers.slack import ANN, APP_TOKEN, BOT_TOKEN, STRANGER, LocalSlack

pytestmark = [pytest.mark.slow, pytest.mark.slack, pytest.mark.timeout(1800)]


def bad_predictions(fireline: Fireline, count: int) -> None:
    """Requests that fail, now."""
    for number in range(count):
        body = {
            "type": "prediction",
            "service": "fraud-scoring",
            "model": "fraud",
            "version": "14",
            "target": "primary",
            "probe": "false",
            "request_id": f"r{number}",
            "ts": time(),
            "latency_ms": 2500.0,
            "error": "timeout",
            "prediction": "none",
            "confidence": 0.5,
        }
        fireline.produce("fireline.predictions", "fraud-scoring", orjson.dumps(body))
    fireline.flush()


def test_card_page_acknowledge_and_edit_in_slack(tmp_path: Path, repository: Path, local_slack: LocalSlack):
    environment = {
        "FIRELINE_SLACK_BOT_TOKEN": BOT_TOKEN,
        "FIRELINE_SLACK_APP_TOKEN": APP_TOKEN,
        "FIRELINE_SLACK_BASE_URL": local_slack.api,
    }
    home = tmp_path / "home"
    home.mkdir()
    with Fireline(home, repository, environment) as fireline:
        bad_predictions(fireline, 60)
        (incident,) = eventually("an incident is open", fireline.incidents, 30)
        on_call = incident.pages[0].person
        eventually("the page is delivered", lambda: fireline.incidents()[0].pages[0].status is PageStatus.DELIVERED)
        (delivered,) = fireline.incidents()[0].pages[0].attempts
        assert delivered.channel == "slack"
        card = eventually("the card is in the room", lambda: [m for m in local_slack.messages() if "blocks" in m])[0]
        assert "INC-1" in card["text"]
        assert {"fireline:acknowledge", "fireline:escalate", "fireline:resolve"} <= set(action_ids(card))

        local_slack.press(card, "fireline:acknowledge", STRANGER)
        assert fireline.incidents()[0].status is Status.TRIGGERED
        clicker = fireline_member(on_call)
        local_slack.press(card, "fireline:acknowledge", clicker)
        eventually("the click is taken", lambda: fireline.incidents()[0].status is not Status.TRIGGERED, 30)
        acknowledged = fireline.incidents()[0]
        assert acknowledged.acknowledged_by == on_call
        assert acknowledged.escalation is None or acknowledged.escalation.due_at is None

        def edited() -> bool:
            shown = next(m for m in local_slack.messages() if m["ts"] == card["ts"])
            return "fireline:acknowledge" not in action_ids(shown)

        eventually("the card is edited in place", edited, 30)


def fireline_member(person: str) -> str:
    return {"ann": ANN, "ben": "U0BEN", "cleo": "U0CLEO"}[person]


def action_ids(message: dict) -> list[str]:
    blocks = message.get("blocks") or []
    return [e["action_id"] for b in blocks if b["type"] == "actions" for e in b["elements"]]
