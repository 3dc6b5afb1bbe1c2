"""Labels, evaluations, arms and anomalies through the stream core: decoded, sent as partials, stored, and judged."""

import pytest

from fireline.domain.events import Kind
from fireline.domain.rules import Level, Measure, State
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import Ingest, SourceRef
from fireline.measures import FAMILIES
from fireline.measures.anomaly import score
from fireline.sources.native import Native
from tests.engine.streams import Check, Text, above, record, rule

T = 1_763_683_200.0
PREDICTIONS, FEEDBACK = SourceRef("fireline.predictions", 0), SourceRef("fireline.feedback", 0)


def measure(name, agg, of=None, **options):
    return Measure(name, agg, of, FAMILIES[agg].settings.model_validate(options).model_dump())


def quality(*measures, bad, names, **changes):
    fields = {
        "on": Kind.PREDICTION,
        "where": (),
        "window": 3600.0,
        "pane": 60.0,
        "measures": measures,
        "levels": (Level("degraded", Check(bad, *names)),),
        "summary": Text("worse"),
    }
    return rule(**(fields | changes))


class Worker:
    """One stream worker: it ingests and evaluates, may be replaced at any time, and stores what a checkpoint holds."""

    def __init__(self, *rules):
        self.rules, self.offsets, self.kept, self.header = rules, {}, {}, b""
        self.ingest, self.evaluation = Ingest(rules, FAMILIES, Native(), 1), Evaluation(rules, FAMILIES)

    def send(self, now, source, *bodies):
        for body in bodies:
            offset = self.offsets[source] = self.offsets.get(source, -1) + 1
            taken = self.ingest.batch(source, [record(offset, now, **body)])
            for payload in taken.partials.get(0, ()):
                self.evaluation.apply(payload, now)
        return self.evaluation.judge(now)

    def restart(self):
        """Save what changed, and begin anew from what was saved, as after a crash or on another machine."""
        changes = self.evaluation.changes()
        self.kept = {key: held for key, held in {**self.kept, **changes}.items() if held is not None}
        self.header = self.evaluation.header()
        self.evaluation = Evaluation(self.rules, FAMILIES)
        self.evaluation.restore(self.kept, self.header)
        self.ingest = Ingest(self.rules, FAMILIES, Native(), 1)
        self.offsets = {source: (offset // 4096 + 1) * 4096 - 1 for source, offset in self.offsets.items()}


def predicted(request, said, confidence=0.9, **more):
    return {
        "type": "prediction",
        "service": "a",
        "request_id": request,
        "prediction": said,
        "confidence": confidence,
    } | more


def labelled(request, label):
    return {"type": "feedback", "request_id": request, "label": label}


SCORES = quality(
    measure("recall", "agreement", score="recall", positive="deny", within="20m"),
    measure("precision", "agreement", score="precision", positive="deny", within="20m"),
    measure("brier", "calibration", score="brier", min_pairs=4),
    bad="recall < 0.5",
    names=("recall",),
)


def test_predictions_are_paired_with_labels_that_come_after_a_restart():
    worker = Worker(SCORES)
    said = {"r0": "deny", "r1": "allow", "r2": "allow", "r3": "deny", "r4": "allow"}
    assert worker.send(T, PREDICTIONS, *(predicted(request, text) for request, text in said.items())) == []
    worker.restart()
    assert worker.send(T + 600, FEEDBACK, labelled("r0", "deny"), labelled("r3", "allow")) == [], "recall is 1 so far"
    worker.restart()
    (fired,) = worker.send(T + 900, FEEDBACK, labelled("r1", "deny"), labelled("r2", "deny"))
    assert fired.severity == "degraded"
    expected = {"recall": 1 / 3, "precision": 1 / 2, "brier": (0.01 + 3 * 0.81) / 4}
    assert fired.evidence.measures == pytest.approx(expected)
    worker.restart()
    worker.send(T + 1500, FEEDBACK, labelled("r4", "allow"))
    (verdict,) = worker.evaluation.verdicts()
    assert (verdict.state, verdict.severity) == (State.FIRING, "degraded")


def test_a_label_that_is_too_late_for_its_prediction_changes_nothing_although_both_lie_in_the_window():
    worker = Worker(SCORES)
    worker.send(T, PREDICTIONS, predicted("r0", "deny"), predicted("r1", "allow"))
    worker.send(T + 60, FEEDBACK, labelled("r0", "deny"))
    worker.restart()
    assert worker.send(T + 1201, FEEDBACK, labelled("r1", "deny")) == []
    assert worker.evaluation.verdicts()[0].state is State.CLEAR


def test_a_version_that_scores_worse_is_told_with_its_suite():
    drops = quality(
        measure("worse_by", "evaluation_drop", good=0.8),
        on=Kind.EVALUATION,
        bad="worse_by > 0.03",
        names=("worse_by",),
    )
    worker, source = Worker(drops), SourceRef("fireline.events", 0)
    run = {"type": "evaluation", "service": "a", "suite": "golden", "name": "f1"}
    assert worker.send(T, source, run | {"version": 14, "score": 0.91}) == []
    assert worker.evaluation.verdicts()[0].state is State.UNKNOWN, "one version has nothing to be compared with"
    worker.restart()
    (fired,) = worker.send(T + 60, source, run | {"version": 15, "score": 0.85})
    assert fired.evidence.measures == pytest.approx({"worse_by": 0.06})
    assert fired.evidence.notes == ("worse_by is of golden f1: 0.85 in version 15, 0.91 in version 14",)
    (cleared,) = worker.send(T + 120, source, run | {"version": 14, "score": 0.91})
    assert cleared.state is State.CLEAR, "rolled back"


def test_a_canary_that_fails_more_often_than_control_fires():
    failed = Check("error != ''", "error")
    options = FAMILIES["arms"].settings.model_validate({"arm": "version", "treatment": "15"}).model_dump()
    chance = Measure("chance", "arms", options={**options, "tell": "p_value"}, condition=failed)
    more = Measure("more", "arms", options=options, condition=failed)
    worker = Worker(quality(more, chance, bad="chance < 0.001 and more > 0.02", names=("chance", "more")))
    events = [predicted(f"r{i}", "deny", version="14", error="" if i % 50 else "timeout") for i in range(400)]
    assert worker.send(T, PREDICTIONS, *events) == []
    canary = [predicted(f"c{i}", "deny", version="15", error="" if i % 5 else "timeout") for i in range(60)]
    (fired,) = worker.send(T + 30, PREDICTIONS, *canary)
    assert fired.evidence.measures["more"] == pytest.approx(0.2 - 0.02)
    assert fired.evidence.measures["chance"] < 1e-6
    assert "chance compares 0.2 (of 60 events) with 0.02 (of 400 events) in control" in fired.evidence.notes


def test_an_unusual_hour_is_told_by_the_same_hour_of_the_days_before_across_restarts():
    by_day = quality(
        measure("unusual", "anomaly", "value", stat="sum", period="1d", periods=4),
        Measure("n", "count"),
        on=Kind.METRIC,
        window=3600.0,
        pane=600.0,
        bad="unusual > 6",
        names=("unusual",),
        levels=(Level("degraded", above("unusual", 6.0)),),
    )
    worker, source = Worker(by_day), SourceRef("fireline.metrics", 0)
    hours = [[100.0 * (1 + hour % 24) + day for hour in range(24)] for day in range(5)]
    fired = []
    for hour in range(24 * 4 + 13):
        day, of_day = divmod(hour, 24)
        value = 5.0 * hours[day][of_day] if (day, of_day) == (4, 12) else hours[day][of_day]
        fired += worker.send(
            T + 3600 * hour + 600, source, {"type": "metric", "name": "eur", "service": "a", "value": value}
        )
        if of_day == 7:
            worker.restart()
    (signal,) = fired
    assert signal.at == T + 3600 * (24 * 4 + 12) + 600
    earlier = [hours[day][12] for day in range(4)]
    assert signal.evidence.measures["unusual"] == pytest.approx(score(5 * hours[4][12], earlier))
