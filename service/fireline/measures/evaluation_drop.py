"""`evaluation_drop`: by how much the newest version scores worse than a version before it, in golden sets, red teams,
bias suites.

Reads `evaluation` events, whatever its rule is on. Unit: the score's; above 0 is worse, below 0 is better. A
version's score in one `suite` and under one `name` is the mean of all its scores in the window, so runs may be
repeated, and single answers may be scored one by one. The newest version is the one that was scored last; with
`newest_by: version` the one with the highest version, its numbers compared as numbers (`v9` is before `v10`), for
jobs that score old versions too.

It is compared with the `best` version before it, or with the `last` one; with `good`, only with versions that score
at least that well. `better: lower` is for scores that should be small, such as the gap of a bias suite. Of several
suites and names it tells the largest drop, and the signal says which that is. None when no suite has a newest version
with at least `min_scores` scores and another version to compare it with: the window has to reach back to the last
release.

Error: that of one rounded mean. Up to 256 versions by suite and name are told apart; with more in the window, or with
an earlier checkpoint of more, it has no value.
"""

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from fireline.domain.events import Kind, text_of
from fireline.domain.ranges import CALCULATED
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import numbers, option
from fireline.measures.exact import expand, total
from fireline.measures.pairing import short

EXAMPLE = """
measures:
  worse_by: {agg: evaluation_drop, good: 0.85}
"""

_MOST = 256
_BETWEEN = "\x1f"

Scores = dict[str, list[Any]]
"""Suite, name and version -> `[time of the newest score, how many, *expansion of their sum]`."""


class Options(BaseModel):
    """What is compared with what."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    against: Literal["best", "last"] = Field(
        default="best", description="the version before it with the best score, or the one just before it"
    )
    newest_by: Literal["time", "version"] = Field(default="time", description="which version is the newest")
    better: Literal["higher", "lower"] = Field(default="higher", description="which scores are better")
    good: float | None = Field(
        default=None, allow_inf_nan=False, description="only versions that score so well are compared with"
    )
    min_scores: int = Field(default=1, ge=1, description="how many scores the newest version must have")


class _Version(NamedTuple):
    """One version in one suite under one name."""

    version: str
    at: float
    scores: int
    score: float


class _Drop(NamedTuple):
    """The value, and what it was told from."""

    value: float
    suite: str
    newest: _Version
    before: _Version


def _hash(key: str) -> bytes:
    return blake2b(key.encode(errors="surrogatepass"), digest_size=8).digest()


def _state(scores: Scores, more: bool) -> MeasureState:
    """At most so many, chosen by a hash so that the order does not matter, and whether there were more."""
    if len(scores) > _MOST:
        kept = sorted(scores, key=lambda key: (_hash(key), key))[:_MOST]
        return {"more": True, "v": {key: scores[key] for key in kept}}
    return {"more": more, "v": scores}


def _added(left: list[Any], right: list[Any]) -> list[Any]:
    return [max(left[0], right[0]), left[1] + right[1], *expand([*left[2:], *right[2:]])]


class EvaluationDrop:
    """Exact means by suite, name and version; the state is `{"more": bool, "v": {"suite name version": scores}}`."""

    name = "evaluation_drop"
    range = CALCULATED
    streams: tuple[Kind, ...] = (Kind.EVALUATION,)
    needs = ""
    settings: type = Options

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """`(suite, name and version, score)` of every evaluation that names its version."""
        return [_given(row) for row in rows]

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Collect the scores of each version, and add them up."""
        found: dict[str, tuple[float, list[float]]] = {}
        for value, at in zip(values, times, strict=True):
            if isinstance(value, tuple):
                key, score = value
                newest, scores = found.get(key, (at, []))
                found[key] = (max(newest, at), [*scores, score])
        return _state({key: [at, len(scores), *expand(scores)] for key, (at, scores) in found.items()}, more=False)

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """Add the scores of each version."""
        assert isinstance(left, dict)
        assert isinstance(right, dict)
        both: Scores = dict(left["v"])
        for key, scores in right["v"].items():
            both[key] = _added(both[key], scores) if key in both else scores
        return _state(both, left["more"] or right["more"])

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The largest drop of all suites and names."""
        found = _worst(state, options)
        return None if found is None else found.value

    def caveat(self, state: MeasureState, window: float, options: Mapping[str, object]) -> str | None:
        """Which suite it is of, and which versions."""
        found = _worst(state, options)
        if found is None:
            return None
        new, old = found.newest, found.before
        then = f"{old.score:.4g} in version {old.version}"
        return f"is of {found.suite}: {new.score:.4g} in version {new.version}, {then}"


def _given(row: Fields) -> tuple[str, float] | None:
    score = numbers([row.get("score")])
    parts = [short(text_of(row.get(name)).replace(_BETWEEN, " ")) for name in ("suite", "name", "version")]
    return (_BETWEEN.join(parts), score[0]) if score and parts[-1] else None


def _worst(state: MeasureState, options: Mapping[str, object]) -> _Drop | None:
    assert isinstance(state, dict)
    if state["more"]:
        return None
    suites: dict[str, list[_Version]] = {}
    for key, (at, count, *parts) in state["v"].items():
        suite, name, version = key.split(_BETWEEN)
        suites.setdefault(" ".join(filter(None, (suite, name))), []).append(
            _Version(version, at, count, total(parts) / count)
        )
    drops = (_drop(suite, versions, options) for suite, versions in sorted(suites.items()))
    return max((drop for drop in drops if drop is not None), key=lambda drop: drop.value, default=None)


def _drop(suite: str, versions: list[_Version], options: Mapping[str, object]) -> _Drop | None:
    by_time = options.get("newest_by") != "version"
    *before, newest = sorted(versions, key=lambda v: (v.at if by_time else 0.0, _natural(v.version)))
    sign = -1.0 if options.get("better") == "lower" else 1.0
    good = options.get("good")
    fit = [v for v in before if not isinstance(good, int | float) or sign * v.score >= sign * good]
    if not fit or newest.scores < option(options, "min_scores", 1):
        return None
    chosen = fit[-1] if options.get("against") == "last" else max(fit, key=lambda v: sign * v.score)
    return _Drop(sign * (chosen.score - newest.score), suite, newest, chosen)


def _natural(version: str) -> tuple[list[tuple[int, int, str]], str]:
    """A key that sorts `v9` before `v10`."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+", version)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts], version
