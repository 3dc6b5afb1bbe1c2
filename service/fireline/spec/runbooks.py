"""Runbooks: from the form of a runbook file to domain runbooks, with everything that can be checked of one alone."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from fireline.domain.configuration import Problem
from fireline.domain.runbooks import (
    Autonomy,
    Budget,
    IfUnknown,
    Input,
    OnFailure,
    Retry,
    Runbook,
    Step,
    Undo,
)
from fireline.spec import codes
from fireline.spec.documents import Document, Path, read_document
from fireline.spec.expressions import is_template, read_condition, read_template
from fireline.spec.findings import Findings, suggestion
from fireline.spec.names import CATALOG, GUARDS, INCIDENT, RUN, START, Tree, leaves
from fireline.spec.plugins import Plugins
from fireline.spec.reading import read_model, validated
from fireline.spec.runbook_forms import InputForm, RunbookForm, StepForm
from fireline.spec.templates import JinjaTemplate, compile_template

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "duration": (str, int, float),
    "list": list,
    "mapping": dict,
}
_SECRET = re.compile(r"secret:(?:[A-Za-z]|\{\{)")


class UnreadableRunbook(Exception):  # noqa: N818 - a state of a stored text
    """The text of a runbook has faults; `problems` holds them."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class PlacedRunbook:
    """A runbook and the file it is in; `required` are the inputs without a default."""

    runbook: Runbook
    document: Document
    names: frozenset[str]

    @property
    def required(self) -> tuple[str, ...]:
        """The inputs that whoever starts it must give."""
        return tuple(each.name for each in self.runbook.inputs if each.default is None)


def read_runbook(text: str, plugins: Plugins) -> Runbook:
    """The runbook of a text, to resume a run that is pinned to it; raises UnreadableRunbook."""
    findings = Findings()
    placed = read_placed(read_document("runbook", text.encode(errors="surrogatepass")), plugins, findings)
    if placed is None:
        raise UnreadableRunbook(findings.sorted())
    return placed.runbook


def read_placed(document: Document, plugins: Plugins, findings: Findings) -> PlacedRunbook | None:
    """The runbook of a document; None when it has faults, all of which are noted."""
    before = findings.count()
    findings.form(document)
    if document.root is None:
        if not document.faults:
            findings.error(
                document, (), "the file is empty", "begin it with `name:`, `owner:` and `steps:`", code=codes.MISSING
            )
        return None
    form = read_model(document, RunbookForm, findings)
    if form is None:
        return None
    runbook, names = _Reader(document, form, plugins, findings).read()
    return PlacedRunbook(runbook, document, names) if findings.count() == before else None


