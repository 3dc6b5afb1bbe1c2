"""What the shipped rules catch and miss on real recordings: NAB server metrics with labelled windows, and Elec2; and
how soon measures of a model's quality tell that it decays.

    python benchmarks/bench_detection.py [--data DIR] [--json]

The recordings are not part of the repository; by default they are looked for beside it, in `shared/data`.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from rich.table import Table

from elec2_decay import decay_rows
from fireline.apps.bootstrap import plugins
from fireline.apps.replay_files import Recorded, read_recording
from fireline.domain.rules import Signal, State
from fireline.engine.playback import Played, play
from fireline.measures import FAMILIES
from fireline.sources import FORMATS
from fireline.spec.loading import load

ROOT = Path(__file__).parent.parent
NAB = {
    "checkout_host_latency": ("realKnownCause/ec2_request_latency_system_failure.csv", "ec2_request_latency"),
    "web_fleet_cpu": ("realKnownCause/cpu_utilization_asg_misconfiguration.csv", "cpu_utilization_asg"),
}
MODEL = ("price_direction_agreement", "price_direction_confidence")


@dataclass(frozen=True, slots=True)
class Episode:
    """One stretch of firing; times in seconds since the epoch, `end` None when it never cleared."""

    rule: str
    severity: str
    start: float
    end: float | None


def episodes(signals: tuple[Signal, ...]) -> list[Episode]:
    """The firing stretches of one entity, at their first severity."""
    found: list[Episode] = []
    for signal in signals:
        if signal.state is State.FIRING and (not found or found[-1].end is not None):
            found.append(Episode(signal.rule, signal.severity or "", signal.at, None))
        elif signal.state is State.CLEAR and found and found[-1].end is None:
            found[-1] = Episode(signal.rule, found[-1].severity, found[-1].start, signal.at)
    return found


def played(data: Path, rules: tuple[str, ...], file: str, name: str | None = None) -> Played:
    """A recording under the shipped rules of these names."""
    loaded = load(ROOT / "rules", ROOT / "runbooks", plugins())
    assert loaded.configuration is not None, "\n".join(map(str, loaded.problems))
    chosen = [loaded.configuration.rules[rule] for rule in rules]
    records = [r.value for r in read_recording(data / file, name) if isinstance(r, Recorded)]
    return play(chosen, FAMILIES, FORMATS["native"], records)


def nab_rows(data: Path) -> list[dict[str, object]]:
    """One row a rule: windows hit, minutes from a window's start to the first firing in it, firings outside."""
    labels = json.loads((data / "nab" / "labels.json").read_text())
    rows: list[dict[str, object]] = []
    for rule, (file, name) in NAB.items():
        found = episodes(played(data, (rule,), f"nab/{file}", name).signals)
        windows = [tuple(datetime.fromisoformat(t).replace(tzinfo=UTC).timestamp() for t in w) for w in labels[file]]
        hits = [[e.start - start for e in found if start <= e.start <= end] for start, end in windows]
        outside = sum(not any(start <= e.start <= end for start, end in windows) for e in found)
        rows.append(
            {
                "rule": rule,
                "recording": file,
                "windows": len(windows),
                "caught": sum(bool(hit) for hit in hits),
                "missed": sum(not hit for hit in hits),
                "minutes_to_detect": [round(min(hit) / 60) for hit in hits if hit],
                "firings_outside": outside,
            }
        )
    return rows


def elec2_rows(data: Path) -> list[dict[str, object]]:
    """One row a twelfth of the stream: the model's true accuracy in it, and the days on which each rule fired."""
    file = data / "elec2" / "events.ndjson.gz"
    events = [json.loads(r.value) for r in read_recording(file) if isinstance(r, Recorded)]
    predictions = {e["request_id"]: e for e in events if e["type"] == "prediction"}
    right = {e["request_id"]: predictions[e["request_id"]]["prediction"] == e["label"] for e in events if "label" in e}
    times = sorted((e["ts"], e["request_id"]) for e in predictions.values())
    edges = [times[len(times) * k // 12][0] for k in range(12)] + [times[-1][0] + 1]
    firing = {rule: episodes(played(data, (rule,), "elec2/events.ndjson.gz").signals) for rule in MODEL}
    rows: list[dict[str, object]] = []
    for number, (begin, end) in enumerate(pairwise(edges), start=1):
        known = [right[rid] for ts, rid in times if begin <= ts < end and rid in right]
        row: dict[str, object] = {"twelfth": number, "accuracy": round(sum(known) / len(known), 2)}
        for rule, stretches in firing.items():
            overlaps = (max(0.0, min(e.end or end, end) - max(e.start, begin)) for e in stretches)
            row[rule] = round(100 * sum(overlaps) / (end - begin))
        rows.append(row)
    return rows


def show(title: str, rows: list[dict[str, object]]) -> None:
    """Print rows as a table."""
    table = Table(*rows[0].keys(), title=title, box=None)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console(width=160).print(table)


def main() -> int:
    """Print the tables, or the first as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="where the recordings are")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="NAB only")
    given = parser.parse_args()
    if not given.data.exists():
        print(f"nothing measured: the recordings are not at {given.data.name}; name them with --data", file=sys.stderr)
        return 0
    nab, elec2 = nab_rows(given.data), [] if given.quick else elec2_rows(given.data)
    if given.json:
        rows = [("windows caught of " + str(r["rule"]), r["caught"], "windows", "labelled", r["windows"]) for r in nab]
        names = ("name", "value", "unit", "peer", "peer_value")
        print(json.dumps([dict(zip(names, r, strict=True)) | {"ratio": r[1] / r[4]} for r in rows]))  # type: ignore[operator]
        return 0
    show("NAB: labelled windows caught", nab)
    if elec2:
        show("Elec2: true accuracy, and percent of the time each rule fired", elec2)
        show("Elec2: when the decay is told", decay_rows(given.data))
    return 0


if __name__ == "__main__":
    sys.exit(main())
