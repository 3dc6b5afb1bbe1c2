"""The steps of a runbook: from their form to domain values, with all that can be checked of one runbook alone."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fireline.domain.runbooks import (
    PARALLEL,
    SUB_RUNBOOK,
    Branch,
    Foreach,
    IfUnknown,
    On,
    OnFailure,
    Retry,
    Step,
    Undo,
)
from fireline.spec import codes
from fireline.spec.conditions import CelCondition
from fireline.spec.documents import Document, Path
from fireline.spec.elsewhere import ACTIONS
from fireline.spec.expressions import check_kinds, is_template, read_condition, read_template
from fireline.spec.findings import Findings, suggestion
from fireline.spec.names import CATALOG, INCIDENT, RUN, Tree, leaves
from fireline.spec.plugins import Plugins, type_of
from fireline.spec.reading import validated
from fireline.spec.runbook_forms import RunbookForm, StepForm
from fireline.spec.runbook_inputs import KINDS, kinds_of
from fireline.spec.runbook_reach import check_reach
from fireline.spec.templates import JinjaTemplate, compile_template

_SECRET = re.compile(r"secret:(?:[A-Za-z]|\{\{)")
_GIVEN: Mapping[str, Mapping[str, str]] = {
    "foreach": {"count": "int", "failed": "int", "items": "list", "summary": "string"},
    "parallel": {"done": "list", "summary": "string"},
}
"""The types of what steps give that have others do their work."""
_ITEM = "is known only in `with` and `undo` of a step with `foreach`"

Outlines = Mapping[str, Sequence[str]]
"""By the names of runbooks, what a runbook that runs them gets from them."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A step as it is written: where, and the steps that are over when it begins."""

    form: StepForm
    path: Path
    before: tuple["Placed", ...]
    within: bool = False
    last: bool = False


