"""How soon measures of a model's quality tell that it decays, and how often they cry wolf before: the Elec2 recording.

The decay is known from the labels alone, in hindsight: it begins where the last four weeks end in which the model was
as good as in its training. What fires before that day is a false page.
"""

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from fireline.apps.replay_files import Recorded, read_recording
from fireline.domain.events import Kind
from fireline.domain.rules import Level, Match, Matcher, Measure, Rule, State
from fireline.engine.playback import play
from fireline.measures import FAMILIES
from fireline.sources import FORMATS
from fireline.spec.conditions import compile_condition
from fireline.spec.templates import compile_template

DAY = 86_400.0
SPAN = 28 * DAY
GOOD = 0.8
"""The share of right predictions in the training tenth, rounded down."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A measure over so many days, and the conditions that are tried; `of_baseline`: against the first four weeks."""

    said: str
    labels: bool
    agg: str
    days: float
    when: Sequence[str]
    of: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    condition: str | None = None
    of_baseline: bool = False


TRIED = (
    Tried("accuracy, a week", True, "agreement", 7, ("m < 0.70", "m < 0.65", "m < 0.60")),
    Tried("accuracy, four weeks", True, "agreement", 28, ("m < 0.75", "m < 0.72", "m < 0.70")),
    Tried(
        "recall of `up`, four weeks",
        True,
        "agreement",
        28,
        ("m < 0.50", "m < 0.40"),
        options={"score": "recall", "positive": "up"},
    ),
    Tried("calibration error, four weeks", True, "calibration", 28, ("m > 0.10", "m > 0.15")),
    Tried("Brier score, four weeks", True, "calibration", 28, ("m > 0.20", "m > 0.25"), options={"score": "brier"}),
    Tried("share of unsure, a week", False, "ratio", 7, ("m < 0.05", "m < 0.01"), condition="confidence < 0.6"),
    Tried("mean confidence, a week", False, "avg", 7, ("m > 0.85", "m > 0.95"), of="confidence"),
    Tried("share of `up`, four weeks", False, "balance", 28, ("m < 0.20", "m < 0.10"), "prediction", {"class": "up"}),
    Tried(
        "drift of confidence (PSI), four weeks", False, "psi", 28, ("m > 0.25", "m > 1"), "confidence", of_baseline=True
    ),
    Tried(
        "drift of the price (PSI), four weeks",
        False,
        "psi",
        28,
        ("m > 0.25", "m > 1"),
        "features.nswprice",
        of_baseline=True,
    ),
    Tried(
        "anomaly of mean confidence, a week beside the 12 before",
        False,
        "anomaly",
        7,
        ("m > 5 || m < -5", "m > 8 || m < -8"),
        "confidence",
        {"periods": 12},
    ),
)


def decay_rows(data: Path) -> list[dict[str, object]]:
    """A row a measure and threshold: false pages, days from the decay to the first page, and what comes after."""
    records = [r for r in read_recording(data / "elec2" / "events.ndjson.gz") if isinstance(r, Recorded)]
    events = [json.loads(r.value) for r in records]
    onset, end = onset_of(events), events[-1]["ts"]
    rules = {f"r{n}_{m}": _rule(f"r{n}_{m}", t, w, events) for n, t in enumerate(TRIED) for m, w in enumerate(t.when)}
    signals = play(rules.values(), FAMILIES, FORMATS["native"], [r.value for r in records]).signals
    rows: list[dict[str, object]] = []
    for number, tried in enumerate(TRIED):
        for place, when in enumerate(tried.when):
            own = [(s.at, s.state is State.FIRING) for s in signals if s.rule == f"r{number}_{place}"]
            labels = "yes" if tried.labels else "no"
            rows.append({"measure": tried.said, "labels": labels, "fires": when, **told(own, onset, end)})
    return rows


def told(signals: Sequence[tuple[float, bool]], onset: float, end: float) -> dict[str, object]:
    """Firings before the decay, days from it to the first firing, firings after it and percent of the time since."""
    fires = [(at, next((to for to, on in signals if to > at and not on), end)) for at, on in signals if on]
    after = [at for at, _ in fires if at >= onset]
    already = any(at < onset < to for at, to in fires)
    first = round((min(after) - onset) / DAY) if after else "never"
    since = sum(max(0.0, to - max(at, onset)) for at, to in fires)
    return {
        "false pages": sum(at < onset for at, _ in fires),
        "days to the first page": "fires already" if already else first,
        "pages after": len(after),
        "% of the time firing after": round(100 * since / (end - onset)),
    }


def onset_of(events: Sequence[Mapping[str, object]]) -> float:
    """The midnight at the end of the last four weeks in which the model was as good as in its training."""
    said = {e["request_id"]: (_at(e), e["prediction"]) for e in events if e["type"] == "prediction"}
    known = sorted((said[e["request_id"]][0], said[e["request_id"]][1] == e["label"]) for e in events if "label" in e)
    times = [at for at, _ in known]
    end = times[-1] // DAY * DAY
    while end - SPAN >= times[0]:
        right = [good for _, good in known[bisect_left(times, end - SPAN) : bisect_left(times, end)]]
        if sum(right) >= GOOD * len(right):
            return end
        end -= DAY
    raise ValueError("the model was never as good as in its training")


def _at(event: Mapping[str, object]) -> float:
    at = event["ts"]
    assert isinstance(at, int | float)
    return float(at)


def _rule(name: str, tried: Tried, when: str, events: Sequence[Mapping[str, object]]) -> Rule:
    """For a day at least; a week with 200 predictions, so that the first days say nothing."""
    family = FAMILIES[tried.agg]
    options = family.settings.model_validate({**tried.options, **({"baseline": "first"} if tried.of_baseline else {})})
    given = options.model_dump(by_alias=False)
    if tried.of_baseline:
        given |= _reference(tried, given, events)
    condition = compile_condition(tried.condition) if tried.condition else None
    return Rule(
        name=name,
        on=Kind.PREDICTION,
        where=(Matcher("model", Match.ANY_OF, ("price-direction",)),),
        by=("model",),
        window=tried.days * DAY,
        pane=DAY / 4 if tried.days <= 7 else DAY,
        measures=(Measure("m", tried.agg, tried.of, given, condition=condition),),
        levels=(Level("degraded", compile_condition(when), for_=DAY, min_samples=round(40 * tried.days)),),
        service=compile_template("{{ model }}"),
        summary=compile_template("decays"),
        hash=name,
    )


def _reference(
    tried: Tried, given: Mapping[str, object], events: Sequence[Mapping[str, object]]
) -> Mapping[str, object]:
    """The field's sketch of the first four weeks, as a baseline file gives it."""
    family = FAMILIES[tried.agg]
    until = _at(events[0]) + SPAN
    rows = [e for e in events if e["type"] == "prediction" and _at(e) < until]
    measure = Measure("m", tried.agg, tried.of, given)
    state = family.fold(family.column(Kind.PREDICTION, rows, measure), [0.0] * len(rows), given)
    found: Mapping[str, object] = family.reference("numeric", state, given)  # type: ignore[attr-defined]  # of drift
    return found


def said_of(onset: float) -> str:
    """The day of the decay for people."""
    return datetime.fromtimestamp(onset, UTC).strftime("%-d %B %Y")
