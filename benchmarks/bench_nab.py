"""The anomaly measure on the Numenta Anomaly Benchmark, standard profile, beside a fixed threshold and a plain z-score.

    python benchmarks/bench_nab.py [--data DIR] [--apart group|file] [--json] [--files]

Each threshold is chosen on other files than those that are scored: the files of a group (AWS, traffic, ...) are scored
with the threshold that would have scored best on all the other groups; with `--apart file`, each file with that of all
other files. So is which of the settings of the measure is taken, where the table says "chosen". The recordings are not
part of the repository; by default they are looked for beside it, in `shared/data`.
"""

import argparse
import csv
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from fireline.domain.windows import pane_of, span
from fireline.measures import FAMILIES
from fireline.measures.anomaly import Anomaly
from nab_scoring import Scored, Worth, probationary, together, worth_of

ROOT = Path(__file__).parent.parent
DAY = "1d"
Scores = NDArray[np.float64]
THRESHOLDS = [round(2.0 * 1.08**k, 2) for k in range(81)]
"""From 2 to about 950, in steps of 8 %."""
QUIET = 12
"""A rule that fires pages once, and again only after so many records below the threshold: an hour, of most files."""


@dataclass(frozen=True, slots=True)
class Series:
    """One file: its group, times and values, what detections are worth, and the usual time between two records."""

    name: str
    group: str
    apart: str
    times: Sequence[float]
    values: Sequence[float]
    worth: Worth
    pane: float


@dataclass(frozen=True, slots=True)
class Setting:
    """Settings of the anomaly measure: `records` make a window; the rest is as in YAML."""

    records: int
    options: Mapping[str, object]


STRETCHES = {
    "each value beside the 60 before it": Setting(1, {"periods": 60}),
    "an hour beside the 24 before it": Setting(12, {"periods": 24}),
    "an hour beside that of 7 days": Setting(12, {"period": DAY, "periods": 7}),
    "an hour beside those around it, of 7 days": Setting(12, {"period": DAY, "periods": 7, "beside": 1}),
}
SETTINGS = {
    f"{name}, {spread}": Setting(setting.records, {**setting.options, "spread": spread})
    for name, setting in STRETCHES.items()
    for spread in ("mad", "deviation")
}


def read(data: Path, apart: str = "group") -> list[Series]:
    """All files, in the order of their names; `apart`: for which of them a threshold is chosen together."""
    found = []
    for name, labels in sorted(json.loads((data / "nab" / "labels.json").read_text()).items()):
        with (data / "nab" / name).open() as file:
            rows = [(_seconds(row["timestamp"]), float(row["value"])) for row in csv.DictReader(file)]
        times, values = [at for at, _ in rows], [value for _, value in rows]
        windows = [(_seconds(first), _seconds(last)) for first, last in labels]
        pane = float(np.median(np.diff(times)))
        group = name.partition("/")[0]
        held = group if apart == "group" else name
        found.append(Series(name, group, held, times, values, worth_of(times, windows), pane))
    return found


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def anomaly(setting: Setting, series: Series) -> Scores:
    """The size of the measure's score at each record, as it is when the record has come; 0 while it has none.

    The family's own aggregates, stretches and comparison, on panes of the usual time between two records.
    """
    family = FAMILIES["anomaly"]
    assert isinstance(family, Anomaly)
    options = family.settings.model_validate(setting.options).model_dump()
    pane, window = series.pane, setting.records * series.pane
    backs = [math.ceil(back.offset / pane - 1e-9) for back in family.lookbacks(window, options)]
    panes: dict[int, object] = {}
    stretches: dict[int, object] = {}
    since, width = pane_of(series.times[0], pane), span(window, pane)
    scores = np.zeros(len(series.times))
    for at, (time, value) in enumerate(zip(series.times, series.values, strict=True)):
        newest = pane_of(time, pane)
        state = family.fold([value], [time], options)
        panes[newest] = family.merge(panes[newest], state) if newest in panes else state

        def stretch(last: int) -> object:
            if last not in stretches:
                stretches[last] = _stretch(family, panes, last, width)
            return stretches[last]

        others = [stretch(newest - back) if since < newest - back - width + 1 else None for back in backs]
        found = family.compare(_stretch(family, panes, newest, width), others, window, options)
        scores[at] = abs(found or 0.0)
    return scores


def _stretch(family: Anomaly, panes: Mapping[int, object], last: int, width: int) -> object:
    state: object = []
    for pane in range(last - width + 1, last + 1):
        if pane in panes:
            state = family.merge(state, panes[pane])
    return state


def fixed(series: Series) -> Scores:
    """A line drawn at so many standard deviations from the mean of the first 15 %, which count for nothing."""
    begin = series.values[: probationary(len(series.values))]
    spread = max(float(np.std(begin)), 1e-9)
    return np.abs(np.array(series.values) - float(np.mean(begin))) / spread


def z_score(records: int, series: Series) -> Scores:
    """The distance to the mean of the records just before, in their standard deviations."""
    values = np.array(series.values)
    scores = np.zeros(len(values))
    for at in range(3, len(values)):
        before = values[max(0, at - records) : at]
        scores[at] = abs(values[at] - before.mean()) / max(float(before.std()), 1e-9)
    return scores


