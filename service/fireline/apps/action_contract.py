"""What every action promises, for packages that bring their own: subclass `ActionContract` in a file of tests.

Any runner that collects classes with `test_` methods runs it, such as pytest. It needs `name` and `kind`, and
`outside`, a stand-in for what the action reaches over HTTP. What fails is an AssertionError that says what was
promised.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from fireline.actions import INSTALLED, ActionKind, Ports
from fireline.adapters.clock import FakeClock
from fireline.adapters.database import open_store
from fireline.domain.catalog import Catalog
from fireline.domain.configuration import Configuration
from fireline.domain.input_values import kind_fault
from fireline.domain.oncall import OnCall
from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater, Waiting
from fireline.engine.outgoing import Fetch, MaybeSent, NotSent, Request, Response
from fireline.engine.outward import StepContext
from fireline.engine.respond import Responder
from fireline.spec.loading import read_runbook
from fireline.spec.plugins import ActionSchema, Plugins, type_of
from fireline.spec.runbook_forms import OutputType

LOOKS = 60
"""How often a step that waits is looked at."""

ANSWERS: tuple[Response | NotSent | MaybeSent, ...] = (
    NotSent("not on the allow-list", final=True),
    NotSent("no connection"),
    MaybeSent("time-out"),
    Response(503, {"Retry-After": "7"}, ""),
    Response(404, {}, "<html>" * 10_000),
    Response(200, {"Retry-After": "never"}, "[" * 100_000),
)
"""What another system may answer instead of what was hoped for."""


class Recorded:
    """Passes requests on and keeps them; the first answers may be given."""

    def __init__(self, fetch: Fetch, *first: Response | NotSent | MaybeSent) -> None:
        self._fetch = fetch
        self._first = list(first)
        self.requests: list[Request] = []

    async def __call__(self, request: Request) -> Response | NotSent | MaybeSent:
        """The next of the given answers, then those of what it stands for."""
        self.requests.append(request)
        return self._first.pop(0) if self._first else await self._fetch(request)

    @property
    def writes(self) -> list[Request]:
        """The requests that may have changed something."""
        return [request for request in self.requests if request.method not in ("GET", "HEAD")]


def mistyped(kind: ActionKind, output: Mapping[str, object]) -> list[str]:
    """The outputs that are of another type than the action says; any may be nothing."""
    types = {name: type_of(each) for name, each in kind.outputs.items()}
    given = [(name, value) for name, value in output.items() if value is not None and types[name] != "any"]
    return [f"{name} {fault}" for name, value in given if (fault := kind_fault(types[name], value))]


class ActionContract:
    """Subclass it, and name the action."""

    name: str
    kind: ActionKind

    def outside(self) -> Fetch:
        """A stand-in for what the action reaches, as new: after its example was done once, it says that it was."""
        raise NotImplementedError("say what the action reaches")

    # what it says of itself
    def test_it_has_a_page_and_names_its_outputs(self) -> None:
        """The reference is made of it."""
        assert self.name in self.kind.page, "the page names the action"
        assert len(self.kind.page) > 100, "the page says what it does"
        assert self.kind.outputs, "its outputs are named"
        kinds = {type_of(each) for each in self.kind.outputs.values()} - {"any"}
        assert kinds <= set(get_args(OutputType)), f"types are {', '.join(get_args(OutputType))} or any, not {kinds}"
        assert "outcome" not in self.kind.outputs, "`outcome` is taken by the step's own state"
        assert self.kind.options.model_config.get("extra") == "forbid", "options that it does not know are faults"

    def test_its_example_is_a_step_of_a_sound_runbook(self) -> None:
        """People copy it."""
        text = yaml.safe_dump({"name": "example", "owner": "us", "steps": [self._example()]})
        schemas = {name: ActionSchema(k.options, k.outputs, k.mutates) for name, k in INSTALLED.items()}
        schemas[self.name] = ActionSchema(self.kind.options, self.kind.outputs, self.kind.mutates)
        book = read_runbook(text, Plugins({}, schemas, frozenset(), {}))
        assert book.steps[0].uses == self.name

    def test_options_it_does_not_know_are_faults(self) -> None:
        """A slip of the pen is told at load."""
        try:
            self.kind.options.model_validate({**self._example()["with"], "nonsense": 1})
        except ValidationError:
            return
        raise AssertionError("`nonsense` was accepted")

    def test_it_says_whether_it_changes_anything(self) -> None:
        """What does needs an undo."""
        action = self.kind.build(_ports(Recorded(self.outside()), FakeClock()))
        assert getattr(action, "mutates", True) is self.kind.mutates

    # what it does
    def test_it_gives_what_it_names(self) -> None:
        """The example, done."""
        outcome = asyncio.run(self._finished(Recorded(self.outside())))
        assert isinstance(outcome, Done), f"the example did not work: {outcome}"
        assert set(outcome.output) <= set(self.kind.outputs), f"outputs that are not named: {outcome.output}"
        assert not (wrong := mistyped(self.kind, outcome.output)), wrong
        json.dumps(outcome.output)

    def test_a_rehearsal_changes_nothing(self) -> None:
        """Rehearsals ask nobody to stand back."""
        fetch = Recorded(self.outside())
        outcome = asyncio.run(self._performed(fetch, dry_run=True))
        assert isinstance(outcome, Done), f"a rehearsal ended as {outcome}"
        assert not fetch.writes, f"a rehearsal wrote: {fetch.writes}"

    def test_doing_it_again_has_the_same_key(self) -> None:
        """A step whose outcome is unknown is repeated, and its target tells by the key."""
        fetch = Recorded(self.outside())
        clock = FakeClock()
        first = asyncio.run(self._finished(fetch, clock=clock))
        again = asyncio.run(self._finished(fetch, clock=clock))
        assert isinstance(first, Done), f"ended as {first}"
        assert isinstance(again, Done), f"the repetition ended as {again}"
        keys = {next((v for k, v in r.headers.items() if k.lower() == "idempotency-key"), "") for r in fetch.writes}
        assert len(keys) < 2, f"one step, several keys: {keys}"

    def test_whatever_is_answered_is_an_outcome(self) -> None:
        """Nothing is raised, whatever the other side does."""
        for answer in ANSWERS:
            outcome = asyncio.run(self._performed(Recorded(self.outside(), answer)))
            assert isinstance(outcome, Done | Failed | RetryLater | Waiting), f"{answer}: {outcome}"
            assert len(str(outcome)) < 20_000, f"{answer}: it keeps too much"

    def test_secrets_stay_names(self) -> None:
        """They are filled in where a request is sent, and only in what it calls secret."""
        fetch = Recorded(self.outside())
        asyncio.run(self._finished(fetch))
        for request in fetch.requests:
            named = {header for header, text in request.headers.items() if "secret:" in text}
            assert named <= request.secret_headers, f"{named}: the runbook's secret is not filled in there"

    def _example(self) -> dict[str, Any]:
        step: dict[str, Any] = yaml.safe_load(self.kind.example)
        assert step["uses"] == self.name, "the example uses the action"
        return step

    def _context(self, clock: FakeClock, **more: Any) -> StepContext:
        now = clock.now()
        return StepContext("run-1.act", 1, "act", None, now, {}, now, written=self._example()["with"], **more)

    def _options(self) -> BaseModel:
        return self.kind.options.model_validate(self._example()["with"])

    async def _performed(self, fetch: Fetch, **more: Any) -> Outcome:
        clock = FakeClock()
        action = self.kind.build(_ports(fetch, clock))
        return await action.perform(self._options(), self._context(clock, **more))

    async def _finished(self, fetch: Fetch, clock: FakeClock | None = None) -> Outcome:
        clock = clock or FakeClock()
        action, options, given = self.kind.build(_ports(fetch, clock)), self._options(), self._context(clock)
        outcome = await action.perform(options, given)
        for _ in range(LOOKS):
            if not isinstance(outcome, Waiting):
                break
            clock.advance(max(outcome.delay, 0.01))
            given = replace(given, memory=json.loads(json.dumps(dict(outcome.memory))), now=clock.now())
            outcome = await action.perform(options, given)
        return outcome


def _ports(fetch: Fetch, clock: FakeClock) -> Ports:
    store = open_store("sqlite://")
    settings = _Fixed()
    return Ports(store, settings, clock, Responder(store, settings, clock), fetch)


class _Fixed:
    """Settings without any files."""

    def __init__(self) -> None:
        self.current = Configuration({}, {}, Catalog({}, {}, {}, ()), OnCall({}, {}))
