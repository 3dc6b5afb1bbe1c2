"""The runbooks for platforms as whole runs: the journal between the stages of a change, and the way back."""

import pytest

from fireline.actions import build_actions
from fireline.domain.runbooks import RunStatus, StepStatus
from tests.contracts.reach import Reach
from tests.engine.runs_world import REPOSITORY, runbook, world
from tests.servers.kubernetes import template

SERVICE = {"service": "fraud-scoring", "rule": "fraud_errors", "within": "20s", "stable_for": "2s"}


@pytest.fixture
def w(tmp_path):
    made = world(tmp_path)
    yield made
    made.store.close()


def wanted(w, name, reach, **inputs):
    """The shipped runbook, with leave to act, over the stand-ins."""
    w.actions.update(build_actions(reach.ports(w)))
    w.runs = w.build()
    text = (REPOSITORY / "runbooks" / f"{name}.yaml").read_text()
    w.want(runbook(text.replace("mode: approve", "mode: auto")), inputs={**SERVICE, **inputs}, person="ann")


def running(reach):
    return reach.deployments.get()["spec"]["template"]


async def test_a_deployment_is_rolled_back_and_stays_when_it_helps(w):
    reach = Reach()
    w.verdicts = {"fraud_errors": "clear"}
    wanted(w, "roll-back-deployment", reach, namespace="ml")
    run = await w.drive(most=10.0)
    assert run.status is RunStatus.SUCCEEDED, run
    assert running(reach) == template("scorer:1")
    journal = [line for line in w.journal() if line.startswith("do back")]
    assert [line for line in journal if "what is there is saved" in line], (
        "what was there is journaled before the change"
    )
    assert [line for line in journal if "applied, not observed yet" in line]


async def test_what_ran_comes_back_when_it_does_not_help(w):
    reach = Reach()
    w.verdicts = {"fraud_errors": "firing"}
    wanted(w, "roll-back-deployment", reach, namespace="ml")
    run = await w.drive(most=10.0)
    assert run.status is RunStatus.UNDONE, run
    assert running(reach) == template("scorer:2")


async def test_a_rollout_that_is_stuck_is_taken_back(w):
    reach = Reach()
    reach.cluster()
    reach.deployments.stuck = True
    wanted(w, "roll-back-deployment", reach, namespace="ml")
    run = await w.drive(120.0, most=5.0)
    back = run.steps[1]
    assert back.status in (StepStatus.FAILED, StepStatus.UNDO_STARTED, StepStatus.UNDO_FAILED, StepStatus.UNDONE)
    assert running(reach) == template("scorer:2"), "a change that was applied and not observed is undone"


async def test_an_alias_goes_back_and_forth(w):
    reach = Reach()
    with w.store.transaction() as tx:
        tx.put_fact("mlflow/mlflow.example/fraud/champion", {"versions": ["4", "5"]}, 0.0)
    w.verdicts = {"fraud_errors": "firing"}
    wanted(w, "roll-back-model", reach, model="fraud")
    run = await w.drive(most=10.0)
    assert run.status is RunStatus.UNDONE, run
    assert reach.registry.aliases == {"champion": "5"}
    assert [request.json["version"] for request in reach.registry.writes] == ["4", "5"]


WEIGHTS = """
name: take-away
owner: payments-ml
start: {mode: auto}
steps:
  - id: away
    uses: mlflow.set_weights
    with: {url: "https://mlflow.example", endpoint: chat, to: {stable: 100}, settles: 10s}
    undo:
      uses: mlflow.set_weights
      with: {url: "https://mlflow.example", endpoint: chat, to: "{{ steps.away.before.weights }}", settles: 10s}
  - id: no
    uses: flags.get
    with: {backend: unleash, url: "https://flags.example", flag: not-there}
    on_failure: undo
"""


async def test_gateway_weights_come_back_when_a_later_step_fails(w):
    reach = Reach()
    w.actions.update(build_actions(reach.ports(w)))
    w.runs = w.build()
    w.want(runbook(WEIGHTS), person="ann")
    run = await w.drive(most=10.0)
    assert run.status is RunStatus.UNDONE, (run.reason, run.steps)
    assert reach.gateway.weights == {"stable": 50, "candidate": 50}
    assert len(reach.gateway.updates) == 2
    assert [line for line in w.journal() if "servers may route by the weights before for 13 s more" in line]
