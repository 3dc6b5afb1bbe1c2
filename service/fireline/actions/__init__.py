"""One file, one family of runbook actions. What a step may use is listed here, and nowhere else."""

from collections.abc import Mapping

from pydantic import BaseModel

from fireline.actions import notify, pauses, ramp, routes, verify, web
from fireline.actions.schema import ActionKind, Ports
from fireline.engine.outward import Action

SCHEMAS: Mapping[str, ActionKind] = {
    **routes.KINDS,
    **ramp.KINDS,
    **verify.KINDS,
    **pauses.KINDS,
    **notify.KINDS,
    **web.KINDS,
}
"""The actions that come with Fireline, by the name that `uses` gives; known without building any."""

OPTIONS: Mapping[str, type[BaseModel]] = {name: kind.options for name, kind in SCHEMAS.items()}
"""The models of `with`, by action."""


def build_actions(ports: Ports) -> Mapping[str, Action]:
    """All actions over the ports; connects to nothing."""
    return {name: kind.build(ports) for name, kind in SCHEMAS.items()}


__all__ = ["OPTIONS", "SCHEMAS", "ActionKind", "Ports", "build_actions"]
