"""kubernetes.*: against an API server that really applies patches, through the official client."""

import json
from dataclasses import replace

import aiohttp
import jsonpatch
import pytest
from aiohttp.test_utils import TestServer

from fireline.actions.kubernetes import KINDS
from fireline.actions.kubernetes_rollouts import patch
from fireline.actions.schema import Ports
from fireline.adapters.kubernetes import KubernetesCluster
from fireline.domain.outcomes import Done, Failed, RetryLater, Waiting
from fireline.engine.outward import StepContext
from tests.servers.kubernetes import Deployments, kubeconfig, template

GOOD = template("scorer:1", env=[{"name": "MODEL", "value": "7"}])
SIDECAR = {"name": "sidecar", "image": "bad:9", "env": []}
BAD = template("scorer:2", SIDECAR, env=[{"name": "MODEL", "value": "8"}, {"name": "DEBUG", "value": "1"}])
WHERE = {"deployment": "fraud-scoring", "namespace": "ml"}


@pytest.fixture
async def api():
    made = Deployments()
    made.create(first=GOOD)
    made.deploy(BAD)
    async with TestServer(made.app()) as server:
        made.url = f"http://{server.host}:{server.port}"
        yield made


@pytest.fixture
async def cluster(api, tmp_path):
    made = KubernetesCluster(kubeconfig(tmp_path / "config", api.url))
    yield made
    await made.close()


def context(step="act", run=1, **more):
    return StepContext(f"run-{run}.{step}", run, step, None, 1000.0, {}, 1000.0, **more)


async def perform(cluster, name, given=None, looks=40, stop=lambda _: False, **options):
    """Look again as a run does, until it is over; `stop` ends it in between, as a crash does."""
    kind = KINDS[f"kubernetes.{name}"]
    action = kind.build(Ports(None, None, None, None, None, cluster=cluster))
    model, given = kind.options.model_validate({**WHERE, **options}), given or context()
    outcome = await action.perform(model, given)
    while isinstance(outcome, Waiting) and looks and not stop(outcome):
        looks -= 1
        memory = json.loads(json.dumps(outcome.memory))
        given = replace(given, memory=memory, now=given.now + max(outcome.delay, 0.01))
        outcome = await action.perform(model, given)
    return outcome


def containers(api):
    return [each["name"] for each in api.get()["spec"]["template"]["spec"]["containers"]]


async def test_a_rollout_is_undone_to_the_very_template_of_the_revision_before(api, cluster):
    outcome = await perform(cluster, "rollout_undo")
    assert isinstance(outcome, Done), outcome
    assert api.get()["spec"]["template"] == GOOD
    assert outcome.output["revision"] == 3, "the controller takes the old ReplicaSet again, as a new revision"
    assert outcome.output["before"]["revision"] == 2
    assert "3 of 3 pods are new and available" in outcome.output["summary"]
    ((kind, operations),) = api.patches
    assert kind == "json"
    assert [o["path"] for o in operations if "template" in o["path"]] == ["/spec/template"]


@pytest.mark.parametrize("kind", ["strategic-merge-patch", "merge-patch"])
async def test_merging_templates_would_keep_what_is_bad(api, kind):
    """The server tells the patches apart: with a merge, the bad sidecar or the bad variable stays."""
    spec = {"metadata": {"labels": {"app": "fraud-scoring"}}, "spec": {"containers": GOOD["spec"]["containers"]}}
    if kind == "merge-patch":
        api.deploy({**BAD, "spec": {**BAD["spec"], "hostNetwork": True}})
    async with aiohttp.ClientSession() as session:
        url = f"{api.url}/apis/apps/v1/namespaces/ml/deployments/fraud-scoring"
        headers = {"Content-Type": f"application/{kind}+json"}
        async with session.patch(url, data=json.dumps({"spec": {"template": spec}}), headers=headers) as answer:
            assert answer.status == 200
    assert api.get()["spec"]["template"] != GOOD
    bad = api.get()["spec"]["template"]["spec"]
    assert containers(api) == ["scorer", "sidecar"] if kind.startswith("strategic") else bad["hostNetwork"]


