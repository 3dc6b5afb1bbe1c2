"""Kinds: whether the parts of a condition fit together: texts with texts, numbers with numbers. Found when written.

What is compared is known of measures (numbers), of labels (texts) and of some fields of events; of everything else
nothing is claimed.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from fireline.spec.elsewhere import FUNCTIONS
from fireline.spec.faults import SyntaxFault
from fireline.spec.trees import COMPARISONS, Binary, Call, Choice, Listed, Literal, Name, Opaque, Tree, Unary, parts

Kinds = Mapping[str, str]
"""By name `number`, `text` or `truth`; names that are not there may be anything."""

_RESULTS: Mapping[str, str | None] = {
    "contains": "truth",
    "double": "number",
    "duration": None,
    "endsWith": "truth",
    "has": "truth",
    "int": None,
    "matches": "truth",
    "size": "number",
    "startsWith": "truth",
    "string": "text",
    "timestamp": None,
    "uint": None,
    "bytes": None,
    "dyn": None,
    "type": None,
}
_OF_TEXTS = frozenset({"contains", "endsWith", "matches", "startsWith"})
_BEHIND = _OF_TEXTS | {"size"}
"""Functions that stand behind a value, as in `name.size()`; those of instants (`getHours`) are let pass."""
_WORDS = {"number": "a number", "text": "a text", "truth": "true or false", "list": "a list"}


@dataclass(frozen=True, slots=True)
class _Checker:
    """One condition being checked; `text` is what its parts are shown by."""

    text: str
    kinds: Kinds

    def shown(self, tree: Tree) -> str:
        return self.text[tree.start : tree.end]

    def fault(self, tree: Tree, message: str, hint: str = "") -> SyntaxFault:
        return SyntaxFault(message, hint=hint, offset=tree.start)

    def faults(self, tree: Tree) -> Iterator[SyntaxFault]:
        """What does not fit within the tree, the parts before the whole."""
        for part in parts(tree):
            yield from self.faults(part)
        match tree:
            case Unary():
                yield from self._wants(tree.of, "truth" if tree.op == "!" else "number", tree.op)
            case Binary(op="&&" | "||"):
                for part in (tree.left, tree.right):
                    yield from self._wants(part, "truth", tree.op)
            case Binary():
                yield from self._between(tree)
            case Choice():
                yield from self._wants(tree.condition, "truth", "?")
            case Call():
                yield from self._called(tree)
            case _:
                return

    def kind(self, tree: Tree) -> str | None:
        """What it gives, None where that is not known."""
        match tree:
            case Literal():
                found = {bool: "truth", float: "number", str: "text"}.get(type(tree.value))
            case Name():
                found = self.kinds.get(tree.name)
            case Unary():
                found = "truth" if tree.op == "!" else "number"
            case Binary():
                found = self._gives(tree)
            case Choice():
                then, otherwise = self.kind(tree.then), self.kind(tree.otherwise)
                found = then if then == otherwise else None
            case Call():
                found = _RESULTS.get(tree.function)
            case Listed():
                found = "list"
            case Opaque():
                found = None
        return found

    def _gives(self, tree: Binary) -> str | None:
        if tree.op in COMPARISONS or tree.op in {"&&", "||", "in"}:
            return "truth"
        left, right = self.kind(tree.left), self.kind(tree.right)
        return left if left == right or right is None else right if left is None else None

    def _wants(self, tree: Tree, wanted: str, op: str) -> Iterator[SyntaxFault]:
        kind = self.kind(tree)
        if kind is None or kind == wanted:
            return
        message = f"`{self.shown(tree)}` is {_WORDS[kind]}, and `{op}` needs {_WORDS[wanted]}"
        yield self.fault(tree, message, self._compared(tree, kind) if wanted == "truth" else "")

    def _compared(self, tree: Tree, kind: str) -> str:
        example = {"number": "> 5.0", "text": "== 'x'", "list": "..."}[kind]
        return f"compare it with something, as in `{self.shown(tree)} {example}`"

    def _between(self, tree: Binary) -> Iterator[SyntaxFault]:
        match tree.op:
            case "in":
                yield from self._inside(tree)
            case "-" | "*" | "/":
                for part in (tree.left, tree.right):
                    yield from self._wants(part, "number", tree.op)
                if tree.op == "/":
                    yield from self._divided(tree)
            case "%":
                yield from self._remainder(tree)
                yield from self._divided(tree)
            case _:
                yield from self._alike(tree)

    def _divided(self, tree: Binary) -> Iterator[SyntaxFault]:
        if isinstance(tree.right, Literal) and type(tree.right.value) is float and tree.right.value == 0:
            yield self.fault(tree.right, f"`{self.shown(tree)}` divides by zero")

    def _alike(self, tree: Binary) -> Iterator[SyntaxFault]:
        for part in (tree.left, tree.right):
            if isinstance(part, Literal) and part.value is None and tree.op not in {"==", "!="}:
                yield self.fault(part, f"`null` is no number: `{tree.op}` never fits it", "compare with a number")
        left, right = self.kind(tree.left), self.kind(tree.right)
        if left is None or right is None:
            return
        if left != right:
            message = (
                f"`{self.shown(tree.left)}` is {_WORDS[left]} and `{self.shown(tree.right)}` is {_WORDS[right]}:"
                f" `{tree.op}` never fits them"
            )
            yield self.fault(tree, message, _mended(tree, left, right))
        elif tree.op == "+" and left == "truth":
            yield self.fault(tree, "truth values cannot be added", "join conditions with `&&` or `||`")

    def _inside(self, tree: Binary) -> Iterator[SyntaxFault]:
        within = self.kind(tree.right)
        if within not in {None, "list"}:
            hint = "write a list, as in `region in ['eu', 'us']`"
            yield self.fault(
                tree.right, f"`{self.shown(tree.right)}` is {_WORDS[within or '']}, and `in` needs a list", hint
            )
        left = self.kind(tree.left)
        for part in tree.right.parts if isinstance(tree.right, Listed) and left is not None else ():
            found = self.kind(part)
            if found is not None and found != left:
                message = (
                    f"`{self.shown(tree.left)}` is {_WORDS[left or '']} and never `{self.shown(part)}`, {_WORDS[found]}"
                )
                yield self.fault(part, message, _quoted(left or "", part))

    def _remainder(self, tree: Binary) -> Iterator[SyntaxFault]:
        for part in (tree.left, tree.right):
            if isinstance(part, Name) and self.kind(part) is not None:
                hint = f"write `int({part.name})`" if self.kind(part) == "number" else ""
                yield self.fault(part, f"`%` needs whole numbers, and `{part.name}` is none", hint)

    def _called(self, tree: Call) -> Iterator[SyntaxFault]:
        if tree.of is None and tree.function not in _RESULTS:
            near = difflib.get_close_matches(tree.function, _RESULTS, n=1, cutoff=0.75)
            known = f"did you mean `{near[0]}`?" if near else "measure what it would calculate"
            hint = FUNCTIONS.get(tree.function, known)
            yield self.fault(tree, f"there is no function `{tree.function}`", hint)
        yield from self._misplaced(tree)
        if tree.function in _OF_TEXTS and tree.of is not None and self.kind(tree.of) in {"number", "truth"}:
            message = (
                f"`{self.shown(tree.of)}` is {_WORDS[self.kind(tree.of) or '']}, and `{tree.function}` is for texts"
            )
            yield self.fault(tree.of, message)

    def _misplaced(self, tree: Call) -> Iterator[SyntaxFault]:
        """A function before what it is asked of, or behind what has no such function."""
        if tree.of is None and tree.function in _OF_TEXTS:
            shown = [self.shown(each) for each in tree.arguments]
            hint = f"write `{shown[0]}.{tree.function}({', '.join(shown[1:])})`" if len(shown) > 1 else ""
            yield self.fault(tree, f"`{tree.function}` stands behind the text that it is asked of", hint)
        known = tree.function in _BEHIND or tree.function.startswith("get")
        if tree.of is not None and not known and not isinstance(tree.of, Opaque):
            hint = f"there are {', '.join(sorted(_BEHIND))}"
            yield self.fault(tree, f"there is no function `{tree.function}` of a value", hint)


def kind_faults(text: str, tree: Tree | None, kinds: Kinds) -> list[SyntaxFault]:
    """What does not fit within a condition, and when it gives no truth value; each with its place."""
    return list(_faults(text, tree, frozenset(kinds.items()))) if tree is not None else []


@lru_cache(1_024)
def _faults(text: str, tree: Tree, kinds: frozenset[tuple[str, str]]) -> tuple[SyntaxFault, ...]:
    """The same, kept: a condition is asked about when it is read and when its meaning is looked at."""
    checker = _Checker(text, dict(kinds))
    try:
        found = list(checker.faults(tree))
        kind = checker.kind(tree)
    except RecursionError:
        return ()
    if not found and kind not in {None, "truth"}:
        hint = checker._compared(tree, kind or "")
        found = [checker.fault(tree, f"`{checker.shown(tree)}` is {_WORDS[kind or '']}, not true or false", hint)]
    return tuple(found)


def _mended(tree: Binary, left: str, right: str) -> str:
    for wanted, part in ((left, tree.right), (right, tree.left)):
        if isinstance(part, Literal) and (hint := _quoted(wanted, part)):
            return hint
    return "compare numbers with numbers and texts with texts"


def _quoted(wanted: str, part: Tree) -> str:
    """How a constant is written as what was wanted; nothing where that makes no sense."""
    if not isinstance(part, Literal):
        return ""
    if wanted == "text" and type(part.value) is float:
        return f"write it in quotes: `'{part.value:g}'`"
    if wanted == "text" and isinstance(part.value, bool):
        return f"labels are texts: `'{str(part.value).lower()}'`"
    if wanted == "number" and isinstance(part.value, str) and part.value.replace(".", "", 1).isdigit():
        return f"write it without quotes: `{part.value}`"
    return ""