@dataclass(slots=True)
class _Reader:
    """One runbook being read."""

    document: Document
    form: RunbookForm
    plugins: Plugins
    findings: Findings

    def read(self) -> tuple[Runbook, frozenset[str]]:
        form = self.form
        inputs = tuple(self._input(name, part) for name, part in form.inputs.items())
        known = leaves(form.inputs)
        start: Tree = {**START, "inputs": known}
        guards = form.guards
        runbook = Runbook(
            name=form.name,
            owner=form.owner,
            steps=tuple(self._step(index, step) for index, step in enumerate(form.steps)),
            inputs=inputs,
            start_when=read_condition(self.document, ("start", "when"), form.start.when, self.findings, start),
            mode=Autonomy(form.start.mode),
            lock=self._template(("guards", "lock"), guards.lock, start) if guards.lock else None,
            budget=Budget(guards.budget.runs, guards.budget.per) if guards.budget else None,
            stop_if=read_condition(
                self.document,
                ("guards", "stop_if"),
                guards.stop_if,
                self.findings,
                {**GUARDS, **START, "inputs": known},
            ),
            deadline=form.deadline,
            reviewed=form.reviewed,
            review_every=form.review_every,
            description=form.description,
            hash=hashlib.sha256(self.document.text.encode()).hexdigest(),
            text=self.document.text,
        )
        return runbook, self._names(runbook)

    def _input(self, name: str, form: InputForm) -> Input:
        path: Path = ("inputs", name, "default")
        known = list(self.form.inputs)
        inputs = {each: f"the input `{each}` is not known yet: it comes later" for each in known}
        tree: Tree = {**START, "inputs": {**inputs, **leaves(known[: known.index(name)])}}
        has_default = self.document.node(path) is not None
        default = self._template(path, form.default, tree) if has_default else None
        if has_default and not is_template(self.document.node(path)):
            self._check_default(path, form)
        return Input(name, form.type, default, tuple(form.choices))

    def _check_default(self, path: Path, form: InputForm) -> None:
        wrong_truth = isinstance(form.default, bool) and form.type != "boolean"
        if form.default is None or wrong_truth or not isinstance(form.default, _TYPES[form.type]):
            self.findings.error(self.document, path, f"the default is not a {form.type}")
        elif form.choices and form.default not in form.choices:
            self.findings.error(self.document, path, "the default is not among the `choices`")

    def _step(self, index: int, form: StepForm) -> Step:
        path: Path = ("steps", index)
        earlier = [step.id for step in self.form.steps[:index]]
        if form.id in earlier:
            message = f"the step `{form.id}` is here twice"
            self.findings.error(
                self.document, (*path, "id"), message, "every step needs an id of its own", code=codes.DUPLICATE_NAME
            )
        known = self._tree(index)
        template = self._use(path, form.uses, form.with_, known)
        self._check_undo(path, form)
        return Step(
            id=form.id,
            uses=form.uses,
            with_=template or compile_template({}),
            if_=read_condition(self.document, (*path, "if"), form.if_, self.findings, known),
            retry=Retry(form.retry.attempts, form.retry.backoff),
            timeout=form.timeout,
            undo=self._undo((*path, "undo"), form, index),
            on_failure=OnFailure(form.on_failure),
            if_unknown=IfUnknown(form.if_unknown),
            irreversible=form.irreversible,
        )

    def _undo(self, path: Path, form: StepForm, index: int) -> Undo | None:
        if form.undo is None:
            return None
        template = self._use(path, form.undo.uses, form.undo.with_, self._tree(index, itself=True))
        return Undo(form.undo.uses, template or compile_template({}))

    def _check_undo(self, path: Path, form: StepForm) -> None:
        action = self.plugins.actions.get(form.uses)
        if action is None or not action.mutates or form.irreversible or form.undo is not None:
            return
        message = f"`{form.uses}` changes something, and the step `{form.id}` has no `undo`"
        self.findings.error(self.document, path, message, "add `undo:`, or say `irreversible: true`")

    def _use(self, path: Path, uses: str, with_: Mapping[str, object], known: Tree) -> JinjaTemplate | None:
        action = self.plugins.actions.get(uses)
        place = (*path, "with")
        if action is None:
            hint = suggestion(uses, self.plugins.actions)
            self.findings.error(
                self.document, (*path, "uses"), f"there is no action `{uses}`", hint, code=codes.UNKNOWN_NAME
            )
        else:
            at = place if self.document.node(place) is not None else path
            validated(self.document, action.options, dict(with_), self.findings, at, skip=self._is_template)
        if self.document.node(place) is None:
            return compile_template({})
        self._check_secrets(place, with_)
        return self._template(place, dict(with_), known)

    def _check_secrets(self, path: Path, value: object) -> None:
        """A secret is filled in only where the author wrote all of the text: data must not be able to name one."""
        if isinstance(value, str) and "{{" in value and _SECRET.search(value):
            message = "`secret:NAME` beside `{{ }}` is not filled in: what an event says must not come near a secret"
            self.findings.error(self.document, path, message, "write the secret in a text without `{{ }}`")
        if isinstance(value, Mapping):
            for key, part in value.items():
                self._check_secrets((*path, str(key)), part)
        if isinstance(value, list):
            for index, part in enumerate(value):
                self._check_secrets((*path, index), part)

    def _is_template(self, path: Path) -> bool:
        return is_template(self.document.node(path))

    def _template(self, path: Path, value: object, known: Tree) -> JinjaTemplate | None:
        return read_template(self.document, path, value, self.findings, known)

    def _tree(self, index: int, *, itself: bool = False) -> Tree:
        """What the step at `index` may name; its undo may name the step's own outputs as well."""
        done = self.form.steps[: index + 1 if itself else index]
        steps: dict[str, Tree | str | None] = {
            step.id: f"the step `{step.id}` comes later: its outputs are not known here" for step in self.form.steps
        }
        for step in done:
            action = self.plugins.actions.get(step.uses)
            steps[step.id] = None if action is None else leaves([*action.outputs, "outcome"])
        return {
            "inputs": leaves(self.form.inputs),
            "steps": steps,
            "incident": INCIDENT,
            "catalog": CATALOG,
            "run": RUN,
            "severity": None,
        }

    def _names(self, runbook: Runbook) -> frozenset[str]:
        templates = [each.default for each in runbook.inputs] + [step.with_ for step in runbook.steps]
        return frozenset().union(*(t.variables for t in templates if isinstance(t, JinjaTemplate)))
