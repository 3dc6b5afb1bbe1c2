"""Runbooks that run others: each is put into the step that runs it, so that a run is pinned to the texts of all.

Checked here is what takes two runbooks to see: names, inputs, circles, and how deep it goes.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from fireline.domain.input_values import value_fault
from fireline.domain.run_places import every_step
from fireline.domain.runbooks import SUB_RUNBOOK, Branch, Input, Runbook, Step
from fireline.spec import codes
from fireline.spec.documents import Document, Entries, Node, Path, Scalar, plain, read_document
from fireline.spec.expressions import is_template
from fireline.spec.findings import Findings, suggestion
from fireline.spec.plugins import Plugins
from fireline.spec.runbook_steps import Outlines
from fireline.spec.runbooks import PlacedRunbook, UnreadableRunbook, read_placed

DEEPEST = 4
"""Runbooks within runbooks: so many levels below the first."""

MOST_STEPS = 500
"""Steps of a run, those of all runbooks in it together, items not multiplied."""

_NEXT = re.compile(r"^--- # runbook \S+\n", re.MULTILINE)


def split(text: str) -> list[str]:
    """The texts of a runbook and of those that it runs, as `linked` joined them."""
    return _NEXT.split(text)


def read_runbook(text: str, plugins: Plugins) -> Runbook:
    """The runbook of a text, to resume a run that is pinned to it; raises UnreadableRunbook."""
    findings = Findings()
    documents = [read_document("runbook", part.encode(errors="surrogatepass")) for part in split(text)]
    given = outlines(documents)
    placed = [found for each in documents if (found := read_placed(each, plugins, findings, given))]
    whole = linked(placed, findings, given) if len(placed) == len(documents) else []
    if findings.count() or not whole:
        raise UnreadableRunbook(findings.sorted())
    return whole[0].runbook


def outlines(documents: Iterable[Document]) -> Outlines:
    """By name, what each runbook gives; read from the files as they are, faults or not."""
    found: dict[str, Sequence[str]] = {}
    for document in documents:
        name, outputs = document.node(("name",)), document.node(("outputs",))
        if isinstance(name, Scalar):
            found[name.text] = tuple(outputs.nodes) if isinstance(outputs, Entries) else ()
    return found


def linked(placed: Sequence[PlacedRunbook], findings: Findings, known: Iterable[str] = ()) -> list[PlacedRunbook]:
    """The runbooks with those that they run put into them; one that has faults of that sort is left out.

    `known` are the names of all files: one that has faults of its own is not told again by whoever runs it.
    """
    linker = _Linker({each.runbook.name: each for each in placed}, frozenset(known), findings)
    found = []
    for each in placed:
        before = findings.count()
        runbook = linker.link(each, ())
        if findings.count() == before:
            found.append(replace(each, runbook=runbook))
    return found


@dataclass(frozen=True, slots=True)
class _Linker:
    placed: Mapping[str, PlacedRunbook]
    known: frozenset[str]
    findings: Findings

    def link(self, placed: PlacedRunbook, around: tuple[str, ...]) -> Runbook:
        """The runbook with all that it runs in it; `around` are the names of those that run it, the first ahead."""
        book, path = placed.runbook, (*around, placed.runbook.name)
        steps = self._steps(placed, book.steps, ("steps",), path)
        last = self._steps(placed, book.finally_, ("finally",), path)
        whole = replace(book, steps=steps, finally_=last)
        inside = {step.sub.name: step.sub for step in every_step(whole) if step.sub is not None}
        if not inside:
            return book
        if sum(1 for _ in every_step(whole)) > MOST_STEPS and not around:
            message = f"with all that it runs it has more than {MOST_STEPS} steps"
            self.findings.error(placed.document, ("steps",), message, "start some of it as runs of their own")
        texts = [self.placed[name].runbook.text for name in inside if name in self.placed]
        text = book.text.rstrip("\n") + "\n"
        for name, part in zip(inside, texts, strict=True):
            text += f"--- # runbook {name}\n" + part.rstrip("\n") + "\n"
        return replace(whole, text=text, hash=hashlib.sha256(text.encode()).hexdigest())

    def _steps(
        self, placed: PlacedRunbook, steps: tuple[Step, ...], path: Path, around: tuple[str, ...]
    ) -> tuple[Step, ...]:
        return tuple(self._step(placed, step, (*path, index), around) for index, step in enumerate(steps))

    def _step(self, placed: PlacedRunbook, step: Step, path: Path, around: tuple[str, ...]) -> Step:
        if step.branches:
            parts = [
                Branch(each.name, self._steps(placed, each.steps, (*path, "parallel", each.name), around))
                for each in step.branches
            ]
            return replace(step, branches=tuple(parts))
        if step.uses != SUB_RUNBOOK:
            return step
        inner = self._found(placed, (*path, "with", "runbook"), around)
        if inner is None:
            return step
        self._check_options(placed, path, inner.runbook)
        if inner.runbook.needs_incident and not placed.runbook.needs_incident:
            message = f"`{inner.runbook.name}` needs an incident, and this runbook does not say that it does"
            hint = "say `start: {needs_incident: true}`"
            self.findings.warning(placed.document, (*path, "with", "runbook"), message, hint, code=codes.MISSING)
        return replace(step, sub=self.link(inner, around))

    def _found(self, placed: PlacedRunbook, path: Path, around: tuple[str, ...]) -> PlacedRunbook | None:
        """The runbook that is named there, where it may be run; else why not is noted."""
        document, node = placed.document, placed.document.node(path)
        if not isinstance(node, Scalar) or is_template(node):
            at = path if node is not None else path[:-2]
            message = (
                "`runbook.run` names a runbook" if node is None else "which runbook is run is written, not filled in"
            )
            self.findings.error(document, at, message, "write `with: {runbook: NAME, inputs: {...}}`")
            return None
        name = node.text
        if name in around:
            circle = " -> ".join([*around[around.index(name) :], name])
            self.findings.error(document, path, f"`{name}` would run itself: {circle}", "take one of them out")
            return None
        if len(around) > DEEPEST:
            message = f"runbooks within runbooks go {DEEPEST} deep, and this one is deeper: {' -> '.join(around)}"
            self.findings.error(document, path, message, "write the steps out")
            return None
        found = self.placed.get(name)
        if found is None and name not in self.known:
            hint = suggestion(name, set(self.placed) - {placed.runbook.name})
            self.findings.error(document, path, f"there is no runbook `{name}`", hint, code=codes.UNKNOWN_NAME)
        elif found is None:
            self.findings.error(document, path, f"the runbook `{name}` has faults of its own", "mend them first")
        elif found.runbook.finally_:
            message = f"`{name}` has `finally`, which belongs to the runbook that runs all"
            self.findings.error(document, path, message, "move it into this runbook")
        else:
            return found
        return None

    def _check_options(self, placed: PlacedRunbook, path: Path, inner: Runbook) -> None:
        document, place = placed.document, (*path, "with")
        node = document.node(place)
        for name in node.nodes if isinstance(node, Entries) else ():
            if name not in ("runbook", "inputs"):
                self.findings.error(document, (*place, name), f"`runbook.run` has no option `{name}`", key=True)
        given = document.node((*place, "inputs"))
        parts: Mapping[str, Node] = given.nodes if isinstance(given, Entries) else {}
        known = {each.name: each for each in inner.inputs}
        for name, part in parts.items():
            at = (*place, "inputs", name)
            if name not in known:
                message, hint = f"`{inner.name}` has no input `{name}`", suggestion(name, known)
                self.findings.error(document, at, message, hint, key=True, code=codes.UNKNOWN_NAME)
            elif is_template(part):
                self._check_secret(placed, at, known[name], part)
            elif fault := value_fault(known[name], plain(part)):
                self.findings.error(document, at, f"the input `{name}` of `{inner.name}` {fault}")
        for name, parameter in known.items():
            if parameter.default is None and name not in parts:
                message = f"the input `{name}` of `{inner.name}` is required, and is not given"
                at = (*place, "inputs") if given is not None else place
                self.findings.error(document, at, message, f"add `{name}:` to `inputs`", code=codes.MISSING)

    def _check_secret(self, placed: PlacedRunbook, path: Path, wanted: Input, part: Node) -> None:
        """A secret is handed on as it is: it is never put together from what an event says."""
        ours = [re.escape(each.name) for each in placed.runbook.inputs if each.type == "secret"]
        text = part.text if isinstance(part, Scalar) else ""
        plainly = re.fullmatch(r"\{\{\s*inputs\.(" + "|".join(ours) + r")\s*\}\}", text)
        if wanted.type == "secret" and not (ours and plainly):
            hint = "write `{{ inputs.NAME }}` of an input that is a secret, or `secret:NAME`"
            self.findings.error(placed.document, path, "a secret is handed on as it is, or named", hint)
