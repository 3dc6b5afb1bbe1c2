"""Acts on the run's incident: incident.note, incident.severity, incident.link, incident.task, incident.resolve, page.

They are the acts that people have (`fireline incidents`), decided by the same rules, with the run as who did it:
`incident.note` writes something down, `incident.severity` rates it until somebody sets `auto`, `incident.link` and
`incident.task` put a page or something to do beside it, `incident.resolve` says that it is over, which is refused
while a fallback is in force. `page` asks the next level of the incident's escalation, or the team `to` from the first
level of its policy, and says why; whoever is paged acknowledges the incident as ever. Each is done once by the step's
key, also after a crash, and a refusal fails the step with its reason. A run without an incident has nothing to act on,
and fails.
"""

import asyncio
from collections.abc import Callable, Mapping

from pydantic import Field

from fireline.actions.schema import ActionKind, Options, Output, Ports, away
from fireline.domain.incident_acts import AddLink, AddTask, ChangeSeverity
from fireline.domain.incidents import AddNote, EscalateNow, Input, Resolve
from fireline.domain.outcomes import Done, Failed, Outcome
from fireline.engine.outward import StepContext
from fireline.engine.ports import StaleVersion, Unavailable

VIA = "runbook"
NEXT = "next"
AUTO = "auto"


class NoteOptions(Options):
    """What is written down."""

    text: str = Field(min_length=1, max_length=4_000, description="the note")


class SeverityOptions(Options):
    """How bad it is, and why."""

    severity: str = Field(min_length=1, max_length=100, description="a severity, or `auto`: the signals say it again")
    reason: str = Field("", max_length=1_000, description="why, for people")


class LinkOptions(Options):
    """A page elsewhere."""

    url: str = Field(min_length=1, max_length=2_000, description="its address")
    title: str = Field("", max_length=200, description="what it is")


class TaskOptions(Options):
    """Something to do."""

    text: str = Field(min_length=1, max_length=1_000, description="what is to be done")
    assignee: str | None = Field(None, description="a person of the catalog")


class ResolveOptions(Options):
    """That it is over, and why."""

    reason: str = Field("", max_length=1_000, description="why, for people: it is noted first")


class PageOptions(Options):
    """Who is asked to come, and why."""

    reason: str = Field(min_length=1, max_length=1_000, description="why, for who is paged")
    to: str = Field(NEXT, min_length=1, description="a team of the catalog, or `next`: the escalation's next level")


Made = Callable[[object, int, str], tuple[Input, ...]]


class Act:
    """Hands inputs to the incident, once by the step's key: what came of it is kept in the same transaction."""

    mutates = False

    def __init__(self, ports: Ports, make: Made) -> None:
        self._store = ports.store
        self._responder = ports.responder
        self._make = make

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """Do it; Failed with the reason of a refusal."""
        if context.incident is None:
            return Failed("this run has no incident to act on")
        inputs = self._make(options, context.incident, f"run:{context.run}")
        if context.dry_run:
            return Done({"incident": f"INC-{context.incident}", "reply": "rehearsed"})
        try:
            return await asyncio.to_thread(self._decided, inputs, context)
        except (Unavailable, StaleVersion) as fault:
            return away(context, fault)
        except _RefusedError as refused:
            return Failed(str(refused))

    def _decided(self, inputs: tuple[Input, ...], context: StepContext) -> Outcome:
        """Raises _RefusedError, and nothing of it has happened then."""
        key = f"step/{context.key}"
        with self._store.transaction() as tx:
            known = tx.fact(key)
            done = None if known is None else known[0].get("done")
            if isinstance(done, Mapping):
                return Done(done)
            reply = ""
            for each in inputs:
                reply = _reply(self._responder.handle_in(tx, each))
            output = {"incident": f"INC-{context.incident}", "reply": reply}
            tx.put_fact(key, {"done": output}, context.now)
        return Done(output)


class _RefusedError(Exception):
    """The incident does not take it."""


def _reply(decided: object) -> str:
    reply = str(getattr(decided, "reply", "") or getattr(decided, "reason", ""))
    if getattr(decided, "refused", False):
        raise _RefusedError(reply)
    return reply


def _note(options: object, incident: int, run: str) -> tuple[Input, ...]:
    assert isinstance(options, NoteOptions)
    return (AddNote(incident, run, options.text),)


def _severity(options: object, incident: int, run: str) -> tuple[Input, ...]:
    assert isinstance(options, SeverityOptions)
    wanted = None if options.severity == AUTO else options.severity
    return (ChangeSeverity(incident, run, VIA, wanted, options.reason),)


def _link(options: object, incident: int, run: str) -> tuple[Input, ...]:
    assert isinstance(options, LinkOptions)
    return (AddLink(incident, run, VIA, options.url, options.title),)


def _task(options: object, incident: int, run: str) -> tuple[Input, ...]:
    assert isinstance(options, TaskOptions)
    return (AddTask(incident, run, VIA, options.text, options.assignee),)


def _resolve(options: object, incident: int, run: str) -> tuple[Input, ...]:
    assert isinstance(options, ResolveOptions)
    why = (AddNote(incident, run, options.reason),) if options.reason else ()
    return (*why, Resolve(incident, run, VIA))


def _page(options: object, incident: int, run: str) -> tuple[Input, ...]:
    assert isinstance(options, PageOptions)
    team = "" if options.to == NEXT else options.to
    return (EscalateNow(incident, run, VIA, team=team, reason=options.reason),)


def _kind(options: type[Options], make: Made, example: str) -> ActionKind:
    return ActionKind(
        options=options,
        outputs={
            "incident": Output("string", "the incident"),
            "reply": Output("string", "what came of it, in the words that people are told"),
        },
        mutates=False,
        build=lambda ports: Act(ports, make),
        page=__doc__ or "",
        example=example,
    )


KINDS = {
    "incident.note": _kind(
        NoteOptions, _note, 'id: note\nuses: incident.note\nwith: {text: "The scorer was restarted."}\n'
    ),
    "incident.severity": _kind(
        SeverityOptions,
        _severity,
        "id: worse\nuses: incident.severity\nwith: {severity: outage, reason: payments fail}\n",
    ),
    "incident.link": _kind(
        LinkOptions,
        _link,
        "id: trace\nuses: incident.link\nwith: {url: https://traces.example/7, title: a slow call}\n",
    ),
    "incident.task": _kind(
        TaskOptions, _task, 'id: later\nuses: incident.task\nwith: {text: "Raise the limit.", assignee: ann}\n'
    ),
    "incident.resolve": _kind(
        ResolveOptions, _resolve, "id: over\nuses: incident.resolve\nwith: {reason: it was a test of ours}\n"
    ),
    "page": _kind(
        PageOptions, _page, "id: call\nuses: page\nwith: {to: payments-ml, reason: the fallback fails as well}\n"
    ),
}
