"""What people keep on an incident: roles, links, tasks, the post-mortem; and closing, which is for good.

These acts page nobody and hold on a resolved incident as well, where most of the review is written. Only notes are
taken once it is closed or merged.
"""

from dataclasses import replace
from datetime import date
from typing import assert_never
from urllib.parse import urlsplit

from fireline.domain.deciding_draft import Decision, Draft
from fireline.domain.deciding_late import changed, over, refuse
from fireline.domain.deciding_words import firing, span
from fireline.domain.deciding_world import World
from fireline.domain.incident_acts import AddLink, AddTask, ChangeTask, Close, Keeping, SetRole, WritePostMortem
from fireline.domain.incident_records import Held, Link, PostMortem, Role, Task
from fireline.domain.incidents import Incident, Status

MOST = 100
"""So many links, tasks or responders an incident holds; what is beyond belongs elsewhere."""

MOST_TEXT = 4000
"""Characters of a root cause or a task; a link has at most half of it."""


def decide_keeping(incident: Incident, asked: Keeping, world: World, now: float) -> Decision:
    """What such an act leads to; `reply` is what the person is told."""
    if incident.merged_into is not None or incident.closed_at is not None:
        return refuse(incident, over(incident, world, now))
    if reason := changed(incident, asked, _matters(asked), now):
        return refuse(incident, reason)
    draft = Draft(incident, incident, world, now)
    if fault := _do(draft, asked):
        return refuse(incident, fault)
    return draft.decide()


def needs_postmortem(incident: Incident, world: World) -> bool:
    """Whether it cannot be closed without one: by the severity set by hand, else by the worst it ever had."""
    rated = incident.severity_override or incident.peak or incident.severity
    return world.severity(rated).postmortem


def _matters(asked: Keeping) -> tuple[str, ...]:
    """The kinds of changes by others that the author of the act should have seen."""
    match asked:
        case SetRole():
            return ("role",)
        case ChangeTask():
            return ("task",)
        case WritePostMortem():
            return ("postmortem",)
        case Close():
            return ("reopened", "task", "postmortem")
        case AddLink() | AddTask():
            return ()
        case _:
            assert_never(asked)


def _do(draft: Draft, asked: Keeping) -> str:
    """Do it in the draft; why not, when it cannot be done."""
    match asked:
        case SetRole():
            return _role(draft, asked)
        case AddLink():
            return _link(draft, asked)
        case AddTask():
            return _add_task(draft, asked)
        case ChangeTask():
            return _change_task(draft, asked)
        case WritePostMortem():
            return _write(draft, asked)
        case Close():
            return _close(draft, asked)
        case _:
            assert_never(asked)


def _stranger(draft: Draft, person: str | None) -> str:
    if person is None or person in draft.world.catalog.people:
        return ""
    known = ", ".join(sorted(draft.world.catalog.people)[:50]) or "nobody"
    return f"{person[:100]!r} is not in the catalog; known: {known}"


def _role(draft: Draft, asked: SetRole) -> str:
    world, incident = draft.world, draft.incident
    has = any(held.role is asked.role and held.person == asked.holder for held in incident.roles)
    who, by = world.name(asked.holder), world.name(asked.person)
    if has == asked.held:
        draft.reply = draft.reason = f"{who} is {'' if has else 'not '}{asked.role} of {incident.id} already"
        return ""
    if not asked.held:
        rest = tuple(h for h in incident.roles if (h.role, h.person) != (asked.role, asked.holder))
        draft.change(roles=rest)
        draft.note("role", f"{who} is no longer {asked.role} ({by} via {asked.via})", actor=asked.person)
        draft.reply = f"{who} is no longer {asked.role} of {incident.id}"
        return ""
    if fault := _stranger(draft, asked.holder):
        return fault
    if len(incident.roles) >= MOST:
        return f"{incident.id} has {MOST} roles given already"
    one = asked.role is Role.COMMANDER
    before = [h for h in incident.roles if one and h.role is asked.role]
    rest = tuple(h for h in incident.roles if h not in before)
    draft.change(roles=(*rest, Held(asked.role, asked.holder, draft.now, asked.person)))
    instead = f" in place of {world.name(before[0].person)}" if before else ""
    draft.note("role", f"{who} is {asked.role}{instead} ({by} via {asked.via})", actor=asked.person)
    draft.reply = f"{who} is {asked.role} of {incident.id}{instead}"
    return ""


def _link(draft: Draft, asked: AddLink) -> str:
    incident = draft.incident
    if not _is_link(asked.url):
        return f"{asked.url[:100]!r} is no link; expected https://host/path of at most {MOST_TEXT // 2} characters"
    if any(link.url == asked.url for link in incident.links):
        draft.reply = draft.reason = f"{incident.id} has this link already"
        return ""
    if len(incident.links) >= MOST:
        return f"{incident.id} has {MOST} links already"
    title = asked.title[:200]
    draft.change(links=(*incident.links, Link(asked.url, title, asked.person, draft.now)))
    named = f"{title}: {asked.url}" if title else asked.url
    draft.note("link", f"{draft.world.name(asked.person)} linked {named}", actor=asked.person)
    draft.reply = f"Linked from {incident.id}"
    return ""


