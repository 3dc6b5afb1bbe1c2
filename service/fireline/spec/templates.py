"""Templates: `{{ }}` places in texts, mappings and lists of the YAML files, filled by sandboxed Jinja2 expressions.

A text that is exactly one place keeps the native type of its value; any other becomes text. Only expressions are
allowed: no statements, calls, macros or imports, and names reach into mappings and lists only, never into objects.
Without loops, and with every text bounded, the work of a rendering is bounded by the size of the template.
Data is never a template: what comes out of a place is not looked at again.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from jinja2 import TemplateSyntaxError, UndefinedError, nodes
from jinja2.environment import TemplateExpression
from jinja2.runtime import Undefined

from fireline.domain.expressions import EvaluationFault
from fireline.spec.faults import SyntaxFault
from fireline.spec.filters import ELSEWHERE, FILTERS, TESTS, bounded, shown, takes
from fireline.spec.sandbox import ENVIRONMENT

MAX_LENGTH = 8 * 1024
MAX_NODES = 200
_ALLOWED = (
    nodes.Name,
    nodes.Const,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Filter,
    nodes.Test,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.CondExpr,
    nodes.Add,
    nodes.Sub,
    nodes.Mul,
    nodes.Div,
    nodes.FloorDiv,
    nodes.Mod,
    nodes.Neg,
    nodes.Pos,
    nodes.Concat,
    nodes.List,
    nodes.Tuple,
    nodes.Dict,
    nodes.Pair,
    nodes.Keyword,
)
_REFUSED = {
    nodes.Call: ("templates call nothing", "write a filter, as in `{{ value | round }}`"),
    nodes.Pow: ("`**` is not allowed in templates", ""),
    nodes.Slice: ("slices are not allowed in templates", "write `{{ value | truncate(20) }}`"),
}
_OTHERS = re.compile(r"\$\{\{[^{}]*\}\}|<%.*%>", re.DOTALL)
"""A text that is one place of another tool's templates, and would be taken word for word here."""
_RESERVED = frozenset({"self", "super", "caller"})


@dataclass(frozen=True, slots=True)
class _Expression:
    """One `{{ expression }}` as it was parsed; two that say the same are equal."""

    said: str
    node: nodes.Expr = field(compare=False)


@lru_cache(4_096)
def _place(expression: _Expression) -> "_Place":
    """The place of an expression; many rules say `{{ service }}`, and compiling takes a millisecond."""
    return _Place(expression.node)


class _Place:
    """One `{{ expression }}`; compiled when it is first filled, since most that are read are not, in one process."""

    __slots__ = ("_expression", "_node", "names")

    def __init__(self, node: nodes.Expr) -> None:
        self.names = frozenset(_names(node))
        self._node = node
        self._expression: TemplateExpression | None = None

    def value(self, values: Mapping[str, object]) -> object:
        if self._expression is None:
            self._expression = _compiled_expression(self._node)
        result = self._expression(dict(values))
        if isinstance(result, Undefined):
            result._fail_with_undefined_error()
        return bounded(result) if isinstance(result, str) else result


def _compiled_expression(node: nodes.Expr) -> TemplateExpression:
    assignment = nodes.Assign(nodes.Name("result", "store", lineno=1), node, lineno=1)
    tree = nodes.Template([assignment], lineno=1)
    tree.set_environment(ENVIRONMENT)
    return TemplateExpression(ENVIRONMENT.from_string(tree), undefined_to_none=False)


_Part = str | _Place


class JinjaTemplate:
    """A compiled value; `variables` are the dotted names it uses, `*` standing for a computed part."""

    __slots__ = ("_filled", "source", "variables")

    def __init__(self, source: object, filled: "_Filled", variables: frozenset[str]) -> None:
        self.source = source
        self.variables = variables
        self._filled = filled

    def __repr__(self) -> str:
        return f"JinjaTemplate({self.source!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JinjaTemplate) and other.source == self.source

    def __hash__(self) -> int:
        return hash(repr(self.source))

    def render(self, values: Mapping[str, object]) -> object:
        """The value with its places filled; raises `EvaluationFault` naming what was missing or of a wrong type."""
        return self._filled.render(values)


class _Filled(Protocol):
    """Anything that can be rendered."""

    def render(self, values: Mapping[str, object]) -> object: ...


