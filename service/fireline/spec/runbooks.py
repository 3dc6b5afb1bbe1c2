"""Runbooks: from the form of a runbook file to domain runbooks, with everything that can be checked of one alone."""

import hashlib
from dataclasses import dataclass, field

from fireline.domain.configuration import Problem
from fireline.domain.runbooks import Autonomy, BlastRadius, Budget, Oscillation, Runbook
from fireline.spec import codes
from fireline.spec.documents import Document, Path
from fireline.spec.expressions import read_condition, read_template
from fireline.spec.findings import Findings
from fireline.spec.guard_forms import BlastRadiusForm
from fireline.spec.names import START, Tree, leaves
from fireline.spec.plugins import Plugins
from fireline.spec.reading import read_model
from fireline.spec.runbook_forms import RunbookForm
from fireline.spec.runbook_incident import check_incident
from fireline.spec.runbook_inputs import read_inputs
from fireline.spec.runbook_steps import Outlines, StepReader
from fireline.spec.stop_conditions import read_stop_if
from fireline.spec.templates import JinjaTemplate


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


def read_placed(
    document: Document, plugins: Plugins, findings: Findings, outlines: Outlines | None = None
) -> PlacedRunbook | None:
    """The runbook of a document; None when it has faults, all of which are noted.

    `outlines` tell what the runbooks give that it may run; those themselves are put into it later.
    """
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
    runbook, names = _Reader(document, form, plugins, findings, outlines or {}).read()
    return PlacedRunbook(runbook, document, names) if findings.count() == before else None


@dataclass(slots=True)
class _Reader:
    """One runbook being read."""

    document: Document
    form: RunbookForm
    plugins: Plugins
    findings: Findings
    outlines: Outlines = field(default_factory=dict)

    def read(self) -> tuple[Runbook, frozenset[str]]:
        form, guards = self.form, self.form.guards
        swings = guards.oscillation
        known = leaves(form.inputs)
        start: Tree = {**START, "inputs": known}
        check_incident(self.document, form, self.findings)
        reader = StepReader(self.document, form, self.plugins, self.findings, self.outlines)
        steps, last = reader.read()
        runbook = Runbook(
            name=form.name,
            owner=form.owner,
            steps=steps,
            inputs=read_inputs(self.document, form.inputs, self.findings),
            start_when=read_condition(self.document, ("start", "when"), form.start.when, self.findings, start),
            mode=Autonomy(form.start.mode),
            approval=form.start.approval.terms(),
            needs_incident=form.start.needs_incident,
            lock=self._template(("guards", "lock"), guards.lock, start) if guards.lock else None,
            budget=Budget(guards.budget.runs, guards.budget.per) if guards.budget else None,
            cooldown=guards.cooldown,
            stop_if=read_stop_if(self.document, guards.stop_if, form.inputs, self.findings),
            deadline=form.deadline,
            reviewed=form.reviewed,
            review_every=form.review_every,
            description=form.description,
            hash=hashlib.sha256(self.document.text.encode()).hexdigest(),
            text=self.document.text,
            finally_=last,
            oscillation=None if swings is None else Oscillation(swings.reversals, swings.per),
            blast_radius=_blast_radius(guards.blast_radius),
            outputs=self._template(("outputs",), dict(form.outputs), reader.outputs_tree()) if form.outputs else None,
        )
        return runbook, self._names(runbook)

    def _template(self, path: Path, value: object, known: Tree) -> JinjaTemplate | None:
        return read_template(self.document, path, value, self.findings, known)

    def _names(self, runbook: Runbook) -> frozenset[str]:
        templates = [each.default for each in runbook.inputs] + [step.with_ for step in runbook.steps]
        return frozenset().union(*(t.variables for t in templates if isinstance(t, JinjaTemplate)))


def _blast_radius(form: BlastRadiusForm | None) -> BlastRadius | None:
    if form is None:
        return None
    return BlastRadius(form.targets, form.services, form.share, asks=form.if_more == "ask")
