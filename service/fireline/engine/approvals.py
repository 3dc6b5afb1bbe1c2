"""Approvals: whom to ask, who may answer, and what an answer means. The run's own state keeps question and answer."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from fireline.domain.catalog import Catalog, Service
from fireline.domain.effects import AskApproval
from fireline.domain.incidents import Incident
from fireline.domain.runbooks import Run, RunStatus, StepRun, StepStatus
from fireline.domain.running import ASKED, End, end, remember
from fireline.engine import forms
from fireline.engine.ports import Transaction

START = "start"
"""The step name under which a run asks whether it may start."""

ANSWER = "answer"
"""Where a step's memory keeps what was answered: `{"approved": bool, "by": person, "reason": text, "at": seconds}`."""


class Reply(str):
    """An answer to the person who clicked; `done` tells whether what they asked for was done."""

    done: bool

    def __new__(cls, text: str, *, done: bool = False) -> "Reply":
        """`text` is shown to the person."""
        reply = super().__new__(cls, text)
        reply.done = done
        return reply


def owner_of(run: Run, runbook_owner: str) -> str:
    """The team that answers for a run: the incident's owner, else the runbook's."""
    return str(run.context.get("owner") or runbook_owner)


def approvers(catalog: Catalog, team: str, service: str = "") -> frozenset[str]:
    """The people who may approve: the owning team, and the service's backup (a team or a person)."""
    known = catalog.service(service) if service else None
    teams = {team} | ({known.owner} if known else set())
    people = {member for name in teams if name in catalog.teams for member in catalog.teams[name].members}
    return frozenset(people | _backup(catalog, known) | ({team} & set(catalog.people)))


def _backup(catalog: Catalog, service: Service | None) -> set[str]:
    if service is None or service.backup is None:
        return set()
    if service.backup in catalog.teams:
        return set(catalog.teams[service.backup].members)
    return {service.backup}


def addresses(
    catalog: Catalog, team: str, incident: Incident | None, configured: Callable[[str], bool]
) -> tuple[tuple[str, str], ...]:
    """Where to ask, on configured channels: the team's rooms, and the person who has the incident or was paged last."""
    rooms = dict(catalog.teams[team].channels) if team in catalog.teams else {}
    found = [(channel, room) for channel, room in rooms.items() if room]
    person = catalog.people.get(_responder(incident) or "")
    if person is not None:
        found += [(channel, address) for channel, address in person.contacts.items() if address]
    return tuple(dict.fromkeys(place for place in found if configured(place[0])))


def _responder(incident: Incident | None) -> str | None:
    if incident is None:
        return None
    if incident.acknowledged_by is not None:
        return incident.acknowledged_by
    return incident.pages[-1].person if incident.pages else None


@dataclass(frozen=True, slots=True)
class Question:
    """What step `step` of a run wants to know; another `round` asks the same step anew."""

    run: int
    incident: int | None
    step: str
    text: str
    round: int = 0


def ask(tx: Transaction, to: Iterable[tuple[str, str]], question: Question, now: float) -> None:
    """Queue the question once per place."""
    for channel, address in to:
        key = f"run-{question.run}.{question.step}/ask-{question.round}/{channel}:{address}"
        effect = AskApproval(key, question.incident, question.run, question.step, channel, address, question.text)
        tx.enqueue(effect, now)


