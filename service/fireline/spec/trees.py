"""Trees: what a condition says, part by part with its place in the text, for checks and for explanations.

The library that evaluates conditions shows no tree. This reads the part of CEL that conditions are made of: logic,
comparison, arithmetic, `in`, `a ? b : c`, calls and lists. What it does not know (maps, indexes, bytes) is `Opaque`,
and a text that cannot be read at all has no tree: whoever asks then claims nothing.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Literal:
    """A number (always a double, as conditions are evaluated), a text, a truth value or null."""

    value: float | str | bool | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Name:
    """A name, dotted where it is: `p99`, `steps.ask.approved`."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Unary:
    """`!` or `-` before something."""

    op: str
    of: "Tree"
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Binary:
    """Two parts and what stands between them; `at` is where that stands."""

    op: str
    left: "Tree"
    right: "Tree"
    start: int
    end: int
    at: int


@dataclass(frozen=True, slots=True)
class Choice:
    """`condition ? then : otherwise`."""

    condition: "Tree"
    then: "Tree"
    otherwise: "Tree"
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function of arguments; `of` is what stands before its dot, None of a function that stands alone."""

    function: str
    of: "Tree | None"
    arguments: tuple["Tree", ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Listed:
    """`[a, b]`."""

    parts: tuple["Tree", ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Opaque:
    """Something that is not looked into, and the parts within it."""

    parts: tuple["Tree", ...]
    start: int
    end: int


Tree = Literal | Name | Unary | Binary | Choice | Call | Listed | Opaque

COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>[rR]?(?:'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"))
      |(?P<number>(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?)(?![\w.])
      |(?P<name>[A-Za-z_]\w*)
      |(?P<mark>&&|\|\||<=|>=|==|!=|[-+*/%!<>?:.,()\[\]])
      |(?P<end>$)|(?P<other>.))""",
    re.VERBOSE | re.DOTALL,
)
_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"||"}),
    frozenset({"&&"}),
    COMPARISONS | {"in"},
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%"}),
)
_BINDS = {op: level for level, ops in enumerate(_LEVELS) for op in ops}
_OPERATORS = frozenset({"mark", "name"})
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


class _Unread(Exception):  # noqa: N818 - never leaves this module
    """The text has something that is not read here."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


@lru_cache(4_096)
def tree_of(text: str) -> Tree | None:
    """The tree of a condition; None when it cannot be read."""
    try:
        reader = _Reader([_token(found) for found in _TOKEN.finditer(text)])
        tree = reader.choice()
    except (_Unread, RecursionError):
        return None
    return tree if reader.now.kind == "end" else None


def parts(tree: Tree) -> tuple[Tree, ...]:
    """What stands directly within it, in the order of the text."""
    match tree:
        case Literal() | Name():
            return ()
        case Unary():
            return (tree.of,)
        case Binary():
            return (tree.left, tree.right)
        case Choice():
            return (tree.condition, tree.then, tree.otherwise)
        case Call():
            return tree.arguments if tree.of is None else (tree.of, *tree.arguments)
        case Listed() | Opaque():
            return tree.parts


def walk(tree: Tree) -> Iterator[Tree]:
    """It and everything within it, in the order of the text."""
    waiting = [tree]
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(reversed(parts(found)))


def joined(tree: Tree, op: str) -> list[Tree]:
    """The parts that `op` (`&&` or `||`) joins, in order; the tree alone when it joins none."""
    found: list[Tree] = []
    waiting = [tree]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Binary) and each.op == op:
            waiting += [each.right, each.left]
        else:
            found.append(each)
    return found


def _token(found: re.Match[str]) -> _Token:
    kind = found.lastgroup or "other"
    return _Token(kind, found[kind], found.start(kind), found.end(kind))


class _Reader:
    """Reads tokens from the left; every method reads one thing and leaves `now` behind it."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def now(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _is(self, mark: str) -> bool:
        now = self._tokens[self._at]
        return now.text == mark and now.kind == "mark"

    def _taken(self, mark: str) -> bool:
        taken = self._is(mark)
        self._at += taken
        return taken

    def _must(self, mark: str) -> _Token:
        if not self._is(mark):
            raise _Unread
        return self._next()

    def choice(self) -> Tree:
        condition = self._binary(0)
        if not self._taken("?"):
            return condition
        then = self._binary(0)
        self._must(":")
        otherwise = self.choice()
        return Choice(condition, then, otherwise, condition.start, otherwise.end)

    def _binary(self, least: int) -> Tree:
        """What is joined by operators that bind at least so closely."""
        left = self._unary()
        while True:
            op = self._tokens[self._at]
            level = _BINDS.get(op.text, -1) if op.kind in _OPERATORS else -1
            if level < least:
                return left
            self._at += 1
            right = self._binary(level + 1)
            left = Binary(op.text, left, right, left.start, right.end, op.start)

    def _unary(self) -> Tree:
        if not (self._is("!") or self._is("-")):
            return self._member()
        op = self._next()
        of = self._unary()
        if op.text == "-" and isinstance(of, Literal) and type(of.value) is float:
            return Literal(-of.value, op.start, of.end)
        return Unary(op.text, of, op.start, of.end)

    def _member(self) -> Tree:
        tree = self._primary()
        while True:
            if self._taken("."):
                tree = self._field(tree)
            elif self._is("["):
                self._next()
                index = self.choice()
                tree = Opaque((tree, index), tree.start, self._must("]").end)
            else:
                return tree

    def _field(self, of: Tree) -> Tree:
        token = self._next()
        if token.kind != "name":
            raise _Unread
        if self._taken("("):
            arguments, end = self._listed(")")
            return Call(token.text, of, arguments, of.start, end)
        if isinstance(of, Name):
            return Name(f"{of.name}.{token.text}", of.start, token.end)
        return Opaque((of,), of.start, token.end)

    def _primary(self) -> Tree:
        token = self._next()
        read = self._kinds().get(token.kind)
        if read is None:
            raise _Unread
        return read(token)

    def _kinds(self) -> dict[str, Callable[[_Token], Tree]]:
        return {"text": _text, "number": _number, "name": self._name, "mark": self._marked}

    def _name(self, token: _Token) -> Tree:
        if token.text in _WORDS:
            return Literal(_WORDS[token.text], token.start, token.end)
        if self._taken("("):
            arguments, end = self._listed(")")
            return Call(token.text, None, arguments, token.start, end)
        return Name(token.text, token.start, token.end)

    def _marked(self, token: _Token) -> Tree:
        if token.text == "(":
            inner = self.choice()
            self._must(")")
            return inner
        if token.text == "[":
            found, end = self._listed("]")
            return Listed(found, token.start, end)
        raise _Unread

    def _listed(self, closing: str) -> tuple[tuple[Tree, ...], int]:
        found: list[Tree] = []
        while not self._is(closing):
            found.append(self.choice())
            if not self._taken(","):
                break
        return tuple(found), self._must(closing).end


