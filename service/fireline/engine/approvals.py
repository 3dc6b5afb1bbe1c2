"""Approvals: whom to ask, who may answer, and what an answer means. The run's own state keeps question and answer.

What is decided is in `domain/approving`; whom `of` means in `engine/approvers`. Messages are queued in the transaction
that changes the question (`tell`), so that none shows what is not so, and the last one says how it ended.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from fireline.domain.approving import (
    KEPT,
    OWNER,
    Approval,
    Asking,
    People,
    Standing,
    Vote,
    ended,
    read,
    tally,
    voted,
)
from fireline.domain.catalog import Catalog
from fireline.domain.durations import wall_time
from fireline.domain.effects import AskApproval
from fireline.domain.incidents import Incident
from fireline.domain.runbooks import Run, RunStatus, StepRun, StepStatus
from fireline.domain.running import ASKED, End, end, remember
from fireline.engine import forms
from fireline.engine.approvers import Known, approvers
from fireline.engine.ports import Transaction

START = "start"
"""The step name under which a run asks whether it may start."""

ANSWER = "answer"
"""Where a step's memory keeps what was answered: `{"approved": bool, "by": person, "reason": text, "at": seconds}`."""

EDITED = frozenset({"slack", "discord", "console"})
"""The channels where a question is kept up to date; elsewhere each edit would be another message."""

_ASKING = (StepStatus.PENDING, StepStatus.STARTED, StepStatus.WAITING)


class Reply(str):
    """An answer to the person who clicked; `done` tells whether what they asked for was done."""

    done: bool

    def __new__(cls, text: str, *, done: bool = False) -> "Reply":
        """`text` is shown to the person."""
        reply = super().__new__(cls, text)
        reply.done = done
        return reply


# whom to ask
def addresses(
    catalog: Catalog, team: str, incident: Incident | None, configured: Callable[[str], bool]
) -> tuple[tuple[str, str], ...]:
    """Where to ask, on configured channels: the team's rooms, and the person who has the incident or was paged last."""
    person = catalog.people.get(_responder(incident) or "")
    found = [*_rooms(catalog, team), *([] if person is None else person.contacts.items())]
    return tuple(dict.fromkeys(place for place in found if place[1] and configured(place[0])))


def _rooms(catalog: Catalog, team: str) -> list[tuple[str, str]]:
    return list(catalog.teams[team].channels.items()) if team in catalog.teams else []


def _responder(incident: Incident | None) -> str | None:
    if incident is None:
        return None
    if incident.acknowledged_by is not None:
        return incident.acknowledged_by
    return incident.pages[-1].person if incident.pages else None


