"""A small sound world of files, and the plugins that they name, for tests of loading."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from fireline.channels.addresses import FORMS
from fireline.domain.durations import seconds
from fireline.domain.ranges import CALCULATED, COUNTED, SHARE
from fireline.domain.windows import Compares, Lookback
from fireline.measures import FAMILIES
from fireline.spec.loading import ActionSchema, Ahead, FormatSchema, Loaded, MeasureSchema, Plugins, load

TODAY = date(2026, 11, 21)
AHEAD = Ahead(datetime(2026, 11, 21, tzinfo=UTC).timestamp() + 0.123_456_9)


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class QuantileOptions(Options):
    q: float = Field(ge=0, le=1)


class AgainstOptions(Options):
    before: str = "7d"


def _lookbacks(window: float, options: Mapping[str, object]) -> Sequence[Lookback]:
    return (Lookback(window, window), Lookback(window, seconds(options["before"])))


class DriftOptions(Options):
    baseline: str | None = None


def _reference(kind: str, state: object, origin: float, options: Mapping[str, object]) -> Mapping[str, object]:
    if kind != "numeric":
        raise ValueError(f"`drift` compares numeric fields, and this one is {kind}; choose another measure")
    return {"kind": kind, "reference": str(state)}


class BurnOptions(Options):
    objective: float = Field(gt=0, lt=100)


class SequenceOptions(Options):
    first: str
    then: str
    within: str


class SpendOptions(Options):
    amount: float
    per: str


class ServiceOptions(Options):
    service: str


class RouteOptions(ServiceOptions):
    to: dict[str, int]
    reason: str = ""


class VerifyOptions(Options):
    rule: str
    entity: dict[str, str] = Field(default_factory=dict)
    within: str = "1m"


class GetOptions(Options):
    url: str


class ApprovalOptions(Options):
    ask: str
    of: str | list[str] = "owner"
    count: int = 1
    four_eyes: bool = True


OF_VALUES = ("balance", "cost_per", "distinct", "entropy", "stddev")
OF_QUALITY = ("missing", "new_categories", "schema_change", "staleness")
OF_LABELS = ("agreement", "anomaly", "arms", "calibration", "evaluation_drop")


def as_shipped(name: str) -> MeasureSchema:
    """A family as the loader is handed it, for faults of its own settings."""
    family = FAMILIES[name]
    words = family.needs.split()
    return MeasureSchema(
        family.settings,
        takes_of="of" in words,
        takes_condition="condition" in words,
        either="or" in words,
        lookbacks=family.lookbacks if isinstance(family, Compares) else None,
    )


PLUGINS = Plugins(
    measures={
        **{name: as_shipped(name) for name in (*OF_VALUES, *OF_QUALITY, *OF_LABELS)},
        "count": MeasureSchema(Options, range=COUNTED),
        "avg": MeasureSchema(Options, takes_of=True, range=CALCULATED),
        "quantile": MeasureSchema(QuantileOptions, takes_of=True, range=CALCULATED),
        "ratio": MeasureSchema(Options, takes_condition=True, range=SHARE),
        "increase": MeasureSchema(Options, takes_of=True),
        "burn_rate": MeasureSchema(BurnOptions, takes_condition=True),
        "error_budget": MeasureSchema(BurnOptions, takes_condition=True),
        "sequence": MeasureSchema(SequenceOptions, conditions=("first", "then")),
        "spend_rate": MeasureSchema(SpendOptions, takes_of=True),
        "drift": MeasureSchema(DriftOptions, takes_of=True, reference=_reference),
        "against": MeasureSchema(AgainstOptions, takes_of=True, lookbacks=_lookbacks),
    },
    actions={
        "route.get": ActionSchema(ServiceOptions, {"weights": "percent by target"}),
        "route.set": ActionSchema(RouteOptions, {"weights": "percent by target"}, mutates=True),
        "verify.rule": ActionSchema(VerifyOptions, {"verdict": "recovered, not recovered or cannot tell"}),
        "approval": ActionSchema(ApprovalOptions, {"approved": "whether", "by": "who"}),
        "http.get": ActionSchema(GetOptions, {"json": "the answer"}),
    },
    channels=frozenset({"console", "email", "pagerduty", "slack", "webhook"}),
    addresses=FORMS,
    formats={"native": FormatSchema(bodies=True), "cloudevents": FormatSchema(bodies=True), "otlp": FormatSchema()},
    against_host=lambda host: None if host.endswith(".example") else f"{host} is not on the allow-list",
    fields={"metric": {"name": "text", "value": "number"}, "prediction": {"confidence": "number"}},
)

CATALOG = """\
people:
  ann: {name: Ann, contacts: {slack: U0ANN}}
  ben: {name: Ben, contacts: {slack: U0BEN, console: ben}}
