"""kubernetes.*: take a Deployment back to what ran before, restart it, scale it, pause it.

`kubernetes.get` reads a Deployment; its output `state` is what `kubernetes.restore` takes in an `undo`.
`kubernetes.rollout_undo` puts the pod template of the revision before (or of `to_revision`) in the place of the one
that runs: by a JSON Patch that replaces all of `/spec/template`, so that no container, variable or volume of the bad
version stays, as it would when templates are merged. `kubernetes.restart` makes all pods anew.
`kubernetes.scale` sets the number of pods; an autoscaler that owns the Deployment will set its own again.
`kubernetes.pause` and `kubernetes.resume` hold rollouts back and let them go on. `kubernetes.restore` goes back to a
saved `state`: its template, its `replicas`, whether it was `paused`, whichever of them it is given.

Each reads what is there and saves it, then changes this very version of the Deployment (`resourceVersion`) and no
other, then waits until the controller has observed it and, where pods change, until all of them are new and available,
at most `within`. A rollout that is stuck (`ProgressDeadlineExceeded`) fails. A repetition finds the key of the step in
the annotation `fireline.dev/key` and changes nothing. What somebody else changed between the reading and the change is
left alone, and the step fails.

Needs `pip install 'fireline[kubernetes]'`. The cluster is that of the kubeconfig (`KUBECONFIG`), or the one that
Fireline runs in; the account may `get` and `patch` Deployments and `list` ReplicaSets.
"""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime

from fireline.actions import kubernetes_rollouts as rollouts
from fireline.actions.kubernetes_options import (
    ChangeOptions,
    DeploymentOptions,
    RestoreOptions,
    ScaleOptions,
    UndoOptions,
)
from fireline.actions.kubernetes_rollouts import KEY, digest, part
from fireline.actions.schema import ActionKind, Output, Ports
from fireline.actions.writing import POLL, State, Write, mark
from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater, Waiting
from fireline.engine.clusters import Cluster, Object, Refusal, Where
from fireline.engine.outward import StepContext


def _outcome(refusal: Refusal) -> Outcome:
    if refusal.status in (429, 500, 502, 503, 504):
        return RetryLater(2.0, refusal.reason)
    return Failed(refusal.reason, unknown=refusal.maybe)


class _Reaches:
    def __init__(self, ports: Ports) -> None:
        self._given = ports.cluster

    @property
    def cluster(self) -> Cluster | None:
        return self._given

    async def found(self, where: Where) -> Object | Outcome:
        """The Deployment, or why it cannot be read."""
        if self.cluster is None:
            return Failed("Kubernetes is not set up in this process")
        found = await self.cluster.deployment(where)
        return _outcome(found) if isinstance(found, Refusal) else found

    async def revisions(self, where: Where, deployment: Object) -> list[Object] | Outcome:
        """The ReplicaSets of the Deployment, oldest revision first."""
        assert self.cluster is not None
        found = await self.cluster.replica_sets(where, rollouts.selector_of(deployment))
        return _outcome(found) if isinstance(found, Refusal) else rollouts.owned(deployment, found)

    async def state(self, where: Where, deployment: Object) -> dict[str, object] | Outcome:
        """What `kubernetes.restore` takes."""
        sets = await self.revisions(where, deployment)
        if not isinstance(sets, list):
            return sets
        revision = rollouts.revision_of(deployment)
        running = [each for each in sets if rollouts.revision_of(each) == revision]
        if not running or not revision:
            return RetryLater(1.0, f"the controller of {where} has not made its ReplicaSet yet")
        return {
            "replica_set": rollouts.name_of(running[-1]),
            "revision": revision,
            "replicas": rollouts.replicas_of(deployment),
            "paused": rollouts.paused(deployment),
        }


class Get(_Reaches):
    """Reads a Deployment."""

    mutates = False
    at_once = True

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """What it is now, and how its rollout stands."""
        assert isinstance(options, DeploymentOptions)
        if context.dry_run:
            return Done({"state": {}, "images": [], "ready": False, "summary": "rehearsed"})
        found = await self.found(options.where)
        if not isinstance(found, Mapping):
            return found
        state = await self.state(options.where, found)
        if not isinstance(state, Mapping):
            return state
        seen = rollouts.progress(found)
        images = rollouts.images_of(part(found, "spec", "template"))
        summary = f"{options.where} is at revision {state['revision']}: {seen.reason}"
        return Done({"state": state, "images": images, "ready": seen.done, "summary": summary})


