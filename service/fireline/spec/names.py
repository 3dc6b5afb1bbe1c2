"""Names: what conditions and templates may refer to at each place, as trees, and what is wrong with a name.

A tree maps a name to what is below it: another tree, None for anything, or a text that says why it may not be used
here. `*` stands for any name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from fireline.domain.catalog import Service
from fireline.spec.findings import suggestion

Tree = Mapping[str, "Tree | str | None"]

INCIDENT: Tree = dict.fromkeys(
    (
        "id",
        "number",
        "service",
        "group",
        "timeline",
        "title",
        "severity",
        "status",
        "owner",
        "opened_at",
        "started",
        "rule",
        "rules",
        "labels",
        "summary",
    )
)
CATALOG: Tree = {
    "services": {"*": dict.fromkeys(each.name for each in fields(Service))},
    "teams": {"*": {"id": None, "name": None}},
    "severities": None,
}
RUN: Tree = dict.fromkeys(("id", "runbook", "requested_by", "reason", "ending"))
START: Tree = {
    "incident": INCIDENT,
    "catalog": CATALOG,
    **dict.fromkeys(("severity", "service", "rule", "owner", "title", "timeline", "labels")),
}


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name that leads nowhere: as far as it is wrong, why, and what could have been meant."""

    name: str
    message: str
    hint: str


def leaves(names: Iterable[str]) -> dict[str, Tree | str | None]:
    """A tree of names below which anything may stand."""
    return dict.fromkeys(names)


def unknown_names(names: Iterable[str], tree: Tree) -> list[Unknown]:
    """The names that the tree does not hold, in order."""
    found = (_unknown(name, tree) for name in sorted(names))
    return [unknown for unknown in found if unknown is not None]


def _unknown(name: str, tree: Tree) -> Unknown | None:
    node: Tree | str | None = tree
    parts = name.split(".")
    for count, part in enumerate(parts):
        if not isinstance(node, Mapping):
            return None
        if part not in node and "*" not in node:
            return None if part == "*" else _named(parts[: count + 1], node)
        node = node[part] if part in node else node["*"]
        if isinstance(node, str):
            return Unknown(".".join(parts[: count + 1]), node, "")
    return None


def _named(parts: list[str], node: Tree) -> Unknown:
    prefix = "".join(f"{part}." for part in parts[:-1]).replace(".*", "[...]")
    inner = [name for name, below in node.items() if isinstance(below, Mapping) and parts[-1] in below]
    if inner:
        return Unknown(
            prefix + parts[-1], f"`{prefix}{parts[-1]}` is not known here", f"write `{inner[0]}.{parts[-1]}`"
        )
    hint = suggestion(parts[-1], [name for name, below in node.items() if not isinstance(below, str)])
    if prefix and hint.startswith("did you mean `"):
        hint = hint.replace("`", f"`{prefix}", 1)
    return Unknown(prefix + parts[-1], f"`{prefix}{parts[-1]}` is not known here", hint)
