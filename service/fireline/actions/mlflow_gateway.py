"""mlflow.get_weights and mlflow.set_weights: how an endpoint of MLflow's gateway splits its traffic among models.

`mlflow.get_weights` reads the shares, in percent by the names of model definitions. `mlflow.set_weights` saves them,
refuses models that the endpoint does not have, sets the shares of `to` (models that it leaves out get 0), and reads
them back. Fallbacks are kept as they are. A repetition finds the shares there and changes nothing; an endpoint that
somebody else changed meanwhile is left alone, and the step fails. MLflow writes whatever comes last: between that look
and the write it tells nobody.

What is read back is what the database says. Each server routes by what it keeps in memory, for as many seconds as
`mlflow server --secrets-cache-ttl` says (60 unless set, 300 at most): the step waits until the shares have been read
back for `settles`. With `probe`, it then sends a small request through the endpoint about once a second, which the
provider charges for, until `answers` in a row came from no model with a share of 0, and each model that had 0 before
and has 5 or more now gave one of them. `observed` says which of these was seen. Not within `within`: the step fails.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field, field_validator, model_validator

from fireline.actions.calls import Api, ApiOptions
from fireline.actions.schema import ActionKind, Options, Output, Ports
from fireline.actions.writing import GRACE, POLL, State, Write
from fireline.domain.outcomes import Done, Failed, Outcome, RetryLater, Waiting
from fireline.engine.outward import StepContext
from fireline.spec.durations import Duration, PositiveDuration
from fireline.spec.findings import suggestion

_ENDPOINTS = "/api/3.0/mlflow/gateway/endpoints"
LOOK = 5.0
"""Seconds between two looks while the servers forget what they had."""
SLACK = 3.0
"""Seconds beyond `settles`: a server that was reading during the write keeps the old weights from a little later on."""
SELDOM = 5.0
"""A model with a smaller share, in percent, is not waited for: it answers too seldom."""
EXACT = 0.01
"""Shares that differ by less are the same: MLflow keeps them as short floating point numbers."""
ROUNDED = 0.1
"""By how much shares may miss 100 together: thirds are written with a few digits."""

Share = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
_PING = {"messages": [{"role": "user", "content": "ping"}], "max_tokens": 1}


class EndpointOptions(ApiOptions):
    """Which endpoint of the gateway."""

    endpoint: str = Field(min_length=1, max_length=255, description="the endpoint's name")


class Probe(Options):
    """What is sent through the endpoint, and how many answers are enough."""

    body: dict[str, Any] = Field(default_factory=lambda: dict(_PING), description="the request: `messages` or `input`")
    answers: int = Field(10, ge=1, le=1000, description="how many answers in a row; more where there are more servers")


class SetOptions(EndpointOptions):
    """Which endpoint, its shares, and how they are observed."""

    to: dict[str, Share] = Field(min_length=1, description="percent of the traffic by model; sums to 100")
    settles: Duration = Field(60.0, description="how long servers keep the weights before: their `--secrets-cache-ttl`")
    probe: Probe | None = Field(None, description="look by requests, too, whose model answers")
    within: PositiveDuration = Field(180.0, description="how long to wait until it is observed, `settles` included")

    @field_validator("to")
    @classmethod
    def _whole(cls, value: dict[str, float]) -> dict[str, float]:
        if abs(sum(value.values()) - 100) > ROUNDED:
            raise ValueError(f"the shares add up to {sum(value.values()):g}, not to 100")
        return value

    @model_validator(mode="after")
    def _in_time(self) -> "SetOptions":
        if self.within <= self.wait:
            raise ValueError(f"within: {self.within:g} s are over before `settles` is: give more than {self.wait:g} s")
        return self

    @property
    def wait(self) -> float:
        """Seconds for which the shares have to be read back."""
        return self.settles + SLACK if self.settles else 0.0

    def patience(self) -> float:
        """Seconds the step may rightly take."""
        return self.within + GRACE


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint as MLflow tells of it. `models` are its mappings to models, `fallback` its `fallback_config`."""

    id: str
    splits: bool
    models: tuple[Mapping[str, Any], ...]
    fallback: object

    @property
    def primary(self) -> list[Mapping[str, Any]]:
        """The models that traffic is split among."""
        return [model for model in self.models if model.get("linkage_type") == "PRIMARY"]

    @property
    def weights(self) -> dict[str, float]:
        """Percent of the traffic by model; all 0 where all weights are, and then nobody answers."""
        found: dict[str, float] = {}
        for model in self.primary:
            found[_name(model)] = found.get(_name(model), 0.0) + _weight(model)
        return shares(found)

    def named(self, answered: str) -> list[str]:
        """The models that a provider may call so: it may add a date to the name that it was asked for."""
        found = [(called, _name(model)) for model in self.primary if (called := _called(model))]
        fits = [(called, name) for called, name in found if answered == called or answered.startswith(f"{called}-")]
        longest = max((len(called) for called, _ in fits), default=0)
        return [name for called, name in fits if len(called) == longest]

    def with_weights(self, to: Mapping[str, float]) -> dict[str, object]:
        """The request that sets them. It replaces the endpoint's models, so all that was said of them is in it."""
        names = [_name(model) for model in self.primary]
        configs = [
            {name: model[name] for name in ("model_definition_id", "linkage_type", "fallback_order") if name in model}
            | {
                "weight": to.get(_name(model), 0.0) / names.count(_name(model))
                if model in self.primary
                else _weight(model)
            }
            for model in self.models
        ]
        kept = {"fallback_config": self.fallback} if self.fallback else {}
        return {"endpoint_id": self.id, "model_configs": configs, **kept}


