"""Attacks on templates: none reaches an object, a call, a file or more work than its size, and data is never one."""

import pytest

from fireline.domain.expressions import EvaluationFault
from fireline.spec.faults import SyntaxFault
from fireline.spec.sandbox import ENVIRONMENT
from fireline.spec.templates import compile_template

KNOWN = {
    "x": "text",
    "n": 7,
    "d": {"a": {"b": 1}, "items": "mine", "f": 0.5},
    "l": [1, "two", {"three": 3}],
    "nothing": None,
    "big": "a" * 60_000,
}

ATTACKS = [
    # to objects
    "{{ x.__class__ }}",
    "{{ x['__class__'] }}",
    "{{ x.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''.__class__.__base__.__subclasses__() }}",
    "{{ d.__init__.__globals__ }}",
    "{{ d['__init__']['__globals__'] }}",
    "{{ l.__class__ }}",
    "{{ l['append'] }}",
    "{{ n.real }}",
    "{{ d.f.hex }}",
    "{{ d.items() }}",
    "{{ d.get('a') }}",
    "{{ d.update({'a': 2}) }}",
    "{{ l.append(3) }}",
    "{{ x|attr('__class__') }}",
    "{{ x|map(attribute='__class__') }}",
    "{{ l|map('attr', '__class__')|list }}",
    "{{ d|dictsort }}",
    "{{ l|groupby('__class__') }}",
    "{{ ['__cl', 'ass__']|join|attr }}",
    "{{ x['__cl' ~ 'ass__'] }}",
    "{{ x['__cl' + 'ass__']['__mro__'] }}",
    "{{ x['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "{{ nothing.__class__ }}",
    "{{ (1, 2).__class__ }}",
    "{{ {'a': 1}.__class__ }}",
    "{{ d.a.b.__add__ }}",
    # to names of the environment
    "{{ self }}",
    "{{ self._TemplateReference__context }}",
    "{{ super() }}",
    "{{ caller() }}",
    "{{ config }}",
    "{{ request.application.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id') }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace(a=1) }}",
    "{{ lipsum.__globals__['os'] }}",
    "{{ range(1000000000)|list }}",
    "{{ dict(a=1) }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{{ __import__('os').system('id') }}",
    "{{ open('/etc/passwd').read() }}",
    "{{ varargs }}",
    "{{ loop.index }}",
    # statements
    "{% for a in l %}{{ a }}{% endfor %}",
    "{% set x = 1 %}",
    "{% import 'os' as os %}",
    "{% from 'a' import b %}",
    "{% include '/etc/passwd' %}",
    "{% extends 'a' %}",
    "{% macro m() %}{% endmacro %}",
    "{% call x() %}{% endcall %}",
    "{% filter upper %}a{% endfilter %}",
    "{% do l.append(1) %}",
    "{%- if x -%}a{%- endif -%}",
    # to more work than their size
    "{{ 'a' * 1000000000 }}",
    "{{ [0] * 1000000000 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ '%999999999d' % 1 }}",
    "{{ '{:>999999999}'.format(1) }}",
    "{{ 'a'|center(1000000000) }}",
    "{{ 'a'|indent(1000000000) }}",
    "{{ big ~ big }}",
    "{{ big + big }}",
    "{{ big|replace('a', big) }}",
    "{{ l|batch(1000000000, 'a') }}",
    "{{ 'a'|format(1) }}",
    "{{ x|urlize }}",
    "{{ x|pprint }}",
    "{{ x|tojson }}{{ x|xmlattr }}",
    "{{ x is callable }}",
    "{{ x is sameas x }}",
    "{{ " + "(" * 300 + "1" + ")" * 300 + " }}",
    "{{ " + "-" * 5_000 + "1 }}",
    "{{ " + " ~ ".join(["x"] * 500) + " }}",
    "{{ x[::-1] }}",
    "{{ l[0:99] }}",
    # what is not a template at all
    "{{ lambda: 1 }}",
    "{{ [a for a in l] }}",
    "{{ x if }}",
    "{{ x }} {{",
    "{{ '\\ud800' ~ missing }}",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_a_fault(attack: str) -> None:
    with pytest.raises((SyntaxFault, EvaluationFault)) as caught:
        compile_template(attack).render(KNOWN)
    assert str(caught.value)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_in_data_is_a_text(attack: str) -> None:
    assert compile_template("{{ x }}").render({"x": attack}) == attack
    assert compile_template({"a": ["{{ x }}!"]}).render({"x": attack}) == {"a": [f"{attack}!"]}
    assert compile_template("{{ x | upper }}").render({"x": attack}) == attack.upper()


def test_a_key_of_data_is_found_and_no_method_of_its_holder() -> None:
    assert compile_template("{{ d.items }}").render(KNOWN) == "mine"
    with pytest.raises(EvaluationFault):
        compile_template("{{ d.keys }}").render(KNOWN)


def test_nothing_is_known_but_what_is_given() -> None:
    assert ENVIRONMENT.globals == {}
    assert ENVIRONMENT.loader is None
    assert {"attr", "map", "select", "groupby", "format", "xmlattr"} & set(ENVIRONMENT.filters) == set()


def test_data_is_not_changed() -> None:
    known = {"l": [1, 2], "d": {"a": 1}}
    compile_template("{{ l + [3] }}{{ d.a + 1 }}").render(known)
    assert known == {"l": [1, 2], "d": {"a": 1}}