async def test_undoing_the_undo_brings_back_what_ran(api, cluster):
    done = await perform(cluster, "rollout_undo")
    back = await perform(cluster, "restore", context("act.undo"), to=done.output["before"])
    assert isinstance(back, Done), back
    assert api.get()["spec"]["template"] == BAD
    assert api.get()["spec"]["replicas"] == 3


async def test_a_revision_may_be_named(api, cluster):
    api.deploy(template("scorer:3"))
    outcome = await perform(cluster, "rollout_undo", to_revision=1)
    assert isinstance(outcome, Done)
    assert api.get()["spec"]["template"] == GOOD


async def test_a_revision_that_is_not_kept_is_told_with_those_that_are(api, cluster):
    outcome = await perform(cluster, "rollout_undo", to_revision=9)
    assert isinstance(outcome, Failed)
    assert "asked for revision 9, it has 1, 2" in outcome.reason
    assert api.patches == []


async def test_a_repetition_after_a_crash_changes_nothing_more(api, cluster):
    crashed = await perform(cluster, "rollout_undo", stop=lambda outcome: "before" in outcome.memory)
    kept = context(), crashed.memory
    first = await perform(cluster, "rollout_undo", replace(kept[0], memory=kept[1]))
    again = await perform(cluster, "rollout_undo", replace(kept[0], memory=kept[1]))  # the write was not journaled
    assert isinstance(first, Done)
    assert again.output == first.output
    assert len(api.patches) == 1
    assert api.get()["spec"]["template"] == GOOD


async def test_another_run_with_the_same_key_on_a_new_database_is_not_taken_for_this_one(api, cluster):
    await perform(cluster, "scale", replicas=5)
    await perform(cluster, "scale", replace(context(), started_at=2000.0, now=2000.0), replicas=6)
    assert api.get()["spec"]["replicas"] == 6


async def test_a_conflict_is_read_again(api, cluster):
    def status(found):
        api._touch(found)

    api.before_patch = [status, status]
    outcome = await perform(cluster, "rollout_undo")
    assert isinstance(outcome, Done), outcome
    assert len(api.patches) == 3
    assert api.get()["spec"]["template"] == GOOD


async def test_what_somebody_deploys_meanwhile_is_left_alone(api, cluster):
    fix = template("scorer:3-fixed")

    def deploy(found):
        api.deploy(fix)

    api.before_patch = [deploy]
    outcome = await perform(cluster, "rollout_undo")
    assert isinstance(outcome, Failed)
    assert "somebody else changed ml/fraud-scoring meanwhile" in outcome.reason
    assert api.get()["spec"]["template"] == fix


async def test_what_somebody_deploys_while_it_is_waited_for_fails_the_step(api, cluster):
    waits = await perform(cluster, "rollout_undo", stop=lambda outcome: "applied" in outcome.memory)
    api.deploy(template("scorer:4"))
    outcome = await perform(cluster, "rollout_undo", replace(context(), memory=waits.memory))
    assert isinstance(outcome, Failed)
    assert "after this step did" in outcome.reason
    assert outcome.output["before"]["revision"] == 2


async def test_it_waits_until_the_controller_has_seen_it(api, cluster):
    api.slow = 4
    seen = []
    outcome = await perform(cluster, "rollout_undo", stop=lambda o: seen.append(o.reason))
    assert isinstance(outcome, Done)
    assert "its controller has not seen the change yet" in seen


async def test_a_rollout_that_is_stuck_fails_with_what_the_controller_says(api, cluster):
    api.stuck = True
    outcome = await perform(cluster, "rollout_undo")
    assert isinstance(outcome, Failed)
    assert outcome.reason == "its rollout is stuck (ProgressDeadlineExceeded): a pod does not start"
    assert outcome.output["before"]["revision"] == 2, "an undo has what it needs"


