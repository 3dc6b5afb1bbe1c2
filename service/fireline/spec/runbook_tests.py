"""Tests of runbooks: from their form to domain values, and what can be checked of them without running them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fireline.domain.runbook_steps import entries, plain_id
from fireline.domain.runbook_tests import UNDO, Abort, Ends, Expected, Mock, RunbookTest, TestedIncident
from fireline.domain.runbooks import Runbook, Step
from fireline.spec import codes
from fireline.spec.documents import Document, Items, Path
from fireline.spec.findings import Findings, suggestion
from fireline.spec.plugins import Plugins
from fireline.spec.reading import read_model
from fireline.spec.runbook_test_forms import ExpectForm, MockForm, RunbookTestForm
from fireline.spec.runbooks import PlacedRunbook

_ENDS = "write one of `output`, `fails`, `unknown`, `retry` and `answer`"


def with_tests(placed: PlacedRunbook, plugins: Plugins, findings: Findings) -> PlacedRunbook:
    """The runbook with its tests, whose faults are noted.

    They are read apart from it, so that a run which is pinned to an old text never ends for a fault in a test.
    """
    node = placed.document.node(("tests",))
    if not isinstance(node, Items):
        return placed
    reader = _Reader(placed.document, placed.runbook, dict(entries(placed.runbook)), plugins, findings)
    tests = [test for number in range(len(node.nodes)) if (test := reader.read(number)) is not None]
    reader.check_names(tests)
    return replace(placed, runbook=replace(placed.runbook, tests=tuple(tests)))


@dataclass(frozen=True, slots=True)
class _Reader:
    document: Document
    book: Runbook
    steps: Mapping[str, Step]
    plugins: Plugins
    findings: Findings

    def read(self, number: int) -> RunbookTest | None:
        path: Path = ("tests", number)
        form = read_model(self.document, RunbookTestForm, self.findings, path)
        if form is None:
            return None
        self._check(form, path)
        incident = form.incident
        return RunbookTest(
            name=form.name,
            inputs=form.inputs,
            incident=None
            if incident is None
            else TestedIncident(
                incident.service, incident.severity, incident.rule, dict(incident.labels), incident.summary
            ),
            mocks={
                step: tuple(self._mock(each, (*path, "steps", step, n)) for n, each in enumerate(mocks))
                for step, mocks in form.steps.items()
            },
            abort=None if form.abort is None else Abort(form.abort.after, form.abort.undo),
            expect=self._expected(form.expect, path),
            line=self._line(path),
        )

    def _line(self, path: Path) -> int:
        return self.document.place(path).line

    def check_names(self, tests: Sequence[RunbookTest]) -> None:
        """Two tests of one name cannot be told apart in a report."""
        names: dict[str, int] = {}
        for number, test in enumerate(tests):
            if test.name in names:
                message = f"there is a test `{test.name[:60]}` already, in line {names[test.name]}"
                self.findings.error(self.document, ("tests", number, "name"), message, code=codes.DUPLICATE_NAME)
            names.setdefault(test.name, test.line)

    def _check(self, form: RunbookTestForm, path: Path) -> None:
        """Names that lead nowhere."""
        known = {parameter.name for parameter in self.book.inputs}
        for name in form.inputs.keys() - known:
            message = f"`{self.book.name}` has no input `{name}`"
            self._unknown((*path, "inputs", name), message, suggestion(name, known), key=True)
        for step, place in _named(form):
            self._step(step, (*path, *place))
        for step, mocks in form.steps.items():
            for number, mock in enumerate(mocks):
                self._outputs(step, mock.output or {}, (*path, "steps", step, number, "output"))
        for step, values in form.expect.outputs.items():
            self._outputs(step, values, (*path, "expect", "outputs", step))

    def _unknown(self, path: Path, message: str, hint: str, *, key: bool) -> None:
        self.findings.error(self.document, path, message, hint, key=key, code=codes.UNKNOWN_NAME)

    def _step(self, named: str, path: Path) -> None:
        step = plain_id(named.removesuffix(UNDO))
        key = isinstance(path[-1], str)
        if step not in self.steps:
            self._unknown(path, f"`{self.book.name}` has no step `{step}`", suggestion(step, self.steps), key=key)
        elif named.endswith(UNDO) and self.steps[step].undo is None:
            self._unknown(path, f"the step `{step}` has no `undo`", "", key=key)

    def _outputs(self, named: str, values: Mapping[str, object], path: Path) -> None:
        """Outputs that the action does not have: a test that mocks them would show what cannot be."""
        entry = self.steps.get(plain_id(named))
        action = None if entry is None else self.plugins.actions.get(entry.uses)
        if entry is None or action is None or entry.sub is not None or entry.foreach is not None:
            return
        known = {*action.outputs, *entry.outputs}
        for name in values.keys() - known:
            message = f"`{entry.uses}` has no output `{name}`"
            self._unknown((*path, name), message, suggestion(name, known), key=True)

    def _mock(self, form: MockForm, path: Path) -> Mock:
        said = [ends for ends in Ends if getattr(form, ends.value) is not None]
        if form.output is not None and form.fails is not None:
            said.remove(Ends.DONE)
        if len(said) != 1:
            found = "none of them" if not said else "more than one of them"
            self.findings.error(self.document, path, f"how the step ends is not said: found {found}", _ENDS)
            return Mock(Ends.DONE)
        (ends,) = said
        text = form.reason if ends in (Ends.ANSWERED, Ends.DONE) else str(getattr(form, ends.value))
        approved = {"approve": True, "reject": False}.get(form.answer or "")
        return Mock(ends, form.output or {}, text, form.after, approved, form.by)

    def _expected(self, form: ExpectForm, path: Path) -> Expected:
        path = (*path, "expect")
        places = {word: self._line((*path, word)) for word in ("status", "reason", "steps", "skipped", "takes")}
        for word, values in (("with", form.with_), ("outputs", form.outputs)):
            places |= {f"{word}.{step}": self._line((*path, word, step)) for step in values}
        return Expected(
            status=form.status,
            reason=form.reason,
            steps=None if form.steps is None else tuple(form.steps),
            skipped=None if form.skipped is None else tuple(form.skipped),
            with_=form.with_,
            outputs=form.outputs,
            takes=form.takes,
            lines=places,
        )


def _named(form: RunbookTestForm) -> Iterator[tuple[str, Path]]:
    """Every step that a test names, and where."""
    expect = form.expect
    yield from ((step, ("steps", step)) for step in form.steps)
    yield from ((step, ("expect", "with", step)) for step in expect.with_)
    yield from ((step, ("expect", "outputs", step)) for step in expect.outputs)
    for word, steps in (("steps", expect.steps), ("skipped", expect.skipped)):
        yield from ((step, ("expect", word, number)) for number, step in enumerate(steps or ()))
