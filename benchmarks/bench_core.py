"""How fast is the stream core on one core: decode, match, fold and write partials; then apply and judge them.

python benchmarks/bench_core.py [--quick] [--json] [--events N]
"""

import argparse
import gc
import time

import orjson

from fireline.domain.events import Kind
from fireline.domain.rules import Level, Match, Matcher, Measure, Rule
from fireline.engine.evaluate import Evaluation
from fireline.engine.ingest import Ingest, Record, SourceRef
from fireline.measures import FAMILIES
from fireline.sources.native import Native
from harness import Figure, report

START = 1_763_683_200.0


class Above:
    """A condition without CEL, so that the figures are the core's own."""

    def __init__(self, name, bound):
        self.source, self.variables, self.bound = f"{name} > {bound}", frozenset({name}), bound
        (self.name,) = self.variables

    def holds(self, values):
        """Whether the value is above the bound."""
        return values[self.name] > self.bound


class Text:
    """A template that gives the service, or its own text."""

    def __init__(self, text):
        self.source = text

    def render(self, values):
        """The service when the text is `service`."""
        return values["service"] if self.source == "service" else self.source


def rule(number):
    """Rule `number` of 75: one metric name each, a quantile and a count by service and region."""
    where = (
        Matcher("name", Match.ANY_OF, (f"metric_{number}",)),
        Matcher("env", Match.ANY_OF, ("prod",)),
        Matcher("region", Match.REGEX, ("eu.*|us.*",)),
    )
    measures = (Measure("p99", "quantile", "value", {"q": 0.99}), Measure("n", "count"))
    levels = (Level("outage", Above("p99", 1e6), for_=30.0), Level("degraded", Above("p99", 1e5)))
    by = ("service", "region")
    return Rule(
        f"rule_{number}", Kind.METRIC, where, by, 60.0, 10.0, measures, levels, Text("service"), Text("slow"), hash="h"
    )


def records(events, entities, names=75):
    """So many metric events of so many services and metric names, 100,000 a second of event time."""
    return [
        Record(
            i,
            START + i / 100_000,
            None,
            orjson.dumps(
                {
                    "type": "metric",
                    "name": f"metric_{(i // entities) % names}",
                    "value": 100.0 + (i * 7919) % 1000,
                    "ts": START + i / 100_000,
                    "labels": {"service": f"s{i % entities}", "region": "eu-1", "env": "prod", "pod": f"p{i % 7}"},
                }
            ),
        )
        for i in range(events)
    ]


def ingest_rate(data, size, rules):
    """Events a second, the payloads with their partitions, and the seconds spent."""
    ingest = Ingest(rules, FAMILIES, Native(), 4)
    source = SourceRef("fireline.metrics", 0)
    payloads = []
    begun = time.process_time()
    for at in range(0, len(data), size):
        for partition, sent in ingest.batch(source, data[at : at + size]).partials.items():
            payloads += [(partition, payload) for payload in sent]
    spent = time.process_time() - begun
    return len(data) / spent, payloads, spent


def evaluate_time(payloads, rules):
    """Seconds to apply and judge all payloads, and for the slowest."""
    evaluations = [Evaluation(rules, FAMILIES) for _ in range(4)]  # one a partition, as in a worker
    slowest, begun = 0.0, time.process_time()
    for partition, payload in payloads:
        one = time.process_time()
        evaluations[partition].apply(payload, START + 2)
        evaluations[partition].judge(START + 2)
        slowest = max(slowest, time.process_time() - one)
    return time.process_time() - begun, slowest


def main():
    """Run the cases and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer events and cases")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--events", type=int, default=0, help="how many events a case has")
    args = parser.parse_args()
    rules = [rule(number) for number in range(75)]
    found = []
    for names, entities in ((2, 20),) if args.quick else ((2, 20), (75, 20), (2, 1000)):
        data = records(args.events or (40_000 if args.quick else 200_000), entities, names)
        gc.collect()
        gc.freeze()  # the records are the benchmark's, not the core's
        for size in (1_000, 20_000):
            rate, payloads, spent = max(ingest_rate(data, size, rules) for _ in range(1 if args.quick else 3))
            evaluated, slowest = evaluate_time(payloads, rules)
            case = f"{names} metrics, {entities:,} services, batches of {size:,}"
            whole = len(data) / (spent + evaluated)
            found += [
                Figure(f"ingest and evaluate, {case}", whole, "events/s", "ingest alone", rate),
                Figure(f"slowest apply and judge, {case}", slowest * 1000, "ms"),
            ]
    report("The stream core on one core, 75 rules", found, in_json=args.json)


if __name__ == "__main__":
    main()
