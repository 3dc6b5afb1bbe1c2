"""What a runbook names of its incident: a run that a person starts may have none, and that is told at load.

A runbook says `start: {needs_incident: true}`, or its templates know what to say without one. Defaults of inputs are
left out: without an incident they are inputs that must be given, which a start tells.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from jinja2 import nodes

from fireline.spec import codes
from fireline.spec.conditions import compile_condition
from fireline.spec.documents import Document, Entries, Items, Node, Path, Scalar
from fireline.spec.faults import SyntaxFault
from fireline.spec.findings import Findings
from fireline.spec.runbook_forms import RunbookForm
from fireline.spec.templates import expressions

INCIDENT = "incident"
_HINT = "say `start: {needs_incident: true}`, or "


def check_incident(document: Document, form: RunbookForm, findings: Findings) -> None:
    """Note what would fail in a run without an incident, where the runbook does not say that it needs one."""
    if form.start.needs_incident:
        return
    for path in (("steps",), ("finally",), ("guards", "lock"), ("outputs",)):
        _look(document, path, document.node(path), findings)


def _look(document: Document, path: Path, node: Node | None, findings: Findings) -> None:
    match node:
        case Scalar() if path[-1] == "if":
            _condition(document, path, node.text, findings)
        case Scalar() if isinstance(node.value, str):
            for name in unguarded(node.value):
                message = f"a run without an incident has no `{name}`, and fails here"
                hint = f"{_HINT}write `{{{{ {name} if incident else '...' }}}}`"
                findings.warning(document, path, message, hint, code=codes.MISSING)
        case Items():
            for index, part in enumerate(node.nodes):
                _look(document, (*path, index), part, findings)
        case Entries():
            for key, part in node.nodes.items():
                _look(document, (*path, key), part, findings)
        case _:
            return


def _condition(document: Document, path: Path, text: str, findings: Findings) -> None:
    try:
        names = sorted(name for name in compile_condition(text).names if name.startswith(f"{INCIDENT}."))
    except SyntaxFault:
        return  # told where it is read
    if names and f"has({INCIDENT}" not in text.replace(" ", ""):
        message = f"a run without an incident has no `{names[0]}`, and fails here"
        hint = f"{_HINT}write `has({names[0]}) && ...`"
        findings.warning(document, path, message, hint, code=codes.MISSING)


@lru_cache(4_096)
def unguarded(text: str) -> Sequence[str]:
    """What a text's places name of the incident without asking whether there is one: `incident.title`."""
    if INCIDENT not in text:
        return []
    try:
        found = [name for node in expressions(text) for name in _named(node)]
    except SyntaxFault:
        return []
    return sorted(set(found))


def _named(node: nodes.Node) -> Iterator[str]:
    match node:
        case nodes.CondExpr() if _asks(node.test):
            yield from ()
        case nodes.Filter(name="default" | "d") | nodes.Test():
            yield from ()
        case nodes.Getattr(node=nodes.Name(name="incident")):
            yield f"{INCIDENT}.{node.attr}"
        case nodes.Getitem(node=nodes.Name(name="incident"), arg=nodes.Const(value=name)):
            yield f"{INCIDENT}.{name}"
        case _:
            for part in node.iter_child_nodes():
                yield from _named(part)


def _asks(test: nodes.Node) -> bool:
    """Whether a test is about the incident, and holds its own without one: who wrote it has thought of that."""
    named = [each for each in (test, *test.find_all(nodes.Name)) if isinstance(each, nodes.Name)]
    return any(each.name == INCIDENT for each in named) and not [*_named(test)]
