"""Arithmetic on trees: as a sum of names where it is one, and between which bounds it lies."""

import math
from collections.abc import Callable

from fireline.spec.trees import Binary, Call, Choice, Literal, Name, Tree, Unary

Interval = tuple[float, float]
"""The least and the greatest that a number can be, both included; infinite where nothing is known."""
ANY: Interval = (-math.inf, math.inf)
Linear = tuple[dict[str, float], float]
"""What each name is multiplied with, and what is added: `2 * a - b + 3` is `({a: 2, b: -1}, 3)`."""


def linear(tree: Tree) -> Linear | None:
    """The tree as a sum of names with factors; None when it is not one."""
    found: Linear | None = None
    match tree:
        case Name():
            found = {tree.name: 1.0}, 0.0
        case Literal(value=float() as number):
            found = {}, number
        case Unary(op="-"):
            found = _scaled(linear(tree.of), -1.0)
        case Binary(op="+"):
            found = _added(linear(tree.left), linear(tree.right))
        case Binary(op="-"):
            found = _added(linear(tree.left), _scaled(linear(tree.right), -1.0))
        case Binary(op="*" | "/"):
            found = _multiplied(tree.op, linear(tree.left), linear(tree.right))
        case _:
            pass
    return found


def interval(tree: Tree, of: Callable[[str], Interval]) -> Interval:
    """Between which bounds the tree lies, when each name lies between those that `of` tells."""
    found = ANY
    match tree:
        case Name():
            found = of(tree.name)
        case Literal(value=float() as number):
            found = number, number
        case Unary(op="-"):
            low, high = interval(tree.of, of)
            found = -high, -low
        case Binary(op="+" | "-" | "*" | "/"):
            found = _calculated(tree.op, interval(tree.left, of), interval(tree.right, of))
        case Choice():
            (a, b), (c, d) = interval(tree.then, of), interval(tree.otherwise, of)
            found = min(a, c), max(b, d)
        case Call(function="size"):
            found = 0.0, math.inf
        case _:
            pass
    return found


def possible(op: str, left: Interval, right: Interval) -> bool:
    """Whether a comparison of numbers within these bounds can be true."""
    match op:
        case "<":
            return left[0] < right[1]
        case "<=":
            return left[0] <= right[1]
        case ">":
            return left[1] > right[0]
        case ">=":
            return left[1] >= right[0]
        case "==":
            return left[0] <= right[1] and right[0] <= left[1]
        case _:
            return not left[0] == left[1] == right[0] == right[1]


def _scaled(form: Linear | None, by: float) -> Linear | None:
    if form is None:
        return None
    names, added = form
    return {name: factor * by for name, factor in names.items()}, added * by


def _added(left: Linear | None, right: Linear | None) -> Linear | None:
    if left is None or right is None:
        return None
    names = dict(left[0])
    for name, factor in right[0].items():
        names[name] = names.get(name, 0.0) + factor
    return names, left[1] + right[1]


def _multiplied(op: str, left: Linear | None, right: Linear | None) -> Linear | None:
    if left is None or right is None:
        return None
    if not right[0]:
        if op == "*":
            return _scaled(left, right[1])
        return _scaled(left, 1.0 / right[1]) if right[1] else None
    return _scaled(right, left[1]) if op == "*" and not left[0] else None


def _calculated(op: str, left: Interval, right: Interval) -> Interval:
    (a, b), (c, d) = left, right
    match op:
        case "+":
            found = [a + c, b + d]
        case "-":
            found = [a - d, b - c]
        case "*":
            found = [a * c, a * d, b * c, b * d]
        case _:
            if c <= 0.0 <= d:
                return ANY
            found = [a / c, a / d, b / c, b / d]
    return ANY if any(map(math.isnan, found)) else (min(found), max(found))