def _name(model: Mapping[str, Any]) -> str:
    definition = model.get("model_definition")
    name = definition.get("name") if isinstance(definition, Mapping) else None
    return str(name or model.get("model_definition_id"))


def _called(model: Mapping[str, Any]) -> str:
    definition = model.get("model_definition")
    return str(definition.get("model_name") or "") if isinstance(definition, Mapping) else ""


def _weight(model: Mapping[str, Any]) -> float:
    found = model.get("weight", 1.0)
    return float(found) if isinstance(found, (int, float)) and found > 0 else 0.0


def shares(weights: Mapping[str, float]) -> dict[str, float]:
    """Percent, as the gateway takes weights: each over the sum of them."""
    total = sum(weights.values())
    exact = {name: round(100 * weight / total, 4) if total else 0.0 for name, weight in weights.items()}
    return {name: int(share) if share == int(share) else share for name, share in exact.items()}


def _wanted(endpoint: Endpoint, to: Mapping[str, float]) -> dict[str, float]:
    return shares({**dict.fromkeys(endpoint.weights, 0.0), **{name: share for name, share in to.items() if share}})


def _same(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return one.keys() == other.keys() and all(abs(share - other[name]) < EXACT for name, share in one.items())


def told(weights: Mapping[str, float]) -> str:
    """Shares for people."""
    return ", ".join(f"{name} {share:g} %" for name, share in sorted(weights.items())) or "no model"


def _endpoint(answer: Any) -> Endpoint | Failed:
    found = answer.get("endpoint") if isinstance(answer, Mapping) else None
    models = found.get("model_mappings", []) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or not found.get("endpoint_id") or not isinstance(models, list):
        return Failed("the answer is not that of an MLflow server with a gateway")
    splits = found.get("routing_strategy") == "REQUEST_BASED_TRAFFIC_SPLIT"
    kept = tuple(model for model in models if isinstance(model, Mapping))
    return Endpoint(str(found["endpoint_id"]), splits, kept, found.get("fallback_config"))


async def _there(api: Api, options: EndpointOptions) -> Endpoint | Outcome:
    found = await api.get(f"{_ENDPOINTS}/get?name={quote(options.endpoint, safe='')}")
    return found if isinstance(found, Outcome) else _endpoint(found)


class GetWeights:
    """Reads the shares."""

    mutates = False

    def __init__(self, ports: Ports) -> None:
        self._fetch = ports.fetch

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """Percent by model, as the database has them."""
        assert isinstance(options, EndpointOptions)
        if context.dry_run:
            return Done({"weights": {}, "splits": True, "summary": "rehearsed"})
        found = await _there(Api(self._fetch, options, context), options)
        if isinstance(found, Outcome):
            return found
        said = f"{options.endpoint} is set to {told(found.weights)}"
        said += "" if found.splits else ", but does not split traffic: one model takes all"
        return Done({"weights": found.weights, "splits": found.splits, "summary": said})


class SetWeights(Write):
    """Sets the shares."""

    def __init__(self, ports: Ports) -> None:
        self._fetch = ports.fetch

    def rehearsed(self, options: object) -> Done:
        """The shares as they would be."""
        assert isinstance(options, SetOptions)
        return Done({"before": {}, "weights": dict(options.to), "answers": {}, "observed": "", "summary": "rehearsed"})

    async def read(self, options: object, context: StepContext) -> State | Outcome:
        """The shares before; Failed where those wanted cannot be."""
        assert isinstance(options, SetOptions)
        found = await _there(Api(self._fetch, options, context), options)
        if isinstance(found, Outcome):
            return found
        against = _against(found, options)
        return Failed(f"{options.endpoint}: {against}") if against else {"weights": found.weights}

    async def apply(self, options: object, context: StepContext, before: State) -> State | Outcome:
        """Set them, unless they are so or somebody else changed them."""
        assert isinstance(options, SetOptions)
        api = Api(self._fetch, options, context)
        found = await _there(api, options)
        if isinstance(found, Outcome):
            return found
        if against := _against(found, options):
            return Failed(f"{options.endpoint}: {against}")
        if _same(found.weights, _wanted(found, options.to)):
            return {}
        if not _same(found.weights, _shares_of(before)):
            return Failed(
                f"somebody else changed {options.endpoint} meanwhile, to {told(found.weights)}: it is left so"
            )
        sent = await api.send("POST", f"{_ENDPOINTS}/update", found.with_weights(options.to))
        return sent if isinstance(sent, Outcome) else {}

    async def observe(self, options: object, context: StepContext, before: State, applied: State) -> Outcome:
        """Read them back for as long as servers may keep the old ones; then ask who answers, if that is wanted."""
        assert isinstance(options, SetOptions)
        api = Api(self._fetch, options, context)
        found = await _there(api, options)
        if isinstance(found, Outcome):
            return found
        if not _same(found.weights, _wanted(found, options.to)):
            reason = f"{options.endpoint} is still set to {told(found.weights)}"
            return Waiting(POLL, reason, {"since": None, "answers": {}})
        known = context.memory.get("since")
        since = known if isinstance(known, (int, float)) else context.now
        left = since + options.wait - context.now
        if left > 0:
            reason = f"read back; servers may route by the weights before for {left:.0f} s more"
            return Waiting(min(left, LOOK), reason, {"since": since})
        if options.probe is None:
            how = f"read back for {options.wait:g} s" if options.wait else "read back; servers may not have them yet"
            return _done(options, found, before, how, {})
        return await self._probed(options, options.probe, context, found, before)

    async def _probed(
        self, options: SetOptions, probe: Probe, context: StepContext, there: Endpoint, before: State
    ) -> Outcome:
        path = f"/gateway/{quote(options.endpoint, safe='')}/mlflow/invocations"
        found = await Api(self._fetch, options, context).send("POST", path, probe.body)
        if isinstance(found, RetryLater) or (isinstance(found, Failed) and found.unknown):
            return Waiting(POLL, f"probe: {found.reason}")
        if isinstance(found, Failed):
            return Failed(f"probe: {found.reason}")
        answered = found.get("model") if isinstance(found, Mapping) else None
        names = there.named(answered) if isinstance(answered, str) else []
        if not names:
            return Waiting(POLL, f"probe: the answer is of {str(answered)[:100]!r}, none of {told(there.weights)}")
        if not any(there.weights[name] for name in names):
            return Waiting(POLL, f"probe: {names[0]} still answers, whose share is 0", {"answers": {}})
        return _counted(options, probe, there, before, _counts(context, names[0]))


def _counts(context: StepContext, name: str) -> dict[str, int]:
    known = context.memory.get("answers")
    counts = {str(k): int(v) for k, v in known.items()} if isinstance(known, Mapping) else {}
    return {**counts, name: counts.get(name, 0) + 1}


def _counted(options: SetOptions, probe: Probe, there: Endpoint, before: State, counts: Mapping[str, int]) -> Outcome:
    weights, old = there.weights, _shares_of(before)
    new = [name for name, share in weights.items() if share >= SELDOM and not old.get(name)]
    missing = [name for name in new if name not in counts]
    number = sum(counts.values())
    if missing or number < probe.answers:
        reason = f"probe: {number} answers, none of {', '.join(missing)}" if missing else f"probe: {number} answers"
        return Waiting(POLL, reason, {"answers": dict(counts)})
    none = [name for name, share in weights.items() if not share]
    how = f"{number} answers in a row by {', '.join(f'{name} ({n})' for name, n in sorted(counts.items()))}"
    how += f", none by {', '.join(none)}" if none else ""
    how += "" if none or new else ", which tell nothing of the shares"
    how += f", after {options.wait:g} s" if options.wait else ""
    return _done(options, there, before, how, counts)


def _done(options: SetOptions, there: Endpoint, before: State, how: str, answers: Mapping[str, int]) -> Done:
    said = f"{options.endpoint} is set to {told(there.weights)}, it was {told(_shares_of(before))}; {how}"
    return Done({"weights": there.weights, "answers": dict(answers), "observed": how, "summary": said})


def _shares_of(state: State) -> dict[str, float]:
    found = state.get("weights")
    return {str(name): float(share) for name, share in found.items()} if isinstance(found, Mapping) else {}


def _against(there: Endpoint, options: SetOptions) -> str:
    if not there.splits:
        return "it does not split traffic; its routing strategy would have to be REQUEST_BASED_TRAFFIC_SPLIT"
    for name, share in options.to.items():
        if share and name not in there.weights:
            return f"it has no model `{name}`: {suggestion(name, there.weights)}"
    return _alike(there, options) if options.probe is not None else ""


def _alike(there: Endpoint, options: SetOptions) -> str:
    """Why answers could not tell models that matter from others: what loses all its share, or gets its first."""
    for model in there.primary:
        names = there.named(_called(model))
        moves = {(bool(options.to.get(name)), bool(there.weights[name])) for name in names}
        if len(names) > 1 and (len({has for has, _ in moves}) > 1 or (True, False) in moves):
            return f"answers cannot tell {' and '.join(names)}, both are {_called(model)}: leave `probe` out"
    return ""


_WHERE = "url: https://mlflow.example, auth: {bearer: secret:MLFLOW}, endpoint: support-chat"
_WEIGHTS = Output("mapping", "percent of the traffic by model")
KINDS = {
    "mlflow.get_weights": ActionKind(
        options=EndpointOptions,
        outputs={
            "weights": _WEIGHTS,
            "splits": Output("bool", "whether traffic is split at all; otherwise one model takes all"),
            "summary": Output("string", "one line for people"),
        },
        mutates=False,
        build=GetWeights,
        page=__doc__ or "",
        example=f"id: before\nuses: mlflow.get_weights\nwith: {{{_WHERE}}}\n",
    ),
    "mlflow.set_weights": ActionKind(
        options=SetOptions,
        outputs={
            "before": Output("mapping", "`weights`, what they were"),
            "weights": _WEIGHTS,
            "answers": Output("mapping", "how many answers of the probe came from each model"),
            "observed": Output("string", "what was seen, and how"),
            "summary": Output("string", "one line for people"),
        },
        mutates=True,
        build=SetWeights,
        page=__doc__ or "",
        example=f"""\
id: act
uses: mlflow.set_weights
with: {{{_WHERE}, to: {{stable: 100, candidate: 0}}, probe: {{answers: 5}}}}
undo:
  uses: mlflow.set_weights
  with: {{{_WHERE}, to: "{{{{ steps.act.before.weights }}}}"}}
""",
    ),
}
