"""Where the processor time of one stream worker goes, part by part, in a run through Kafka of its own.

Named functions are timed without those inside them (`stream_profile.py` has the list), so the percentages add up to
all that the process used from the first event to the last. The timers cost something themselves, most where there are
many label sets: the last rows compare the run with one without them. No profiler is involved.

python benchmarks/profile_stream.py [--quick] [--json] [--broker apache|embedded] [--events N] [--services N]
"""

import sys
from dataclasses import replace

from harness import Figure, report
from stream_profile import DECODING, FETCHING, MEASURES, SAVING, SENDING
from stream_runs import Told, broker, options_of, run_sides
from stream_world import World

WORLD = World(rules=75, names=50, sent=50, services=10)

GROUPS = {
    "the decoder, the measures and the client": (DECODING, SENDING, FETCHING, *MEASURES.values()),
    "partials and windows": (
        "encode partials",
        "decode partials",
        "apply partials to windows",
        "judge: read windows, conditions",
    ),
    "checkpoints": ("checkpoint: snapshot", SAVING),
}
"""What a faster Fireline could not do without, and what stands beside it; the rest is matching and batching."""


def shares(plain: Told, timed: Told) -> list[Figure]:
    """The parts, largest first; with each what it takes of a microsecond-budget an event."""
    total = sum(timed.parts.values())
    ordered = sorted(timed.parts.items(), key=lambda part: -part[1])
    rows = [
        Figure(f"{name} ({1e6 * seconds / timed.events:.2f} us an event)", 100 * seconds / total, "%")
        for name, seconds in ordered
    ]
    for group, names in GROUPS.items():
        took = sum(timed.parts.get(name, 0.0) for name in names)
        rows.append(Figure(f"of it, {group}", 100 * took / total, "% together"))
    rows.append(Figure("all parts, a second of processor time", timed.events / total, "events/s"))
    rows.append(Figure("with timers", timed.cpu_rate, "events/s", "without, same run", plain.cpu_rate))
    return rows


def main() -> None:
    """See the module's docstring."""
    parser = options_of(__doc__)
    parser.add_argument("--services", type=int, default=WORLD.services, help="label sets are about five times as many")
    given = parser.parse_args()
    world = replace(WORLD, services=given.services)
    events = given.events or (300_000 if given.quick else 2_000_000)
    with broker(given.broker) as on:
        held = on.fill(world, events)
        (plain,) = run_sides(on, "worker", world, held)
        on.fill(world, held)
        (timed,) = run_sides(on, "worker", world, held, profile=True)
    for name in timed.missing:
        print(f"not timed, for it is not there: {name}", file=sys.stderr)
    report(f"Where the time of a stream worker goes, {held:,} events", shares(plain, timed), in_json=given.json)


if __name__ == "__main__":
    main()
