"""Baseline files: what `fireline baseline build` writes and rules name; the same events always give the same bytes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import orjson

from fireline.apps.baseline_sketches import NUMERIC, Selection, Sketch
from fireline.apps.faults import Refused
from fireline.domain.events import Kind
from fireline.measures import category_counts, log_buckets
from fireline.measures.distributions import Distribution, Numbers, distribution
from fireline.spec.baselines import FOLDER, MAX_BYTES, VERSION, BaselineForm, Baselines, Unusable


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a baseline: `events` is how many there were, `count` how many of them had it."""

    kind: str
    events: int
    count: int
    state: object
    origin: float = 0.0

    @property
    def values(self) -> Distribution:
        """What it held."""
        found = distribution(self.state)
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline; `first` and `last` are the event times of its oldest and newest event."""

    name: str
    selection: Selection
    first: float
    last: float
    sources: Sequence[Mapping[str, str | None]]
    bad_lines: int
    built: str
    fields: Mapping[str, Field]


def field_from(sketch: Sketch) -> Field:
    """A sketch as it is kept."""
    return Field(sketch.decided, sketch.events, sketch.count, sketch.state, sketch.origin)


def written(baseline: Baseline) -> str:
    """The text of its file; raises Refused when it would be too large to be read."""
    head: dict[str, object] = {
        "fireline_baseline": VERSION,
        "name": baseline.name,
        "built": baseline.built,
        "on": baseline.selection.on.value,
        "where": {label: sorted(texts) for label, texts in sorted(baseline.selection.where.items())},
        "period": {"from": _instant(baseline.first), "to": _instant(baseline.last)},
        "sources": list(baseline.sources),
        "bad_lines": baseline.bad_lines,
    }
    lines = [f"  {json.dumps(key)}: {_line(value)}" for key, value in head.items()]
    fields = [f"    {json.dumps(name)}: {_line(_content(each))}" for name, each in sorted(baseline.fields.items())]
    text = ",\n".join([*lines, '  "fields": {\n' + ",\n".join(fields) + "\n  }"])
    whole = "{\n" + text + "\n}\n"
    if len(whole) > MAX_BYTES:
        raise Refused(f"the baseline would have {len(whole)} bytes, and {MAX_BYTES} are read; build it of fewer fields")
    return whole


def _content(each: Field) -> dict[str, object]:
    found = {"kind": each.kind, "count": each.count, "missing": each.events - each.count}
    values = each.values
    if isinstance(values, Numbers):
        ends = {"min": values.low + each.origin, "max": values.high + each.origin}
        return {**found, **ends, "origin": each.origin, "state": each.state}
    return {**found, "state": {"level": values.state["level"], "counts": dict(sorted(values.state["counts"].items()))}}


def _line(value: object) -> str:
    return orjson.dumps(value).decode()


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(rules: Path, name: str) -> Baseline:
    """The baseline of that name below the directory of rules; raises Refused saying why there is none."""
    baselines = Baselines(rules / FOLDER)
    form = baselines.get(name)
    if isinstance(form, Unusable):
        raise Refused(f"{form.message}\n{form.hint}")
    body = orjson.loads(baselines.texts[f"{FOLDER}/{name}.json"])
    try:
        return _read(name, form, body)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise Refused(f"the baseline {name} is not what `fireline baseline build` writes: {fault!r}") from fault


def _read(name: str, form: BaselineForm, body: Mapping[str, object]) -> Baseline:
    period = cast("Mapping[str, str]", body["period"])
    where = cast("Mapping[str, Sequence[str]]", body["where"])
    fields = {
        key: Field(each.kind, each.count + each.missing, each.count, _known(key, each.kind, each.state), each.origin)
        for key, each in form.fields.items()
    }
    return Baseline(
        name,
        Selection(Kind(form.on), {label: list(texts) for label, texts in where.items()}),
        datetime.fromisoformat(period["from"]).timestamp(),
        datetime.fromisoformat(period["to"]).timestamp(),
        cast("Sequence[Mapping[str, str | None]]", body["sources"]),
        cast("int", body["bad_lines"]),
        str(body["built"]),
        fields,
    )


def _known(name: str, kind: str, state: object) -> object:
    if not (log_buckets if kind == NUMERIC else category_counts).is_state(state):
        raise ValueError(f"its field {name} is not {kind}")
    return state


def digest(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