def _is_link(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    plain = all(letter.isprintable() and not letter.isspace() for letter in url)
    return plain and len(url) <= MOST_TEXT // 2 and parts.scheme in ("http", "https") and bool(parts.hostname)


def _add_task(draft: Draft, asked: AddTask) -> str:
    incident, text = draft.incident, asked.text.strip()
    if not 0 < len(text) <= MOST_TEXT:
        return f"a task has 1 to {MOST_TEXT} characters, this one {len(text)}"
    if fault := _stranger(draft, asked.assignee):
        return fault
    if len(incident.tasks) >= MOST:
        return f"{incident.id} has {MOST} tasks already"
    number = max((task.number for task in incident.tasks), default=0) + 1
    draft.change(tasks=(*incident.tasks, Task(number, text, asked.person, draft.now, asked.assignee)))
    whose = f", for {draft.world.name(asked.assignee)}" if asked.assignee else ""
    name = draft.world.name(asked.person)
    draft.note("task", f"Task {number}{whose}: {text} (written by {name})", actor=asked.person)
    draft.reply = f"Task {number} of {incident.id}{whose}"
    return ""


def _change_task(draft: Draft, asked: ChangeTask) -> str:
    incident, world = draft.incident, draft.world
    task = next((each for each in incident.tasks if each.number == asked.task), None)
    if task is None:
        known = ", ".join(str(each.number) for each in incident.tasks) or "none"
        return f"{incident.id} has no task {asked.task}; its tasks: {known}"
    if fault := _stranger(draft, asked.assignee):
        return fault
    said, new = [], task
    if asked.done is not None and asked.done != (task.done_at is not None):
        at, by = (draft.now, asked.person) if asked.done else (None, None)
        new = replace(new, done_at=at, done_by=by)
        said.append("done" if asked.done else "open again")
    if asked.assignee is not None and asked.assignee != task.assignee:
        new = replace(new, assignee=asked.assignee)
        said.append(f"for {world.name(asked.assignee)}")
    if not said:
        done = f"done by {world.name(task.done_by)}" if task.done_by else "open"
        draft.reply = draft.reason = f"Task {task.number} of {incident.id} is as you say already: {done}"
        return ""
    draft.change(tasks=tuple(new if each is task else each for each in incident.tasks))
    text = f"Task {task.number} is {' and '.join(said)}"
    draft.note("task", f"{text}: {task.text} ({world.name(asked.person)} via {asked.via})", actor=asked.person)
    draft.reply = f"{text}, of {incident.id}"
    return ""


def _write(draft: Draft, asked: WritePostMortem) -> str:
    """Change the parts that are given."""
    incident, world = draft.incident, draft.world
    if fault := _stranger(draft, asked.owner) or _not_a_day(asked.due) or _too_long(asked.root_cause):
        return fault
    before = incident.postmortem or PostMortem()
    given = {"root_cause": asked.root_cause, "owner": asked.owner, "due": asked.due}
    new = replace(before, **{name: value for name, value in given.items() if value is not None})
    if new != before:
        draft.change(postmortem=new)
        parts = [
            f"root cause: {new.root_cause}" if new.root_cause != before.root_cause else "",
            f"owner {world.name(new.owner or '')}" if new.owner != before.owner else "",
            f"due {new.due}" if new.due != before.due else "",
        ]
        said = "; ".join(part for part in parts if part)
        text = f"Post-mortem by {world.name(asked.person)} via {asked.via}: {said}"
        draft.note("postmortem", text, actor=asked.person)
    missing = ", ".join(new.missing)
    draft.reply = f"Post-mortem of {incident.id}: {f'still missing: {missing}' if missing else 'complete'}"
    draft.reason = draft.reason or draft.reply
    return ""


def _not_a_day(text: str | None) -> str:
    try:
        good = text is None or date.fromisoformat(text).isoformat() == text
    except ValueError:
        good = False
    return "" if good else f"{(text or '')[:50]!r} is not a day; expected YYYY-MM-DD"


def _too_long(text: str | None) -> str:
    return "" if text is None or len(text) <= MOST_TEXT else f"a root cause has at most {MOST_TEXT} characters"


def _close(draft: Draft, asked: Close) -> str:
    incident, world = draft.incident, draft.world
    if incident.status is not Status.RESOLVED:
        return f"{incident.id} is {incident.status.value}: resolve it first, then close it"
    if at_work := incident.at_work:
        what = ", ".join(f"run {run.id} of {run.runbook}" for run in at_work)
        return f"{incident.id} stays resolved until it has ended: {what}"
    missing = (incident.postmortem or PostMortem()).missing
    if missing and needs_postmortem(incident, world):
        rated = incident.severity_override or incident.peak or incident.severity
        return (
            f"{incident.id} stays resolved: a post-mortem is required after {rated} and lacks {', '.join(missing)} "
            f"(`fireline incidents postmortem {incident.id} --help`)"
        )
    draft.change(closed_at=draft.now, closed_by=asked.person)
    still = [str(task.number) for task in incident.tasks if task.done_at is None]
    left = f"; open tasks: {', '.join(still)}" if still else ""
    if incident.firing:
        left += f"; still firing: {firing(incident)}, which opens a new incident when it gets worse"
    after = span(draft.now - (incident.resolved_at or draft.now))
    text = f"{world.name(asked.person)} closed it via {asked.via}, {after} after it was resolved{left}"
    draft.note("closed", text, actor=asked.person)
    draft.reply = f"{incident.id} is closed{left}"
    return ""
