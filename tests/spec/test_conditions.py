"""Conditions are typed, bounded, and their faults can be understood by a tired person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireline.domain.expressions import EvaluationFault
from fireline.spec.conditions import compile_condition
from fireline.spec.faults import SyntaxFault


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("p99 > 800 && n >= 50.0", {"p99": 900, "n": 60}, True),
        ("p99 > 800 && n >= 50.0", {"p99": 900.0, "n": 49}, False),
        ("p99 - 1 > 2 * n", {"p99": 900.5, "n": 3}, True),
        ("share * 100 >= 5", {"share": 0.05}, True),
        ("severity in ['outage', 'safety']", {"severity": "outage"}, True),
        ("codes[0] == 500", {"codes": [500]}, True),
        ("error == '' && latency_ms <= 800.0", {"error": "", "latency_ms": 81}, True),
        ("steps.ask.approved", {"steps": {"ask": {"approved": True}}}, True),
        ("a.b > 1 && has(a.c)", {"a": {"b": 2}}, False),
        ("region == 'eu 5' || n == 5", {"region": "eu 5", "n": 0}, True),
        ("drift == null", {"drift": None}, True),
    ],
)
def test_numbers_of_both_kinds_compare_and_calculate(text: str, values: dict[str, object], expected: bool) -> None:
    assert compile_condition(text).holds(values) is expected


def test_names_are_dotted_and_variables_are_their_heads() -> None:
    condition = compile_condition(
        "steps.ask.approved && n > size(run.id) && x.startsWith('y.z') && 'a.b' != labels['q']"
    )
    assert condition.names == {"steps.ask.approved", "n", "run.id", "x", "labels"}
    assert condition.variables == {"steps", "n", "run", "x", "labels"}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("p99 > 800 and n > 1", "`and` is not expected at character 11 of `p99 > 800 and n > 1`", "write `&&` for and"),
        ("a or b", "`or` is not expected at character 3 of `a or b`", "write `||` for or"),
        ("not a", "`a` is not expected at character 5 of `not a`", "write `!` for not, as in `!(n > 5)`"),
        ("p99 = 3 and n > 1", "`=` is not expected at character 5 of `p99 = 3 and n > 1`", "write `==` to compare"),
        ("p99 = 3", "`=` is not expected at character 5 of `p99 = 3`", "write `==` to compare"),
        ("share > 5%", "the condition ends too early", "write a share as a number: 5 % is 0.05"),
        ("(p > 1", "the condition ends too early: `)` is missing", ""),
        ("s == 'abc", "a text that begins with ' is not closed, or has an unknown escape: `'abc`", ""),
        ("", "the condition is empty", "write one such as `p99 > 800.0 && n >= 50`"),
        ("[" * 300, "the condition is nested too deeply", ""),
        ("n > 99999999999999999999", "the number `99999999999999999999` is too large", ""),
        ("[1, 2].exists(y, y > p)", "`exists` is a loop, and conditions have none", "compare with `in`"),
        ("a" * 3000, "the condition is 3000 characters long, at most 2000 are allowed", ""),
        ("\ud800 > 1", "the condition is not valid text", "write one such"),
    ],
)
def test_syntax_faults_say_what_and_how(text: str, message: str, hint: str) -> None:
    with pytest.raises(SyntaxFault) as caught:
        compile_condition(text)
    assert str(caught.value) == message
    assert caught.value.hint.startswith(hint)


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("p99 > 1", {}, "`p99 > 1` cannot be told: `p99` is not there"),
        ("p99 > 1", {"p99": None}, "`p99 > 1` cannot be told: `p99` has no value"),
        ("steps.a.b", {"steps": {}}, "`steps.a.b` cannot be told: `steps.a` is not there"),
        ("p99 > 1", {"p99": "x"}, "(p99 is the text 'x')"),
        ("p99", {"p99": 3}, "`p99` gives the number 3.0, not true or false"),
        ("s.matches('[')", {"s": "a"}, "not a valid regex"),
        ("s == 'a'", {"s": "\ud800"}, "cannot be told"),
    ],
)
def test_evaluation_faults_name_the_variable(text: str, values: dict[str, object], message: str) -> None:
    with pytest.raises(EvaluationFault) as caught:
        compile_condition(text).holds(values)
    assert message in str(caught.value)


def fault_of(text: str) -> Exception | None:
    try:
        compile_condition(text).holds({"a": 1, "b": "x", "n": None})
    except (SyntaxFault, EvaluationFault) as fault:
        return fault
    return None


@given(st.text(alphabet="abn09.'\"()[]{}&|=<>!+-*/% \n\\,?:", max_size=60) | st.text(max_size=40))
def test_any_text_gives_a_verdict_or_a_fault_with_a_message(text: str) -> None:
    fault = fault_of(text)
    assert fault is None or str(fault)
    if isinstance(fault, SyntaxFault) and fault.offset is not None:
        assert 0 <= fault.offset <= len(text)
