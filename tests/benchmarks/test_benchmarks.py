"""Every benchmark runs and prints the rows it promises: some events on the embedded broker, and no figures judged.

All are started at once, for most of what they do is starting processes. `make bench` measures.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
EMBEDDED = ("--quick", "--json", "--broker", "embedded")
RUNS = {
    "bench_acknowledgements.py": ("--quick", "--json", "--only", "sqlite"),
    "bench_throughput.py": (*EMBEDDED, "--events", "4000"),
    "bench_peers.py": (*EMBEDDED, "--events", "4000", "--no-quix"),
    "bench_scaling.py": (*EMBEDDED, "--events", "4000", "--only", "rules"),
    "bench_memory.py": (*EMBEDDED, "--entities", "50"),
    "bench_bad_input.py": ("--quick", "--json"),
    "bench_core.py": ("--quick", "--json", "--events", "2000"),
    "bench_backtest.py": ("--quick", "--json", "--events", "2000"),
    "bench_check.py": ("--quick", "--json"),
    "bench_decisions.py": ("--quick", "--json", "--only", "sqlite"),
    "bench_escalations.py": ("--quick", "--json", "--only", "sqlite"),
    "profile_stream.py": (*EMBEDDED, "--events", "4000"),
}
AGENT, BARE = "Faust agent, one event at a time", "bare getmany and JSON"
ROWS = {
    "bench_acknowledgements.py": {"planned", ""},
    "bench_throughput.py": {"planned", f"{AGENT} (planned: 8x)", f"{BARE}, no rules", ""},
    "bench_peers.py": {AGENT, f"{BARE}, no aggregate"},
    "bench_scaling.py": {"10 rules", "10"},
    "bench_memory.py": {"planned at 10,000", "a worker without events", ""},
    "bench_bad_input.py": {"without", "planned", "garbage sent"},
    "bench_core.py": {"ingest alone", ""},
    "bench_backtest.py": {"bare decoding"},
    "bench_check.py": {"planned"},
    "bench_decisions.py": {"planned", ""},
    "bench_escalations.py": {"planned", ""},
    "profile_stream.py": {"without, same run", ""},
}
PARTS = ("decode JSON", "match", "fold", "encode", "send", "fetch", "apply", "judge", "checkpoint")


@pytest.fixture(scope="module")
def runs():
    """All benchmarks under way, by file."""
    started = {
        name: subprocess.Popen(
            [sys.executable, str(FOLDER / name), *given], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for name, given in RUNS.items()
    }
    yield started
    for one in started.values():
        one.kill()
        one.communicate()


def rows_of(runs, name):
    said, complained = runs[name].communicate(timeout=500)
    assert runs[name].returncode == 0, complained
    return json.loads(said), complained


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_prints_its_rows(runs, name):
    rows, complained = rows_of(runs, name)

    assert {row["peer"] for row in rows} == ROWS[name]
    for row in rows:
        assert set(row) == {"name", "value", "unit", "peer", "peer_value", "ratio"}
        assert row["ratio"] is None or row["peer_value"] is not None, row
    if name == "profile_stream.py":
        assert complained == "", "a function that the profile times is gone: mend FUNCTIONS in stream_profile.py"
        assert all(any(part in row["name"] for row in rows) for part in PARTS)
        assert sum(row["value"] for row in rows if row["unit"] == "%") == pytest.approx(100, abs=1)


def test_every_benchmark_is_run_here_or_says_why_not():
    needs_more = {  # real recordings, or a Slack and minutes
        "bench_detection.py",
        "bench_drift.py",
        "bench_latency.py",
        "bench_nab.py",
    }

    assert {path.name for path in FOLDER.glob("bench_*.py")} - set(RUNS) == needs_more
