"""One file, one family of runbook actions. What a step may use is listed here, and nowhere else."""

from collections.abc import Mapping
from importlib import import_module

from pydantic import BaseModel

from fireline.actions.schema import ActionKind, Output, Ports
from fireline.actions.third_party import Actions
from fireline.domain.on_demand import OnDemand
from fireline.engine.outward import Action

_FILES = {
    "routes": ("route.get", "route.set"),
    "ramp": ("route.ramp",),
    "verify": ("verify.rule",),
    "pauses": ("approval", "wait"),
    "notify": ("notify",),
    "web": ("http.get", "http.request"),
    "kafka": ("kafka.publish",),
    "command": ("command.run",),
    "sql": ("sql.query",),
    "metric": ("metric.query",),
    "wait_for": ("wait_for",),
    "ask": ("ask",),
    "incident_get": ("incident.get",),
    "incident": (
        "incident.note",
        "incident.severity",
        "incident.link",
        "incident.task",
        "incident.resolve",
        "page",
    ),
    "kubernetes": (
        "kubernetes.get",
        "kubernetes.rollout_undo",
        "kubernetes.restart",
        "kubernetes.scale",
        "kubernetes.pause",
        "kubernetes.resume",
        "kubernetes.restore",
    ),
    "mlflow": ("mlflow.get_alias", "mlflow.set_alias", "mlflow.roll_back"),
    "mlflow_gateway": ("mlflow.get_weights", "mlflow.set_weights"),
    "flags": ("flags.get", "flags.set"),
}
"""By file, the actions that its `KINDS` describe."""

_FILE_OF = {name: file for file, names in _FILES.items() for name in names}


def _kind(name: str) -> ActionKind:
    kinds: Mapping[str, ActionKind] = import_module(f"{__name__}.{_FILE_OF[name]}").KINDS
    return kinds[name]


SCHEMAS: Mapping[str, ActionKind] = OnDemand(_FILE_OF, _kind)
"""The actions that come with Fireline, by the name that `uses` gives; loaded when asked for."""

OPTIONS: Mapping[str, type[BaseModel]] = OnDemand(SCHEMAS, lambda name: SCHEMAS[name].options)
"""The models of `with`, by action."""

INSTALLED = Actions(SCHEMAS)
"""These, and those of packages that are installed beside Fireline."""


def build_actions(ports: Ports) -> Mapping[str, Action]:
    """All actions over the ports, also those of other packages that can be built; connects to nothing."""
    built = {name: kind.build(ports) for name, kind in SCHEMAS.items()}
    others = {name: action for name in INSTALLED if name not in built and (action := INSTALLED.built(name, ports))}
    return {**built, **others}


__all__ = ["INSTALLED", "OPTIONS", "SCHEMAS", "ActionKind", "Output", "Ports", "build_actions"]
