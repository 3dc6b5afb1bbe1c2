"""A Kubernetes API server of ours, as far as Deployments go: it really applies patches, and is strict where the real
one is.

JSON Patch and merge patch by the libraries for them, strategic merge patch for what a pod template has (lists of things
with a name are merged by name); generations, resource versions and 409s; a controller that makes ReplicaSets with
revisions, takes one again whose template comes back, and says what its rollout is at.
"""

import copy
import hashlib
import json
from dataclasses import dataclass, field

import jsonpatch
from aiohttp import web

from fireline.engine.clusters import Refusal

REVISION = "deployment.kubernetes.io/revision"
KINDS = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
}


def template(image, *more, env=()):
    containers = [{"name": "scorer", "image": image, "env": [dict(e) for e in env]}, *more]
    return {"metadata": {"labels": {"app": "fraud-scoring"}}, "spec": {"containers": containers}}


def merge(target, change):
    """RFC 7386."""
    if not isinstance(change, dict):
        return copy.deepcopy(change)
    target = dict(target) if isinstance(target, dict) else {}
    for key, value in change.items():
        if value is None:
            target.pop(key, None)
        else:
            target[key] = merge(target.get(key), value)
    return target


def strategic(target, change):
    """Merge patch, but lists of named things are merged by their names."""
    if isinstance(change, dict):
        target = dict(target) if isinstance(target, dict) else {}
        for key, value in change.items():
            if value is None:
                target.pop(key, None)
            else:
                target[key] = strategic(target.get(key), value)
        return target
    named = isinstance(change, list) and change and all(isinstance(e, dict) and "name" in e for e in change)
    if not named or not isinstance(target, list):
        return copy.deepcopy(change)
    merged = {each["name"]: each for each in target}
    for each in change:
        merged[each["name"]] = strategic(merged.get(each["name"]), each)
    return list(merged.values())


