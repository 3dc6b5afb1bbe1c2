"""`calibration`: how far a model's confidence is from how often it is right, by later feedback labels.

Unit: 0 to 1; 0 is perfect. Predictions and feedback are paired as by [`agreement`](#agreement). `score: ece` is the
expected calibration error (Naeini, Cooper, Hauskrecht, AAAI 2015): confidences are put into `bins` of equal width
over 0 to 1, and it is the mean, weighted by how many pairs each bin holds, of the distance between a bin's mean
confidence and the share of it that was right. `score: brier` is the Brier score (1950): the mean of (confidence -
right)^2, with right being 1 or 0; it is small only for a model that is both calibrated and sharp.

The field `confidence` says how sure the model is of what it predicts. With `positive` it is the probability of that
label instead, whatever is predicted, and `right` is whether the label is that one. Predictions whose confidence is no
number from 0 to 1 are left out. None with fewer than `min_pairs` pairs.

Error: none up to `sample` requests in the window; beyond that requests are sampled as those of `agreement` are. Bins
hold chance: of a perfectly calibrated model ece is not 0 but about 0.4 * sqrt(bins / pairs) at worst, 0.04 with 1,000
pairs in 10 bins, so compare windows of similar size. The Brier score has no such bias.
"""

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from fireline.domain.events import field_of
from fireline.domain.ranges import SHARE
from fireline.domain.rules import Measure
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import numbers, option
from fireline.measures.pairing import Label, Pairing, PairingOptions, pairs_of, short, text_said

EXAMPLE = """
measures:
  miscalibrated: {agg: calibration, score: ece, min_pairs: 500}
"""

_BINS = 10
_PAIRS = 100


class Options(PairingOptions):
    """What is scored, of which field, and from how many pairs on."""

    score: Literal["ece", "brier"] = Field(
        default="ece", description="the expected calibration error, or the Brier score"
    )
    confidence: str = Field(default="confidence", min_length=1, description="the field with the confidence, 0 to 1")
    positive: Label | None = Field(
        default=None,
        description="the label whose probability the confidence is; by itself the predicted one",
    )
    bins: int = Field(default=_BINS, ge=2, le=100, description="into how many bins `ece` puts confidences")
    min_pairs: int = Field(default=_PAIRS, ge=1, le=65_536, description="with fewer pairs it has no value")


class Calibration(Pairing):
    """Halves that say `[label, confidence]`, and labels."""

    name = "calibration"
    range = SHARE
    settings: type = Options

    def _predicted(self, row: Fields, measure: Measure) -> object:
        found = numbers([field_of(row, str(measure.options.get("confidence", "confidence")))])
        said = text_said(row, measure.of or "prediction")
        if not found or not 0 <= found[0] <= 1 or (said is None and measure.options.get("positive") is None):
            return None
        return [said or "", float(found[0]) + 0.0]

    def read(self, state: MeasureState, window: float, options: Mapping[str, object]) -> float | None:
        """The score over the pairs."""
        positive = options.get("positive")
        wanted = short(positive) if isinstance(positive, str) else None
        pairs = [
            (said[1], float(label == (said[0] if wanted is None else wanted)))
            for said, label in pairs_of(state, options)
        ]
        if len(pairs) < max(1.0, option(options, "min_pairs", _PAIRS)):
            return None
        if options.get("score") == "brier":
            return math.fsum((sure - right) ** 2 for sure, right in pairs) / len(pairs)
        return _expected_error(pairs, int(option(options, "bins", _BINS)))


def _expected_error(pairs: list[tuple[float, float]], bins: int) -> float:
    """The mean distance, weighted by pairs, between mean confidence and share right in bins of equal width."""
    gaps: dict[int, list[float]] = {}
    for sure, right in pairs:
        gaps.setdefault(min(bins - 1, int(sure * bins)), []).append(sure - right)
    return math.fsum(abs(math.fsum(gap)) for gap in gaps.values()) / len(pairs)
