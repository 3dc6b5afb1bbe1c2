"""What `kubernetes.*` is told: which Deployment, and what is wanted of it."""

from typing import Annotated

from pydantic import Field

from fireline.actions.schema import Options
from fireline.actions.writing import GRACE
from fireline.engine.clusters import Where
from fireline.spec.durations import PositiveDuration

_NAME = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"
Named = Annotated[str, Field(pattern=_NAME)]


class DeploymentOptions(Options):
    """Which Deployment."""

    deployment: Named = Field(description="its name")
    namespace: Named = Field("default", description="its namespace")
    context: str = Field("", max_length=253, description="a context of the kubeconfig; empty for the current one")

    @property
    def where(self) -> Where:
        """The Deployment."""
        return Where(self.deployment, self.namespace, self.context)


class ChangeOptions(DeploymentOptions):
    """Which Deployment, and how long it may take."""

    within: PositiveDuration = Field(300.0, description="how long to wait until the change is observed")

    def patience(self) -> float:
        """Seconds the step may rightly take."""
        return self.within + GRACE


class UndoOptions(ChangeOptions):
    """Which Deployment, and back to what."""

    to_revision: int | None = Field(None, ge=1, description="a revision; the one before this when left out")


class ScaleOptions(ChangeOptions):
    """Which Deployment, and how many pods."""

    replicas: int = Field(ge=0, le=10_000, description="how many pods are wanted")


class SavedState(Options):
    """What a Deployment was; parts that are left out stay as they are."""

    replica_set: Named | None = Field(None, description="the ReplicaSet that keeps the template")
    revision: int | None = Field(None, description="its revision then, for people")
    replicas: int | None = Field(None, ge=0, le=10_000, description="how many pods were wanted")
    paused: bool | None = Field(None, description="whether rollouts were paused")


class RestoreOptions(ChangeOptions):
    """Which Deployment, and what it was."""

    to: SavedState = Field(description="the `state` of `kubernetes.get`, or the `before` of another step")