def _text(token: _Token) -> Tree:
    quoted = token.text
    if "\\" in quoted or quoted[0] in "rR":
        return Opaque((), token.start, token.end)
    return Literal(quoted[1:-1], token.start, token.end)


def _number(token: _Token) -> Tree:
    return Literal(float(token.text), token.start, token.end)


def plain(tree: Tree) -> str:
    """It as a text that is the same for two trees that say the same."""
    inner = [plain(part) for part in parts(tree)]
    match tree:
        case Literal():
            said = repr(tree.value)
        case Name():
            said = tree.name
        case Unary():
            said = f"{tree.op}({inner[0]})"
        case Binary():
            said = f"({inner[0]} {tree.op} {inner[1]})"
        case Choice():
            said = f"({inner[0]} ? {inner[1]} : {inner[2]})"
        case Call():
            of = f"{inner.pop(0)}." if tree.of is not None else ""
            said = f"{of}{tree.function}({', '.join(inner)})"
        case Listed():
            said = f"[{', '.join(inner)}]"
        case Opaque():
            said = f"?{tree.start}[{', '.join(inner)}]"
    return said


def renamed(tree: Tree, names: Mapping[str, str]) -> Tree:
    """It with other names; what is not among them stays."""

    def new(part: Tree) -> Tree:
        return renamed(part, names)

    found = tree
    match tree:
        case Literal():
            pass
        case Name():
            found = replace(tree, name=names.get(tree.name, tree.name))
        case Unary():
            found = replace(tree, of=new(tree.of))
        case Binary():
            found = replace(tree, left=new(tree.left), right=new(tree.right))
        case Choice():
            found = replace(tree, condition=new(tree.condition), then=new(tree.then), otherwise=new(tree.otherwise))
        case Call():
            of = None if tree.of is None else new(tree.of)
            found = replace(tree, of=of, arguments=tuple(map(new, tree.arguments)))
        case Listed() | Opaque():
            found = replace(tree, parts=tuple(map(new, tree.parts)))
    return found


def names_in(tree: Tree) -> frozenset[str]:
    """The names that it refers to."""
    return frozenset(part.name for part in walk(tree) if isinstance(part, Name))
