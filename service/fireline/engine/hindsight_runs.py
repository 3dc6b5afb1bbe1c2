"""What would have come of runbooks that a recording's signals ask for: `start.when`, autonomy, inputs and budgets.

Locks and `stop_if` depend on runs that are under way, of which a recording knows nothing: they are not looked at.
"""

from dataclasses import dataclass, field

from fireline.domain.autonomy import allowed
from fireline.domain.configuration import Configuration
from fireline.domain.effects import StartRun
from fireline.domain.expressions import EvaluationFault
from fireline.domain.hindsight import Ran
from fireline.domain.incidents import Incident
from fireline.domain.rules import Signal
from fireline.domain.runbooks import Autonomy, Runbook
from fireline.engine import values
from fireline.engine.run_inputs import Unfit, resolve

_OUTCOMES = {
    Autonomy.AUTO: "runs",
    Autonomy.APPROVE: "asks",
    Autonomy.SUGGEST: "suggested",
    Autonomy.SHADOW: "suggested",
}


@dataclass(slots=True)
class Book:
    """The runs so far, for their budgets."""

    configuration: Configuration
    _begun: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def asked(self, effect: StartRun, incident: Incident, signal: Signal) -> Ran:
        """What would have come of one request."""
        runbook = self.configuration.runbooks.get(effect.runbook)
        if runbook is None:
            return _ran(effect, incident, signal, "refused", f"there is no runbook {effect.runbook!r}")
        permitted = allowed(runbook, runbook.mode, ())
        against = self._against(runbook, effect, incident, signal.at, runs=permitted.mode is Autonomy.AUTO)
        if against:
            return _ran(effect, incident, signal, "refused", against)
        steps = tuple(step.uses for step in runbook.steps)
        return _ran(effect, incident, signal, _OUTCOMES[permitted.mode], permitted.line, steps=steps)

    def _against(self, runbook: Runbook, effect: StartRun, incident: Incident, at: float, *, runs: bool) -> str:
        """Why it would not have been started; empty when nothing speaks against it."""
        known = values.of_start(values.of_incident(incident), values.of_catalog(self.configuration.catalog))
        try:
            if runbook.start_when is not None and not runbook.start_when.holds({**known, "inputs": effect.inputs}):
                return f"`{runbook.start_when.source}` does not hold (severity {known['severity']})"
            inputs = resolve(runbook, effect.inputs, known)
            lock = "" if runbook.lock is None else str(runbook.lock.render({**known, "inputs": inputs}))
        except (EvaluationFault, Unfit) as fault:
            return str(fault)
        return self._spent(runbook, lock, at, runs=runs)

    def _spent(self, runbook: Runbook, lock: str, at: float, *, runs: bool) -> str:
        begun = self._begun.setdefault((runbook.name, lock), [])
        budget = runbook.budget
        if budget is not None and sum(at - budget.per < each <= at for each in begun) >= budget.runs:
            return f"the budget is spent: {budget.runs} runs in {budget.per:g} s on {lock or runbook.name}"
        if runs:
            begun.append(at)
        return ""


def _ran(
    effect: StartRun, incident: Incident, signal: Signal, outcome: str, why: str, *, steps: tuple[str, ...] = ()
) -> Ran:
    return Ran(signal.at, incident.number, incident.service, signal.rule, effect.runbook, outcome, why, steps)
