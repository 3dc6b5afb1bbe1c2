"""The work behind the acts of `fireline incidents`: each is one input of the decision, as a click or a request is."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from fireline.apps.bootstrap import assemble, look, settings_with
from fireline.apps.faults import Refused
from fireline.apps.incidents import find, number_of, summary
from fireline.apps.output import err, instant, print_json, say, table
from fireline.domain.deciding import Decision
from fireline.domain.incident_acts import (
    AddLink,
    AddTask,
    ChangeSeverity,
    ChangeTask,
    Close,
    Merge,
    SetRole,
    Split,
    WritePostMortem,
)
from fireline.domain.incident_records import Role
from fireline.domain.incidents import Acknowledge, AddNote, EscalateNow, Input, Resolve

VIA = "command line"
NOTE = 4000
"""Characters of a note or a reason, as the HTTP API takes them."""
AUTO = "auto"
"""In place of a severity: the signals say it again."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What every act says: which incident, as whom, how to answer, and the version that was seen, None for any."""

    incident: str
    person: str | None
    as_json: bool
    seen: int | None = None


def act(asked: Asked, make: Callable[[int, str], Input]) -> int:
    """Do one thing to an incident as a person. The answer is the decision's own words; 1 when it was refused."""
    parts = assemble(settings_with())
    number, who = find(parts, asked.incident).incident.number, parts.person(asked.person).id
    return _told(parts.responder.handle(make(number, who)), asked.as_json)


def _told(decision: Decision, as_json: bool) -> int:
    reply = decision.reply or decision.reason
    if as_json:
        found = [decision.incident, *(its.incident for _, its in decision.also)]
        incidents = [summary(incident) for incident in found if incident is not None]
        print_json({"done": not decision.refused, "reply": reply, "incidents": incidents})
    else:
        say(reply, to=err() if decision.refused else None)
    return int(decision.refused)


def acknowledge(asked: Asked) -> int:
    """Take it."""
    return act(asked, lambda n, who: Acknowledge(n, who, VIA, asked.seen))


def escalate(asked: Asked) -> int:
    """Ask the next level."""
    return act(asked, lambda n, who: EscalateNow(n, who, VIA, asked.seen))


def resolve(asked: Asked) -> int:
    """Say that it is over."""
    return act(asked, lambda n, who: Resolve(n, who, VIA, asked.seen))


def note(asked: Asked, text: str) -> int:
    """Write something down."""
    if not 0 < len(text.strip()) <= NOTE:
        raise Refused(f"a note has 1 to {NOTE} characters, this one {len(text.strip())}")
    return act(asked, lambda n, who: AddNote(n, who, text))


def severity(asked: Asked, level: str, reason: str) -> int:
    """Set the severity by hand, or let the signals say it again."""
    wanted, because = None if level == AUTO else level, _reason(reason)
    return act(asked, lambda n, who: ChangeSeverity(n, who, VIA, wanted, because, asked.seen))


def merge(asked: Asked, into: str, reason: str) -> int:
    """Make one incident part of another."""
    target, because = number_of(into), _reason(reason)
    return act(asked, lambda n, who: Merge(n, target, who, VIA, because, asked.seen))


def split(asked: Asked, signals: list[str], reason: str) -> int:
    """Make an incident of its own of some signals."""
    chosen, because = tuple(signals), _reason(reason)
    return act(asked, lambda n, who: Split(n, who, VIA, chosen, because, asked.seen))


def role(asked: Asked, name: str, holder: str, held: bool) -> int:
    """Give somebody a role, or take it back."""
    return act(asked, lambda n, who: SetRole(n, who, VIA, Role(name), holder, held, asked.seen))


def link(asked: Asked, url: str, title: str) -> int:
    """Put a page elsewhere beside the incident."""
    return act(asked, lambda n, who: AddLink(n, who, VIA, url, title, asked.seen))


def add_task(asked: Asked, text: str, assignee: str | None) -> int:
    """Write down what is to be done."""
    return act(asked, lambda n, who: AddTask(n, who, VIA, text, assignee, asked.seen))


def change_task(asked: Asked, task: int, done: bool | None, assignee: str | None) -> int:
    """Say that a task is done or open again, or whose it is."""
    return act(asked, lambda n, who: ChangeTask(n, who, VIA, task, done, assignee, asked.seen))


def tasks(text: str, as_json: bool) -> int:
    """List the tasks of an incident."""
    found = find(look(settings_with()), text).incident
    if as_json:
        print_json([asdict(task) for task in found.tasks])
        return 0
    rows = [
        (t.number, f"done {instant(t.done_at)} by {t.done_by}" if t.done_at else "open", t.assignee or "-", t.text)
        for t in found.tasks
    ]
    table(("task", "state", "for", "what"), rows, f"{found.id} has no task.")
    return 0


def write_postmortem(asked: Asked, cause: str | None, owner: str | None, due: str | None) -> int:
    """Write parts of the post-mortem."""
    return act(asked, lambda n, who: WritePostMortem(n, who, VIA, cause, owner, due, asked.seen))


def close(asked: Asked) -> int:
    """Say that nothing more is to be done."""
    return act(asked, lambda n, who: Close(n, who, VIA, asked.seen))


def _reason(text: str) -> str:
    if len(text) > NOTE:
        raise Refused(f"a reason has at most {NOTE} characters, this one {len(text)}")
    return text.strip()
