"""References: what a baseline gives a measure that compares with it, or why it cannot serve."""

from collections.abc import Mapping
from dataclasses import dataclass

from fireline.spec import codes
from fireline.spec.baselines import BaselineForm, FieldForm, Unusable
from fireline.spec.documents import Path
from fireline.spec.findings import suggestion
from fireline.spec.plugins import MeasureSchema
from fireline.spec.rule_reader import Reader


@dataclass(frozen=True, slots=True)
class Asking:
    """A measure that may name a baseline: `of` is the field that it measures, `kind` that of the events."""

    schema: MeasureSchema
    options: Mapping[str, object]
    of: str | None
    kind: str


def referred(asking: Asking, path: Path, reader: Reader) -> Mapping[str, object]:
    """What its options get from the baseline that they name; nothing when they name none, or in vain.

    `path` is where the measure stands in its rule.
    """
    name, field = asking.options.get("baseline"), asking.of or "value"
    if asking.schema.reference is None or not isinstance(name, str) or reader.known.baselines is None:
        return {}
    place = (*path, "baseline")
    match reader.known.baselines.get(name):
        case Unusable(message, hint, missing):
            reader.error(place, message, hint, code=codes.MISSING if missing else codes.INVALID)
        case BaselineForm(on=on) if on != asking.kind:
            message = f"the baseline `{name}` is of {on} events, and this measure reads {asking.kind} events"
            reader.error(place, message, f"name one that was built with `--on {asking.kind}`")
        case BaselineForm(fields=fields) if field in fields:
            return _taken(asking, fields[field], place, reader)
        case BaselineForm(fields=fields):
            message = f"the baseline `{name}` does not know the field `{field}`"
            where = (*path, "of") if asking.of else place
            reader.error(where, message, suggestion(field, fields), code=codes.UNKNOWN_NAME)
    return {}


def _taken(asking: Asking, field: FieldForm, place: Path, reader: Reader) -> Mapping[str, object]:
    assert asking.schema.reference is not None
    try:
        return asking.schema.reference(field.kind, field.state, field.origin, asking.options)
    except ValueError as fault:
        message, _, hint = str(fault).partition("; ")
        reader.error(place, f"the baseline `{asking.options['baseline']}` cannot serve: {message}", hint)
        return {}
