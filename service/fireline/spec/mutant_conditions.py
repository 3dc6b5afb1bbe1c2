"""Changed conditions: a comparison turned, a threshold moved, an operand of `&&` or `||` dropped."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<text>'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")
      |(?P<number>(?<![\w.\])])(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?(?![\w.]))
      |(?P<word>[A-Za-z_][\w.]*)
      |(?P<compare><=|>=|==|!=|<|>)
      |(?P<logic>&&|\|\|)
      |(?P<mark>\S)""",
    re.VERBOSE,
)
_TURNED = {">": ("<", ">="), ">=": ("<", ">"), "<": (">", "<="), "<=": (">", "<"), "==": ("!=",), "!=": ("==",)}
_PARTS = (0.9, 1.1)
_OPEN, _CLOSE = "([{", ")]}"


class Changed(NamedTuple):
    """A condition after one change: `kind` of change, its text, and what was changed into what."""

    kind: str
    text: str
    was: str
    now: str


def changes(condition: str) -> Iterator[Changed]:
    """Every change of a condition that its syntax allows, in the order of the text."""
    for token in _TOKEN.finditer(condition):
        if token["compare"]:
            for other in _TURNED[token["compare"]]:
                yield _with(condition, "comparison", token.span(), other)
        if token["number"]:
            for other in moved(token["number"]):
                yield _with(condition, "threshold", token.span(), other)
    yield from _dropped(condition, _Tokens(list(_TOKEN.finditer(condition))))


def _with(condition: str, kind: str, span: tuple[int, int], now: str) -> Changed:
    start, end = span
    text = condition[:start] + now + condition[end:]
    return Changed(kind, text, condition[start:end], now)


def moved(number: str) -> Sequence[str]:
    """A tenth less and a tenth more, whole numbers staying whole; 0 has only a neighbour above."""
    value = float(number)
    if value == 0:
        return ("1",) if number.isdigit() else ("0.1",)
    if not number.isdigit():
        return tuple(f"{value * part:.12g}" for part in _PARTS)
    by = max(1, round(value / 10))
    return tuple(str(int(value) + step) for step in (-by, by))


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Tokens of an expression, or of a part of it."""

    found: Sequence[re.Match[str]]

    def split(self, mark: str) -> list["_Tokens"]:
        """The operands between the `mark`s that stand in no brackets."""
        parts: list[list[re.Match[str]]] = [[]]
        depth = 0
        for token in self.found:
            depth += (token[0] in _OPEN) - (token[0] in _CLOSE)
            if depth == 0 and token["logic"] == mark:
                parts.append([])
            else:
                parts[-1].append(token)
        return [_Tokens(part) for part in parts]

    @property
    def span(self) -> tuple[int, int]:
        return self.found[0].start(), self.found[-1].end()

    def inner(self) -> "_Tokens | None":
        """What stands in the brackets around all of it (behind `!`, perhaps); None when it stands in none."""
        found = self.found[1:] if self.found[0][0] == "!" else self.found
        if len(found) < 3 or found[0][0] != "(":
            return None
        depth = 0
        for place, token in enumerate(found):
            depth += (token[0] in _OPEN) - (token[0] in _CLOSE)
            if depth == 0:
                return _Tokens(found[1:-1]) if place == len(found) - 1 else None
        return None


def _dropped(condition: str, tokens: _Tokens) -> Iterator[Changed]:
    """The condition without one of its operands, at any depth of brackets."""
    if not tokens.found or any(token[0] == "?" for token in tokens.found):
        return
    mark = next((each for each in ("||", "&&") if len(tokens.split(each)) > 1), None)
    if mark is None:
        inner = tokens.inner()
        if inner is not None:
            yield from _dropped(condition, inner)
        return
    operands = tokens.split(mark)
    if not all(operand.found for operand in operands):
        return
    for place, operand in enumerate(operands):
        start = operands[place - 1].span[1] if place else operand.span[0]
        end = operand.span[1] if place else operands[1].span[0]
        was = condition[operand.span[0] : operand.span[1]]
        yield Changed("operand", condition[:start] + condition[end:], was, f"no `{mark}` with it")
    for operand in operands:
        yield from _dropped(condition, operand)
