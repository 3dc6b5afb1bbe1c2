"""Explaining: a condition part by part, each with what it was of the values that were known."""

from collections.abc import Mapping
from dataclasses import dataclass

from fireline.domain.expressions import EvaluationFault
from fireline.spec.conditions import compile_condition
from fireline.spec.faults import SyntaxFault
from fireline.spec.trees import Literal, Tree, parts, tree_of


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a condition as it is written; `value` is what it was, None (and `why`) when that cannot be told."""

    source: str
    value: object
    why: str = ""
    parts: tuple["Part", ...] = ()


def explained(source: str, values: Mapping[str, object]) -> Part:
    """The condition and everything within it, without what stands for itself (numbers, texts)."""
    tree = tree_of(source)
    return _part(source, tree, values) if tree is not None else _alone(source, values)


def _part(source: str, tree: Tree, values: Mapping[str, object]) -> Part:
    within = tuple(_part(source, each, values) for each in parts(tree) if not isinstance(each, Literal))
    found = _alone(source[tree.start : tree.end], values)
    return Part(found.source, found.value, found.why, within)


def _alone(text: str, values: Mapping[str, object]) -> Part:
    try:
        return Part(text, compile_condition(text).value(values))
    except (SyntaxFault, EvaluationFault) as fault:
        return Part(text, None, str(fault))
