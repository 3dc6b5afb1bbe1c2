"""Facts: what is known of the names in a rule's conditions before anything is measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fireline.domain.ranges import Range
from fireline.spec.extents import ANY_NUMBER, ANY_TEXT, Extent, of_range, of_texts
from fireline.spec.kinds import Kinds
from fireline.spec.logic import Known
from fireline.spec.plugins import Plugins
from fireline.spec.rule_forms import MeasureForm, RuleForm

_MARKS = ("!", "~")


@dataclass(frozen=True, slots=True)
class Facts:
    """Of every name what it may be (`known`), its kind, and of measures their ranges.

    `counts` are measures that count the very events that are samples, so that `min_samples` bounds them.
    """

    known: Known
    kinds: Kinds
    ranges: Mapping[str, Range] = field(default_factory=dict)
    counts: frozenset[str] = frozenset()

    def sampled(self, samples: int) -> Known:
        """What is known when there are at least so many samples."""
        least = dict.fromkeys(self.counts, float(samples))
        return {
            name: extent.compared(">=", least[name]) if name in least else extent for name, extent in self.known.items()
        }


def facts_of(form: RuleForm, plugins: Plugins) -> Facts:
    """What the conditions of a rule's levels may rest on: its measures, and the labels of `by`."""
    schemas = {name: plugins.measures.get(measure.agg) for name, measure in form.measures.items()}
    ranges = {name: schema.range for name, schema in schemas.items() if schema is not None and schema.range is not None}
    measures = {name: of_range(ranges[name]) if name in ranges else ANY_NUMBER for name in form.measures}
    alone = all(measure.where is None and measure.on is None for measure in form.measures.values())
    labels = {name: _label(form.where.get(name, ()) if alone else ()) for name in form.by}
    return Facts(
        known={**measures, **labels},
        kinds={**dict.fromkeys(form.measures, "number"), **dict.fromkeys(form.by, "text")},
        ranges=ranges,
        counts=frozenset(name for name, measure in form.measures.items() if _counts_samples(measure, form)),
    )


def facts_of_event(kind: str, plugins: Plugins) -> Facts:
    """What a condition over the fields of one event of this kind may rest on."""
    kinds = plugins.fields.get(kind, {})
    known = {name: ANY_NUMBER if of == "number" else ANY_TEXT for name, of in kinds.items()}
    return Facts(known=known, kinds=kinds)


def _counts_samples(measure: MeasureForm, form: RuleForm) -> bool:
    own = measure.where is None and measure.on in {None, form.on} and measure.condition is None
    return own and measure.agg == "count" and measure.window in {None, form.window} and not measure.offset


def _label(values: Sequence[str]) -> Extent:
    if not values or any(value.startswith(_MARKS) for value in values):
        return ANY_TEXT
    return of_texts(frozenset(values))