def answered(memory: Mapping[str, object]) -> Mapping[str, object] | None:
    """The answer a waiting step finds in its memory, None while nobody answered."""
    found = memory.get(ANSWER)
    return found if isinstance(found, Mapping) else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What `person` said at `at` (seconds since the epoch); `values` are those of a form that they filled in."""

    person: str
    approved: bool
    reason: str
    at: float
    values: Mapping[str, object] | None = None

    def kept(self) -> dict[str, object]:
        """As a waiting step finds it in its memory."""
        said = {"approved": self.approved, "by": self.person, "reason": self.reason, "at": self.at}
        return said if self.values is None else {**said, "values": dict(self.values)}


def answer(run: Run, step: str, given: Answer, names: Mapping[str, str], may: frozenset[str]) -> tuple[Run, Reply]:
    """The run after an answer for `step`, and what to tell the person. `names` are people's by id.

    Nobody else than `may` is heard, nor the person who asked for the run; a second answer changes nothing.
    """
    fields = next((forms.asked(found.memory) for found in run.steps if found.id == step), None)
    heard = run if fields is None else replace(run, requested_by="")  # who asked for a run may fill in what it asks
    refused = _unheard(heard, step, given.person, names, may)
    if refused is not None:
        return run, refused
    if fields is not None or given.values is not None:
        return _fill(run, step, given, fields)
    verb = "approved" if given.approved else "rejected"
    if step == START:
        return _start(run, given, names), Reply(f"Run {run.id} of {run.runbook} {verb}.", done=True)
    return remember(run, step, {ANSWER: given.kept()}), Reply(f"Step {step} of run {run.id} {verb}.", done=True)


def _fill(run: Run, step: str, given: Answer, fields: Mapping[str, Mapping[str, object]] | None) -> tuple[Run, Reply]:
    if fields is None:
        return run, Reply(f"Step {step} of run {run.id} asks for no values: approve or reject it.")
    if given.values is None:
        example = " ".join(f"{name}=..." for name in fields)
        return run, Reply(f"Step {step} asks for values: fireline runs answer {run.id} {example}")
    values = forms.filled(fields, given.values)
    if isinstance(values, str):
        return run, Reply(f"It does not fit: {values}.")
    kept = replace(given, values=values).kept()
    return remember(run, step, {ANSWER: kept}), Reply(f"Step {step} of run {run.id} is filled in.", done=True)


def _start(run: Run, given: Answer, names: Mapping[str, str]) -> Run:
    said = f"{names.get(given.person, given.person)}" + (f": {given.reason}" if given.reason else "")
    if not given.approved:
        return end(run, End(RunStatus.REFUSED, f"rejected by {said}"), given.at)
    return replace(run, approved_by=given.person, allowed_by=f"{run.allowed_by}; approved by {said}", next_at=None)


def _unheard(run: Run, step: str, person: str, names: Mapping[str, str], may: frozenset[str]) -> Reply | None:
    if person not in may:
        who = ", ".join(sorted(names.get(p, p) for p in may)) or "nobody"
        return Reply(f"You are not one of those who may decide this: {who}.")
    if person == run.requested_by:
        return Reply("You asked for this run yourself: somebody else has to approve it.")
    if step == START:
        return _start_unheard(run)
    found = next((s for s in run.steps if s.id == step), None)
    if found is None:
        return Reply(f"Run {run.id} has no step {step}.")
    before = answered(found.memory) or (found.output if found.output.get("by") else None)
    if before is not None:
        return _already(before, names)
    return _not_asking(run, found)


def _start_unheard(run: Run) -> Reply | None:
    if run.over:
        return Reply(f"Too late: run {run.id} is over ({run.status.value}: {run.reason}).")
    if run.status is not RunStatus.WAITING or run.approved_by:
        return Reply(f"Already decided: {run.allowed_by or run.status.value}.")
    return None


def _not_asking(run: Run, step: StepRun) -> Reply | None:
    if run.over:
        return Reply(f"Too late: run {run.id} is over ({run.status.value}: {run.reason}).")
    if step.status in (StepStatus.DONE, StepStatus.FAILED, StepStatus.SKIPPED):
        verdict = step.output.get("reason") or step.error or step.status.value
        return Reply(f"Too late: {step.id} is {step.status.value} already ({verdict}).")
    if ASKED not in step.memory:
        return Reply(f"Step {step.id} of run {run.id} is not waiting for an answer.")
    return None


def _already(given: Mapping[str, object], names: Mapping[str, str]) -> Reply:
    verb = "filled in" if "values" in given else "approved" if given.get("approved") else "rejected"
    person = str(given.get("by", ""))
    return Reply(f"Already {verb} by {names.get(person, person)}.")
