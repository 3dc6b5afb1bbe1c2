"""Templates keep native types, reach into data only, and do a bounded amount of work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireline.domain.expressions import EvaluationFault
from fireline.spec.faults import SyntaxFault
from fireline.spec.templates import compile_template


@pytest.mark.parametrize(
    ("template", "values", "expected"),
    [
        ("{{ x }}", {"x": {"a": [1]}}, {"a": [1]}),
        ("{{ x }}", {"x": "{{ y }}"}, "{{ y }}"),
        ("{{ x }}", {"x": "12"}, "12"),
        ("p99 is {{ m.p99 | round }} ms", {"m": {"p99": 812.4}}, "p99 is 812 ms"),
        ("a {{ x }} {{ y }} {{ z }}", {"x": {"a": 1}, "y": True, "z": 2.0}, 'a {"a": 1} true 2'),
        (
            "{{ c.services[i.service].fallback }}",
            {"c": {"services": {"f": {"fallback": "b"}}}, "i": {"service": "f"}},
            "b",
        ),
        ({"to": {"{{ t }}": 100}, "l": ["{{ n }}", 1]}, {"t": "f", "n": 3}, {"to": {"f": 100}, "l": [3, 1]}),
        ("{{ x | default('q') }}", {}, "q"),
        ("{{ x.y | default(7) }}", {"x": {}}, 7),
        ("{{ x.y.z[0].v | default(7) }}", {"x": {}}, 7),
        ("{{ x.y.z is defined }}", {"x": {"y": None}}, False),
        ("{{ 'a' if x > 2 else 'b' }}", {"x": 3}, "a"),
        ("{{ share | percent }} for {{ s | duration }}", {"share": 0.123, "s": 5400}, "12.3 % for 1.5h"),
        ("{{ l | join(', ') | upper }}", {"l": ["a", "b"]}, "A, B"),
        ("{{ x | int }}", {"x": "9007199254740993"}, 9007199254740993),
        ("{{ x | int }}", {"x": "7.9"}, 7),
        ("{{ l | sum }}", {"l": [2, 3]}, 5),
        ("{{ l | max }}", {"l": [2, "3.5"]}, 3.5),
        ("{{ x | abs }}", {"x": -(2**60) - 1}, 2**60 + 1),
        ("{{ x | truncate(2) }}", {"x": "fraud"}, "fr"),
        ("{{ x | truncate(4) }}", {"x": "fraud"}, "f..."),
        (
            "https://a.example/{{ x | urlencode }}?q=1",
            {"x": "../b?c=1&d/ä"},
            "https://a.example/..%2Fb%3Fc%3D1%26d%2F%C3%A4?q=1",
        ),
        ("{{ l | join(1) }}", {"l": ["a", "b"]}, "a1b"),
        ("costs ${{ x }}", {"x": 5}, "costs $5"),
        (5, {}, 5),
        ("100 % {sure}", {}, "100 % {sure}"),
    ],
)
def test_rendering(template: object, values: dict[str, object], expected: object) -> None:
    rendered = compile_template(template).render(values)
    assert rendered == expected
    assert type(rendered) is type(expected)


def test_variables_are_dotted_names_with_computed_parts_as_stars() -> None:
    template = compile_template(
        {"a": "{{ catalog.services[inputs.service].fallback }}", "{{ k }}": ["{{ steps.b.route['x'] }}"]}
    )
    assert template.variables == {"catalog.services.*.fallback", "inputs.service", "k", "steps.b.route.x"}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% for a in b %}{% endfor %}", "statements (`{% %}`) are not allowed in templates"),
        ("{% import 'os' as os %}", "statements (`{% %}`) are not allowed in templates"),
        ("{% macro m() %}{% endmacro %}", "statements (`{% %}`) are not allowed in templates"),
        ("{{ range(10) }}", "templates call nothing"),
        ("{{ x.upper() }}", "templates call nothing"),
        ("{{ 2 ** 9 }}", "`**` is not allowed in templates"),
        ("{{ x[1:2] }}", "slices are not allowed in templates"),
        ("{{ x | nope }}", "there is no filter `nope`"),
        ("{{ x is nope }}", "there is no test `nope`"),
        ("{{ x | tojson }}", "there is no filter `tojson`"),
        ("{{ x | replace('a') }}", "the filter `replace` is given too much or too little"),
        ("{{ x | upper(1) }}", "the filter `upper` is given too much or too little"),
        ("{{ x | truncate(size=4) }}", "the filter `truncate` is given too much or too little"),
        ("{{ 'a' if x }}", "an `if` without `else` has no value when it does not hold"),
        ("{{ 1e999 }}", "a number in a template is too large"),
        ("${{ x }}", "places are written `{{ }}`"),
        ("<% ctx().x %>", "places are written `{{ }}`"),
        ("{{ self }}", "`self` is a reserved word of templates"),
        ("{{ " + "(" * 500 + "a" + ")" * 500 + " }}", "the template is nested too deeply"),
        ("{{ " + "+".join("a" * 300) + " }}", "the template is too large"),
        ("{{ a" + " " * 9000 + "}}", "the template is 9006 characters long, at most 8192 are allowed"),
        ("{{ a ", "the template cannot be read: unexpected end of template, expected 'end of print statement'."),
    ],
)
def test_syntax_faults(template: str, message: str) -> None:
    with pytest.raises(SyntaxFault) as caught:
        compile_template(template)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("template", "values", "message"),
    [
        ("{{ x }}", {}, "`x` is not there"),
        ("hi {{ x.y.z }}", {"x": {}}, "`x.y` is not there"),
        ("{{ x.items }}", {"x": {}}, "`x.items` is not there"),
        ("{{ x.__class__ }}", {"x": ""}, "`x.__class__` is not there"),
        ("{{ x.real }}", {"x": 5}, "`x.real` is not there"),
        ("{{ c.s[k].f }}", {"c": {"s": {"a": {}}}, "k": "a"}, "`c.s[...].f` is not there"),
        ("{{ 'a' * 1000000000 }}", {}, "`*` needs two numbers"),
        ("{{ '%999999999d' % 1 }}", {}, "`%` needs two numbers"),
        ("{{ [1] * 1000000000 }}", {}, "`*` needs two numbers"),
        ("{{ (a ~ a) | replace('a', a) }}", {"a": "a" * 1000}, "longer than 64 kB"),
        ("{{ l | join(s) }}", {"l": ["x"] * 1000, "s": "y" * 1000}, "longer than 64 kB"),
        ("{{ a }}{{ a }}", {"a": "a" * 40_000}, "longer than 64 kB"),
        ("{{ x | round }}", {"x": "abc"}, '"abc" is not a number'),
        ("{{ x < 3 }}", {"x": "a"}, "not supported between"),
        ("{{ x | float }}", {"x": "nan"}, '"nan" is not a number'),
        ("{{ x * 10 }}", {"x": 1e308}, "inf is no finite number"),
        ("{{ l | first }}", {"l": []}, "the list is empty"),
        ("{{ l | max }}", {"l": []}, "the list is empty"),
        ("{{ x % 0 }}", {"x": 7}, "nothing is divided by zero"),
    ],
)
def test_evaluation_faults_name_what_is_missing(template: str, values: dict[str, object], message: str) -> None:
    with pytest.raises(EvaluationFault) as caught:
        compile_template(template).render(values)
    assert message in str(caught.value)


def test_how_a_filter_is_written_is_told() -> None:
    with pytest.raises(SyntaxFault) as caught:
        compile_template("{{ x | replace('a') }}")
    assert caught.value.hint == "write `| replace(old, new)`"


def fault_of(text: str) -> Exception | None:
    try:
        compile_template(text).render({"a": 1, "b": "x", "x": {"a": [1]}})
    except (SyntaxFault, EvaluationFault) as fault:
        return fault
    return None


@given(st.text(alphabet="abx01.'\"()[]{}|=<>+-*/%~ \n#,:", max_size=60) | st.text(max_size=40))
def test_any_text_renders_or_is_a_fault_with_a_message(text: str) -> None:
    for form in (text, "{{ " + text + " }}"):
        fault = fault_of(form)
        assert fault is None or str(fault)
