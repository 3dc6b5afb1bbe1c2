"""One file, one measure family: pure, mergeable aggregates over a pane.

`FAMILIES` is what `agg:` may name. A family's states are JSON-like, and merging them is exactly associative and
commutative, so a window does not depend on how its events were batched, partitioned or ordered.
"""

from collections.abc import Mapping

from fireline.domain.windows import Family
from fireline.measures.age import Age
from fireline.measures.agreement import Agreement
from fireline.measures.anomaly import Anomaly
from fireline.measures.arms import Arms
from fireline.measures.avg import Avg
from fireline.measures.balance import Balance
from fireline.measures.burn_rate import BurnRate
from fireline.measures.calibration import Calibration
from fireline.measures.change import Change
from fireline.measures.cost_per import CostPer
from fireline.measures.count import Count
from fireline.measures.distinct import Distinct
from fireline.measures.entropy import Entropy
from fireline.measures.error_budget import ErrorBudget
from fireline.measures.evaluation_drop import EvaluationDrop
from fireline.measures.histogram_quantile import HistogramQuantile
from fireline.measures.increase import Increase
from fireline.measures.increase_rate import IncreaseRate
from fireline.measures.jensen_shannon import JensenShannon
from fireline.measures.ks import Ks
from fireline.measures.last import Last
from fireline.measures.max import Max
from fireline.measures.min import Min
from fireline.measures.missing import Missing
from fireline.measures.new_categories import NewCategories
from fireline.measures.psi import Psi
from fireline.measures.quantile import Quantile
from fireline.measures.rate import Rate
from fireline.measures.ratio import Ratio
from fireline.measures.schema_change import SchemaChange
from fireline.measures.sequence import Sequential
from fireline.measures.spend_rate import SpendRate
from fireline.measures.staleness import Staleness
from fireline.measures.stddev import Stddev
from fireline.measures.sum import Sum
from fireline.measures.total_variation import TotalVariation
from fireline.measures.wasserstein import Wasserstein

_ALL: tuple[Family, ...] = (
    Count(),
    Rate(),
    Sum(),
    Avg(),
    Min(),
    Max(),
    Last(),
    Age(),
    Stddev(),
    Quantile(),
    HistogramQuantile(),
    Increase(),
    IncreaseRate(),
    Ratio(),
    Distinct(),
    Entropy(),
    Balance(),
    CostPer(),
    Missing(),
    NewCategories(),
    SchemaChange(),
    Staleness(),
    Psi(),
    Ks(),
    JensenShannon(),
    Wasserstein(),
    TotalVariation(),
    Agreement(),
    Calibration(),
    BurnRate(),
    ErrorBudget(),
    SpendRate(),
    Sequential(),
    EvaluationDrop(),
    Arms(),
    Change(),
    Anomaly(),
)

FAMILIES: Mapping[str, Family] = {family.name: family for family in _ALL}
"""Every family, by the word after `agg:`."""