@dataclass
class Deployments:
    """The Deployments of one cluster. `slow` looks pass before a rollout is over; `stuck` ones never are."""

    slow: int = 2
    stuck: bool = False
    deployments: dict = field(default_factory=dict)
    sets: dict = field(default_factory=dict)
    patches: list = field(default_factory=list)
    before_patch: list = field(default_factory=list)
    answers: list = field(default_factory=list)
    version: int = 100

    def create(self, name="fraud-scoring", namespace="ml", *, first, replicas=3, annotations=True):
        made = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "generation": 1},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "fraud-scoring"}},
                "template": copy.deepcopy(first),
            },
            "status": {},
        }
        if annotations:
            made["metadata"]["annotations"] = {}
        self.deployments[namespace, name] = made
        self._touch(made)
        self._roll(made)
        self.settle(name, namespace)

    def deploy(self, new, name="fraud-scoring", namespace="ml"):
        """A new version goes out, and is there."""
        found = self.deployments[namespace, name]
        found["spec"]["template"] = copy.deepcopy(new)
        found["metadata"]["generation"] += 1
        self._touch(found)
        self._roll(found)
        self.settle(name, namespace)

    def get(self, name="fraud-scoring", namespace="ml"):
        return self.deployments[namespace, name]

    def settle(self, name="fraud-scoring", namespace="ml"):
        found = self.deployments[namespace, name]
        found["_looks"] = 0
        self._progress(found)

    # what the API does
    def read(self, namespace, name):
        found = self.deployments.get((namespace, name))
        if found is None:
            return 404, {"kind": "Status", "message": f'deployments.apps "{name}" not found'}
        self._progress(found)
        return 200, _shown(found)

    def listed(self, namespace, selector):
        wanted = dict(pair.split("=") for pair in selector.split(",") if pair)
        fits = [
            each
            for (where, _), each in self.sets.items()
            if where == namespace and wanted.items() <= each["metadata"]["labels"].items()
        ]
        return 200, {"kind": "ReplicaSetList", "items": copy.deepcopy(fits)}

    def patch(self, namespace, name, kind, body):
        for disturb in self.before_patch[:1]:
            self.before_patch.pop(0)
            disturb(self.deployments[namespace, name])
        found = self.deployments.get((namespace, name))
        if found is None:
            return 404, {"message": "not found"}
        self.patches.append((kind, body))
        before = _shown(found)
        try:
            after = self._patched(before, kind, body)
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as fault:
            return 422, {"kind": "Status", "reason": "Invalid", "message": f"the patch does not apply: {fault}"}
        if after["metadata"].get("resourceVersion") != before["metadata"]["resourceVersion"]:
            return 409, {"kind": "Status", "reason": "Conflict", "message": "the object has been modified"}
        if not after["spec"]["template"]["spec"]["containers"]:
            return 422, {"message": "spec.template.spec.containers: Required value"}
        if "pod-template-hash" in after["spec"]["template"]["metadata"]["labels"]:
            return 422, {"message": "pod-template-hash belongs to the controller"}
        return 200, self._stored(found, before, after)

    def _patched(self, before, kind, body):
        if kind == "json":
            return jsonpatch.apply_patch(before, body)
        return (merge if kind == "merge" else strategic)(before, body)

    def _stored(self, found, before, after):
        after["status"] = found["status"]
        if after != before:
            self._touch(after)
        if after["spec"] != before["spec"]:
            after["metadata"]["generation"] += 1
            after["_looks"] = self.slow
        after["_looks"] = after.get("_looks", found["_looks"])
        self.deployments[after["metadata"]["namespace"], after["metadata"]["name"]] = after
        return _shown(after)

    def _touch(self, thing):
        self.version += 1
        thing["metadata"]["resourceVersion"] = str(self.version)

    # what the controller does
    def _progress(self, found):
        if found["_looks"] > 0:
            found["_looks"] -= 1
            if found["_looks"]:
                return
        if not found["spec"].get("paused"):
            self._roll(found)
        wanted = found["spec"]["replicas"]
        stuck = self.stuck and found["status"].get("observedGeneration", 0) > 0
        status = {
            "observedGeneration": found["metadata"]["generation"],
            "replicas": wanted,
            "updatedReplicas": 1 if stuck and wanted else wanted,
            "availableReplicas": wanted - 1 if stuck and wanted else wanted,
            "conditions": [
                {
                    "type": "Progressing",
                    "reason": "ProgressDeadlineExceeded" if stuck else "NewReplicaSetAvailable",
                    "message": "a pod does not start",
                }
            ],
        }
        if status != found["status"]:
            found["status"] = status
            self._touch(found)

    def _roll(self, found):
        namespace, name = found["metadata"]["namespace"], found["metadata"]["name"]
        digest = hashlib.sha256(json.dumps(found["spec"]["template"], sort_keys=True).encode()).hexdigest()[:9]
        mine = [each for (where, _), each in self.sets.items() if where == namespace]
        latest = max((int(each["metadata"]["annotations"][REVISION]) for each in mine), default=0)
        key = namespace, f"{name}-{digest}"
        annotations = found["metadata"].setdefault("annotations", {}) if mine else found["metadata"].get("annotations")
        if key not in self.sets:
            self.sets[key] = self._set(found, key[1], digest)
        own = self.sets[key]["metadata"]["annotations"]
        if int(own.get(REVISION, 0)) != latest or not latest:
            own[REVISION] = str(latest + 1)
        if annotations is None:
            annotations = found["metadata"]["annotations"] = {}
        annotations[REVISION] = own[REVISION]

    def _set(self, found, name, digest):
        made = copy.deepcopy(found["spec"]["template"])
        made["metadata"]["labels"]["pod-template-hash"] = digest
        return {
            "metadata": {
                "name": name,
                "namespace": found["metadata"]["namespace"],
                "labels": dict(made["metadata"]["labels"]),
                "annotations": {},
                "ownerReferences": [{"kind": "Deployment", "uid": found["metadata"]["uid"]}],
            },
            "spec": {"template": made},
        }

    # over HTTP
    def app(self):
        app = web.Application()
        base = "/apis/apps/v1/namespaces/{namespace}"
        app.router.add_get(base + "/deployments/{name}", self._http_read)
        app.router.add_patch(base + "/deployments/{name}", self._http_patch)
        app.router.add_get(base + "/replicasets", self._http_list)
        return app

    async def _http_read(self, request):
        if self.answers:
            return web.json_response({"message": "not now"}, status=self.answers.pop(0))
        status, body = self.read(request.match_info["namespace"], request.match_info["name"])
        return web.json_response(body, status=status)

    async def _http_list(self, request):
        status, body = self.listed(request.match_info["namespace"], request.query.get("labelSelector", ""))
        return web.json_response(body, status=status)

    async def _http_patch(self, request):
        kind = KINDS.get(request.content_type)
        if kind is None:
            return web.json_response({"message": f"unsupported media type {request.content_type}"}, status=415)
        where = request.match_info
        status, body = self.patch(where["namespace"], where["name"], kind, await request.json())
        return web.json_response(body, status=status)


def _shown(found):
    return {key: copy.deepcopy(value) for key, value in found.items() if key != "_looks"}


def kubeconfig(path, url, context="test"):
    """A kubeconfig that names the server."""
    text = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "kube-canary-token"}}],
        "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(json.dumps(text))
    return path


def double(state, wait, done):
    """The cluster without a server: for tests that are not about the client."""

    def read(answer):
        status, body = answer
        return body if status == 200 else Refusal(str(body["message"]), status)

    class Double:
        async def deployment(self, where):
            await wait()
            return read(state.read(where.namespace, where.name))

        async def replica_sets(self, where, selector):
            await wait()
            return state.listed(where.namespace, selector)[1]["items"]

        async def patch(self, where, operations):
            await wait()
            done.append([o for o in operations if "resourceVersion" not in o["path"]][-1]["value"])
            return read(state.patch(where.namespace, where.name, "json", operations))

    return Double()
