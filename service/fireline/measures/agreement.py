"""`agreement`: the share of predictions whose later feedback label says the same; the accuracy seen in production.

Unit: 0 to 1. Predictions and feedback are paired by `request_id`, in whatever order, batch or partition they arrive;
both must lie in the window, so it has to be longer than labels take. Feedback that names no service or model is offered
to every entity of the rule. A half that comes twice counts once. None with no pair in the window.

Error: none up to `sample` requests in the window. Beyond that, requests are sampled by a hash of their id, the same for
both halves and for every worker; with the default of 4,096 the standard error is below 0.8 percentage points.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from pydantic import BaseModel, ConfigDict, Field

from fireline.domain.events import Kind, field_of, text_of
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import option

EXAMPLE = """
measures:
  accuracy: {agg: agreement}
"""

_SAMPLE = 4096
_LONGEST = 64
Halves = dict[str, str]


class Options(BaseModel):
    """`sample`: how many requests are kept at most."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    sample: int = Field(default=_SAMPLE, ge=16, le=65_536, description="how many requests are kept at most")


def _key(request: str) -> str:
    return blake2b(request.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else _key(text)


def _zeros(key: str) -> int:
    """How many leading zero bits a key has: it belongs to the sample of every level up to that."""
    return 64 - int(key, 16).bit_length()


def _union(left: Halves, right: Halves) -> Halves:
    """Both; of two texts for one request the smaller, so that the order does not matter."""
    small, large = sorted((left, right), key=len)
    union = dict(large)
    for key, text in small.items():
        union[key] = min(text, union.get(key, text))
    return union


def _sampled(level: int, most: int, predicted: Halves, labelled: Halves) -> MeasureState:
    """The state at the lowest level, from `level` on, that keeps at most `most` requests."""
    requests = predicted.keys() | labelled.keys()
    if len(requests) > most:
        level = max(level, sorted(map(_zeros, requests), reverse=True)[most] + 1)
    if level:
        predicted = {key: text for key, text in predicted.items() if _zeros(key) >= level}
        labelled = {key: text for key, text in labelled.items() if _zeros(key) >= level}
    return {"level": level, "most": most, "p": predicted, "f": labelled}


class Agreement:
    """Both kinds of halves by hashed request; the state is `{"level", "most", "p": {key: text}, "f": {key: text}}`."""

    name = "agreement"
    streams: tuple[Kind, ...] = (Kind.PREDICTION, Kind.FEEDBACK)
    needs = ""
    settings: type = Options

    def column(self, kind: Kind, rows: Sequence[Fields], measure: Measure) -> Sequence[object]:
        """`("p" or "f", request, text)` of events that have a request id and say something."""
        which, name = ("p", measure.of or "prediction") if kind is Kind.PREDICTION else ("f", "label")
        halves = ((text_of(row.get("request_id")), field_of(row, name)) for row in rows)
        return [(which, request, text_of(said)) if request and said is not None else None for request, said in halves]

    def fold(self, values: Sequence[object], times: Sequence[float], options: Mapping[str, object]) -> MeasureState:
        """Keep the halves of the sample."""
        halves: dict[str, Halves] = {"p": {}, "f": {}}
        for value in values:
            if isinstance(value, tuple):
                which, request, text = value
                key, short = _key(request), _short(text)
                halves[which][key] = min(short, halves[which].get(key, short))
        return _sampled(0, int(option(options, "sample", _SAMPLE)), halves["p"], halves["f"])

    def merge(self, left: MeasureState, right: MeasureState) -> MeasureState:
        """The union, sampled as both would have been together."""
        assert isinstance(left, dict)
        assert isinstance(right, dict)
        level, most = max(left["level"], right["level"]), min(left["most"], right["most"])
        return _sampled(level, most, _union(left["p"], right["p"]), _union(left["f"], right["f"]))

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The share of pairs whose halves say the same."""
        assert isinstance(state, dict)
        labelled = state["f"]
        pairs = [text == labelled[key] for key, text in state["p"].items() if key in labelled]
        return sum(pairs) / len(pairs) if pairs else None
