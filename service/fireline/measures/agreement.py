"""`agreement`: how well predictions agree with their later feedback labels: accuracy, precision, recall or f1.

Unit: 0 to 1. Predictions and feedback are paired by `request_id`, in whatever order, batch or partition they arrive;
both must lie in the window, so it has to be longer than labels take. With `within`, a label that is dated later than
that after its prediction is not paired. Feedback that names no service or model is offered to every entity of the
rule. A half that comes twice counts once: the earlier with `within`, else the one whose text is smaller.

`score: accuracy` is the share of pairs whose halves say the same. Of the label named by `positive`, `precision` is
the share of those predicted so that are so, `recall` the share of those that are so that were predicted so, and `f1`
their harmonic mean, 2 tp / (2 tp + fp + fn). None with fewer than `min_pairs` pairs, and where what is divided by is
zero: precision when nothing was predicted positive, recall when nothing is.

Error: none up to `sample` requests in the window. Beyond that, requests are sampled by a hash of their id, the same
for both halves and for every worker, and the signal says so; with the default of 4,096 the standard error of accuracy
is below 0.8 percentage points. Those of precision and recall rest on fewer pairs: where 1 in 100 is positive, on
about 40.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from fireline.domain.ranges import SHARE
from fireline.domain.windows import MeasureState
from fireline.measures.columns import option
from fireline.measures.pairing import Label, Pairing, PairingOptions, pairs_of, short

EXAMPLE = """
measures:
  recall: {agg: agreement, score: recall, positive: deny, within: 7d, min_pairs: 50}
"""


class Options(PairingOptions):
    """What is scored, and from how many pairs on."""

    score: Literal["accuracy", "precision", "recall", "f1"] = Field(default="accuracy", description="what is told")
    positive: Label | None = Field(
        default=None, description="the label that precision, recall and f1 are about, such as `deny`"
    )
    min_pairs: int = Field(default=1, ge=1, le=65_536, description="with fewer pairs it has no value")

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.score != "accuracy" and self.positive is None:
            raise ValueError(f"`{self.score}` needs `positive`: the label it is about; such as `positive: deny`")
        if self.score == "accuracy" and self.positive is not None:
            raise ValueError("`accuracy` has no `positive` label; name a `score`: precision, recall or f1")
        return self


class Agreement(Pairing):
    """Halves that each say a label."""

    name = "agreement"
    range = SHARE
    settings: type = Options

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The score over the pairs."""
        pairs = list(pairs_of(state, options))
        if len(pairs) < max(1.0, option(options, "min_pairs", 1)):
            return None
        positive = options.get("positive")
        if not isinstance(positive, str):
            return _share(sum(bool(predicted == label) for predicted, label in pairs), len(pairs))
        wanted = short(positive)
        counts = Counter((predicted == wanted, label == wanted) for predicted, label in pairs)
        hits, false, missed = counts[True, True], counts[True, False], counts[False, True]
        match options.get("score"):
            case "precision":
                return _share(hits, hits + false)
            case "recall":
                return _share(hits, hits + missed)
            case _:
                return _share(2 * hits, 2 * hits + false + missed)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