@dataclass(frozen=True, slots=True)
class Asker:
    """What asking stands on: the run that asks for the team `owner`, and which channels are configured."""

    tx: Transaction
    known: Known
    run: Run
    owner: str
    configured: Callable[[str], bool]
    now: float

    def places(self, of: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Where those people are asked: teams in their rooms, others on their own contacts."""
        found: list[tuple[str, str]] = []
        for which in of:
            kind, colon, name = which.partition(":")
            if which == OWNER:
                incident = None if self.run.incident is None else self.tx.incident(self.run.incident)
                found += addresses(self.known.catalog, self.owner, incident, self.configured)
            elif kind == "team" or not colon:
                found += _rooms(self.known.catalog, name or which)
            else:
                found += self._contacts(which)
        return tuple(dict.fromkeys(place for place in found if place[1] and self.configured(place[0])))

    def _contacts(self, which: str) -> list[tuple[str, str]]:
        people = approvers(self.tx, self.known, self.run, (which,), self.owner, now=self.now)
        known = (self.known.catalog.people[each] for each in sorted(people) if each in self.known.catalog.people)
        return [place for person in known for place in person.contacts.items()]

    def asking(self, terms: Approval, text: str, until: float) -> Asking:
        """A new question."""
        return Asking(terms, until, text, self.places(terms.of), owner=self.owner)

    def widened(self, asking: Asking) -> Asking:
        """The question with the places of those who may approve now."""
        return replace(asking, places=tuple(dict.fromkeys((*asking.places, *self.places(asking.of)))))


def wanted(asking: Asking, owner: str) -> str:
    """Whose word is waited for: `an approval of payments-ml`, `2 approvals of risk or person:ann`."""
    many = "an approval" if asking.terms.count == 1 else f"{asking.terms.count} approvals"
    return f"{many} of {' or '.join(owner if each == OWNER else each.removeprefix('team:') for each in asking.of)}"


# what a run keeps of a question
def question(run: Run, step: str, owner: str) -> Asking:
    """The question of a step (or `start`) as it stands; what asks without saying of whom asks one of the owners."""
    if step == START:
        kept = read(run.asking)
        return kept or Asking(Approval(), run.deadline if run.next_at is None else run.next_at)
    memory: Mapping[str, object] = next((found.memory for found in run.steps if found.id == step), {})
    team = str(memory.get("of", owner))
    return read(memory.get(KEPT)) or Asking(Approval(of=(OWNER if team == owner else team,)), float("inf"))


def kept(run: Run, step: str) -> Asking | None:
    """The question as the run keeps it; None where it keeps none, or none any more."""
    return _questions(run).get(step)


def _questions(run: Run) -> dict[str, Asking]:
    """The questions of a run that have places."""
    kept = {START: read(run.asking), **{step.id: read(step.memory.get(KEPT)) for step in run.steps}}
    return {step: asking for step, asking in kept.items() if asking is not None}


def _open(run: Run, step: str) -> bool:
    """Whether the run waits for a word on it."""
    if run.over:
        return False
    if step == START:
        return run.status is RunStatus.WAITING and not run.approved_by
    found = next((each for each in run.steps if each.id == step), None)
    return found is not None and found.status in _ASKING and answered(found.memory) is None


def outcome(run: Run, step: str) -> str | None:
    """How a question of a run ended, for people; None while it is open."""
    if _open(run, step):
        return None
    if step == START:
        return run.reason if run.over and not run.approved_by else f"let in: {run.allowed_by}"
    found = next((each for each in run.steps if each.id == step), None)
    if found is None:
        return run.status.value
    answer = answered(found.memory)
    said = "" if answer is None else "approved" if answer.get("approved") else "rejected"
    said = said and f"{said} by {answer.get('by')}" if answer is not None else ""
    return said or str(found.output.get("summary") or found.error or run.reason or found.status.value)


def tell(tx: Transaction, before: Run | None, after: Run, now: float) -> None:
    """Queue the messages about questions that are new, that stand differently, or that ended."""
    earlier, later = {} if before is None else _questions(before), _questions(after)
    for step in dict.fromkeys((*earlier, *later)):
        old, new = earlier.get(step), later.get(step)
        asking = new or old
        anew = next((each.round for each in after.steps if each.id == step), 0)
        if asking is None or (before is not None and old == new and _open(before, step) == _open(after, step)):
            continue
        known = () if old is None else old.places
        for channel, address in asking.places:
            key = f"run-{after.id}.{step}/ask-{anew}/{channel}:{address}"
            effect = AskApproval(key, after.incident, after.id, step, channel, address, asking.text, anew)
            if (channel, address) not in known:
                tx.enqueue(effect, now)
            elif channel in EDITED:
                tx.enqueue(replace(effect, key=f"{key}/{after.version}", update=True), now)


def widened(before: Run, after: Run) -> bool:
    """Whether a question came to be asked of more people just now, since too few answered in time."""
    earlier = _questions(before)
    return any(
        asking.escalated and step in earlier and not earlier[step].escalated
        for step, asking in _questions(after).items()
    )


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
        tx.enqueue(replace(effect, round=question.round), now)


def answered(memory: Mapping[str, object]) -> Mapping[str, object] | None:
    """The answer a waiting step finds in its memory, None while nobody answered, or too few."""
    found = memory.get(ANSWER)
    return found if isinstance(found, Mapping) else None


# what an answer means
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


def answer(run: Run, step: str, given: Answer, asking: Asking, people: People) -> tuple[Run, Reply]:
    """The run after an answer for `step`, and what to tell the person. One who comes too late is told what happened."""
    fields = next((forms.asked(found.memory) for found in run.steps if found.id == step), None)
    late = _late(run, step, asking, given, people)
    if late is not None:
        return run, late
    if fields is not None or given.values is not None:
        if given.person not in people.may:
            return run, Reply(f"You are not one of those who may decide this: {people.named(sorted(people.may))}.")
        return _fill(run, step, given, fields)
    heard = voted(asking, Vote(given.person, given.approved, given.at, given.reason), people)
    if isinstance(heard, str):
        return run, Reply(heard)
    return _heard(run, step, given, heard, people)


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


def _heard(run: Run, step: str, given: Answer, asking: Asking, people: People) -> tuple[Run, Reply]:
    """The run with a word that counts; the last of them decides."""
    what = f"Run {run.id} of {run.runbook}" if step == START else f"Step {step} of run {run.id}"
    kept: dict[str, object] = {} if asking.until == float("inf") else asking.kept()
    match asking.standing(given.at):
        case Standing.APPROVED | Standing.REFUSED as standing:
            verb = "approved" if standing is Standing.APPROVED else "rejected"
            reply = Reply(f"{what} {verb}.", done=True)
        case _:
            until = wall_time(asking.until, given.at)
            reply = Reply(f"Counted for {what.lower()}: {tally(asking, people)}. It expires at {until}.", done=True)
            if step == START:
                return replace(run, asking=kept), reply
            return remember(run, step, {KEPT: kept}), reply
    if step == START:
        return _start(replace(run, asking=kept), given, asking, people), reply
    by = ", ".join(asking.approved_by) if given.approved else given.person
    said = {**given.kept(), "by": by}
    return remember(run, step, {ANSWER: said, **({KEPT: kept} if kept else {})}), reply


def _start(run: Run, given: Answer, asking: Asking, people: People) -> Run:
    because = f": {given.reason}" if given.reason else ""
    if not given.approved:
        return end(run, End(RunStatus.REFUSED, f"rejected by {people.name(given.person)}{because}"), given.at)
    by, allowed = asking.approved_by, f"{run.allowed_by}; approved by {people.named(asking.approved_by)}{because}"
    return replace(run, approved_by=", ".join(by), allowed_by=allowed, next_at=None)


# who comes too late
def _late(run: Run, step: str, asking: Asking, given: Answer, people: People) -> Reply | None:
    """What happened to the question meanwhile; None while the run waits for an answer."""
    if step == START:
        return _start_late(run, asking, given, people)
    found = next((s for s in run.steps if s.id == step), None)
    if found is None:
        return Reply(f"Run {run.id} has no step {step}.")
    before = answered(found.memory) or (found.output if found.output.get("by") else None)
    if before is not None:
        return _already(found, before, given, people)
    return _not_asking(run, found, given.at)


def _start_late(run: Run, asking: Asking, given: Answer, people: People) -> Reply | None:
    decided = asking.standing(given.at) in (Standing.APPROVED, Standing.REFUSED)
    said = f"{ended(asking, people, given.person, given.at)} " if decided else ""
    if run.over:
        when = "" if run.ended_at is None else f" since {wall_time(run.ended_at, given.at)}"
        return Reply(f"{said}Too late: run {run.id} is over{when} ({run.status.value}: {run.reason}).")
    if run.status is not RunStatus.WAITING or run.approved_by:
        return Reply(said.strip() or f"Already decided: {run.allowed_by or run.status.value}.")
    return None


def _not_asking(run: Run, step: StepRun, now: float) -> Reply | None:
    if step.status in (StepStatus.DONE, StepStatus.FAILED, StepStatus.SKIPPED):
        verdict = step.output.get("summary") or step.output.get("reason") or step.error or step.status.value
        when = "" if step.ended_at is None else f" since {wall_time(step.ended_at, now)}"
        return Reply(f"Too late: {step.id} is {step.status.value} already{when} ({verdict}).")
    if run.over:
        when = "" if run.ended_at is None else f" since {wall_time(run.ended_at, now)}"
        return Reply(f"Too late: run {run.id} is over{when} ({run.status.value}: {run.reason}).")
    if ASKED not in step.memory:
        return Reply(f"Step {step.id} of run {run.id} is not waiting for an answer.")
    return None


def _already(step: StepRun, given: Mapping[str, object], now: Answer, people: People) -> Reply:
    verb = "filled in" if "values" in given else "approved" if given.get("approved") else "rejected"
    at = given.get("at", step.ended_at)
    when = f" at {wall_time(float(at), now.at)}" if isinstance(at, (int, float)) else ""
    each = str(given.get("by", "")).split(", ")
    who = ", ".join("you" if person == now.person else people.name(person) for person in each)
    return Reply(f"Already {verb} by {who}{when}.")