@dataclass(slots=True)
class StepReader:
    """The steps of one runbook being read."""

    document: Document
    form: RunbookForm
    plugins: Plugins
    findings: Findings
    outlines: Outlines = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def read(self) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """The steps, and those that come last."""
        steps = self.block(self.form.steps, ("steps",), ())
        everything = tuple(self._all(self.form.steps, ("steps",)))
        return steps, self.block(self.form.finally_, ("finally",), everything, last=True)

    def _all(self, forms: Iterable[StepForm], path: Path) -> Iterator[Placed]:
        for index, form in enumerate(forms):
            yield Placed(form, (*path, index), ())
            for name, branch in form.parallel.items():
                yield from self._all(branch, (*path, index, "parallel", name))

    def block(
        self,
        forms: Sequence[StepForm],
        path: Path,
        before: tuple[Placed, ...],
        *,
        within: bool = False,
        last: bool = False,
    ) -> tuple[Step, ...]:
        """Steps of which each comes after those before it, as far as `needs` does not say otherwise."""
        placed: dict[str, Placed] = {}
        found = []
        for index, form in enumerate(forms):
            at = (*path, index)
            known = self._over(form, at, placed, before)
            step = Placed(form, at, known, within, last)
            found.append(self._step(step))
            placed[form.id] = step
        return tuple(found)

    def _over(
        self, form: StepForm, path: Path, placed: Mapping[str, Placed], before: tuple[Placed, ...]
    ) -> tuple[Placed, ...]:
        """The steps that are over when this one begins."""
        if form.needs is None:
            inner = [part for each in placed.values() for part in (each, *_inside(each))]
            return (*before, *inner)
        found: dict[Path, Placed] = {each.path: each for each in before}
        for index, name in enumerate(form.needs):
            if name not in placed:
                self._unknown_need((*path, "needs", index), name, form, placed)
                continue
            step = placed[name]
            found.update({each.path: each for each in (*step.before, step, *_inside(step))})
        return tuple(found.values())

    def _unknown_need(self, path: Path, name: str, form: StepForm, placed: Mapping[str, Placed]) -> None:
        later = name == form.id or name in {each.form.id for each in self._all(self.form.steps, ())}
        message = f"there is no earlier step `{name}` beside `{form.id}`" if later else f"there is no step `{name}`"
        hint = "a step waits for earlier ones of the same list" if later else suggestion(name, placed)
        self.findings.error(self.document, path, message, hint, code=codes.UNKNOWN_NAME)

    def _step(self, placed: Placed) -> Step:
        form, path = placed.form, placed.path
        if form.id in self.seen:
            message = f"the step `{form.id}` is here twice"
            hint = "every step needs an id of its own"
            self.findings.error(self.document, (*path, "id"), message, hint, code=codes.DUPLICATE_NAME)
        self.seen.add(form.id)
        self._check_sense(placed)
        tree = self._tree(placed)
        inner: Tree = {**tree, "item": None, "index": None} if form.foreach is not None else tree
        return Step(
            id=form.id,
            uses=form.uses or PARALLEL,
            with_=self._with(path, form, inner) or compile_template({}),
            if_=self._condition((*path, "if"), form.if_, placed, tree),
            retry=Retry(form.retry.attempts, form.retry.backoff, form.retry.jitter, tuple(map(On, form.retry.on))),
            timeout=self._timeout(form),
            undo=self._undo(placed, inner),
            on_failure=OnFailure(form.on_failure),
            if_unknown=IfUnknown(form.if_unknown),
            irreversible=form.irreversible,
            needs=None if form.needs is None else tuple(form.needs),
            foreach=self._foreach(path, form, tree),
            branches=self._branches(placed),
            join=_join(form),
            outputs=dict(form.outputs),
        )

    def _timeout(self, form: StepForm) -> float:
        """Steps that have others do their work take as long as these, where nothing else is said."""
        composite = form.parallel or form.foreach is not None or form.uses == SUB_RUNBOOK
        return self.form.deadline if composite and "timeout" not in form.model_fields_set else form.timeout

    def _condition(self, path: Path, text: str | None, placed: Placed, tree: Tree) -> CelCondition | None:
        condition = read_condition(self.document, path, text, self.findings, tree)
        if condition is not None:
            check_kinds(self.document, path, condition.source, self._kinds(placed), self.findings)
        return condition

    def _kinds(self, placed: Placed) -> dict[str, str]:
        found = {**kinds_of(self.form.inputs), "severity": "text", "run.runbook": "text", "run.id": "number"}
        for each in placed.before:
            step = f"steps.{each.form.id}"
            found[f"{step}.outcome"] = "text"
            found |= {f"{step}.{name}": KINDS[kind] for name, kind in self._types(each.form) if kind in KINDS}
        return found

    def _types(self, form: StepForm) -> Iterator[tuple[str, str]]:
        """The types of what a step gives: those of its action, unless it says others itself."""
        if form.parallel or form.foreach is not None:
            yield from _GIVEN["parallel" if form.parallel else "foreach"].items()
            return
        action = self.plugins.actions.get(form.uses)
        yield from ((name, type_of(each)) for name, each in (action.outputs if action else {}).items())
        yield from form.outputs.items()

    # what it does
    def _with(self, path: Path, form: StepForm, tree: Tree) -> JinjaTemplate | None:
        if not form.uses:
            if form.with_:
                message = "`parallel` takes no `with`"
                self.findings.error(self.document, (*path, "with"), message, "its steps have theirs")
            return None
        return self._use(path, form.uses, form.with_, tree)

    def _use(self, path: Path, uses: str, with_: Mapping[str, object], known: Tree) -> JinjaTemplate | None:
        action = self.plugins.actions.get(uses)
        place = (*path, "with")
        if action is None and uses != SUB_RUNBOOK:
            why = self.plugins.why_no_action(uses)
            meant = ACTIONS.get(uses.lower(), "")
            hint = "" if why else meant or suggestion(uses, [*self.plugins.actions, SUB_RUNBOOK])
            message = f"the action `{uses}` cannot be used: {why}" if why else f"there is no action `{uses}`"
            self.findings.error(self.document, (*path, "uses"), message, hint, code=codes.UNKNOWN_NAME)
        elif action is not None:
            at = place if self.document.node(place) is not None else path
            validated(self.document, action.options, dict(with_), self.findings, at, skip=self._is_template)
            check_reach(self.document, place, uses, self.plugins, self.findings)
        if self.document.node(place) is None:
            return compile_template({})
        self._check_secrets(place, with_)
        return read_template(self.document, place, dict(with_), self.findings, known)

    def _undo(self, placed: Placed, tree: Tree) -> Undo | None:
        form, path = placed.form, placed.path
        if form.undo is None:
            self._check_undo(path, form)
            return None
        itself = self._outputs(form, one=True)
        steps = tree["steps"]
        known: Tree = {**tree, "steps": {**(steps if isinstance(steps, Mapping) else {}), form.id: itself}}
        template = self._use((*path, "undo"), form.undo.uses, form.undo.with_, known)
        return Undo(form.undo.uses, template or compile_template({}))

    def _check_undo(self, path: Path, form: StepForm) -> None:
        action = self.plugins.actions.get(form.uses)
        if action is None or not action.mutates or form.irreversible:
            return
        message = f"`{form.uses}` changes something, and the step `{form.id}` has no `undo`"
        self.findings.error(self.document, path, message, "add `undo:`, or say `irreversible: true`")

    def _foreach(self, path: Path, form: StepForm, tree: Tree) -> Foreach | None:
        if form.foreach is None:
            return None
        at = (*path, "foreach")
        if isinstance(form.foreach, str) and not is_template(self.document.node(at)):
            message = f"`foreach` goes through a list, and `{form.foreach[:40]}` is a text"
            self.findings.error(self.document, at, message, "write `[a, b]`, or `{{ inputs.regions }}`")
        template = read_template(self.document, at, form.foreach, self.findings, tree)
        return Foreach(template or compile_template([]), form.concurrency, form.max_items)

    def _branches(self, placed: Placed) -> tuple[Branch, ...]:
        path = (*placed.path, "parallel")
        return tuple(
            Branch(name, self.block(forms, (*path, name), placed.before, within=True, last=placed.last))
            for name, forms in placed.form.parallel.items()
        )

    # whether it makes sense
    def _check_sense(self, placed: Placed) -> None:
        form, path = placed.form, placed.path
        for name, message, hint in _nonsense(placed):
            place = (*path, name)
            self.findings.error(self.document, place if self.document.node(place) else path, message, hint)
        for name, branch in form.parallel.items():
            if not branch:
                self.findings.error(self.document, (*path, "parallel", name), f"the branch `{name}` has no steps")
        if _join(form) > len(form.parallel) > 0:
            message = f"`join` waits for {_join(form)} branches, and there are {len(form.parallel)}"
            self.findings.error(self.document, (*path, "join"), message)

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

    # what it may name
    def _tree(self, placed: Placed) -> Tree:
        """What the step may name: what is given, and the steps that are over when it begins."""
        over = {each.form.id for each in placed.before}
        steps: dict[str, Tree | str | None] = {
            each.form.id: _not_over(each, placed)
            for each in (*self._all(self.form.steps, ("steps",)), *self._all(self.form.finally_, ("finally",)))
            if each.form.id not in over
        }
        steps |= {each.form.id: self._outputs(each.form) for each in placed.before}
        return {
            "inputs": leaves(self.form.inputs),
            "steps": steps,
            "incident": INCIDENT,
            "catalog": CATALOG,
            "run": RUN,
            "severity": None,
            "item": f"`item` {_ITEM}",
            "index": f"`index` {_ITEM}",
        }

    def outputs_tree(self) -> Tree:
        """What `outputs` of the runbook may name: all that was there when its steps were over."""
        everything = tuple(self._all(self.form.steps, ("steps",)))
        return {
            "inputs": leaves(self.form.inputs),
            "steps": {each.form.id: self._outputs(each.form) for each in everything},
            "incident": INCIDENT,
            "catalog": CATALOG,
            "run": RUN,
            "severity": None,
        }

    def _outputs(self, form: StepForm, *, one: bool = False) -> Tree | None:
        """What a step gives; with `one`, what one item of it gives."""
        if form.parallel:
            return leaves([*_GIVEN["parallel"], "outcome"])
        if form.foreach is not None and not one:
            return leaves([*_GIVEN["foreach"], "outcome"])
        if form.uses == SUB_RUNBOOK:
            given = self.outlines.get(str(form.with_.get("runbook")))
            return None if given is None else leaves([*given, "outcome"])
        action = self.plugins.actions.get(form.uses)
        return None if action is None else leaves([*action.outputs, *form.outputs, "outcome"])


