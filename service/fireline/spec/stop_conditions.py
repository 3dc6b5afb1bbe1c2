"""Stop conditions: what `stop_if` of a runbook may name, of what kind that is, and whether its rules are there."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fireline.domain.runbooks import Runbook
from fireline.spec import codes
from fireline.spec.conditions import CelCondition
from fireline.spec.documents import Document
from fireline.spec.expressions import check_kinds, read_condition
from fireline.spec.faults import SyntaxFault
from fireline.spec.findings import Findings, suggestion
from fireline.spec.kinds import Kinds
from fireline.spec.names import START, Tree
from fireline.spec.runbook_forms import InputForm

PATH = ("guards", "stop_if")
_COUNTS: Kinds = dict.fromkeys(("fallbacks_active", "runs_active", "incidents_open"), "number")
_PLAIN: Kinds = {**_COUNTS, "severity": "text", "service": "text"}
_RULE: Kinds = {"firing": "truth", "entities": "number", "severity": "text"}
_TARGET: Kinds = {"healthy": "truth", "share": "number"}
_GROUPS: Mapping[str, Kinds] = {
    "run": dict.fromkeys(("seconds", "steps_done", "steps_failed", "steps_undone"), "number"),
    "route": {"off_primary": "number", "on_fallback": "truth", "changes": "number"},
}
_INPUTS: Kinds = {
    **dict.fromkeys(("int", "integer", "number"), "number"),
    **dict.fromkeys(("string", "enum", "entity"), "text"),
    **dict.fromkeys(("bool", "boolean"), "truth"),
}
_INDEX = re.compile(
    r"\brules\s*\[\s*(['\"])(?P<rule>[^'\"]*)\1\s*\](?:\s*\.\s*(?P<field>\w+))?(?:\s*\.\s*(?P<measure>\w+))?"
)


def stop_tree(inputs: Iterable[str]) -> Tree:
    """The names that it may use."""
    return {
        **START,
        **dict.fromkeys(_COUNTS),
        **{group: dict.fromkeys(names) for group, names in _GROUPS.items()},
        "rules": {"*": {**dict.fromkeys(_RULE), "measures": {"*": None}}},
        "targets": {"*": dict.fromkeys(_TARGET)},
        "inputs": dict.fromkeys(inputs),
    }


def read_stop_if(
    document: Document, text: str | None, inputs: Mapping[str, InputForm], findings: Findings
) -> CelCondition | None:
    """The condition of `stop_if`, its names and kinds checked; whether its rules exist is for `check_stop_if`."""
    found = read_condition(document, PATH, text, findings, stop_tree(inputs))
    if found is not None and check_kinds(document, PATH, found.source, _kinds(found.names, inputs), findings):
        return None
    return found


def _kinds(names: Iterable[str], inputs: Mapping[str, InputForm]) -> Kinds:
    return {name: kind for name in names if (kind := _kind(name, inputs)) is not None}


def _kind(name: str, inputs: Mapping[str, InputForm]) -> str | None:
    found: str | None = None
    match name.split("."):
        case [count]:
            found = _PLAIN.get(count)
        case ["rules", _, field]:
            found = _RULE.get(field)
        case ["rules", _, "measures", _]:
            found = "number"
        case ["targets", _, field]:
            found = _TARGET.get(field)
        case ["inputs", field]:
            found = _INPUTS.get(inputs[field].type) if field in inputs else None
        case [group, field]:
            found = _GROUPS.get(group, {}).get(field)
    return found


def check_stop_if(
    document: Document, book: Runbook, rules: Mapping[str, Sequence[str]], names: Iterable[str], findings: Findings
) -> None:
    """Note rules that there are not, and measures that a rule has not. `names` are all rules, `rules` sound ones'."""
    text = "" if book.stop_if is None else book.stop_if.source
    known = frozenset(names)
    fields = (*_RULE, "measures")
    for rule, field, measure, offset in _mentioned(text, book):
        if field not in fields:
            fault = SyntaxFault(f"`{field}` is not known of a rule", hint=suggestion(field, fields), offset=offset)
        elif rule not in known:
            fault = SyntaxFault(f"there is no rule `{rule}`", hint=suggestion(rule, known), offset=offset)
        elif measure and rule in rules and measure not in rules[rule]:
            message = f"the rule `{rule}` has no measure `{measure}`"
            fault = SyntaxFault(message, hint=suggestion(measure, rules[rule]), offset=offset)
        else:
            continue
        findings.inside(document, PATH, fault, code=codes.UNKNOWN_NAME)


def _mentioned(text: str, book: Runbook) -> Iterator[tuple[str, str, str, int]]:
    """Rule, what of it, its measure where one is named, and where in the text."""
    for name in sorted(book.stop_if.names if isinstance(book.stop_if, CelCondition) else ()):
        match name.split("."):
            case ["rules", rule, "measures", measure]:
                yield rule, "measures", measure, max(0, text.find(name))
            case ["rules", rule, field]:
                yield rule, field, "", max(0, text.find(name))
    for found in _INDEX.finditer(text):  # names do not tell of what comes after an index
        yield found["rule"], found["field"] or "measures", found["measure"] or "", found.start()
