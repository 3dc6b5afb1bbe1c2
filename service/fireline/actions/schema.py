"""What an action is to the rest: its options as a pydantic model, its outputs, whether it changes anything."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from fireline.domain.outcomes import Waiting
from fireline.domain.targets import Targets
from fireline.engine.clusters import Cluster
from fireline.engine.outgoing import Execute, Fetch, Queries
from fireline.engine.outward import Action, Publisher, StepContext
from fireline.engine.ports import Clock, Settings, Store
from fireline.spec.plugins import Output, Outputs

if TYPE_CHECKING:
    from fireline.engine.journal import Hears  # dear to load: it brings all of deciding

AWAY = 0.5
"""Seconds until an action that found the database away, or busy, looks again."""


class Options(BaseModel):
    """The base of all `with` models: unknown names are faults, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)


@dataclass(frozen=True, slots=True)
class Ports:
    """What actions may use of the outside. `responder` is told of changed routes; without `fetch` there is no HTTP,
    without `cluster` no Kubernetes."""

    store: Store
    settings: Settings
    clock: Clock
    responder: "Hears"
    fetch: Fetch | None = None
    publisher: Publisher | None = None
    execute: Execute | None = None
    queries: Queries | None = None
    targets: Targets = field(default_factory=Targets)
    cluster: Cluster | None = None


@dataclass(frozen=True, slots=True)
class ActionKind:
    """An action as runbooks may use it. `outputs` by name, with their types; `example` is a step in YAML."""

    options: type[BaseModel]
    outputs: Outputs
    mutates: bool
    build: Callable[[Ports], Action]
    page: str
    example: str


__all__ = ["ActionKind", "Options", "Output", "Outputs", "Ports", "away"]


def away(context: StepContext, fault: Exception) -> Waiting:
    """The database is away or busy: nothing is lost, the step looks again with what it remembers."""
    return Waiting(AWAY, f"the database is not available: {fault}", context.memory)
