"""ask: have a person fill in a form.

`ask` asks the people of team `of` (`owner` is the team that answers for the incident) for `fields`, each of a type with
bounds, and goes on when one of them filled it in: later steps find `steps.ID.values.NAME`. They answer with `fireline
runs answer RUN name=value ...` or over the API; what does not fit is refused with every reason, and asked on. Nobody
answering within `timeout` fails the step, or takes the defaults (`on_timeout: defaults`). It survives a restart.
"""

import asyncio
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from fireline.actions.schema import ActionKind, Options, Output, Ports, away
from fireline.domain.effects import Tell
from fireline.domain.outcomes import Done, Failed, Outcome, Waiting
from fireline.domain.running import ASKED
from fireline.engine import approvals
from fireline.engine.approvers import owner_of
from fireline.engine.forms import FORM, filled
from fireline.engine.outward import StepContext
from fireline.engine.ports import StaleVersion, Unavailable
from fireline.spec.durations import PositiveDuration

EXAMPLE = """\
id: how
uses: ask
with:
  ask: How far may it go?
  fields:
    percent: {type: integer, min: 1, max: 100, default: 10, description: share of the traffic}
    target: {type: enum, choices: [primary, fallback], default: fallback}
  of: owner
  timeout: 30m
  on_timeout: defaults
"""

GRACE = 5.0


def _name(value: str) -> str:
    if not value.isidentifier() or not value.isascii():
        raise ValueError(f"`{value[:40]}` is not a name that expressions can use: letters, digits and `_`")
    return value


class FormField(Options):
    """One field: its type, what is allowed, and what silence means."""

    type: Literal["string", "integer", "number", "boolean", "enum"] = Field(description="what it is")
    choices: list[str] = Field(default_factory=list, max_length=50, description="of an `enum`, what may be chosen")
    min: float | None = Field(None, description="the least number, or characters of a text")
    max: float | None = Field(None, description="the highest number, or characters of a text")
    required: bool = Field(True, description="whether it has to be filled in when it has no default")
    default: str | int | float | bool | None = Field(None, description="its value when nobody says another")
    description: str = Field("", max_length=200, description="what it is for, for people")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if bool(self.choices) != (self.type == "enum"):
            raise ValueError("an enum has `choices`, and nothing else has")
        if self.default is not None and isinstance(fault := filled({"default": self.model_dump()}, {}), str):
            raise ValueError(fault)
        return self


class AskOptions(Options):
    """The question, its fields, who may answer, and what silence means."""

    ask: str = Field(min_length=1, max_length=2000, description="the question")
    fields_: dict[Annotated[str, AfterValidator(_name)], FormField] = Field(
        alias="fields", min_length=1, max_length=20, description="the fields, by name"
    )
    of: str = Field("owner", min_length=1, description="a team, or `owner`")
    timeout: PositiveDuration = Field(1800.0, description="how long to wait for an answer")
    on_timeout: Literal["fail", "defaults"] = Field("fail", description="what silence means")

    @model_validator(mode="after")
    def _answerable(self) -> Self:
        if self.on_timeout == "defaults" and isinstance(fault := filled(self.form(), {}), str):
            raise ValueError(f"`on_timeout: defaults` needs defaults: {fault}")
        return self

    def form(self) -> dict[str, dict[str, object]]:
        """The fields as they are kept."""
        return {name: field.model_dump() for name, field in self.fields_.items()}

    def patience(self) -> float:
        """Seconds the step may rightly take."""
        return self.timeout + GRACE


class Ask:
    """Asks once, and finds what was filled in in its memory."""

    mutates = False

    def __init__(self, ports: Ports) -> None:
        self._store = ports.store
        self._settings = ports.settings
        self._responder = ports.responder

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """Ask, or look for the answer."""
        assert isinstance(options, AskOptions)
        if context.dry_run:
            return _said({name: field.default for name, field in options.fields_.items()}, "rehearsal")
        answer = approvals.answered(context.memory)
        if answer is not None:
            values = answer.get("values")
            return _said(dict(values) if isinstance(values, dict) else {}, str(answer.get("by", "")))
        since = context.memory.get(ASKED)
        if isinstance(since, (int, float)):
            return _waiting(options, context, float(since))
        try:
            team = await asyncio.to_thread(self._ask, options, context)
        except (Unavailable, StaleVersion) as fault:
            return away(context, fault)
        memory = {ASKED: context.now, "of": team, FORM: options.form()}
        return Waiting(options.timeout, f"waits for {team} to fill in a form", memory)

    def _ask(self, options: AskOptions, context: StepContext) -> str:
        catalog = self._settings.current.catalog
        with self._store.transaction() as tx:
            run = tx.run(context.run)
            book = None if run is None else self._settings.current.runbooks.get(run.runbook)
            owner = "" if run is None else owner_of(run, "" if book is None else book.owner)
            team = owner if options.of == "owner" else options.of
            incident = None if context.incident is None else tx.incident(context.incident)
            for channel, address in approvals.addresses(catalog, team, incident, self._responder.configured):
                key = f"{context.key}/form/{channel}:{address}"
                tx.enqueue(Tell(key, team, channel, address, _told(options, context), context.incident), context.now)
        return team


def _told(options: AskOptions, context: StepContext) -> str:
    lines = [f"Run {context.run} asks: {options.ask}"]
    lines += [f"- {name}: {_described(field)}" for name, field in options.fields_.items()]
    example = " ".join(f"{name}=..." for name in options.fields_)
    return "\n".join([*lines, f"Answer: fireline runs answer {context.run} {example}"])


def _described(field: FormField) -> str:
    bounds = [f"from {field.min:g}"] if field.min is not None else []
    bounds += [f"to {field.max:g}"] if field.max is not None else []
    kind = " or ".join(field.choices) if field.choices else field.type
    otherwise = [] if field.default is None else [f"otherwise {field.default}"]
    return ", ".join([*([field.description] if field.description else []), " ".join([kind, *bounds]), *otherwise])


def _waiting(options: AskOptions, context: StepContext, asked: float) -> Outcome:
    until = asked + options.timeout
    if context.now < until:
        return Waiting(until - context.now, "waits for a form to be filled in", context.memory)
    values = filled(options.form(), {})
    if options.on_timeout == "fail" or isinstance(values, str):
        return Failed(f"nobody answered within {options.timeout:g} s")
    return _said(values, "")


def _said(values: dict[str, object], by: str) -> Done:
    who = f"filled in by {by}" if by else "the defaults: nobody answered"
    summary = ", ".join(f"{name}={value}" for name, value in values.items())
    return Done({"values": values, "by": by, "summary": f"{who}: {summary}"})


KINDS = {
    "ask": ActionKind(
        options=AskOptions,
        outputs={
            "values": Output("mapping", "what was filled in, by field"),
            "by": Output("string", "the person who did, empty when nobody did"),
            "summary": Output("string", "one line for people"),
        },
        mutates=False,
        build=Ask,
        page=__doc__,
        example=EXAMPLE,
    )
}