teams:
  web: {name: Web, policy: web, members: [ann, ben], channels: {slack: C0WEB}}
services:
  checkout:
    owner: web
    tier: 3
    primary: primary
    fallback: static
    targets: {primary: {capacity: 100}, static: {}}
  search: {owner: web, depends_on: [checkout], aliases: [find]}
"""
ONCALL = """\
schedules:
  web:
    time_zone: Europe/Berlin
    layers:
      - {name: weekly, people: [ann, ben], starts: 2026-01-05, at: "09:00", every: 7d}
policies:
  web:
    levels:
      - {targets: ["schedule:web"], wait: 5m}
      - {targets: ["team:web", "person:ann"], wait: 10m}
"""
RULES = """\
rules:
  - name: slow
    on: metric
    where: {name: latency_ms, service: checkout}
    by: [service, region]
    window: 1m
    measures:
      p99: {agg: quantile, q: 0.99}
      n: {agg: count}
    severity:
      outage: {when: "p99 > 2000 && n >= 50", for: 30s}
      degraded: {when: "p99 > 800 && n >= 50", until: "p99 < 600"}
    summary: "p99 of {{ service }} in {{ region }} is {{ measures.p99 | round }} ms"
    runbooks: [reroute]
"""
RUNBOOK = """\
name: reroute
owner: web
inputs:
  service: {type: string}
  target: {type: string, default: "{{ catalog.services[inputs.service].fallback }}"}
start: {when: "severity in ['outage', 'safety']", mode: auto}
guards:
  lock: "service:{{ inputs.service }}"
  budget: {runs: 3, per: 1h}
  stop_if: "fallbacks_active > 5"
steps:
  - id: before
    uses: route.get
    with: {service: "{{ inputs.service }}"}
  - id: move
    uses: route.set
    with: {service: "{{ inputs.service }}", to: {"{{ inputs.target }}": 100}}
    undo: {uses: route.set, with: {service: "{{ inputs.service }}", to: "{{ steps.before.weights }}"}}
  - id: verify
    uses: verify.rule
    with: {rule: slow, entity: {service: "{{ inputs.service }}"}, within: 5m}
    if: steps.move.outcome == 'done'
    on_failure: undo
"""
FILES = {
    "rules/catalog.yaml": CATALOG,
    "rules/oncall.yaml": ONCALL,
    "rules/checkout.yaml": RULES,
    "runbooks/reroute.yaml": RUNBOOK,
}


def write(directory: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def load_files(directory: Path, changed: Mapping[str, str | bytes], without: frozenset[str] = frozenset()) -> Loaded:
    """Load the sound world with some files changed, added or left out."""
    (directory / "rules").mkdir(exist_ok=True)
    (directory / "runbooks").mkdir(exist_ok=True)
    write(directory, {name: text for name, text in {**FILES, **changed}.items() if name not in without})
    return load(directory / "rules", directory / "runbooks", PLUGINS, today=TODAY, ahead=AHEAD)


def told(directory: Path, loaded: Loaded) -> str:
    """The problems as `fireline check` would tell them in that directory."""
    return "\n".join(str(problem) for problem in loaded.problems).replace(f"{directory.as_posix()}/", "")