class _Change(_Reaches, Write):
    """Changes a Deployment. What is changed is compared before the change and while it is waited for."""

    def rehearsed(self, options: object) -> Done:
        return Done({"before": {}, "revision": 0, "summary": "rehearsed"})

    def saved(self, before: State) -> State:
        return {name: before[name] for name in ("replica_set", "revision", "replicas", "paused") if name in before}

    @abstractmethod
    def touched(self, deployment: Object, options: ChangeOptions) -> str:
        """What of the Deployment this action changes, as one comparable text."""

    @abstractmethod
    async def changes(
        self, deployment: Object, options: ChangeOptions, context: StepContext, before: State
    ) -> list[Object] | Outcome:
        """The operations that change it; none when there is nothing to change."""

    def kept(self, state: Mapping[str, object]) -> State:
        """What of the state an undo needs."""
        return {name: state[name] for name in ("replica_set", "revision")}

    async def read(self, options: object, context: StepContext) -> State | Outcome:
        assert isinstance(options, ChangeOptions)
        found = await self.found(options.where)
        if not isinstance(found, Mapping):
            return found
        state = await self.state(options.where, found)
        if not isinstance(state, Mapping):
            return state
        return {**self.kept(state), "touched": self.touched(found, options)}

    async def apply(self, options: object, context: StepContext, before: State) -> State | Outcome:
        assert isinstance(options, ChangeOptions)
        found = await self.found(options.where)
        if not isinstance(found, Mapping):
            return found
        if part(found, "metadata", "annotations").get(KEY) == mark(context):
            return {"touched": self.touched(found, options)}
        if self.touched(found, options) != before.get("touched"):
            return Failed(f"somebody else changed {options.where} meanwhile: it is left as it is")
        changes = await self.changes(found, options, context, before)
        if not isinstance(changes, list):
            return changes
        return await self._patched(options, rollouts.patch(found, changes, mark(context)))

    async def _patched(self, options: ChangeOptions, operations: list[Object]) -> State | Outcome:
        assert self.cluster is not None
        after = await self.cluster.patch(options.where, operations)
        if isinstance(after, Refusal) and after.status == 409:  # its status changes all the time: read it again
            return Waiting(0.2, f"{options.where} changed while it was patched")
        if isinstance(after, Refusal):
            return _outcome(after)
        return {"touched": self.touched(after, options)}

    async def observe(self, options: object, context: StepContext, before: State, applied: State) -> Outcome:
        assert isinstance(options, ChangeOptions)
        found = await self.found(options.where)
        if not isinstance(found, Mapping):
            return Waiting(POLL, found.reason) if isinstance(found, RetryLater) else found
        if self.touched(found, options) != applied.get("touched"):
            return Failed(f"somebody else changed {options.where} after this step did")
        seen = self.standing(found)
        if seen.stuck:
            return Failed(seen.reason)
        if not seen.done:
            return Waiting(POLL, seen.reason)
        revision = rollouts.revision_of(found)
        return Done({"revision": revision, "summary": f"{options.where} is at revision {revision}: {seen.reason}"})

    def standing(self, deployment: Object) -> rollouts.Progress:
        """Whether it is in force."""
        return rollouts.progress(deployment)


class _OfTemplate(_Change):
    def touched(self, deployment: Object, options: ChangeOptions) -> str:
        return digest(part(deployment, "spec").get("template"))


def _replace(template: Object) -> Object:
    return {"op": "replace", "path": "/spec/template", "value": template}


class _RolloutUndo(_OfTemplate):
    """Puts the template of an earlier revision in force."""

    async def changes(
        self, deployment: Object, options: ChangeOptions, context: StepContext, before: State
    ) -> list[Object] | Outcome:
        assert isinstance(options, UndoOptions)
        if rollouts.paused(deployment):
            return Failed(f"rollouts of {options.where} are paused: resume it first")
        sets = await self.revisions(options.where, deployment)
        if not isinstance(sets, list):
            return sets
        now, wanted = rollouts.revision_of(deployment), options.to_revision
        known = [rollouts.revision_of(each) for each in sets]
        fitting = [s for s in sets if (rollouts.revision_of(s) == wanted if wanted else rollouts.revision_of(s) < now)]
        if not fitting:
            asked = f"revision {wanted}" if wanted else f"one before {now}"
            listed = ", ".join(map(str, known)) or "none"
            return Failed(f"{options.where} keeps no such revision: asked for {asked}, it has {listed}")
        return [_replace(rollouts.template_of(fitting[-1]))]


class _Restart(_OfTemplate):
    """Makes all pods anew, as `kubectl rollout restart` does."""

    async def changes(
        self, deployment: Object, options: ChangeOptions, context: StepContext, before: State
    ) -> list[Object] | Outcome:
        if rollouts.paused(deployment):
            return Failed(f"rollouts of {options.where} are paused: resume it first")
        template = part(deployment, "spec", "template")
        metadata = part(template, "metadata")
        at = datetime.fromtimestamp(context.started_at, UTC).isoformat(timespec="milliseconds")
        annotations = {**part(metadata, "annotations"), rollouts.RESTARTED: at}
        return [_replace({**template, "metadata": {**metadata, "annotations": annotations}})]


