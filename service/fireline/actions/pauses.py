"""approval and wait: steps that let a person, or time, decide.

`approval` asks those whom `of` names (`owner` is the team that answers for the incident) and goes on when `count` of
them have approved, or one has rejected; its output `approved` is for the `if` of later steps. Too few answering within
`timeout` means what `on_timeout` says, and `timed_out` is for a branch of its own. `wait` lets the time `for` pass.
Both survive a restart: what they wait for is in the run.
"""

import asyncio
from typing import Literal, Self

from pydantic import Field, model_validator

from fireline.actions.schema import ActionKind, Options, Output, Ports, away
from fireline.domain.approving import KEPT, Asking, OnTimeout, escalated, read
from fireline.domain.approving import Approval as Terms
from fireline.domain.outcomes import Done, Failed, Outcome, Waiting
from fireline.domain.running import ASKED
from fireline.engine import approvals
from fireline.engine.approvers import owner_of
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


_Silence = Literal["refuse", "reject", "continue", "approve", "fail", "escalate"]
_SAME = {"reject": OnTimeout.REFUSE, "approve": OnTimeout.CONTINUE}


class ApprovalOptions(Options):
    """The question, who may answer it, how many it takes, and what silence means."""

    ask: str = Field(min_length=1, max_length=2000, description="the question")
    of: str | list[str] = Field(
        "owner",
        min_length=1,
        max_length=20,
        description="who may approve: `owner`, `team:NAME`, `person:NAME`, `schedule:NAME` (who is on call), "
        "`role:commander`, or a list of them; a name alone is a team",
    )
    count: int = Field(1, ge=1, le=20, description="how many people have to approve")
    four_eyes: bool = Field(True, description="whether who asked for the run may not be the only one that approves")
    timeout: PositiveDuration = Field(1800.0, description="how long to wait for an answer")
    on_timeout: _Silence = Field(
        "refuse",
        description="what silence means: `refuse`, `continue` as though approved, `fail` the step, or `escalate`, "
        "which asks `escalate_to` too, pages the incident's next level, and is refused when that time is over as well. "
        "`reject` is the same as `refuse`, `approve` as `continue`",
    )
    escalate_to: str | list[str] = Field([], max_length=20, description="who may approve too, once it is escalated")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if (self.on_timeout == "escalate") != bool(self.escalate_to):
            raise ValueError("`on_timeout: escalate` and `escalate_to` belong together")
        return self

    def terms(self) -> Terms:
        """As it is decided on."""
        silence = _SAME.get(self.on_timeout) or OnTimeout(self.on_timeout)
        of, more = _listed(self.of), _listed(self.escalate_to)
        return Terms(of, self.count, self.four_eyes, self.timeout, silence, more)

    def patience(self) -> float:
        """Seconds the step may rightly take."""
        return self.timeout * (2 if self.on_timeout == "escalate" else 1) + GRACE


def _listed(of: str | list[str]) -> tuple[str, ...]:
    return (of,) if isinstance(of, str) else tuple(of)


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
        asking = read(context.memory.get(KEPT))
        if asking is None and isinstance(asked, (int, float)):
            asking = Asking(options.terms(), float(asked) + options.timeout)
        if asking is not None and context.now < asking.until:
            return Waiting(asking.until - context.now, "waits for an answer", context.memory)
        wider = None if asking is None else escalated(asking, context.now, float("inf"))
        if asking is not None and wider is None:
            return _silence(options, asking)
        try:
            return await asyncio.to_thread(self._asking, options, context, wider)
        except (Unavailable, StaleVersion) as fault:
            return away(context, fault)

    def _asking(self, options: ApprovalOptions, context: StepContext, wider: Asking | None) -> Outcome:
        """Wait for an answer to the question, which is told to people as it is journaled."""
        known = self._settings.current
        with self._store.reading() as tx:
            run = tx.run(context.run)
            if run is None:
                return Failed(f"there is no run {context.run}")
            book = known.runbooks.get(run.runbook)
            owner = owner_of(run, "" if book is None else book.owner)
            asker = approvals.Asker(tx, known, run, owner, self._responder.configured, context.now)
            if wider is None:
                asking = asker.asking(options.terms(), options.ask, context.now + options.timeout)
            else:
                asking = asker.widened(wider)
        memory = {**context.memory, ASKED: context.memory.get(ASKED, context.now), KEPT: asking.kept()}
        return Waiting(asking.until - context.now, f"waits for {approvals.wanted(asking, owner)}", memory)


def _silence(options: ApprovalOptions, asking: Asking) -> Outcome:
    said = f", {len(asking.approved_by)} of {options.count} approved" if options.count > 1 else ""
    silence = f"nobody answered within {options.timeout:g} s{said}"
    if options.count > 1 and asking.approved_by:
        silence = f"too few answered within {options.timeout:g} s{said}"
    if asking.terms.on_timeout is OnTimeout.FAIL:
        return Failed(silence)
    return _said(asking.terms.on_timeout is OnTimeout.CONTINUE, "", silence, timed_out=True)


def _said(approved: bool, by: str, reason: str, *, timed_out: bool = False) -> Done:
    verb = "approved" if approved else "rejected"
    summary = verb + (f" by {by}" if by else "") + (f": {reason}" if reason else "")
    return Done({"approved": approved, "by": by, "reason": reason, "timed_out": timed_out, "summary": summary})


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
            "approved": Output("bool", "whether it was approved"),
            "by": Output("string", "who approved, by commas, or who rejected; empty when too few answered"),
            "reason": Output("string", "what they gave as reason"),
            "timed_out": Output("bool", "whether its time was over before enough had answered, for a branch"),
            "summary": Output("string", "one line for people"),
        },
        mutates=False,
        build=Approval,
        page=__doc__,
        example=APPROVAL_EXAMPLE,
    ),
    "wait": ActionKind(
        options=WaitOptions,
        outputs={"waited": Output("number", "seconds")},
        mutates=False,
        build=Wait,
        page=__doc__,
        example=WAIT_EXAMPLE,
    ),
}