class _Constant:
    def __init__(self, value: object) -> None:
        self.value = value

    def render(self, values: Mapping[str, object]) -> object:
        return self.value


class _Text:
    def __init__(self, source: str, parts: Sequence[_Part]) -> None:
        self.source = source
        self.parts = parts
        self.native = parts[0] if len(parts) == 1 and isinstance(parts[0], _Place) else None

    def render(self, values: Mapping[str, object]) -> object:
        try:
            if self.native is not None:
                return self.native.value(values)
            texts = (part if isinstance(part, str) else shown(part.value(values)) for part in self.parts)
            return bounded("".join(texts))
        except EvaluationFault:
            raise
        except Exception as error:
            raise EvaluationFault(self._why(values, error)) from error

    def _why(self, values: Mapping[str, object], error: Exception) -> str:
        text = self.source if len(self.source) <= 80 else self.source[:77] + "..."
        if isinstance(error, UndefinedError):
            places = (part for part in self.parts if isinstance(part, _Place))
            names = sorted(name for place in places for name in place.names)
            missing = next((found for name in names if (found := _missing(values, name))), None)
            return f"`{text}` cannot be filled: " + (f"`{missing}` is not there" if missing else str(error))
        return f"`{text}` cannot be filled: {error}"


class _Entries:
    def __init__(self, entries: Sequence[tuple[_Filled, _Filled]]) -> None:
        self.entries = entries

    def render(self, values: Mapping[str, object]) -> object:
        return {_key(key.render(values)): value.render(values) for key, value in self.entries}


class _Items:
    def __init__(self, items: Sequence[_Filled]) -> None:
        self.items = items

    def render(self, values: Mapping[str, object]) -> object:
        return [item.render(values) for item in self.items]


def compile_template(value: object) -> JinjaTemplate:
    """Compile a text, mapping, list or plain value; raises `SyntaxFault`."""
    names: set[str] = set()
    return JinjaTemplate(value, _compile(value, names), frozenset(names))


def _compile(value: object, names: set[str]) -> _Filled:
    if isinstance(value, str):
        return _compile_text(value, names)
    if isinstance(value, Mapping):
        return _Entries([(_compile(key, names), _compile(part, names)) for key, part in value.items()])
    if isinstance(value, (list, tuple)):
        return _Items([_compile(part, names) for part in value])
    return _Constant(value)


def expressions(text: str) -> Iterator[nodes.Node]:
    """The expressions of a text, as they were parsed; raises `SyntaxFault`."""
    if any(mark in text for mark in ("{{", "{%", "{#")):
        yield from (part for part in _parts(text) if not isinstance(part, str))


def _compile_text(text: str, names: set[str]) -> _Filled:
    filled, found = _compiled(text)
    names |= found
    return filled


@lru_cache(4_096)
def _compiled(text: str) -> tuple[_Filled, frozenset[str]]:
    """The text compiled, and the names it uses; kept, as it is wanted when it is checked, read, and read anew."""
    if len(text) > MAX_LENGTH:
        raise SyntaxFault(f"the template is {len(text)} characters long, at most {MAX_LENGTH} are allowed")
    if _OTHERS.fullmatch(text.strip()):
        raise SyntaxFault("places are written `{{ }}`", hint=f"take the `{'$' if '$' in text[:4] else '<% %>'}` away")
    if not any(mark in text for mark in ("{{", "{%", "{#")):
        return _Constant(text), frozenset()
    parts = [part if isinstance(part, str) else _place(_Expression(repr(part), part)) for part in _parts(text)]
    names = [part.names for part in parts if isinstance(part, _Place)]
    return _Text(text, parts), frozenset().union(*names)


def _parts(text: str) -> Iterator[str | nodes.Expr]:
    for statement in _parse(text).body:
        if not isinstance(statement, nodes.Output):
            raise SyntaxFault(
                "statements (`{% %}`) are not allowed in templates",
                hint="use an expression: `{{ a if condition else b }}`",
                offset=text.find("{%"),
            )
        for node in statement.nodes:
            if isinstance(node, nodes.TemplateData):
                yield node.data
            else:
                _check(node)
                yield node


