"""Expressions of a document: compiled and checked, or their faults noted at the character that is wrong."""

from collections.abc import Iterable, Mapping

from fireline.domain.expressions import EvaluationFault
from fireline.spec import codes
from fireline.spec.conditions import CelCondition, compile_condition
from fireline.spec.documents import Document, Entries, Items, Node, Path, Scalar
from fireline.spec.faults import SyntaxFault
from fireline.spec.findings import Findings
from fireline.spec.kinds import Kinds, kind_faults
from fireline.spec.names import Tree, unknown_names
from fireline.spec.templates import JinjaTemplate, compile_template
from fireline.spec.trees import Opaque, tree_of, walk

_TYPE_FAULTS = {
    "do not fit together": "measures are numbers, labels are texts",
    "not a valid regex": "",
    "not true or false": "compare it with something, as in `p99 > 800.0`",
}
_TRIALS = (0.5, 1e9)  # no zero: a division by it would be the fault of the trial


def read_condition(
    document: Document, path: Path, text: str | None, findings: Findings, known: Tree | None = None
) -> CelCondition | None:
    """The condition at `path`; None when there is none, or its faults are noted. `known` are the names it may use."""
    if text is None:
        return None
    try:
        condition = compile_condition(text)
    except SyntaxFault as fault:
        findings.inside(document, path, fault)
        return None
    if known is not None and _note_unknown(document, path, text, condition.names, known, findings=findings):
        return None
    return condition


def read_template(
    document: Document, path: Path, value: object, findings: Findings, known: Tree | None = None
) -> JinjaTemplate | None:
    """The template at `path`, checked text by text so that each fault is at its own place."""
    before = findings.count()
    _check_texts(document, path, document.node(path), findings, known)
    if findings.count() > before:
        return None
    try:
        return compile_template(value)
    except SyntaxFault as fault:
        findings.inside(document, path, fault)
        return None


def check_kinds(document: Document, path: Path, text: str, kinds: Kinds, findings: Findings) -> bool:
    """Note where texts and numbers do not fit together within a condition; whether there was anything."""
    faults = kind_faults(text, tree_of(text), kinds)
    for fault in faults:
        findings.inside(document, path, fault, code=codes.TYPE)
    return bool(faults)


def try_types(
    document: Document,
    path: Path,
    condition: CelCondition,
    findings: Findings,
    *,
    numbers: Iterable[str],
    texts: Iterable[str],
) -> None:
    """Check kinds, and evaluate on made-up values what no tree tells of, so that no fault waits for its first event."""
    labels, numbers = dict.fromkeys(texts, "x"), tuple(numbers)
    kinds = {**dict.fromkeys(labels, "text"), **dict.fromkeys(numbers, "number")}
    tree = tree_of(condition.source)
    understood = tree is not None and not any(isinstance(part, Opaque) for part in walk(tree))
    if check_kinds(document, path, condition.source, kinds, findings) or understood:
        return
    for value in _TRIALS:
        fault = _fault(condition, {**labels, **dict.fromkeys(numbers, value)})
        if fault is not None:
            findings.error(document, path, *fault, code=codes.TYPE)
            return


def is_template(node: Node | None) -> bool:
    """Whether a text with `{{` stands anywhere in the node."""
    match node:
        case None:
            return False
        case Scalar():
            return "{{" in node.text
        case Items():
            return any(is_template(part) for part in node.nodes)
        case Entries():
            return any("{{" in key for key in node.nodes) or any(is_template(part) for part in node.nodes.values())


def _fault(condition: CelCondition, values: Mapping[str, object]) -> tuple[str, str] | None:
    try:
        condition.holds(values)
    except EvaluationFault as fault:
        return next(((str(fault), hint) for words, hint in _TYPE_FAULTS.items() if words in str(fault)), None)
    return None


def _check_texts(document: Document, path: Path, node: Node | None, findings: Findings, known: Tree | None) -> None:
    match node:
        case None:
            return
        case Scalar():
            if isinstance(node.value, str):
                _check_text(document, path, node.value, findings, known)
        case Items():
            for index, part in enumerate(node.nodes):
                _check_texts(document, (*path, index), part, findings, known)
        case Entries():
            for key, part in node.nodes.items():
                _check_text(document, (*path, key), key, findings, known, key=True)
                _check_texts(document, (*path, key), part, findings, known)


def _check_text(
    document: Document, path: Path, text: str, findings: Findings, known: Tree | None, *, key: bool = False
) -> None:
    try:
        names = compile_template(text).variables
    except SyntaxFault as fault:
        if key:
            findings.error(document, path, str(fault), fault.hint, key=True, code=codes.SYNTAX)
        else:
            findings.inside(document, path, fault)
        return
    if known is not None:
        _note_unknown(document, path, text, names, known, findings=findings, key=key)


def _note_unknown(
    document: Document,
    path: Path,
    text: str,
    names: Iterable[str],
    known: Tree,
    *,
    findings: Findings,
    key: bool = False,
) -> bool:
    unknown = unknown_names(names, known)
    for each in unknown:
        offset = text.find(each.name)
        if key or offset < 0:
            findings.error(document, path, each.message, each.hint, key=key, code=codes.UNKNOWN_NAME)
        else:
            fault = SyntaxFault(each.message, hint=each.hint, offset=offset)
            findings.inside(document, path, fault, code=codes.UNKNOWN_NAME)
    return bool(unknown)
