"""mlflow.*: which version of a registered model an alias stands for, and back to the one before.

`mlflow.get_alias` reads the alias. `mlflow.set_alias` moves it to `version`, or removes it when `version` is null.
`mlflow.roll_back` moves it to the version that it stood for before, or to `to`. MLflow keeps no history of aliases, so
Fireline does: each of these actions writes down the version that it finds and the one that it sets. An alias that a
deployment moves past Fireline is known by what Fireline saw last: let a runbook that starts on deployments read it.
Where there is no earlier version on record, `mlflow.roll_back` fails and says so; it does not guess.

Each saves what is there, refuses a version that is not `READY`, moves the alias, and reads it back until it stands
where it should, at most `within`. A repetition finds it there and changes nothing; an alias that somebody else moved
meanwhile is left alone, and the step fails. Servers that load `models:/NAME@ALIAS` follow when they load it anew: that
it helped is for a step of its own to verify.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from pydantic import Field

from fireline.actions.calls import Api, ApiOptions, is_outcome
from fireline.actions.schema import ActionKind, Output, Ports, away
from fireline.actions.writing import GRACE, POLL, State, Write
from fireline.domain.outcomes import Done, Failed, Outcome, Waiting
from fireline.engine.outward import StepContext
from fireline.engine.ports import StaleVersion, Store, Unavailable
from fireline.spec.durations import PositiveDuration

_ALIAS = "/api/2.0/mlflow/registered-models/alias"
_VERSION = "/api/2.0/mlflow/model-versions/get"
KEPT = 20
"""How many versions of an alias are kept on record."""


class AliasOptions(ApiOptions):
    """Which alias of which model."""

    model: str = Field(min_length=1, max_length=500, description="the registered model")
    alias: str = Field(min_length=1, max_length=255, description="the alias, such as `champion`")


class MoveOptions(AliasOptions):
    """Which alias, and how long it may take."""

    within: PositiveDuration = Field(60.0, description="how long to wait until the alias is read back as it should be")

    def patience(self) -> float:
        """Seconds the step may rightly take."""
        return self.within + GRACE


class SetOptions(MoveOptions):
    """Which alias, and the version it is to stand for."""

    version: str | None = Field(pattern=r"^[0-9]{1,18}$", description="the version; null removes the alias")


class BackOptions(MoveOptions):
    """Which alias, and back to what."""

    to: str | None = Field(None, pattern=r"^[0-9]{1,18}$", description="a version; the one before when left out")


def fact_key(options: AliasOptions) -> str:
    """Where the versions of an alias are on record."""
    return f"mlflow/{urlsplit(options.url).netloc}/{options.model}/{options.alias}"


def followed(versions: list[str], version: str) -> list[str]:
    """The record after the alias was seen on a version: what came after it there is no way back to any more."""
    kept = versions[: versions.index(version)] if version in versions else versions
    return [*kept, version][-KEPT:]


class _OfAlias:
    def __init__(self, ports: Ports) -> None:
        self._store: Store = ports.store
        self._fetch = ports.fetch

    async def there(self, options: AliasOptions, context: StepContext) -> str | Outcome | None:
        """The version that the alias stands for now, None without one."""
        path = f"{_ALIAS}?name={quote(options.model, safe='')}&alias={quote(options.alias, safe='')}"
        found = await Api(self._fetch, options, context).get(path, absent=frozenset({400, 404}))
        if found is None:
            return await self._without(options, context)
        return found if is_outcome(found) else _version_of(found)

    async def _without(self, options: AliasOptions, context: StepContext) -> str | Outcome | None:
        path = f"/api/2.0/mlflow/registered-models/get?name={quote(options.model, safe='')}"
        model = await Api(self._fetch, options, context).get(path)
        return model if is_outcome(model) else None

    def _record(self, options: AliasOptions, context: StepContext, *seen: str | None) -> list[str]:
        key = fact_key(options)
        with self._store.transaction() as tx:
            known = tx.fact(key)
            before = list(_versions(known[0])) if known is not None else []
            versions = before
            for version in seen:
                versions = versions if version is None else followed(versions, version)
            if versions != before:
                tx.put_fact(key, {"versions": versions}, context.now)
        return versions

    async def record(self, options: AliasOptions, context: StepContext, *seen: str | None) -> list[str] | Waiting:
        """Write down what was seen; the versions on record, the latest last."""
        try:
            return await asyncio.to_thread(self._record, options, context, *seen)
        except (Unavailable, StaleVersion) as fault:
            return away(context, fault)


def _versions(fact: Mapping[str, object]) -> list[str]:
    found = fact.get("versions")
    return [str(each) for each in found] if isinstance(found, list) else []


def _version_of(answer: Any) -> str | Failed:
    found = answer.get("model_version") if isinstance(answer, Mapping) else None
    version = found.get("version") if isinstance(found, Mapping) else None
    return str(version) if version else Failed("the answer is not that of an MLflow server")


class GetAlias(_OfAlias):
    """Reads an alias, and writes down what it finds."""

    mutates = False

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """The version it stands for, and the one before."""
        assert isinstance(options, AliasOptions)
        if context.dry_run:
            return Done({"version": None, "previous": None, "summary": "rehearsed"})
        found = await self.there(options, context)
        if found is not None and not isinstance(found, str):
            return found
        versions = await self.record(options, context, found)
        if isinstance(versions, Waiting):
            return versions
        previous = versions[-2] if found is not None and len(versions) > 1 else None
        said = f"{options.model}@{options.alias} is " + (f"version {found}" if found else "not set")
        return Done({"version": found, "previous": previous, "summary": said})


class _Move(_OfAlias, Write):
    def rehearsed(self, options: object) -> Done:
        return Done({"before": {}, "version": None, "summary": "rehearsed"})

    def saved(self, before: State) -> State:
        return {"version": before.get("version")}

    @abstractmethod
    async def wanted(self, options: MoveOptions, context: StepContext, now: str | None) -> str | Outcome | None:
        """The version to move to; None removes the alias."""

    async def read(self, options: object, context: StepContext) -> State | Outcome:
        assert isinstance(options, MoveOptions)
        found = await self.there(options, context)
        if found is not None and not isinstance(found, str):
            return found
        to = await self.wanted(options, context, found)
        if to is not None and not isinstance(to, str):
            return to
        if to is not None and (against := await self._not_ready(options, context, to)) is not None:
            return against
        seen = await self.record(options, context, found)
        return seen if isinstance(seen, Waiting) else {"version": found, "to": to}

    async def _not_ready(self, options: MoveOptions, context: StepContext, version: str) -> Outcome | None:
        path = f"{_VERSION}?name={quote(options.model, safe='')}&version={version}"
        found = await Api(self._fetch, options, context).get(path)
        if is_outcome(found):
            return _outcome(found)
        status = found.get("model_version", {}).get("status") if isinstance(found, Mapping) else None
        return None if status in ("READY", None) else Failed(f"version {version} of {options.model} is {status}")

    async def apply(self, options: object, context: StepContext, before: State) -> State | Outcome:
        assert isinstance(options, MoveOptions)
        found = await self.there(options, context)
        if found is not None and not isinstance(found, str):
            return found
        to, name = before.get("to"), {"name": options.model, "alias": options.alias}
        if found == to:
            return {}
        if found != before.get("version"):
            return Failed(f"somebody else moved {options.model}@{options.alias} to version {found} meanwhile")
        api = Api(self._fetch, options, context)
        sent = await (
            api.send("DELETE", _ALIAS, name) if to is None else api.send("POST", _ALIAS, {**name, "version": to})
        )
        return _outcome(sent) if is_outcome(sent) else {}

    async def observe(self, options: object, context: StepContext, before: State, applied: State) -> Outcome:
        assert isinstance(options, MoveOptions)
        found = await self.there(options, context)
        if found is not None and not isinstance(found, str):
            return found
        to, old = before.get("to"), before.get("version")
        if found != to:
            return Waiting(POLL, f"{options.model}@{options.alias} is still version {found}")
        recorded = await self.record(options, context, found)
        if isinstance(recorded, Waiting):
            return recorded
        said = f"{options.model}@{options.alias} is version {to}, it was {old}" if to else "the alias is removed"
        return Done({"version": to, "summary": said})


def _outcome(found: Any) -> Outcome:
    assert isinstance(found, Outcome)
    return found


class SetAlias(_Move):
    """Moves an alias."""

    async def wanted(self, options: MoveOptions, context: StepContext, now: str | None) -> str | Outcome | None:
        """What the step says."""
        assert isinstance(options, SetOptions)
        return options.version


class RollBack(_Move):
    """Moves an alias back."""

    async def wanted(self, options: MoveOptions, context: StepContext, now: str | None) -> str | Outcome | None:
        """What the step says, or the last version on record that is another than the present one."""
        assert isinstance(options, BackOptions)
        if options.to is not None:
            return options.to
        versions = await self.record(options, context)
        if isinstance(versions, Waiting):
            return versions
        before = versions[: versions.index(now)] if now in versions else versions
        if before:
            return before[-1]
        return Failed(
            f"no version of {options.model}@{options.alias} before {now} is on record here: say `to`, and let a "
            "runbook that starts on deployments read the alias with mlflow.get_alias"
        )


_WHERE = "url: https://mlflow.example, auth: {bearer: secret:MLFLOW}, model: fraud, alias: champion"
_MOVED = {
    "before": Output("mapping", "`version`, what the alias stood for before"),
    "version": Output("string", "what it stands for now"),
    "summary": Output("string", "one line for people"),
}


def _example(name: str, more: str = "") -> str:
    return f"""\
id: act
uses: mlflow.{name}
with: {{{_WHERE}{more}}}
undo:
  uses: mlflow.set_alias
  with: {{{_WHERE}, version: "{{{{ steps.act.before.version }}}}"}}
"""


KINDS = {
    "mlflow.get_alias": ActionKind(
        options=AliasOptions,
        outputs={
            "version": Output("string", "what the alias stands for, null when it is not set"),
            "previous": Output("string", "the version on record before it, null when there is none"),
            "summary": Output("string", "one line for people"),
        },
        mutates=False,
        build=GetAlias,
        page=__doc__ or "",
        example=f"id: before\nuses: mlflow.get_alias\nwith: {{{_WHERE}}}\n",
    ),
    "mlflow.set_alias": ActionKind(
        options=SetOptions,
        outputs=_MOVED,
        mutates=True,
        build=SetAlias,
        page=__doc__ or "",
        example=_example("set_alias", ', version: "7"'),
    ),
    "mlflow.roll_back": ActionKind(
        options=BackOptions,
        outputs=_MOVED,
        mutates=True,
        build=RollBack,
        page=__doc__ or "",
        example=_example("roll_back", ', to: "6"'),
    ),
}
