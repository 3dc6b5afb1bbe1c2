"""The measures of drift beside SciPy and evidently on the same values, and what they cost.

    .venv/bin/python benchmarks/bench_drift.py

With evidently 0.7 installed beside Fireline (it is no dependency, for it needs about a hundred packages), its figures
are printed too. Rows of `elec2` need the shared data sets beside the repository and are left out without them.
"""

import gzip
import importlib.util
import json
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from fireline.measures.drift import Drift
from fireline.measures.jensen_shannon import JensenShannon
from fireline.measures.ks import Ks
from fireline.measures.psi import Psi
from fireline.measures.total_variation import TotalVariation
from fireline.measures.wasserstein import Wasserstein

ELEC2 = Path(__file__).parent.parent.parent / "shared" / "data" / "elec2" / "events.ndjson.gz"
PAST = {"against": {"window": 1.0}, "min_count": 1}
_THEIRS = (
    "evidently.legacy",
    {
        "psi": ("psi", "_psi"),
        "js": ("jensenshannon", "_jensenshannon"),
        "normed": ("wasserstein_distance_norm", "_wasserstein_distance_norm"),
    },
)
Values = NDArray[np.float64]
Pair = tuple[Values, Values]


def pairs() -> Iterator[tuple[str, Pair]]:
    """Two samples of numbers under a name: the reference and what is compared with it."""
    rng = np.random.default_rng(2026)
    yield "normal, equal", (rng.normal(50, 10, 20_000), rng.normal(50, 10, 5_000))
    yield "normal, mean + 0.5 sd", (rng.normal(50, 10, 20_000), rng.normal(55, 10, 5_000))
    yield "normal, sd x 1.5", (rng.normal(50, 10, 20_000), rng.normal(50, 15, 5_000))
    yield "around zero", (rng.normal(0, 1, 20_000), rng.normal(0.2, 1, 5_000))
    yield "lognormal x 1.3", (rng.lognormal(3, 1, 20_000), 1.3 * rng.lognormal(3, 1, 5_000))
    yield "Pareto 1.5 x 1.3", (rng.pareto(1.5, 20_000), 1.3 * rng.pareto(1.5, 5_000))
    yield "counts, 4 to 5", (rng.poisson(4, 20_000).astype(float), rng.poisson(5, 5_000).astype(float))
    yield (
        "40 to 60 % zeros",
        (
            rng.exponential(3, 20_000) * (rng.random(20_000) > 0.4),
            rng.exponential(3, 5_000) * (rng.random(5_000) > 0.6),
        ),
    )
    yield "293 K + 1 K, sd 2 K", (rng.normal(293, 2, 20_000), rng.normal(294, 2, 5_000))
    if ELEC2.exists():
        yield from elec2()


def elec2() -> Iterator[tuple[str, Pair]]:
    """Price and demand of the electricity market: the first twelve weeks, and later quarters."""
    with gzip.open(ELEC2) as lines:
        events = [event for event in map(json.loads, lines) if event["type"] == "prediction"]
    until = [846_806_400, 867_000_000, 875_000_000, 885_000_000, 893_000_000]
    for name in ("nswprice", "nswdemand"):
        parts = [
            [e["features"][name] for e in events if a <= e["ts"] < b] for a, b in zip([0, *until], until, strict=False)
        ]
        for place, part in enumerate(parts[1:], start=1):
            yield f"elec2 {name}, part {place}", (np.array(parts[0]), np.array(part))


def sketched(family: Drift, pair: Pair, **options: object) -> float:
    """What Fireline says."""
    given: Mapping[str, object] = {**PAST, **options}
    reference, current = (family.fold(side.tolist(), [], given) for side in pair)
    found = family.compare(current, [reference], 1.0, given)
    assert found is not None
    return found


def exact_psi(pair: Pair, bins: int = 10) -> float:
    """The index over exact deciles of the reference."""
    edges = np.unique(np.quantile(pair[0], np.arange(1, bins) / bins))
    sides = [np.histogram(side, [-math.inf, *edges, math.inf])[0] / len(side) for side in pair]
    r, c = (np.maximum(side, 1e-4) for side in sides)
    return float(np.sum((c - r) * np.log(c / r)))


def evidently() -> Callable[[str, Pair], float] | None:
    """evidently's figure of that name, of two samples; None where it is not installed."""
    if importlib.util.find_spec("evidently") is None:
        return None
    warnings.simplefilter("ignore")
    series, number = importlib.import_module("pandas").Series, importlib.import_module(f"{_THEIRS[0]}.core").ColumnType
    theirs = {
        name: getattr(importlib.import_module(f"{_THEIRS[0]}.calculations.stattests.{module}"), function)
        for name, (module, function) in _THEIRS[1].items()
    }

    def found(name: str, pair: Pair) -> float:
        more = {"base": 2} if name == "js" else {}
        return float(theirs[name](series(pair[0]), series(pair[1]), number.Numerical, 0.1, **more)[0])

    return found


def compared() -> None:
    """A line for each pair of samples."""
    other = evidently()
    heads = ["ks", "SciPy", "p", "SciPy", "normed", "SciPy", "psi", "deciles", "js"]
    print("| values | " + " | ".join([*heads, *(["psi ev.", "js ev.", "normed ev."] if other else [])]) + " |")
    print("| --- |" + " --- |" * (len(heads) + (3 if other else 0)))
    for name, pair in pairs():
        exact = stats.ks_2samp(*pair, method="asymp")
        found = [
            sketched(Ks(), pair),
            exact.statistic,
            sketched(Ks(), pair, result="p_value"),
            exact.pvalue,
            sketched(Wasserstein(), pair, normed=True),
            stats.wasserstein_distance(*pair) / pair[0].std(),
            sketched(Psi(), pair),
            exact_psi(pair),
            sketched(JensenShannon(), pair),
            *([other(each, pair) for each in ("psi", "js", "normed")] if other else []),
        ]
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in found) + " |")


def cost() -> None:
    """Microseconds of processor time: an event folded in batches of a thousand, and one reading with ten bins."""
    rng = np.random.default_rng(1)
    reference, current = rng.lognormal(4, 1, 20_000).tolist(), rng.lognormal(4.2, 1, 5_000).tolist()
    print("\n| measure | fold, an event | read, baseline | read, past | buckets |\n| --- | --- | --- | --- | --- |")
    for family in (Psi(), JensenShannon(), TotalVariation(), Ks(), Wasserstein()):
        state, past = family.fold(current, [], {}), family.fold(reference, [], {})
        known = {"min_count": 1, **family.reference("numeric", past, 0.0, {})}
        fold = timed(lambda f=family: f.fold(current[:1000], [], {}), 300) / 1000
        read = timed(lambda f=family, s=state, k=known: f.read(s, 1.0, k), 3000)
        compare = timed(lambda f=family, s=state, p=past: f.compare(s, [p], 1.0, PAST), 3000)
        print(f"| `{family.name}` | {fold:.2f} | {read:.0f} | {compare:.0f} | {(len(state) - 2) // 2} |")


def timed(work: Callable[[], object], times: int) -> float:
    """Microseconds of processor time a call."""
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1e6


if __name__ == "__main__":
    compared()
    cost()
