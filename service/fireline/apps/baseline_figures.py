"""All figures of drift of a field at once, computed by the families that rules name."""

from collections.abc import Mapping
from dataclasses import dataclass

from fireline.apps.baseline_files import Field
from fireline.apps.baseline_sketches import Sketch
from fireline.measures.distributions import Numbers, distribution
from fireline.measures.drift import Drift
from fireline.measures.jensen_shannon import JensenShannon
from fireline.measures.ks import Ks
from fireline.measures.psi import Psi
from fireline.measures.total_variation import TotalVariation
from fireline.measures.wasserstein import Wasserstein

_FIGURES: Mapping[str, tuple[Drift, Mapping[str, object]]] = {
    "psi": (Psi(), {}),
    "jensen_shannon": (JensenShannon(), {}),
    "total_variation": (TotalVariation(), {}),
    "ks": (Ks(), {}),
    "ks_p_value": (Ks(), {"result": "p_value"}),
    "wasserstein": (Wasserstein(), {}),
    "wasserstein_normed": (Wasserstein(), {"normed": True}),
}
NAMES = tuple(_FIGURES)
"""The figures, in the order in which they are told."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How far a field is from its baseline in a stretch of time; `values` events had it, `missing` of them lacked it.

    `by_name` has the figures of `NAMES`, None where there is none; `by_chance` is about what the population stability
    index would be for so few values without any drift.
    """

    field: str
    kind: str
    start: float
    values: int
    missing: int
    by_name: Mapping[str, float | None]
    by_chance: float | None


def figures_of(name: str, start: float, reference: Field, current: Sketch, asked: Mapping[str, object]) -> Figures:
    """The figures of one field; `asked` may have `bins` and `min_count`, as measures have them."""
    found = {
        figure: family.compare(current.state, [reference.state], 0.0, {**asked, **own})
        for figure, (family, own) in _FIGURES.items()
        if reference.kind in family.kinds
    }
    return Figures(
        name,
        reference.kind,
        start,
        current.count,
        current.events - current.count,
        {figure: found.get(figure) for figure in NAMES},
        _by_chance(reference, current, asked),
    )


def _by_chance(reference: Field, current: Sketch, asked: Mapping[str, object]) -> float | None:
    now, then = distribution(current.state), reference.values
    if now is None or isinstance(now, Numbers) != isinstance(then, Numbers):
        return None
    return Psi().chance(then, 1 / now.total + 1 / then.total, asked)
