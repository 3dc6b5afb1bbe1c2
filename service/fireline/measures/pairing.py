"""Pairing: predictions with their later feedback labels by request id, as states that merge in any order.

Halves come in whatever order, batch or partition. Beyond `sample` requests they are sampled by a hash of the request,
the same for both halves and on every worker, so that a state is bounded and the sample does not depend on the order.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from fireline.domain.events import Kind, field_of, text_of
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import option
from fireline.measures.durations import PositiveDuration

SAMPLE = 4096
_LONGEST = 64

Halves = dict[str, Any]
"""What each request said, by its hashed id: `said`, or `[event time, said]` where the time between halves matters."""


def _label(value: object) -> str:
    if text := text_of(value):
        return text
    raise ValueError("a label was expected, such as `deny`")


Label = Annotated[
    str, BeforeValidator(_label), WithJsonSchema({"type": ["string", "number", "boolean"], "examples": ["deny"]})
]
"""A label as it is compared: `1` and `true` stand for the texts they look like."""


class PairingOptions(BaseModel):
    """What every measure of pairs may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    within: PositiveDuration | None = Field(
        default=None, description="a label that comes later than this after its prediction is not paired"
    )
    sample: int = Field(default=SAMPLE, ge=16, le=65_536, description="how many requests are kept at most")


def _key(request: str) -> str:
    return blake2b(request.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def short(text: str) -> str:
    """A label as it is kept: long ones, and halves of characters that JSON cannot write, by their hash."""
    if len(text) <= _LONGEST and (text.isascii() or text.encode(errors="replace").decode() == text):
        return text
    return _key(text)


def _limit(level: int) -> str:
    """The keys below this belong to the sample of a level: those that begin with so many zero bits."""
    return f"{1 << (64 - level):016x}" if level else "g"


def _union(left: Halves, right: Halves) -> Halves:
    """Both; of two that speak of one request the smaller, so that the order does not matter."""
    few, many = (left, right) if len(left) <= len(right) else (right, left)
    if not few:
        return many
    union = dict(many)
    for key, said in few.items():
        union[key] = min(said, union.get(key, said))
    return union


def _at_level(level: int, halves: Halves) -> Halves:
    limit = _limit(level)
    return {key: said for key, said in halves.items() if key < limit}


def _sampled(level: int, most: int, predicted: Halves, labelled: Halves) -> MeasureState:
    """The state at the lowest level, from `level` on, that keeps at most `most` requests; all given are of `level`."""
    if len(predicted) + len(labelled) > most:
        requests, before = predicted.keys() | labelled.keys(), level
        while len(requests) > most:
            level += 1
            limit = _limit(level)
            requests = {key for key in requests if key < limit}
        if level > before:
            predicted, labelled = _at_level(level, predicted), _at_level(level, labelled)
    return {"level": level, "most": most, "p": predicted, "f": labelled}


def text_said(row: Fields, name: str) -> str | None:
    """What an event says in a field, as a label; None of nothing."""
    said = field_of(row, name)
    return None if said is None else short(text_of(said))


class Pairing:
    """Both kinds of halves by hashed request; the state is `{"level", "most", "p": halves, "f": halves}`."""

    streams: tuple[Kind, ...] = (Kind.PREDICTION, Kind.FEEDBACK)
    needs = ""

    def _predicted(self, row: Fields, measure: Measure) -> object:
        """What a prediction says: JSON-like and ordered; None of nothing."""
        return text_said(row, measure.of or "prediction")

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """`("p" or "f", request, said)` of events that have a request id and say something."""
        predicted = kind is Kind.PREDICTION
        found: list[object] = []
        for row in rows:
            request = text_of(row.get("request_id"))
            said = self._predicted(row, measure) if predicted else text_said(row, "label")
            found.append(("p" if predicted else "f", request, said) if request and said is not None else None)
        return found

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Keep the halves of the sample."""
        halves: dict[str, Halves] = {"p": {}, "f": {}}
        timed = options.get("within") is not None
        for value, at in zip(values, times, strict=True):
            if isinstance(value, tuple):
                which, request, said = value
                key = _key(request)
                half: Any = [at, said] if timed else said
                halves[which][key] = min(half, halves[which].get(key, half))
        return _sampled(0, int(option(options, "sample", SAMPLE)), halves["p"], halves["f"])

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """The union, sampled as both would have been together."""
        assert isinstance(left, dict)
        assert isinstance(right, dict)
        level, most = max(left["level"], right["level"]), min(left["most"], right["most"])
        (p, f), (q, g) = [  # looking at every key again is what costs: only a state of a lower level needs it
            (s["p"], s["f"]) if s["level"] == level else (_at_level(level, s["p"]), _at_level(level, s["f"]))
            for s in (left, right)
        ]
        return _sampled(level, most, _union(p, q), _union(f, g))

    def caveat(self, state: MeasureState, window: float, options: Mapping[str, object]) -> str | None:
        """Whether it is estimated from a sample."""
        assert isinstance(state, dict)
        return f"is an estimate from 1 in {2 ** state['level']} of its requests" if state["level"] else None


def pairs_of(state: MeasureState, options: Mapping[str, object]) -> Iterator[tuple[Any, str]]:
    """What the prediction said and what its label says, of every pair; in no order.

    A label may be dated before its prediction, for their clocks may differ.
    """
    assert isinstance(state, dict)
    labelled, within = state["f"], options.get("within")
    for key, predicted in state["p"].items():
        label = labelled.get(key)
        if label is None:
            continue
        if not isinstance(within, int | float):
            yield predicted, label
        elif label[0] - predicted[0] <= within:
            yield predicted[1], label[1]
