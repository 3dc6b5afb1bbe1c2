"""Starts that wait for people: still within their time, asked of more, or over, with or without another runbook."""

from collections.abc import Mapping
from dataclasses import replace

from fireline.domain.approving import Asking, People, escalated, tally
from fireline.domain.effects import StartRun
from fireline.domain.runbooks import Run, Runbook, RunStatus
from fireline.domain.running import End, end
from fireline.engine import approvals
from fireline.engine.approvals import START, Asker


def awaited(asker: Asker, runbooks: Mapping[str, Runbook]) -> Run:
    """The run that nobody let in yet, as it stands now. An expired question never lets it in."""
    run, now = asker.run, asker.now
    asking = approvals.question(run, START, asker.owner)
    if now < asking.until:
        return run
    wider = escalated(asking, now, run.deadline)
    if wider is not None:
        kept = asker.widened(wider)
        return replace(
            run, asking=kept.kept(), next_at=kept.until, reason=f"waits for {approvals.wanted(kept, asker.owner)}"
        )
    return _expired(asker, asking, runbooks)


def _expired(asker: Asker, asking: Asking, runbooks: Mapping[str, Runbook]) -> Run:
    run, other = asker.run, runbooks.get(asking.terms.runbook)
    names = {person.id: person.name for person in asker.known.catalog.people.values()}
    said = f": {tally(asking, People(frozenset(), names=names))}" if asking.terms.count > 1 else ""
    reason = f"{'too few' if asking.approved_by else 'nobody'} approved it in time{said}"
    if other is not None:
        given = {each.name: run.inputs[each.name] for each in other.inputs if each.name in run.inputs}
        asker.tx.enqueue(StartRun(f"run-{run.id}/instead", run.incident, other.name, given), asker.now)
        reason += f"; {other.name} is started instead"
    return end(run, End(RunStatus.REFUSED, reason), asker.now)