class _Scale(_Change):
    """Sets the number of pods."""

    def touched(self, deployment: Object, options: ChangeOptions) -> str:
        return str(rollouts.replicas_of(deployment))

    def kept(self, state: Mapping[str, object]) -> State:
        return {"replicas": state["replicas"]}

    async def changes(
        self, deployment: Object, options: ChangeOptions, context: StepContext, before: State
    ) -> list[Object] | Outcome:
        assert isinstance(options, ScaleOptions)
        return [{"op": "add", "path": "/spec/replicas", "value": options.replicas}]


class _Hold(_Change):
    wanted: bool

    def touched(self, deployment: Object, options: ChangeOptions) -> str:
        return str(rollouts.paused(deployment))

    def kept(self, state: Mapping[str, object]) -> State:
        return {"paused": state["paused"]}

    async def changes(
        self, deployment: Object, options: ChangeOptions, context: StepContext, before: State
    ) -> list[Object] | Outcome:
        return [{"op": "add", "path": "/spec/paused", "value": self.wanted}]

    def standing(self, deployment: Object) -> rollouts.Progress:
        return rollouts.observed(deployment, "paused" if self.wanted else "resumed")


class _Pause(_Hold):
    """Holds rollouts back."""

    wanted = True


class _Resume(_Hold):
    """Lets rollouts go on."""

    wanted = False


class _Restore(_Change):
    """Goes back to a saved state."""

    def touched(self, deployment: Object, options: ChangeOptions) -> str:
        assert isinstance(options, RestoreOptions)
        spec, to = part(deployment, "spec"), options.to
        return digest(
            [
                None if to.replica_set is None else spec.get("template"),
                None if to.replicas is None else rollouts.replicas_of(deployment),
                None if to.paused is None else rollouts.paused(deployment),
            ]
        )

    def kept(self, state: Mapping[str, object]) -> State:
        return state

    async def changes(
        self, deployment: Object, options: ChangeOptions, context: StepContext, before: State
    ) -> list[Object] | Outcome:
        assert isinstance(options, RestoreOptions)
        to = options.to
        made: list[Object] = []
        if to.paused is not None:
            made.append({"op": "add", "path": "/spec/paused", "value": to.paused})
        if to.replicas is not None:
            made.append({"op": "add", "path": "/spec/replicas", "value": to.replicas})
        if to.replica_set is None:
            return made
        sets = await self.revisions(options.where, deployment)
        if not isinstance(sets, list):
            return sets
        kept = [each for each in sets if rollouts.name_of(each) == to.replica_set]
        if not kept:
            return Failed(f"{options.where} does not keep the ReplicaSet {to.replica_set} any more")
        return [*made, _replace(rollouts.template_of(kept[0]))]

    def standing(self, deployment: Object) -> rollouts.Progress:
        held = rollouts.paused(deployment)
        return rollouts.observed(deployment, "paused") if held else rollouts.progress(deployment)


_OUTPUTS = {
    "before": Output("mapping", "what was changed, as it was; for `kubernetes.restore`"),
    "revision": Output("int", "the revision in force"),
    "summary": Output("string", "one line for people"),
}
_WITH = "{deployment: fraud-scoring, namespace: ml"


def _example(name: str, more: str = "") -> str:
    return f"""\
id: act
uses: kubernetes.{name}
with: {_WITH}{more}}}
undo: {{uses: kubernetes.restore, with: {_WITH}, to: "{{{{ steps.act.before }}}}"}}}}
"""


def _writes(options: type[ChangeOptions], build: type[_Change], example: str) -> ActionKind:
    return ActionKind(options=options, outputs=_OUTPUTS, mutates=True, build=build, page=__doc__ or "", example=example)


KINDS = {
    "kubernetes.get": ActionKind(
        options=DeploymentOptions,
        outputs={
            "state": Output(
                "mapping", "what `kubernetes.restore` takes: `replica_set`, `revision`, `replicas`, `paused`"
            ),
            "images": Output("list", "the images of its containers"),
            "ready": Output("bool", "whether all pods are new and available"),
            "summary": Output("string", "one line for people"),
        },
        mutates=False,
        build=Get,
        page=__doc__ or "",
        example="id: before\nuses: kubernetes.get\nwith: {deployment: fraud-scoring, namespace: ml}\n",
    ),
    "kubernetes.rollout_undo": _writes(UndoOptions, _RolloutUndo, _example("rollout_undo")),
    "kubernetes.restart": _writes(ChangeOptions, _Restart, _example("restart", ", within: 10m")),
    "kubernetes.scale": _writes(ScaleOptions, _Scale, _example("scale", ", replicas: 6")),
    "kubernetes.pause": _writes(ChangeOptions, _Pause, _example("pause")),
    "kubernetes.resume": _writes(ChangeOptions, _Resume, _example("resume")),
    "kubernetes.restore": _writes(RestoreOptions, _Restore, _example("restore", ", to: {replicas: 3}")),
}
