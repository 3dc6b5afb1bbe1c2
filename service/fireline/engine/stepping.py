"""Doing one step: its options from templates, its context, and the action itself under a time limit."""

import asyncio
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ValidationError

from fireline.domain.expressions import EvaluationFault, Template
from fireline.domain.input_values import called
from fireline.domain.outcomes import Done, Failed, Outcome, Waiting
from fireline.domain.run_places import composite, scope_of
from fireline.domain.runbooks import Run, Runbook, Step, StepRun, StepStatus, Undo
from fireline.domain.running import Do, Rendered, entry_of, step_of
from fireline.engine import values
from fireline.engine.laying import laid_out, named, within_bounds
from fireline.engine.outward import Action, StepContext
from fireline.engine.ports import Settings


@runtime_checkable
class Looks(Protocol):
    """An action that can tell whether it was done already, for `if_unknown: verify`."""

    async def look(self, options: object, context: StepContext) -> Outcome:
        """Done when it was, Failed when it was not, anything else when that cannot be told. Has no effect."""
        ...


@runtime_checkable
class _Patient(Protocol):
    def patience(self) -> float: ...


class Steps:
    """The actions that steps use, with the models of their options. Has no state of its own."""

    def __init__(
        self, settings: Settings, actions: Mapping[str, Action], options: Mapping[str, type[BaseModel]]
    ) -> None:
        self._settings = settings
        self._actions = actions
        self._options = options

    def known(self, run: Run, at: str = "") -> dict[str, object]:
        """What the templates and conditions of the step `at` may name now."""
        return values.of_run(run, values.of_catalog(self._settings.current.catalog), at)

    def holds(self, run: Run, entry: Step, at: str = "") -> bool | Failed:
        """Whether the step's `if` holds; Failed when that cannot be told. `at` is its id, where not the entry's."""
        if entry.if_ is None:
            return True
        try:
            return entry.if_.holds(self.known(run, at or entry.id))
        except EvaluationFault as fault:
            return Failed(f"if: {fault}")

    def rendered(self, run: Run, entry: Step, at: str = "") -> Rendered | Failed:
        """What a step is to be begun with, checked; Failed with the located reason."""
        known = self.known(run, at or entry.id)
        if composite(entry):
            return laid_out(entry, known)
        options = _filled(entry.with_, known, "with")
        if isinstance(options, Failed):
            return options
        checked = self.checked(entry.uses, options)
        if isinstance(checked, Failed):
            return checked
        undo = self.undo(run, entry, at)
        patience = checked.patience() if isinstance(checked, _Patient) else 0.0
        return Rendered(options, undo or {}, patience)

    def undo(self, run: Run, entry: Step, at: str = "") -> Mapping[str, object] | None:
        """The options of the step's undo, None when there is none or it names what the step has not given yet."""
        if entry.undo is None:
            return None
        options = _filled(entry.undo.with_, self.known(run, at or entry.id), "undo.with")
        return None if isinstance(options, Failed) else options

    def given(self, run: Run, runbook: Runbook, at: str, outcome: Done) -> Done | Failed:
        """The outcome of a step that had others do its work; one that ran another runbook gives what this one does."""
        entry = entry_of(runbook, at)
        if entry.sub is None or entry.foreach is not None or entry.sub.outputs is None:
            return within_bounds(entry, outcome)
        output = _filled(entry.sub.outputs, self.known(run, f"{at}/"), f"outputs of {entry.sub.name}")
        return output if isinstance(output, Failed) else within_bounds(entry, Done(output))

    def checked(self, uses: str, options: Mapping[str, object]) -> BaseModel | Failed:
        """The options as the action's model; Failed names the field, what was found and what was expected."""
        model = self._options.get(uses)
        if model is None or uses not in self._actions:
            return Failed(f"there is no action {uses!r}")
        try:
            return model.model_validate(options)
        except ValidationError as fault:
            return Failed("; ".join(_located(error["loc"], error["msg"]) for error in fault.errors()[:5]))

    def mutates(self, uses: str) -> bool:
        """Whether the action changes anything outside; one that does not say so does."""
        return bool(getattr(self._actions.get(uses), "mutates", True))

    def at_once(self, uses: str) -> bool:
        """Whether the action only looks, and has its answer at once: that it began need not be known before."""
        return bool(getattr(self._actions.get(uses), "at_once", False)) and not self.mutates(uses)

    async def perform(self, run: Run, runbook: Runbook, todo: Do, now: float) -> Outcome:
        """Do what was journaled as begun (or look again at what waits); any fault is an outcome."""
        step, entry = step_of(run, todo.step), entry_of(runbook, todo.step)
        if todo.kind == "undo" and entry.undo is not None:
            uses, given = entry.undo.uses, self._to_undo(run, entry.undo, step)
        else:
            uses, given = entry.uses, step.rendered
        options = given if isinstance(given, Failed) else self.checked(uses, given)
        if isinstance(options, Failed):
            return options
        context = self._context(run, runbook, step, todo, now)
        seconds = max(0.1, (step.due_at or now) - now)
        outcome = await _limited(self._actions[uses], options, context, seconds)
        return within_bounds(entry, outcome) if isinstance(outcome, Done) and todo.kind == "do" else outcome

    def _to_undo(self, run: Run, undo: Undo, step: StepRun) -> Mapping[str, object] | Failed:
        """The options of an undo as they were journaled; where none could be filled in, what was missing."""
        return step.undo_rendered or _filled(undo.with_, self.known(run, step.id), "undo.with")

    async def look(self, run: Run, runbook: Runbook, todo: Do, now: float) -> Outcome:
        """Ask the action whether a step of unknown outcome was done. Waiting when that cannot be told."""
        step, entry = step_of(run, todo.step), entry_of(runbook, todo.step)
        action, options = self._actions.get(entry.uses), self.checked(entry.uses, step.rendered)
        if not isinstance(action, Looks) or isinstance(options, Failed):
            return Waiting(0.0, "the action cannot tell")
        try:
            async with asyncio.timeout(max(0.1, entry.timeout)):
                return await action.look(options, self._context(run, runbook, step, todo, now))
        except Exception as error:
            return Waiting(0.0, f"{type(error).__name__}: {error}")

    def _context(self, run: Run, runbook: Runbook, step: StepRun, todo: Do, now: float) -> StepContext:
        entry = entry_of(runbook, todo.step)
        return StepContext(
            key=todo.key,
            run=run.id,
            step=step.id,
            incident=run.incident,
            now=now,
            memory=step.memory,
            started_at=now if step.started_at is None else step.started_at,
            since=self._since(run, runbook),
            timeline=str(run.context.get("timeline", "live")),
            written=self._written(run, runbook, step.id, entry.undo if todo.kind == "undo" and entry.undo else entry),
        )

    def _written(self, run: Run, runbook: Runbook, at: str, what: Step | Undo) -> object:
        """What the author wrote, with the names of secrets that are inputs in their places: data names none."""
        scope = scope_of(at)
        book = entry_of(runbook, scope.rstrip("/")).sub if scope else runbook
        secret = {each.name for each in (book.inputs if book else ()) if each.type == "secret"}
        inputs = self.known(run, at)["inputs"] if secret else {}
        assert isinstance(inputs, dict)
        return named(what.with_.source, {name: str(value) for name, value in inputs.items() if name in secret})

    def _since(self, run: Run, runbook: Runbook) -> float:
        start = run.created_at if run.started_at is None else run.started_at
        pairs = [(entry_of(runbook, step.id), step) for step in run.steps if step.status is StepStatus.DONE]
        done = [step.ended_at for entry, step in pairs if not composite(entry) and self.mutates(entry.uses)]
        return max([start, *(at for at in done if at is not None)])


def _filled(template: Template, known: Mapping[str, object], where: str) -> dict[str, object] | Failed:
    try:
        found = template.render(known)
    except EvaluationFault as fault:
        return Failed(f"{where}: {fault}")
    if not isinstance(found, Mapping):
        return Failed(f"{where}: expected a mapping, found {called(found)}")
    return {str(name): value for name, value in found.items()}


def _located(path: tuple[int | str, ...], message: str) -> str:
    return f"with.{'.'.join(map(str, path))}: {message}" if path else f"with: {message}"


async def _limited(action: Action, options: object, context: StepContext, seconds: float) -> Outcome:
    try:
        async with asyncio.timeout(seconds):
            outcome = await action.perform(options, context)
    except TimeoutError:
        return Failed(f"no answer within {seconds:.3g} s", unknown=True)
    except Exception as error:  # an action must not raise; one that does must not end the engine
        return Failed(f"{type(error).__name__}: {error}", unknown=True)
    if not isinstance(outcome, Done) or _is_plain(outcome.output):
        return outcome
    return Failed("the action gave an output that is not JSON-like", unknown=True)


def _is_plain(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _is_plain(part) for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (str, int, float, bool))
