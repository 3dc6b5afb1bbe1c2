"""How long `fireline check` takes for a thousand rules, and for two hundred schedules, beside what is planned.

python benchmarks/bench_check.py [--quick] [--json]

Time is that of the processor. Every rule has conditions and thresholds of its own, two levels with `until`, a condition
over events, and a summary; a file holds fifty. Every schedule has two layers, one of them with hours, and belongs to a
team with a service; that somebody is reached in the next 90 days is proven for each. What is kept between two readings
is forgotten before each.
"""

import argparse
import gc
import shutil
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

from fireline.apps.bootstrap import plugins
from fireline.domain import rota_layers, rota_times
from fireline.spec import kinds, templates, trees
from fireline.spec.loading import Ahead, load
from harness import Figure, report

ROOT = Path(__file__).parent.parent
PLANNED = 2.0
PLANNED_SCHEDULES = 1.0
TODAY = date(2026, 11, 21)
AHEAD = Ahead(datetime(2026, 11, 21, tzinfo=UTC).timestamp())
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo")
SCHEDULE = """\
  t{i}:
    time_zone: {zone}
    layers:
      - name: office
        people: [a{i}, b{i}]
        starts: 2026-01-05
        at: "09:00"
        every: 1d
        restrictions: [{{days: [mon, tue, wed, thu, fri], start: "09:00", end: "17:00"}}]
      - {{name: nights, people: [b{i}, a{i}], starts: 2026-01-05, at: "17:00", every: 7d}}
"""
PAGING = """\
rules:
  - name: slow
    on: metric
    where: {name: latency_ms}
    by: [service]
    window: 1m
    measures: {p99: {agg: quantile, q: 0.99}}
    severity: {outage: {when: "p99 > 2000"}}
"""
RULE = """\
  - name: rule_{i}
    on: prediction
    where: {{service: fraud-scoring, target: "t{i}", probe: "false"}}
    by: [service, region]
    window: 1m
    measures:
      p99: {{agg: quantile, q: 0.99, of: latency_ms}}
      errors: {{agg: ratio, condition: "error != '' && latency_ms > {i}"}}
      n: {{agg: count}}
    severity:
      outage: {{when: "(p99 > {a} || errors > 0.20) && n >= 20", for: 30s, until: "p99 < {b} && errors < 0.05"}}
      degraded: {{when: "p99 > {b} && n >= 20", for: 1m, until: "p99 < {c}"}}
    summary: "{i}: p99 of {{{{ service }}}} in {{{{ region }}}} is {{{{ measures.p99 | round }}}} ms"
    runbooks: [route-to-fallback]
"""


def written(home, rules):
    """The files that ship, and so many rules beside them."""
    for name in ("rules", "runbooks"):
        shutil.copytree(ROOT / name, home / name)
    for first in range(0, rules, 50):
        texts = (RULE.format(i=i, a=2000 + i, b=800 + i, c=700 + i) for i in range(first, min(rules, first + 50)))
        (home / "rules" / f"many_{first}.yaml").write_text("rules:\n" + "".join(texts))


def on_call(home, schedules):
    """So many teams, each with a service, a schedule and a policy that asks nothing else, and a rule over them all."""
    for name in ("rules", "runbooks"):
        (home / name).mkdir(parents=True)
    numbers = range(schedules)
    person = "  {p}{i}: {{name: P, contacts: {{slack: U{i}, email: {p}{i}@x.example}}}}\n"
    people = "people:\n" + "".join(person.format(p=p, i=i) for i in numbers for p in "ab")
    teams = "teams:\n" + "".join(f"  t{i}: {{name: T, policy: t{i}, members: [a{i}]}}\n" for i in numbers)
    services = "services:\n" + "".join(f"  s{i}: {{owner: t{i}}}\n" for i in numbers)
    (home / "rules" / "catalog.yaml").write_text(people + teams + services)
    found = "schedules:\n" + "".join(SCHEDULE.format(i=i, zone=ZONES[i % 3]) for i in numbers)
    level = "  t{i}:\n    levels:\n      - {{targets: ['schedule:t{i}'], wait: 5m}}\n"
    policies = "policies:\n" + "".join(level.format(i=i) for i in numbers)
    (home / "rules" / "oncall.yaml").write_text(found + policies)
    (home / "rules" / "slow.yaml").write_text(PAGING)


def seconds(home):
    """The processor's time of one reading from cold."""
    dates = (rota_times.instant_of, rota_layers._hours_near)
    for kept in (templates._compiled, templates._place, trees.tree_of, kinds._faults, *dates):
        kept.cache_clear()
    gc.collect()
    gc.disable()  # as the command does
    begun = time.process_time()
    loaded = load(home / "rules", home / "runbooks", plugins(), today=TODAY, ahead=AHEAD)
    took = time.process_time() - begun
    gc.enable()
    assert loaded.problems == (), loaded.problems[:3]
    return took


def main():
    """Run the cases and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rules")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    args = parser.parse_args()
    rules = 100 if args.quick else 1_000
    with tempfile.TemporaryDirectory() as folder:
        written(Path(folder), rules)
        best = min(seconds(Path(folder)) for _ in range(3))
        schedules = rules // 5
        on_call(Path(folder) / "oncall", schedules)
        proven = min(seconds(Path(folder) / "oncall") for _ in range(3))
    figures = [
        Figure(f"{rules:,} rules", best, "s", "planned", PLANNED * rules / 1_000),
        Figure(f"{schedules} schedules", proven, "s", "planned", PLANNED_SCHEDULES * schedules / 200),
    ]
    report("fireline check", figures, in_json=args.json)


if __name__ == "__main__":
    main()