def _parse(text: str) -> nodes.Template:
    try:
        tree = ENVIRONMENT.parse(text)
    except TemplateSyntaxError as error:
        raise SyntaxFault(f"the template cannot be read: {error.message}", hint=_hint(text)) from error
    except RecursionError:
        raise SyntaxFault("the template is nested too deeply") from None
    if sum(1 for _ in tree.find_all(nodes.Node)) > MAX_NODES:
        raise SyntaxFault("the template is too large", hint="split it, or compute less in it")
    return tree


def _hint(text: str) -> str:
    if text.count("{{") != text.count("}}"):
        return "every `{{` needs its `}}`"
    if re.search(r"\{\{[^}]*\$", text):
        return "names have no `$`: `{{ service }}`, `{{ measures.p99 }}`"
    if "&&" in text or "||" in text:
        return "templates say `and` and `or`; `&&` and `||` belong to conditions"
    return ""


def _check(node: nodes.Node) -> None:
    for part in (node, *node.find_all(nodes.Node)):
        for kind, (message, hint) in _REFUSED.items():
            if isinstance(part, kind):
                raise SyntaxFault(message, hint=hint)
        if isinstance(part, nodes.Name) and part.name in _RESERVED:
            raise SyntaxFault(f"`{part.name}` is a reserved word of templates")
        if isinstance(part, nodes.CondExpr) and part.expr2 is None:
            raise SyntaxFault(
                "an `if` without `else` has no value when it does not hold", hint="write `{{ a if condition else '' }}`"
            )
        if isinstance(part, nodes.Const) and isinstance(part.value, float) and not math.isfinite(part.value):
            raise SyntaxFault("a number in a template is too large")
        if isinstance(part, nodes.Filter):
            _check_filter(part)
        if isinstance(part, nodes.Test):
            _check_known("test", part.name, TESTS)
        if not isinstance(part, (*_ALLOWED, nodes.Helper)):
            raise SyntaxFault(f"{type(part).__name__} is not allowed in templates")


def _check_filter(part: nodes.Filter) -> None:
    if part.name in ELSEWHERE:
        raise SyntaxFault(f"there is no filter `{part.name}`", hint=f"it is called `{ELSEWHERE[part.name]}` here")
    _check_known("filter", part.name, FILTERS)
    if part.dyn_args is None and part.dyn_kwargs is None:
        form = takes(part.name, len(part.args), frozenset(str(pair.key) for pair in part.kwargs))
        if form:
            raise SyntaxFault(f"the filter `{part.name}` is given too much or too little", hint=f"write `| {form}`")


def _check_known(what: str, name: str, known: Mapping[str, object]) -> None:
    if name not in known:
        raise SyntaxFault(f"there is no {what} `{name}`", hint=f"{what}s are {', '.join(sorted(known))}")


def _names(node: nodes.Node) -> Iterator[str]:
    """The dotted names of an expression: the longest chain at each place, computed subscripts as `*`."""
    if isinstance(node, (nodes.Name, nodes.Getattr, nodes.Getitem)):
        chain, inner = _chain(node)
        if chain is not None:
            yield chain
        for part in inner:
            yield from _names(part)
        return
    for part in node.iter_child_nodes():
        yield from _names(part)


def _chain(node: nodes.Node) -> tuple[str | None, list[nodes.Node]]:
    parts: list[str] = []
    inner: list[nodes.Node] = []
    while not isinstance(node, nodes.Name):
        if isinstance(node, nodes.Getattr):
            parts.append(node.attr)
            node = node.node
        elif isinstance(node, nodes.Getitem):
            constant = isinstance(node.arg, nodes.Const)
            parts.append(str(node.arg.value) if isinstance(node.arg, nodes.Const) else "*")
            inner += [] if constant else [node.arg]
            node = node.node
        else:
            return None, [*inner, node]
    return ".".join([node.name, *reversed(parts)]), inner


def _missing(values: Mapping[str, object], name: str) -> str | None:
    value: object = values
    parts = name.split(".")
    for count, part in enumerate(parts, 1):
        if part == "*":
            return name.replace(".*", "[...]")
        if isinstance(value, Sequence) and not isinstance(value, str) and part.isdigit():
            if int(part) >= len(value):
                return ".".join(parts[:count])
            value = value[int(part)]
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            return ".".join(parts[:count])
    return None


def _key(value: object) -> object:
    return value if isinstance(value, (str, int, float)) else shown(value)
