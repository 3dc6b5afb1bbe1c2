"""`--input name=value` of a command line as the values that a runbook wants."""

import json
from collections.abc import Mapping, Sequence

from fireline.apps.faults import Refused
from fireline.domain.runbooks import Input, Runbook
from fireline.spec.findings import suggestion

_READ = {"integer", "int", "number", "boolean", "bool", "list", "mapping", "entity"}
"""The types whose values are written as in JSON; values of others are texts."""


def inputs_of(book: Runbook, given: Sequence[str]) -> Mapping[str, object]:
    """The inputs by name; raises Refused for one that is not `name=value`, is not the runbook's, or cannot be read."""
    known = {parameter.name: parameter for parameter in book.inputs}
    found: dict[str, object] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise Refused(f"--input {text!r} is not name=value, such as --input service=fraud-scoring")
        if name not in known:
            raise Refused(f"{book.name} has no input {name!r}; {suggestion(name, known)}")
        found[name] = _value(known[name], value)
    return found


def _value(parameter: Input, text: str) -> object:
    if parameter.type not in _READ:
        return text
    try:
        value: object = json.loads(text)
    except ValueError:
        raise Refused(f"input {parameter.name}: expected {parameter.type}, found {text!r}") from None
    return value
