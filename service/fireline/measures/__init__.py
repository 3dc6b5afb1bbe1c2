"""One file, one measure family: pure, mergeable aggregates over a pane.

`FAMILIES` is what `agg:` may name. A family's states are JSON-like, and merging them is exactly associative and
commutative, so a window does not depend on how its events were batched, partitioned or ordered.
"""

from collections.abc import Mapping
from importlib import import_module

from fireline.domain.on_demand import OnDemand
from fireline.domain.windows import Family

_CLASSES = {
    "count": "Count",
    "rate": "Rate",
    "sum": "Sum",
    "avg": "Avg",
    "min": "Min",
    "max": "Max",
    "last": "Last",
    "age": "Age",
    "stddev": "Stddev",
    "quantile": "Quantile",
    "histogram_quantile": "HistogramQuantile",
    "increase": "Increase",
    "increase_rate": "IncreaseRate",
    "ratio": "Ratio",
    "distinct": "Distinct",
    "entropy": "Entropy",
    "balance": "Balance",
    "cost_per": "CostPer",
    "missing": "Missing",
    "new_categories": "NewCategories",
    "schema_change": "SchemaChange",
    "staleness": "Staleness",
    "psi": "Psi",
    "ks": "Ks",
    "jensen_shannon": "JensenShannon",
    "wasserstein": "Wasserstein",
    "total_variation": "TotalVariation",
    "agreement": "Agreement",
    "calibration": "Calibration",
    "burn_rate": "BurnRate",
    "error_budget": "ErrorBudget",
    "spend_rate": "SpendRate",
    "sequence": "Sequential",
    "evaluation_drop": "EvaluationDrop",
    "arms": "Arms",
    "change": "Change",
    "anomaly": "Anomaly",
}
"""By the word after `agg:`, which is the name of the module too, the class of the family."""


def _family(name: str) -> Family:
    made: Family = getattr(import_module(f"{__name__}.{name}"), _CLASSES[name])()
    return made


FAMILIES: Mapping[str, Family] = OnDemand(_CLASSES, _family)
"""Every family, by the word after `agg:`; each is loaded when it is first asked for."""
