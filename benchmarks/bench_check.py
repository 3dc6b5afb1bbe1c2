"""How long `fireline check` takes for a thousand rules, beside the two seconds that are planned.

python benchmarks/bench_check.py [--quick] [--json]

Time is that of the processor. Every rule has conditions and thresholds of its own, two levels with `until`, a condition
over events, and a summary; a file holds fifty. What is kept between two readings is forgotten before each.
"""

import argparse
import gc
import shutil
import tempfile
import time
from datetime import date
from pathlib import Path

from fireline.apps.bootstrap import plugins
from fireline.spec import kinds, templates, trees
from fireline.spec.loading import load
from harness import Figure, report

ROOT = Path(__file__).parent.parent
PLANNED = 2.0
TODAY = date(2026, 11, 21)
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


def seconds(home):
    """The processor's time of one reading from cold."""
    for kept in (templates._compiled, templates._place, trees.tree_of, kinds._faults):
        kept.cache_clear()
    gc.collect()
    gc.disable()  # as the command does
    begun = time.process_time()
    loaded = load(home / "rules", home / "runbooks", plugins(), today=TODAY)
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
    planned = PLANNED * rules / 1_000
    report("fireline check", [Figure(f"{rules:,} rules", best, "s", "planned", planned)], in_json=args.json)


if __name__ == "__main__":
    main()