def _inside(placed: Placed) -> Iterator[Placed]:
    """The steps of its branches."""
    for name, branch in placed.form.parallel.items():
        for index, form in enumerate(branch):
            inner = Placed(form, (*placed.path, "parallel", name, index), ())
            yield inner
            yield from _inside(inner)


def _join(form: StepForm) -> int:
    """How many branches have to be done, 0 for all."""
    match form.join:
        case "all":
            return 0
        case "any":
            return 1
        case found:
            return found.n


def _not_over(each: Placed, placed: Placed) -> str:
    """Why a step's outputs are not known where another one begins."""
    name = each.form.id
    shared = next((i for i, (a, b) in enumerate(zip(each.path, placed.path, strict=False)) if a != b), None)
    if shared is not None and each.path[shared - 1 : shared] == ("parallel",):
        return f"the step `{name}` is in another branch: its outputs are not known here"
    ours, theirs = [part for part in placed.path if isinstance(part, int)], [p for p in each.path if isinstance(p, int)]
    if placed.form.needs is not None and each.path[0] == placed.path[0] and theirs < ours:
        return f"the step `{name}` may not be over yet: add it to `needs`"
    return f"the step `{name}` comes later: its outputs are not known here"


def _nonsense(placed: Placed) -> Iterator[tuple[str, str, str]]:
    """What is written of a step and could never be so: where, what, and how to mend it."""
    form, given = placed.form, placed.form.model_fields_set
    having = "parallel" if form.parallel else "runbook.run" if form.uses == SUB_RUNBOOK else ""
    if form.undo is not None and having:
        yield "undo", f"`{having}` has no `undo` of its own", "its steps have theirs, and are undone one by one"
    if "retry" in given and having:
        yield "retry", f"`{having}` is not tried again as a whole", "write `retry` at its steps"
    if form.parallel and form.foreach is not None:
        yield "foreach", "a step has either `foreach` or `parallel`", "run a runbook of your own for each item"
    if "join" in given and not form.parallel:
        yield "join", "`join` belongs to `parallel`", ""
    if ("concurrency" in given or "max_items" in given) and form.foreach is None:
        yield "concurrency", "`concurrency` and `max_items` belong to `foreach`", ""
    if placed.within and form.on_failure in ("undo", "escalate"):
        hint = "a step of a branch stops its branch, or goes on; write it at the step with `parallel`"
        yield "on_failure", f"`{form.on_failure}` is for the whole run, not for one branch of it", hint
    if placed.last and form.undo is not None:
        yield "undo", "what comes last is never undone", "say `irreversible: true` if it changes something"
    if placed.last and "on_failure" in given:
        yield "on_failure", "a step that comes last stops nothing when it fails", "leave it out"
