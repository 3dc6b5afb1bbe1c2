"""Labels that come after a restart meet the predictions that came before it, and what they say is judged and paged."""

from pathlib import Path
from time import time

import orjson
import pytest

from tests.e2e.outside import Outside, eventually, only_rules

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

COUNT = 40
RULES = """\
rules:
  - name: right_answers
    owner: platform
    on: prediction
    where: {model: labelled}
    by: [service, model]
    window: 10m
    measures:
      accuracy: {agg: agreement, min_pairs: 40}
      recall: {agg: agreement, score: recall, positive: deny, min_pairs: 40}
      off: {agg: calibration, score: brier, min_pairs: 40}
    severity:
      outage: {when: "accuracy < 0.50 && recall < 0.40 && off > 0.4", for: 0s}
    summary: "{{ model }} was right about {{ measures.accuracy | percent }}"
    tests:
      - name: too few labels say nothing
        series:
          - {fields: {service: s, model: labelled, request_id: "r{n}", prediction: deny, confidence: 0.9}, count: 1x2}
        expect:
          - {at: 1s, state: unknown, entity: {service: s, model: labelled}}
"""


def tell(fireline: Outside, topic: str, **said: object) -> None:
    body = {"ts": time(), "service": "fraud-scoring", "model": "labelled", "version": "3", **said}
    fireline.produce(topic, "fraud-scoring", orjson.dumps(body))


def held(fireline: Outside) -> bool:
    """Whether a checkpoint has the rule's windows."""
    with fireline.store.reading() as tx:
        return any(
            "right_answers" in key for one in tx.checkpoints_with("fireline.partials", "") for key in one.windows
        )


def test_labels_meet_predictions_from_before_a_kill(tmp_path: Path, repository: Path):
    fireline = Outside(tmp_path, repository)
    only_rules(fireline, RULES)
    with fireline:
        for number in range(COUNT):
            tell(
                fireline, "fireline.predictions", type="prediction", request_id=f"r{number}", prediction="allow",
                confidence=0.9, latency_ms=20.0, error="", target="primary",
            )  # fmt: skip
        fireline.flush()
        eventually("the predictions are in a checkpoint", lambda: held(fireline), 20)
        before = fireline.kill("stream")
        eventually("another worker runs", lambda: fireline.roles().get("stream", before) != before, 30)
        for number in range(COUNT):  # three of four were to be denied
            tell(
                fireline, "fireline.feedback", type="feedback", request_id=f"r{number}",
                label="allow" if number % 4 == 0 else "deny",
            )  # fmt: skip
        fireline.flush()
        eventually("it fires", lambda: any("right_answers" in str(i.signals) for i in fireline.incidents()), 40)
        (found,) = [a.signal for i in fireline.incidents() for a in i.signals.values()]
        assert found.rule == "right_answers"
        measures = found.evidence.measures
        assert (measures["accuracy"], measures["recall"]) == (0.25, 0.0)
        assert measures["off"] == pytest.approx(0.75 * 0.81 + 0.25 * 0.01)
        eventually("its owner is paged", lambda: fireline.lines("PAGE to dana"), 15)
