"""The port to a Kubernetes cluster: what runbook actions read and write there, and how that may fail, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Object = Mapping[str, object]
"""An object of the API as its JSON has it."""


@dataclass(frozen=True, slots=True)
class Where:
    """A Deployment. `context` is one of the kubeconfig's, empty for its current one or the cluster we run in."""

    name: str
    namespace: str = "default"
    context: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no object: `status` of the API (0 when it gave none); `maybe` when a write may have been taken."""

    reason: str
    status: int = 0
    maybe: bool = False


class Cluster(Protocol):
    """The API of clusters, as far as runbooks use it. Never raises."""

    async def deployment(self, where: Where) -> Object | Refusal:
        """The Deployment as it is now."""
        ...

    async def replica_sets(self, where: Where, selector: str) -> Sequence[Object] | Refusal:
        """The ReplicaSets of the namespace that the label selector takes."""
        ...

    async def patch(self, where: Where, operations: Sequence[Object]) -> Object | Refusal:
        """Change the Deployment by a JSON Patch (RFC 6902): all operations or none; the Deployment after it."""
        ...
