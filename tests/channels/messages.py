"""Messages as the responder writes them, for the tests of channels."""

import json
from dataclasses import dataclass, replace
from typing import Any

from fireline.engine.outward import Button, Message


@dataclass
class FixedClock:
    """A clock that a test moves."""

    at: float = 1_800_000_000.0

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds

    def token(self) -> str:
        return "token"


def buttons(incident: int = 7, version: int = 3) -> tuple[Button, ...]:
    value = json.dumps({"incident": incident, "version": version})
    return (
        Button("acknowledge", "Acknowledge", value, "primary"),
        Button("escalate", "Escalate", value, "danger", confirm="Ask the next person at once?"),
        Button("resolve", "Resolve", value),
    )


def card(**changes: Any) -> Message:
    """A card of an open incident."""
    message = Message(
        "card:7:1",
        "card",
        "C0INCIDENTS",
        "INC-7 p99 of fraud-scoring in eu is 2310 ms",
        severity="outage",
        status="triggered",
        body="p99 > 2000.0 && n >= 50 has held for 30 s",
        fields=(("Service", "fraud-scoring"), ("Owner", "payments-ml"), ("p99", "2310 ms"), ("Samples", "812")),
        facts=("rule fraud_latency", "opened 03:12:04 UTC"),
        buttons=buttons(),
    )
    return replace(message, **changes)


def page(**changes: Any) -> Message:
    """A page of the same incident."""
    why = "fraud_latency -> fraud-scoring -> payments-ml -> primary: you are on call until Monday; Ben is next"
    return replace(card(key="page:7:1", kind="page", address="U0ANN", why=why), **changes)


def approval(**changes: Any) -> Message:
    """What a run asks before it goes on."""
    value = json.dumps({"run": 12, "step": "ask"})
    message = Message(
        "approval:12:ask",
        "approval",
        "U0ANN",
        "Fail back to primary?",
        body="Run 12 of route-to-fallback waits for your answer",
        buttons=(Button("approve", "Approve", value, "primary"), Button("reject", "Reject", value, "danger")),
    )
    return replace(message, **changes)
