"""flags.get and flags.set: read a feature flag, and set it.

`backend` says whose API it is: `unleash`, `launchdarkly` and `flagsmith` by their admin APIs, `http` for a service of
yours that answers `GET {url}/flags/FLAG?environment=ENV` with `{"value": ...}` and takes the same by `PUT`. What an
OpenFeature provider evaluates is behind one of them; flagd has no way to set a flag but its source, so put `http`
before that. On and off are `true` and `false`; `http` takes numbers and texts as well.

`flags.set` reads the value and saves it, sets it, and reads until it is what it should be, at most `within`; its output
`before` is what an `undo` sets again. A repetition finds it so and changes nothing. A flag that somebody else set
meanwhile is left alone, and the step fails. Applications follow when they ask anew: verify that with a step of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from pydantic import Field

from fireline.actions.calls import Api, ApiOptions
from fireline.actions.schema import ActionKind, Output, Ports
from fireline.actions.writing import GRACE, POLL, State, Write
from fireline.domain.outcomes import Done, Failed, Outcome, Waiting
from fireline.engine.outward import StepContext
from fireline.spec.durations import PositiveDuration

Value = bool | int | float | str


class FlagOptions(ApiOptions):
    """Which flag, and where."""

    backend: Literal["http", "unleash", "launchdarkly", "flagsmith"] = Field(description="whose API it is")
    flag: str = Field(min_length=1, max_length=500, description="the flag's key")
    environment: str = Field("production", min_length=1, max_length=200, description="the environment, or its key")
    project: str = Field("default", min_length=1, max_length=200, description="the project, where the backend has them")


class SetOptions(FlagOptions):
    """Which flag, and its value."""

    value: Value = Field(description="what it is to be")
    within: PositiveDuration = Field(60.0, description="how long to wait until it is read back as it should be")

    def patience(self) -> float:
        """Seconds the step may rightly take."""
        return self.within + GRACE


@dataclass(frozen=True, slots=True)
class Backend:
    """One API as a table: what to read and where the value is in it, and the request that sets one.

    `read` and the path of `write` are filled with the quoted `flag`, `environment` and `project`, and with `id`, what
    `identity` finds in the answer that was read. `switch` tells that only on and off can be set.
    """

    read: str
    value: Callable[[Any, FlagOptions], object]
    write: Callable[[FlagOptions, Value], tuple[str, str, object]]
    switch: bool = True
    identity: Callable[[Any], object] = lambda _: ""


def _at(found: Any, *path: str | int) -> Any:
    for part in path:
        if isinstance(found, Mapping) and isinstance(part, str):
            found = found.get(part)
        elif isinstance(found, list) and isinstance(part, int) and part < len(found):
            found = found[part]
        else:
            return None
    return found


_UNLEASH = "/api/admin/projects/{project}/features/{flag}/environments/{environment}"
BACKENDS: Mapping[str, Backend] = {
    "http": Backend(
        "/flags/{flag}?environment={environment}",
        lambda found, _: _at(found, "value"),
        lambda _, value: ("PUT", "/flags/{flag}?environment={environment}", {"value": value}),
        switch=False,
    ),
    "unleash": Backend(
        _UNLEASH,
        lambda found, _: _at(found, "enabled"),
        lambda _, value: ("POST", f"{_UNLEASH}/{'on' if value else 'off'}", None),
    ),
    "launchdarkly": Backend(
        "/api/v2/flags/{project}/{flag}?env={environment}",
        lambda found, options: _at(found, "environments", options.environment, "on"),
        lambda options, value: (
            "PATCH",
            "/api/v2/flags/{project}/{flag}",
            [{"op": "replace", "path": f"/environments/{options.environment}/on", "value": value}],
        ),
    ),
    "flagsmith": Backend(
        "/api/v1/environments/{environment}/featurestates/?feature_name={flag}",
        lambda found, _: _at(found, "results", 0, "enabled"),
        lambda _, value: ("PATCH", "/api/v1/environments/{environment}/featurestates/{id}/", {"enabled": value}),
        identity=lambda found: _at(found, "results", 0, "id"),
    ),
}


def _filled(path: str, options: FlagOptions, identity: object = "") -> str:
    parts = {"flag": options.flag, "environment": options.environment, "project": options.project, "id": str(identity)}
    return path.format(**{name: quote(text, safe="") for name, text in parts.items()})


async def _read(api: Api, options: FlagOptions) -> tuple[Value, object] | Outcome:
    backend = BACKENDS[options.backend]
    found = await api.get(_filled(backend.read, options))
    if isinstance(found, Outcome):
        return found
    value = backend.value(found, options)
    if not isinstance(value, Value):
        return Failed(f"{options.backend} has no flag {options.flag!r} in {options.environment!r}")
    return value, backend.identity(found)


def _same(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


class Get:
    """Reads a flag."""

    mutates = False

    def __init__(self, ports: Ports) -> None:
        self._fetch = ports.fetch

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """Its value now."""
        assert isinstance(options, FlagOptions)
        if context.dry_run:
            return Done({"value": None, "summary": "rehearsed"})
        found = await _read(Api(self._fetch, options, context), options)
        if isinstance(found, Outcome):
            return found
        return Done({"value": found[0], "summary": f"{options.flag} is {found[0]} in {options.environment}"})


class Set(Write):
    """Sets a flag."""

    def __init__(self, ports: Ports) -> None:
        self._fetch = ports.fetch

    def rehearsed(self, options: object) -> Done:
        """The value as it would be."""
        assert isinstance(options, SetOptions)
        return Done({"before": {}, "value": options.value, "summary": "rehearsed"})

    async def read(self, options: object, context: StepContext) -> State | Outcome:
        """The value before."""
        assert isinstance(options, SetOptions)
        if BACKENDS[options.backend].switch and not isinstance(options.value, bool):
            return Failed(f"value: {options.backend} sets flags on and off, found {options.value!r}: true or false")
        found = await _read(Api(self._fetch, options, context), options)
        return found if isinstance(found, Outcome) else {"value": found[0]}

    async def apply(self, options: object, context: StepContext, before: State) -> State | Outcome:
        """Set it, unless it is so or somebody else did."""
        assert isinstance(options, SetOptions)
        api = Api(self._fetch, options, context)
        found = await _read(api, options)
        if isinstance(found, Outcome):
            return found
        now, identity = found
        if _same(now, options.value):
            return {}
        if not _same(now, before.get("value")):
            return Failed(f"somebody else set {options.flag} to {now!r} meanwhile: it is left as it is")
        method, path, body = BACKENDS[options.backend].write(options, options.value)
        sent = await api.send(method, _filled(path, options, identity), body)
        return sent if isinstance(sent, Outcome) else {}

    async def observe(self, options: object, context: StepContext, before: State, applied: State) -> Outcome:
        """Read it until it is so."""
        assert isinstance(options, SetOptions)
        found = await _read(Api(self._fetch, options, context), options)
        if isinstance(found, Outcome):
            return found
        if not _same(found[0], options.value):
            return Waiting(POLL, f"{options.flag} is still {found[0]!r}")
        said = f"{options.flag} is {options.value!r} in {options.environment}, it was {before.get('value')!r}"
        return Done({"value": options.value, "summary": said})


_WHERE = "backend: unleash, url: https://flags.example, flag: new-ranker"
KINDS = {
    "flags.get": ActionKind(
        options=FlagOptions,
        outputs={"value": Output("any", "what it is"), "summary": Output("string", "one line for people")},
        mutates=False,
        build=Get,
        page=__doc__ or "",
        example=f"id: before\nuses: flags.get\nwith: {{{_WHERE}}}\n",
    ),
    "flags.set": ActionKind(
        options=SetOptions,
        outputs={
            "before": Output("mapping", "`value`, what it was"),
            "value": Output("any", "what it is now"),
            "summary": Output("string", "one line for people"),
        },
        mutates=True,
        build=Set,
        page=__doc__ or "",
        example="""\
id: act
uses: flags.set
with:
  backend: unleash
  url: https://flags.example
  auth: {header: {name: Authorization, value: secret:UNLEASH}}
  flag: new-ranker
  value: false
undo:
  uses: flags.set
  with:
    backend: unleash
    url: https://flags.example
    auth: {header: {name: Authorization, value: secret:UNLEASH}}
    flag: new-ranker
    value: "{{ steps.act.before.value }}"
""",
    ),
}
