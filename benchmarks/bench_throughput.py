"""Events a second through Kafka: the stream worker, the same rules in a plain Faust agent, and a bare consumer.

75 rules, of which each event matches one or two; one process each, the same topic on the same broker. The worker is
the real one: ingest, partials over Kafka and back, evaluate, checkpoints to SQLite. The agent does less for an event
than the worker (counts, sums and maxima, no sketch) and checks its conditions on every event, as an agent does that is
handed one event at a time. The bare consumer reads and decodes JSON: what no Python consumer of these events exceeds
without batching its decoder, so its ratio is how far below that limit the worker is.

python benchmarks/bench_throughput.py [--quick] [--json] [--broker apache|embedded] [--events N]
"""

from harness import Figure, report
from stream_runs import EMBEDDED_KEEPS, beside, broker, options_of, run_sides
from stream_world import World

WORLD = World(rules=75, names=50, sent=50, services=10)
BUDGET, TIMES = 150_000.0, 8.0
"""Events a second, and how many times the Faust agent's."""


def measured(kind: str, events: int, agent_events: int) -> list[Figure]:
    """All figures, as the rows of the table."""
    with broker(kind) as on:
        held = on.fill(WORLD, events)
        (ours,) = run_sides(on, "worker", WORLD, held)
        (agent,) = run_sides(on, "agent", WORLD, min(held, agent_events))
        (bare,) = run_sides(on, "bare", WORLD, held)
    name = "stream worker, 75 rules"
    return [
        Figure(name, ours.rate, "events/s", "planned", BUDGET),
        *beside(name, ours, f"Faust agent, one event at a time (planned: {TIMES:.0f}x)", agent),
        *beside(name, ours, "bare getmany and JSON, no rules", bare),
        Figure("its memory, at most", ours.peak, "MB"),
    ]


def main() -> None:
    """See the module's docstring."""
    given = options_of(__doc__).parse_args()
    events = given.events or (300_000 if given.quick else 2_000_000)
    events = min(events, EMBEDDED_KEEPS) if given.broker == "embedded" else events
    found = measured(given.broker, events, 40_000 if given.quick else 150_000)
    on = "Apache Kafka" if given.broker == "apache" else "the embedded broker"
    report(f"Throughput, {events:,} events, one worker process, {on}", found, in_json=given.json)


if __name__ == "__main__":
    main()