async def test_a_rollout_that_takes_longer_than_it_may_fails(api, cluster):
    api.slow = 1000
    outcome = await perform(cluster, "rollout_undo", within="5s")
    assert isinstance(outcome, Failed)
    assert "not observed within 5 s" in outcome.reason


async def test_a_restart_makes_new_pods_of_the_same_template(api, cluster):
    outcome = await perform(cluster, "restart")
    assert isinstance(outcome, Done)
    now = api.get()["spec"]["template"]
    assert now["spec"] == BAD["spec"]
    assert now["metadata"]["annotations"] == {"kubectl.kubernetes.io/restartedAt": "1970-01-01T00:16:40.000+00:00"}
    assert outcome.output["revision"] == 3


async def test_scaling_touches_nothing_else_and_goes_back(api, cluster):
    done = await perform(cluster, "scale", replicas=6)
    assert isinstance(done, Done)
    assert (api.get()["spec"]["replicas"], api.get()["spec"]["template"]) == (6, BAD)
    assert done.output["before"] == {"replicas": 3}
    await perform(cluster, "restore", context("act.undo"), to=done.output["before"])
    assert (api.get()["spec"]["replicas"], api.get()["spec"]["template"]) == (3, BAD)


async def test_an_autoscaler_that_sets_its_own_number_fails_the_step(api, cluster):
    waits = await perform(cluster, "scale", stop=lambda outcome: "applied" in outcome.memory, replicas=6)
    api.get()["spec"]["replicas"] = 4
    outcome = await perform(cluster, "scale", replace(context(), memory=waits.memory), replicas=6)
    assert isinstance(outcome, Failed)


async def test_rollouts_are_held_back_and_let_go_on(api, cluster):
    paused = await perform(cluster, "pause")
    assert isinstance(paused, Done)
    assert paused.output["before"] == {"paused": False}
    refused = await perform(cluster, "rollout_undo", context("undo"))
    assert isinstance(refused, Failed)
    assert "resume it first" in refused.reason
    assert isinstance(await perform(cluster, "resume", context("go")), Done)
    assert api.get()["spec"]["paused"] is False


async def test_what_is_read_is_what_an_undo_takes(api, cluster):
    before = await perform(cluster, "get")
    assert before.output["images"] == ["scorer:2", "bad:9"]
    assert before.output["ready"] is True
    await perform(cluster, "rollout_undo")
    await perform(cluster, "scale", context("more"), replicas=9)
    back = await perform(cluster, "restore", context("act.undo"), to=before.output["state"])
    assert isinstance(back, Done)
    assert (api.get()["spec"]["replicas"], api.get()["spec"]["template"]) == (3, BAD)


def test_a_deployment_without_annotations_gets_the_key():
    bare = {"metadata": {"resourceVersion": "7"}, "spec": {}}
    after = jsonpatch.apply_patch(bare, patch(bare, [], "run-1.act@1.000"))
    assert after["metadata"]["annotations"] == {"fireline.dev/key": "run-1.act@1.000"}


@pytest.mark.parametrize(("status", "kind"), [(503, RetryLater), (429, RetryLater), (403, Failed), (401, Failed)])
async def test_what_the_api_refuses_says_so(api, cluster, status, kind):
    api.answers = [status]
    outcome = await perform(cluster, "get")
    assert isinstance(outcome, kind)
    assert "not now" in outcome.reason
    assert "kube-canary-token" not in str(outcome)


async def test_a_cluster_that_is_away_is_tried_again_and_a_bad_kubeconfig_is_told(tmp_path):
    away = KubernetesCluster(kubeconfig(tmp_path / "config", "http://127.0.0.1:9"))
    assert isinstance(await perform(away, "get"), RetryLater)
    await away.close()
    missing = KubernetesCluster(tmp_path / "none")
    outcome = await perform(missing, "get")
    assert isinstance(outcome, Failed)
    assert "the kubeconfig cannot be used" in outcome.reason


async def test_without_a_cluster_the_step_says_so():
    assert await perform(None, "get") == Failed("Kubernetes is not set up in this process")
