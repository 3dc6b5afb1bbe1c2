"""Attributes of OpenTelemetry as labels: every attribute under its own name, well-known ones under ours as well.

Where two say the same label, the nearer one wins: the data point before its scope, the scope before its resource; and
at one place an attribute that is called like our label before one that is only known to mean it.
"""

import base64
import math
from collections.abc import Iterable, Mapping
from typing import Any

WELL_KNOWN: Mapping[str, str] = {
    "service.name": "service",
    "service.version": "version",
    "deployment.environment": "environment",
    "deployment.environment.name": "environment",
    "cloud.region": "region",
    "gen_ai.response.model": "version",
    "gen_ai.request.model": "model",
    "gen_ai.system": "provider",
    "gen_ai.provider.name": "provider",
    "gen_ai.operation.name": "operation",
    "error.type": "error",
}
"""Attribute -> label. Of two attributes for one label (an old name and its successor) the later of this table wins."""

_RANK = {name: rank for rank, name in enumerate(WELL_KNOWN)}

CONTENT = frozenset({
    "gen_ai.prompt", "gen_ai.completion", "gen_ai.input.messages", "gen_ai.output.messages",
    "gen_ai.system_instructions", "gen_ai.tool.definitions",
})  # fmt: skip
"""Attributes that hold what people and models said; they are left out: no rule needs them, and they are personal."""

NANOSECONDS = 1_000_000_000
"""In a second. Whole, so that a time is rounded once, when it is divided."""

_DEPTH = 8


def value_of(value: Any, depth: int = 0) -> object:
    """An AnyValue as a plain value: texts, numbers, truth values, lists and mappings; bytes as base64; None if unset.

    Numbers that are not finite become texts ("NaN"), and what is nested deeper than 8 levels becomes None.
    """
    kind = value.WhichOneof("value")
    match kind:
        case "string_value" | "int_value" | "bool_value":
            plain: object = getattr(value, kind)
            return plain
        case "double_value":
            number: float = value.double_value
            return number if math.isfinite(number) else str(number)
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case "array_value" if depth < _DEPTH:
            return [value_of(item, depth + 1) for item in value.array_value.values]
        case "kvlist_value" if depth < _DEPTH:
            return {item.key: value_of(item.value, depth + 1) for item in value.kvlist_value.values}
        case _:
            return None


def labels_of(attributes: Iterable[Any]) -> dict[str, object]:
    """The labels of one place (a resource, a scope, a data point); see the module for what wins."""
    own: dict[str, object] = {}
    known: list[str] = []
    for attribute in attributes:
        name, value = attribute.key, attribute.value
        kind = value.WhichOneof("value")
        own[name] = value.string_value if kind == "string_value" else value_of(value)
        if name in _RANK:
            known.append(name)
        elif name in CONTENT:
            del own[name]
    if not known:
        return own
    known.sort(key=_RANK.__getitem__)
    return {WELL_KNOWN[name]: own[name] for name in known} | own


def under(outer: Mapping[str, object], inner: dict[str, object]) -> dict[str, object]:
    """The labels of a place within another."""
    return {**outer, **inner}


def scope_labels(scope: Any) -> dict[str, object]:
    """The attributes of an instrumentation scope, its name and its version."""
    labels = labels_of(scope.attributes)
    if scope.name:
        labels["otel.scope.name"] = scope.name
    if scope.version:
        labels["otel.scope.version"] = scope.version
    return labels
