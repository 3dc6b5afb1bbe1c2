"""The whole path with real processes: a model breaks, its owner is paged, traffic moves, is verified, and comes back.

Also with a role killed in mid-story: the end state must be the same.
"""

from pathlib import Path

import pytest

from fireline.apps.web_health import STREAM_FACT
from fireline.domain.incidents import Incident, PageStatus, Status
from fireline.domain.runbooks import RunStatus, StepStatus
from tests.e2e.harness import Fireline, Gateway, eventually

SERVICE = "fraud-scoring"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def on_fallback(fireline: Fireline) -> bool:
    route = fireline.route(SERVICE)
    return route is not None and route.lease is not None


def resolved(fireline: Fireline) -> list[Incident]:
    incidents = fireline.incidents()
    return incidents if incidents and all(i.status is Status.RESOLVED for i in incidents) else []


def verified(fireline: Fireline) -> bool:
    return any(step.id == "verify" and step.status is StepStatus.DONE for run in fireline.runs() for step in run.steps)


def recover(fireline: Fireline, gateway: Gateway, kill: str | None) -> None:
    """Live through the story, killing a role while the traffic is on the fallback."""
    eventually("an incident is open", fireline.incidents, 60)
    eventually("the traffic is on the fallback", lambda: on_fallback(fireline), 40)
    if kill is not None:
        before = fireline.kill(kill)
        eventually(f"{kill} runs again", lambda: fireline.roles().get(kill, before) != before, 30)
    eventually("the fallback is seen to help", lambda: verified(fireline), 120)
    gateway.heal()
    eventually("the incident is resolved", lambda: resolved(fireline), 120)


def circumstances(fireline: Fireline) -> str:
    """What the stream worker says of itself, and the warnings of the log: for a failure that nobody sees again."""
    with fireline.store.reading() as tx:
        stream = tx.fact(STREAM_FACT)
    warnings = [line for line in fireline.log.read_text().splitlines() if " WARNING " in line or " ERROR " in line]
    reported = (fireline.home / "gateway.log").read_text()[-1000:]
    return "\n".join([f"stream: {stream}", *warnings[-20:], f"gateway: {reported}"])


def sending(fireline: Fireline) -> bool:
    return any(page.status is PageStatus.SENDING for incident in fireline.incidents() for page in incident.pages)


def check_end_state(fireline: Fireline) -> None:
    eventually("the run is over", lambda: [run for run in fireline.runs() if run.over], 60)
    eventually("its pages have left", lambda: not sending(fireline), 60)
    (incident,) = fireline.incidents()
    assert incident.service == SERVICE
    assert incident.severity in {"outage", "degraded"}  # an outage first; as bad events leave the window, less of one
    assert "OUTAGE INC-1" in fireline.log.read_text()
    assert incident.owner == "payments-ml"
    assert incident.pages[0].person in {"ann", "ben", "cleo"}
    assert incident.pages[0].why.schedule == "payments-ml"
    assert incident.pages[0].attempts[0].state == "delivered"
    (run,) = fireline.runs()
    assert run.status is RunStatus.SUCCEEDED, f"{run.reason}\n{circumstances(fireline)}"
    verify = next(step for step in run.steps if step.id == "verify")
    assert verify.output["verdict"] == "recovered"
    route = fireline.route(SERVICE)
    assert route is not None
    assert dict(route.weights) == {"primary": 100}
    assert route.lease is None
    with fireline.store.reading() as tx:
        timeline = list(tx.timeline(incident.number))
    assert sum(entry.kind == "opened" for entry in timeline) == 1
    assert sum(entry.kind == "resolved" for entry in timeline) == 1
    assert "as they were written" in fireline.audited()


@pytest.mark.parametrize("kill", ["stream", "respond", pytest.param("web", marks=pytest.mark.long)])
def test_traffic_recovers_and_nothing_is_done_twice(tmp_path: Path, repository: Path, kill: str):
    with Fireline(tmp_path, repository) as fireline, Gateway(fireline) as gateway:
        recover(fireline, gateway, kill)
        check_end_state(fireline)
