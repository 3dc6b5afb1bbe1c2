"""What `fireline baseline` prints: a line a field, with a small histogram; figures of drift, in colour where large."""

from collections.abc import Sequence

import numpy as np
from rich.text import Text

from fireline.apps.baseline_figures import NAMES, Figures
from fireline.apps.baseline_files import Baseline, Field
from fireline.apps.output import instant, print_json, say, table
from fireline.measures.distributions import Categories, Numbers

_BLOCKS = " ▁▂▃▄▅▆▇█"
_WIDTH = 20
_TOP = 3
_QUANTILES = {"p5": 0.05, "p50": 0.5, "p95": 0.95}
_HEADS = ("psi", "js", "tv", "ks", "ks p", "wasserstein", "normed")
_LIMITS = {"psi": (0.1, 0.25), "wasserstein_normed": (0.1, 0.5)}


def show(baseline: Baseline, *, as_json: bool) -> None:
    """Tell where a baseline comes from and what it holds."""
    if as_json:
        print_json(_document(baseline))
        return
    where = " ".join(f"{label}={'|'.join(texts)}" for label, texts in baseline.selection.where.items())
    say(f"{baseline.name}: {baseline.selection.on.value} events {where}".rstrip(), "bold")
    say(f"  from {instant(baseline.first)} to {instant(baseline.last)}, {baseline.bad_lines} lines were no events")
    say(f"  built by {baseline.built}", "dim")
    heads = ("field", "kind", "values", "missing", "min", *_QUANTILES, "max", "deviation", "looks like")
    table(heads, [_row(name, each) for name, each in baseline.fields.items()], "it has no fields")


def _row(name: str, each: Field) -> tuple[object, ...]:
    front = (name, each.kind, each.count, each.events - each.count)
    match each.values:
        case Numbers() as values:
            numbers = (*_numbers(each, values).values(), values.deviation)
            return (*front, *(f"{number:.4g}" for number in numbers), histogram(values, each.origin))
        case Categories() as values:
            return (*front, *["-"] * 6, top(values))


def _numbers(each: Field, values: Numbers) -> dict[str, float]:
    inner = {name: quantile(values, q) for name, q in _QUANTILES.items()}
    found = {"min": values.low, **inner, "max": values.high}
    return {name: value + each.origin for name, value in found.items()}


def quantile(values: Numbers, q: float) -> float:
    """The number below which about a share `q` lies, within 1 %."""
    return float(values.values[np.searchsorted(values.below[1:], q)])


def histogram(values: Numbers, origin: float = 0.0) -> str:
    """Twenty columns of equal width between the first and the last hundredth; what lies beyond is in the outer ones."""
    low, high = quantile(values, 0.01), quantile(values, 0.99)
    if low == high:
        return f"nearly always {low + origin:.4g}"
    places = np.clip((values.values - low) / (high - low) * _WIDTH, 0, _WIDTH - 1).astype(int)
    heights = np.bincount(places, weights=np.diff(values.below), minlength=_WIDTH)
    tallest = float(heights.max())
    return "".join(_BLOCKS[int(np.ceil(height / tallest * 8))] for height in heights)


def top(values: Categories) -> str:
    """The most frequent categories with their shares."""
    counts = sorted(values.state["counts"].items(), key=lambda pair: (-pair[1], pair[0]))
    if values.state["level"]:
        return "more than 1,000 categories, kept in groups"
    said = [f"{name or '(empty)'} {n / values.total:.0%}" for name, n in counts[:_TOP]]
    more = len(counts) - _TOP
    return ", ".join(said) + (f" and {more} more" if more > 0 else "")


def _document(baseline: Baseline) -> dict[str, object]:
    return {
        "name": baseline.name,
        "on": baseline.selection.on.value,
        "where": baseline.selection.where,
        "from": baseline.first,
        "to": baseline.last,
        "built": baseline.built,
        "sources": baseline.sources,
        "bad_lines": baseline.bad_lines,
        "fields": {name: _field_document(each) for name, each in baseline.fields.items()},
    }


def _field_document(each: Field) -> dict[str, object]:
    found: dict[str, object] = {"kind": each.kind, "count": each.count, "missing": each.events - each.count}
    match each.values:
        case Numbers() as values:
            return {
                **found,
                **_numbers(each, values),
                "origin": each.origin,
                "deviation": values.deviation,
                "buckets": len(values.places),
            }
        case Categories() as values:
            counts = values.state["counts"]
            return {**found, "categories": None if values.state["level"] else counts}


def compared(found: Sequence[Figures], *, by_time: bool, as_json: bool) -> None:
    """Tell figures of drift; with `by_time` a line says when its stretch began."""
    if as_json:
        print_json([_figures_document(each, by_time) for each in found])
        return
    when = ("from",) if by_time else ()
    heads = (*when, "field", "kind", "values", "missing", *_HEADS, "psi by chance")
    table(heads, [_figures_row(each, by_time) for each in found], "no event was chosen")


def _figures_row(each: Figures, by_time: bool) -> tuple[object, ...]:
    when = (instant(each.start),) if by_time else ()
    cells = [_cell(name, each.by_name[name]) for name in NAMES]
    chance = "-" if each.by_chance is None else f"{each.by_chance:.3f}"
    return (*when, each.field, each.kind, each.values, each.missing, *cells, chance)


def _cell(name: str, value: float | None) -> Text:
    if value is None:
        return Text("-")
    small, large = _LIMITS.get(name, (float("inf"), float("inf")))
    style = "red" if value >= large else "yellow" if value >= small else ""
    return Text(f"{value:.3g}" if name == "wasserstein" else f"{value:.3f}", style=style)


def _figures_document(each: Figures, by_time: bool) -> dict[str, object]:
    return {
        **({"from": each.start} if by_time else {}),
        "field": each.field,
        "kind": each.kind,
        "values": each.values,
        "missing": each.missing,
        **each.by_name,
        "psi_by_chance": each.by_chance,
    }
