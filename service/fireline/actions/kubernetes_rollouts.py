"""Deployments as their API has them: revisions, templates, patches, and how far a rollout is. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fireline.engine.clusters import Object

REVISION = "deployment.kubernetes.io/revision"
KEY = "fireline.dev/key"
RESTARTED = "kubectl.kubernetes.io/restartedAt"
_HASH = "pod-template-hash"


def part(value: object, *path: str) -> Mapping[str, object]:
    """The mapping at a path of an object, empty where there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def number(value: object, default: int = 0) -> int:
    """A whole number of the API, which leaves out what is zero."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def name_of(thing: Object) -> str:
    """The object's name."""
    return str(part(thing, "metadata").get("name", ""))


def revision_of(thing: Object) -> int:
    """The revision of a Deployment or a ReplicaSet; 0 when its controller has not said."""
    text = str(part(thing, "metadata", "annotations").get(REVISION, ""))
    return int(text) if text.isdecimal() else 0


def replicas_of(deployment: Object) -> int:
    """How many pods are wanted; one when nothing is said."""
    return number(part(deployment, "spec").get("replicas"), 1)


def paused(deployment: Object) -> bool:
    """Whether its rollouts are paused."""
    return part(deployment, "spec").get("paused") is True


def selector_of(deployment: Object) -> str:
    """Its label selector, as a query has it."""
    selector = part(deployment, "spec", "selector")
    wanted = [f"{key}={value}" for key, value in sorted(part(selector, "matchLabels").items())]
    more = selector.get("matchExpressions")
    return ",".join([*wanted, *map(_expression, more if isinstance(more, list) else [])])


def _expression(one: object) -> str:
    said = part(one)
    key, values = said.get("key", ""), said.get("values")
    listed = ",".join(map(str, values)) if isinstance(values, list) else ""
    match said.get("operator"):
        case "In":
            return f"{key} in ({listed})"
        case "NotIn":
            return f"{key} notin ({listed})"
        case "DoesNotExist":
            return f"!{key}"
        case _:
            return str(key)


def owned(deployment: Object, sets: Iterable[Object]) -> list[Object]:
    """The ReplicaSets that the Deployment made, from the oldest revision to the newest."""
    uid = part(deployment, "metadata").get("uid")
    mine = (each for each in sets if any(part(owner).get("uid") == uid for owner in _owners(each)))
    return sorted(mine, key=revision_of)


def _owners(thing: Object) -> Sequence[object]:
    found = part(thing, "metadata").get("ownerReferences")
    return found if isinstance(found, list) else ()


def template_of(replica_set: Object) -> Object:
    """The pod template that the ReplicaSet was made from: without the hash that its controller added."""
    template = part(replica_set, "spec", "template")
    metadata = part(template, "metadata")
    labels = {key: value for key, value in part(metadata, "labels").items() if key != _HASH}
    return {**template, "metadata": {**metadata, "labels": labels}}


def images_of(template: Object) -> list[str]:
    """The images of its containers, in their order."""
    found = part(template, "spec").get("containers")
    return [str(part(each).get("image", "")) for each in found] if isinstance(found, list) else []


def digest(value: object) -> str:
    """A short digest of something JSON-like, to tell whether it is still the same."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def patch(deployment: Object, changes: Sequence[Object], key: str) -> list[Object]:
    """Operations that make the changes and leave the key, on this very version of the Deployment and no other.

    Each change replaces all that is at its path. A merge of the old template into the new one would keep containers,
    variables and volumes that only the new one has. Another `resourceVersion` makes the API answer with a conflict.
    """
    metadata = part(deployment, "metadata")
    room: list[Object] = []
    if "annotations" not in metadata:
        room = [{"op": "add", "path": "/metadata/annotations", "value": {}}]
    return [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata.get("resourceVersion")},
        *changes,
        *room,
        {"op": "add", "path": "/metadata/annotations/" + KEY.replace("/", "~1"), "value": key},
    ]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rollout is: over, never to be, or still under way, and why."""

    done: bool
    stuck: bool
    reason: str


def observed(deployment: Object, what: str) -> Progress:
    """Whether the controller has seen the Deployment as it is, and no more than that."""
    seen = number(part(deployment, "status").get("observedGeneration"))
    if seen < number(part(deployment, "metadata").get("generation")):
        return Progress(False, False, "its controller has not seen the change yet")
    return Progress(True, False, what)


def progress(deployment: Object) -> Progress:
    """Whether the controller has seen the Deployment as it is, and all of its pods are new and available."""
    status, wanted = part(deployment, "status"), replicas_of(deployment)
    if not (seen := observed(deployment, "")).done:
        return seen
    if (late := _late(status)) is not None:
        return Progress(False, True, late)
    updated, available = number(status.get("updatedReplicas")), number(status.get("availableReplicas"))
    if updated < wanted:
        return Progress(False, False, f"{updated} of {wanted} pods are new")
    if number(status.get("replicas")) > updated:
        return Progress(False, False, f"{number(status.get('replicas')) - updated} old pods still end")
    if available < updated:
        return Progress(False, False, f"{available} of {updated} new pods are available")
    return Progress(True, False, f"{available} of {wanted} pods are new and available")


def _late(status: Mapping[str, object]) -> str | None:
    found = status.get("conditions")
    for condition in map(part, found if isinstance(found, list) else ()):
        if condition.get("type") == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return f"its rollout is stuck (ProgressDeadlineExceeded): {condition.get('message', '')}"
    return None
