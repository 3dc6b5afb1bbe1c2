"""approval and wait: steps that let a person, or time, decide.

`approval` asks the people of team `of` (`owner` is the team that answers for the incident) and goes on when one of them
approved or rejected; its output `approved` is for the `if` of later steps. Nobody answering within `timeout` means what
`on_timeout` says. `wait` lets the time `for` pass. Both survive a restart: what they wait for is in the run.
"""

import asyncio
from typing import Literal

from pydantic import Field

from fireline.actions.schema import ActionKind, Options, Ports, away
from fireline.domain.outcomes import Done, Failed, Outcome, Waiting
from fireline.domain.running import ASKED
from fireline.engine import approvals
from fireline.engine.outward import StepContext
from fireline.engine.ports import StaleVersion, Unavailable
from fireline.spec.durations import PositiveDuration

APPROVAL_EXAMPLE = """\
id: ask
uses: approval
with: {ask: "Fail back to the primary?", of: owner, timeout: 30m, on_timeout: reject}
"""

WAIT_EXAMPLE = """\
id: settle
uses: wait
with: {for: 30s}
"""

GRACE = 5.0


class ApprovalOptions(Options):
    """The question, who may answer it, and what silence means."""

    ask: str = Field(min_length=1, max_length=2000, description="the question")
    of: str = Field("owner", min_length=1, description="a team, or `owner`")
    timeout: PositiveDuration = Field(1800.0, description="how long to wait for an answer")
    on_timeout: Literal["reject", "approve", "fail"] = Field("reject", description="what silence means")

    def patience(self) -> float:
        """Seconds the step may rightly take."""
        return self.timeout + GRACE


class WaitOptions(Options):
    """How long."""

    for_: PositiveDuration = Field(alias="for", description="how long to wait")

    def patience(self) -> float:
        """Seconds the step may rightly take."""
        return self.for_ + GRACE


class Approval:
    """Asks once, and finds the answer in its memory."""

    mutates = False

    def __init__(self, ports: Ports) -> None:
        self._store = ports.store
        self._settings = ports.settings
        self._responder = ports.responder

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """Ask, or look for the answer."""
        assert isinstance(options, ApprovalOptions)
        if context.dry_run:
            return _said(True, "rehearsal", "rehearsed")
        answer = approvals.answered(context.memory)
        if answer is not None:
            return _said(bool(answer.get("approved")), str(answer.get("by", "")), str(answer.get("reason", "")))
        asked = context.memory.get(ASKED)
        if isinstance(asked, (int, float)):
            return _waiting(options, context, float(asked))
        try:
            team = await asyncio.to_thread(self._ask, options, context)
        except (Unavailable, StaleVersion) as fault:
            return away(context, fault)
        return Waiting(options.timeout, f"waits for an answer of {team}", {ASKED: context.now, "of": team})

    def _ask(self, options: ApprovalOptions, context: StepContext) -> str:
        catalog = self._settings.current.catalog
        with self._store.transaction() as tx:
            run = tx.run(context.run)
            book = None if run is None else self._settings.current.runbooks.get(run.runbook)
            owner = "" if run is None else approvals.owner_of(run, "" if book is None else book.owner)
            team = owner if options.of == "owner" else options.of
            incident = None if context.incident is None else tx.incident(context.incident)
            anew = next((s.round for s in run.steps if s.id == context.step), 0) if run is not None else 0
            question = approvals.Question(context.run, context.incident, context.step, options.ask, round=anew)
            to = approvals.addresses(catalog, team, incident, self._responder.configured)
            approvals.ask(tx, to, question, context.now)
        return team


def _waiting(options: ApprovalOptions, context: StepContext, asked: float) -> Outcome:
    until = asked + options.timeout
    if context.now < until:
        return Waiting(until - context.now, "waits for an answer", context.memory)
    silence = f"nobody answered within {options.timeout:g} s"
    if options.on_timeout == "fail":
        return Failed(silence)
    return _said(options.on_timeout == "approve", "", silence)


def _said(approved: bool, by: str, reason: str) -> Done:
    verb = "approved" if approved else "rejected"
    summary = verb + (f" by {by}" if by else "") + (f": {reason}" if reason else "")
    return Done({"approved": approved, "by": by, "reason": reason, "summary": summary})


class Wait:
    """Lets time pass."""

    mutates = False

    def __init__(self, ports: Ports) -> None:
        """Needs nothing."""

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """Done once the time is over."""
        assert isinstance(options, WaitOptions)
        until = context.started_at + options.for_
        if context.dry_run or context.now >= until:
            return Done({"waited": options.for_})
        return Waiting(until - context.now, f"waits {options.for_:g} s", context.memory)


KINDS = {
    "approval": ActionKind(
        options=ApprovalOptions,
        outputs={
            "approved": "whether it was approved",
            "by": "the person who answered, empty when nobody did",
            "reason": "what they gave as reason",
            "summary": "one line for people",
        },
        mutates=False,
        build=Approval,
        page=__doc__,
        example=APPROVAL_EXAMPLE,
    ),
    "wait": ActionKind(
        options=WaitOptions,
        outputs={"waited": "seconds"},
        mutates=False,
        build=Wait,
        page=__doc__,
        example=WAIT_EXAMPLE,
    ),
}