DETECTORS: dict[str, Callable[[Series], Scores]] = {
    **{f"anomaly: {name}": partial(anomaly, setting) for name, setting in SETTINGS.items()},
    "z-score beside the 60 values before": partial(z_score, 60),
    "z-score beside the day before": partial(z_score, 288),
    "a fixed threshold": fixed,
}
CHOSEN = "anomaly: chosen"


def every(above: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Each record above the threshold is a detection: how the benchmark counts."""
    return above


def pages(above: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The first record above the threshold is one; the next only after an hour below: how people are paged."""
    found = np.zeros_like(above)
    last = -math.inf
    for at in np.flatnonzero(above):
        found[at] = at - last > QUIET
        last = int(at)
    return found


COUNTS = {"records": every, "pages": pages}


@dataclass(frozen=True, slots=True)
class Row:
    """What a detector scored: with which threshold in each group, in each group, and in all."""

    detector: str
    counted: str
    all: Scored
    groups: Mapping[str, Scored]
    thresholds: Mapping[str, tuple[str, float]]
    files: Mapping[str, Scored]


def rows(series: Sequence[Series]) -> list[Row]:
    """All detectors, counted both ways."""
    scores = {name: [detect(each) for each in series] for name, detect in DETECTORS.items()}
    found = []
    for counted, count in COUNTS.items():
        tables = {name: _table(series, own, count) for name, own in scores.items()}
        settings = [name for name in tables if name.startswith("anomaly")]
        for name, among in {CHOSEN: settings, **{name: [name] for name in tables}}.items():
            found.append(_row(name, counted, series, {each: tables[each] for each in among}))
    return found


Table_ = list[dict[float, Scored]]
"""By file, by threshold."""


def _table(series: Sequence[Series], scores: Sequence[Scores], count: Callable[..., NDArray[np.bool_]]) -> Table_:
    return [
        {threshold: each.worth.score(count(own >= threshold)) for threshold in THRESHOLDS}
        for each, own in zip(series, scores, strict=True)
    ]


def _row(name: str, counted: str, series: Sequence[Series], tables: Mapping[str, Table_]) -> Row:
    """Files held apart are scored with what scores best on the others; of equals, with the highest threshold."""
    thresholds: dict[str, tuple[str, float]] = {}
    files: dict[str, Scored] = {}
    for apart in sorted({each.apart for each in series}):
        inside = [at for at, each in enumerate(series) if each.apart == apart]
        others = [at for at in range(len(series)) if at not in inside]
        choices = [(detector, threshold) for detector in tables for threshold in THRESHOLDS]
        best = max(choices, key=lambda c: (together([tables[c[0]][at][c[1]] for at in others]).raw, c[1]))
        thresholds[apart] = best
        files |= {series[at].name: tables[best[0]][at][best[1]] for at in inside}
    groups = {
        group: together([files[each.name] for each in series if each.group == group])
        for group in sorted({each.group for each in series})
    }
    return Row(name, counted, together(list(groups.values())), groups, thresholds, files)


def show(found: Sequence[Row], *, files: bool) -> None:
    """Print the tables."""
    console = Console(width=200)
    for counted, said in (("records", "each record above the threshold"), ("pages", "each page")):
        table = Table("detector", "score", "windows caught", "false", title=f"NAB score; counted: {said}", box=None)
        own = [row for row in found if row.counted == counted]
        for group in own[0].groups:
            table.add_column(group, justify="right")
        for row in own:
            parts = [f"{s.normalised:.1f}" if s.windows else f"{s.false} false" for s in row.groups.values()]
            caught = f"{row.all.caught} of {row.all.windows}"
            table.add_row(row.detector, f"{row.all.normalised:.1f}", caught, str(row.all.false), *parts)
        console.print(table)
    for row in found:
        said = ", ".join(f"{group} {threshold:g}" for group, (_, threshold) in row.thresholds.items())
        console.print(f"thresholds, {row.counted}, {row.detector}: {said}")
        if row.detector == CHOSEN:
            console.print("  " + ", ".join(f"{group}: {setting}" for group, (setting, _) in row.thresholds.items()))
    if files:
        for row in found:
            table = Table("file", "caught", "windows", "false", title=f"{row.counted}, {row.detector}", box=None)
            for name, one in row.files.items():
                table.add_row(name, str(one.caught), str(one.windows), str(one.false))
            console.print(table)


def main() -> int:
    """Print the tables, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="where the recordings are")
    parser.add_argument("--apart", choices=("group", "file"), default="group", help="what is held apart")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="the three shortest files only, for trying it")
    parser.add_argument("--files", action="store_true", help="each file by itself, too")
    given = parser.parse_args()
    if not given.data.exists():
        print(f"nothing measured: the recordings are not at {given.data.name}; name them with --data", file=sys.stderr)
        return 0
    series = read(given.data, given.apart)
    if given.quick:
        series = sorted(series, key=lambda each: len(each.times))[:3]
    found = rows(series)
    if given.json:
        plain = next(row for row in found if row.counted == "records" and row.detector == "a fixed threshold")
        peer = plain.all.normalised
        said = [(f"NAB score, {row.counted}, {row.detector}", row.all.normalised) for row in found]
        figures = [
            {
                "name": name,
                "value": round(value, 2),
                "unit": "of 100",
                "peer": plain.detector,
                "peer_value": round(peer, 2),
            }
            for name, value in said
        ]
        print(json.dumps([figure | {"ratio": None} for figure in figures]))
        return 0
    show(found, files=given.files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
