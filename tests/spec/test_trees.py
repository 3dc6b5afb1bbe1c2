"""Conditions as trees: read as CEL evaluates them, with the place of every part."""

import cel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.spec.conditions import compile_condition
from fireline.spec.trees import Binary, Call, Choice, Listed, Literal, Name, Opaque, Tree, Unary, joined, tree_of, walk
from tests.examples import examples

NAMES = ("a", "b", "c")


def value(tree: Tree | None, values: dict[str, float]) -> object:
    """What a tree of numbers and truth values gives, by the plainest reading of it."""
    match tree:
        case Literal():
            return tree.value
        case Name():
            return values[tree.name]
        case Unary():
            inner = value(tree.of, values)
            assert isinstance(inner, float | bool)
            return (not inner) if tree.op == "!" else -inner
        case Choice():
            return value(tree.then if value(tree.condition, values) else tree.otherwise, values)
        case Binary(op="&&"):
            return bool(value(tree.left, values)) and bool(value(tree.right, values))
        case Binary(op="||"):
            return bool(value(tree.left, values)) or bool(value(tree.right, values))
        case Binary():
            left, right = value(tree.left, values), value(tree.right, values)
            assert isinstance(left, float)
            assert isinstance(right, float)
            return CALCULATED[tree.op](left, right)
        case _:
            raise AssertionError(tree)


CALCULATED = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}
NUMBERS = st.recursive(
    st.sampled_from(NAMES) | st.integers(0, 9).map(str) | st.sampled_from(["0.5", "1e1"]),
    lambda inner: st.builds("{} {} {}".format, inner, st.sampled_from("+-*"), inner) | inner.map("-({})".format),
    max_leaves=4,
)
CONDITIONS = st.recursive(
    st.builds("{} {} {}".format, NUMBERS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMBERS),
    lambda inner: (
        st.builds("{} {} {}".format, inner, st.sampled_from(["&&", "||"]), inner)
        | inner.map("!({})".format)
        | st.builds("({}) ? ({}) : ({})".format, inner, inner, inner)
    ),
    max_leaves=6,
)


@settings(max_examples=examples(120), deadline=None)
@given(CONDITIONS, st.tuples(*[st.integers(-3, 3).map(float)] * 3))
def test_a_tree_is_what_cel_evaluates(text: str, numbers: tuple[float, ...]) -> None:
    values = dict(zip(NAMES, numbers, strict=True))
    assert value(tree_of(text), values) is compile_condition(text).holds(values)


def test_every_part_knows_its_place() -> None:
    text = "p99 > 800.0 && (region in ['eu', 'us'] || !up) && size(name) == 3"
    tree = tree_of(text)
    assert tree is not None
    shown = [text[part.start : part.end] for part in walk(tree) if not isinstance(part, Binary)]
    assert shown == ["p99", "800.0", "region", "['eu', 'us']", "'eu'", "'us'", "!up", "up", "size(name)", "name", "3"]
    assert [text[part.start : part.end] for part in joined(tree, "&&")] == [
        "p99 > 800.0",
        "region in ['eu', 'us'] || !up",
        "size(name) == 3",
    ]


def test_kinds_of_parts() -> None:
    assert tree_of("a.b.c") == Name("a.b.c", 0, 5)
    assert tree_of("'x'") == Literal("x", 0, 3)
    assert isinstance(tree_of("a.contains('x')"), Call)
    assert isinstance(tree_of("[1, 2]"), Listed)
    assert isinstance(tree_of("a['x']"), Opaque)
    assert isinstance(tree_of(r"'\n'"), Opaque)


@pytest.mark.parametrize("text", ["", "{'a': 1}", "a >", "(a", "5u", "0x1f > 1", "b'a'", "a b", "'''x'''", "a.1"])
def test_what_is_not_read_has_no_tree(text: str) -> None:
    assert tree_of(text) is None


@settings(max_examples=examples(100), deadline=None)
@given(st.text(alphabet="ab1.'\"()[]!-<=>&|?:,+/ %\\\n", max_size=40))
def test_any_text_is_read_or_not_and_nothing_else(text: str) -> None:
    tree_of(text)


def test_nesting_without_end_has_no_tree() -> None:
    assert tree_of("(" * 5_000 + "a" + ")" * 5_000) is None
    with pytest.raises(ValueError, match="ecursion"):
        cel.compile("(" * 5_000 + "a" + ")" * 5_000)
