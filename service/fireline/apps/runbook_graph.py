"""A runbook as a picture: its steps from top to bottom, with what each waits for, asks, and undoes when it fails."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.text import Text

from fireline.apps.output import harmless, out, say
from fireline.domain.durations import written
from fireline.domain.runbook_steps import entries
from fireline.domain.runbooks import OnFailure, Runbook, Step

ASKS = frozenset({"approval", "ask"})
"""The actions that wait for a person."""


@dataclass(frozen=True, slots=True)
class Node:
    """A step as it is drawn: `kind` is step, ask, parallel, sub; `notes` are what stands below its name.

    `fails` says what its failure leads to, empty where it just stops the run; `waits` are the steps before it, empty
    for the first; `branches` and `inner` hold what goes on within it.
    """

    id: str
    uses: str
    kind: str
    condition: str = ""
    notes: tuple[str, ...] = ()
    undo: str = ""
    fails: str = ""
    waits: tuple[str, ...] = ()
    branches: tuple[tuple[str, tuple["Node", ...]], ...] = ()
    inner: tuple["Node", ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """All of a runbook; `last` are the steps that are done whatever happened."""

    name: str
    facts: tuple[str, ...]
    nodes: tuple[Node, ...]
    last: tuple[Node, ...]


def graph_of(book: Runbook) -> Graph:
    """The picture of a runbook."""
    facts = [f"{book.owner}, {book.mode.value}" + (f" when {book.start_when.source}" if book.start_when else "")]
    if book.lock is not None:
        facts.append(f"lock {book.lock.source}")
    if book.budget is not None:
        facts.append(f"at most {book.budget.runs} runs in {written(book.budget.per)}")
    if book.stop_if is not None:
        facts.append(f"stops if {book.stop_if.source}")
    before = [step for _, step in entries(book)]
    return Graph(book.name, tuple(facts), _nodes(book.steps, "", before), _nodes(book.finally_, "", before, last=True))


def _nodes(steps: tuple[Step, ...], within: str, before: list[Step], *, last: bool = False) -> tuple[Node, ...]:
    previous, made = "", []
    for step in steps:
        waits = (previous,) if step.needs is None and previous else step.needs or ()
        made.append(_node(step, within, tuple(waits), before, last=last))
        previous = step.id
    return tuple(made)


def _node(step: Step, within: str, waits: tuple[str, ...], before: list[Step], *, last: bool) -> Node:
    kind = "ask" if step.uses in ASKS else "parallel" if step.branches else "sub" if step.sub is not None else "step"
    undo = "" if step.undo is None else step.undo.uses
    sub = step.sub
    return Node(
        id=step.id,
        uses=step.uses,
        kind=kind,
        condition="" if step.if_ is None else step.if_.source,
        notes=tuple(_notes(step)),
        undo="irreversible" if step.irreversible else undo,
        fails="" if last else _fails(step, before),
        waits=waits,
        branches=tuple((b.name, _nodes(b.steps, within, before)) for b in step.branches),
        inner=() if sub is None else _nodes(sub.steps, f"{within}{step.id}/", [s for _, s in entries(sub)]),
    )


def _notes(step: Step) -> Iterator[str]:
    source = step.with_.source
    options: Mapping[str, object] = source if isinstance(source, Mapping) else {}
    if step.uses in ASKS:
        silence = str(options.get("on_timeout", "reject"))
        yield f"asks {options.get('of', 'owner')}, {options.get('timeout', '30m')}; silence: {silence}"
    if step.foreach is not None:
        at_once = "one by one" if step.foreach.concurrency == 1 else f"{step.foreach.concurrency} at a time"
        yield f"for each of {step.foreach.items.source}, {at_once}"
    if step.branches:
        yield f"goes on when {'all' if step.join in (0, len(step.branches)) else step.join} are done"
    if step.sub is not None:
        yield f"runs {step.sub.name}"
    if step.retry.attempts > 1:
        yield f"up to {step.retry.attempts} attempts"


def _fails(step: Step, before: list[Step]) -> str:
    match step.on_failure:
        case OnFailure.UNDO:
            undone = [s.id for s in reversed(before[: before.index(step)]) if s.undo is not None]
            return f"undo {', '.join(undone)}" if undone else "undo"
        case OnFailure.STOP:
            return ""
        case OnFailure.CONTINUE:
            return "go on"
        case OnFailure.ESCALATE:
            return "stop, call the next level"


# on a terminal
_STYLES = {"ask": "yellow", "parallel": "cyan", "sub": "cyan", "step": "bold"}


def tell(graph: Graph) -> None:
    """Print it: one line a step, indented where it goes on within another."""
    say(graph.name, "bold")
    for fact in graph.facts:
        say(f"  {fact}", "dim")
    _tell_nodes(graph.nodes, "  ")
    if graph.last:
        say("  finally, whatever happened", "dim")
        _tell_nodes(graph.last, "  ")


def _tell_nodes(nodes: tuple[Node, ...], indent: str) -> None:
    wide = max((len(node.id) for node in nodes), default=0)
    for number, node in enumerate(nodes):
        out().print(Text(f"{indent}│", style="dim"))
        before = nodes[number - 1].id if number else ""
        others = [name for name in node.waits if name != before]
        if others or (number and not node.waits):
            text = f"waits for {', '.join(node.waits)}" if node.waits else "waits for nothing"
            out().print(Text(f"{indent}├╴{text}", style="dim"))
        if node.condition:
            out().print(Text(f"{indent}◇ if {harmless(node.condition)}, otherwise past it", style="cyan"))
        _tell_node(node, indent, wide)


def _tell_node(node: Node, indent: str, wide: int) -> None:
    mark = {"ask": "◉", "parallel": "╪", "sub": "▣"}.get(node.kind, "●")
    line = Text(f"{indent}{mark} ") + Text(f"{harmless(node.id):<{wide}}  ", style=_STYLES[node.kind])
    line += Text(harmless(node.uses))
    if node.undo:
        line += Text(f"   ↶ {node.undo}", style="red" if node.undo == "irreversible" else "magenta")
    if node.fails:
        line += Text(f"   ✗ {node.fails}", style="red")
    out().print(line)
    for note in node.notes:
        out().print(Text(f"{indent}│   {harmless(note)}", style="dim"))
    for name, nodes in node.branches:
        out().print(Text(f"{indent}├─┬ {harmless(name)}", style="cyan"))
        _tell_nodes(nodes, f"{indent}│ ")
    if node.inner:
        _tell_nodes(node.inner, f"{indent}│ ")


def document(graph: Graph) -> Mapping[str, object]:
    """The picture for programs."""
    return {
        "runbook": graph.name,
        "facts": list(graph.facts),
        "steps": [_plain(node) for node in graph.nodes],
        "finally": [_plain(node) for node in graph.last],
    }


def _plain(node: Node) -> Mapping[str, object]:
    return {
        "id": node.id,
        "uses": node.uses,
        "kind": node.kind,
        "if": node.condition,
        "notes": list(node.notes),
        "undo": node.undo,
        "on_failure": node.fails,
        "waits_for": list(node.waits),
        "branches": [{"name": name, "steps": [_plain(n) for n in nodes]} for name, nodes in node.branches],
        "steps": [_plain(n) for n in node.inner],
    }
