"""The template gate: every real template passes, every known way out or up is refused."""

import hashlib
from pathlib import Path

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.registry.template_gate import (
    FILTERS,
    FUNCTIONS,
    LARGEST_NUMBER,
    METHODS,
    MOST_CHARACTERS,
    TESTS,
    check_template,
)
from tests.support.llama_cpp_tree import llama_cpp_tree

REAL = sorted((llama_cpp_tree() / "models" / "templates").glob("*.jinja"))


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_every_real_template_passes(path: Path) -> None:
    text = path.read_text()
    report = check_template(text)
    assert report.reasons == ()
    assert report.verdict == "clean"
    assert report.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_there_are_real_templates_to_try() -> None:
    assert len(REAL) > 60


ESCAPES = {
    "the class of a string": "{{ ''.__class__ }}",
    "the class by subscript": "{{ ''['__class__'] }}",
    "the class by an escaped subscript": r"{{ ''['\x5f\x5fclass\x5f\x5f'] }}",
    "the class in two pieces": "{{ ''['__cla' + 'ss__'] }}",
    "the class in two joined pieces": "{{ ''['__cla' ~ 'ss__'] }}",
    "the class by a variable piece": "{% set c = 'class' %}{{ ''['__' ~ c ~ '__'] }}",
    "the method resolution order": "{{ messages.mro }}",
    "the method resolution order by subscript": "{{ messages['mro'] }}",
    "subclasses": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals of cycler": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "cycler without an underscore": "{{ cycler('a').next() }}",
    "lipsum": "{{ lipsum() }}",
    "lipsum unpacked": "{{ lipsum(*[1000000]) }}",
    "joiner": "{% set j = joiner(',') %}",
    "dict": "{{ dict(a=1) }}",
    "self": "{{ self.body() }}",
    "varargs": "{% macro m() %}{{ varargs }}{% endmacro %}",
    "caller": "{% macro m() %}{{ caller() }}{% endmacro %}",
    "the attr filter": "{{ ''|attr('__class__') }}",
    "the attr filter through map": "{{ ['']|map('attr', '__class__')|list }}",
    "map by attribute": "{{ ['']|map(attribute='__class__')|list }}",
    "map by a dotted attribute": "{{ ['']|map(attribute='role.__class__')|list }}",
    "map by a computed attribute": "{% set a = x.content %}{{ messages|map(attribute=a) }}",
    "map by a computed filter": "{{ messages|map(messages[0].content)|list }}",
    "map by a filter that takes attributes": "{{ [['']]|map('join', ',', '__class__')|list }}",
    "map by map": "{{ [['']]|map('map', 'upper')|list }}",
    "selectattr": "{{ ['']|selectattr('__class__')|list }}",
    "selectattr with a computed test": "{{ ['']|selectattr('a', x)|list }}",
    "rejectattr": "{{ ['']|rejectattr('__class__.__base__')|list }}",
    "sort by attribute": "{{ ['']|sort(attribute='__class__') }}",
    "sort by a positional attribute": "{{ ['']|sort(false, false, '__class__') }}",
    "join by attribute": "{{ ['']|join(',', attribute='__class__') }}",
    "join by a positional attribute": "{{ ['']|join(',', '__class__') }}",
    "unique by attribute": "{{ ['']|unique(attribute='__class__')|list }}",
    "groupby": "{{ ['']|groupby('__class__') }}",
    "max by attribute": "{{ ['']|max(attribute='__class__') }}",
    "a format string": "{{ '{0.__class__}'.format('') }}",
    "a format string by index": "{{ '{0[a]}'.format({}) }}",
    "a format string that pads": "{{ '{:999999999}'.format(1) }}",
    "a nested format string": "{{ '{:{}}'.format(1, 999999999) }}",
    "a broken format string": "{{ '{'.format(1) }}",
    "format of a variable": "{{ messages[0].content.format(messages) }}",
    "format_map": "{{ '{a.__class__}'.format_map({'a': 1}) }}",
    "the format filter": "{{ '%999999999d'|format(1) }}",
    "a percent format": "{{ '%999999999d' % 1 }}",
    "a percent format in pieces": "{{ ('%9' ~ '99d') % 1 }}",
    "a bound method kept": "{% set f = ''.format_map %}{{ f({}) }}",
    "a macro that is replaced": "{% macro f() %}{% endmacro %}{% set f = ''.join %}{{ f([]) }}",
    "a macro named like a function": "{% macro range(n) %}{% endmacro %}{{ range(1) }}",
    "a function that is replaced": "{% set namespace = x %}{{ namespace() }}",
    "generator frames": "{{ (messages|map('upper')).gi_frame.f_globals }}",
    "code of a function": "{{ raise_exception.func_code }}",
    "a call of a call": "{{ messages[0].get('f')() }}",
    "import": "{% import 'a' as a %}",
    "from": "{% from 'a' import b %}",
    "include": "{% include '/etc/passwd' %}",
    "extends": "{% extends 'a' %}",
    "block": "{% block a %}{% endblock %}",
    "call": "{% macro m() %}{% endmacro %}{% call m() %}{% endcall %}",
    "with": "{% with a = 1 %}{% endwith %}",
    "autoescape": "{% autoescape false %}{% endautoescape %}",
    "debug": "{% debug %}",
    "trans": "{% trans %}{% endtrans %}",
    "a name with two underscores": "{{ __builtins__ }}",
    "a namespace attribute": "{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
    "items of a hidden name": "{{ messages.__dict__.items() }}",
    "a name of other letters": "{{ ｌｉｐｓｕｍ() }}",
    "pprint": "{{ messages|pprint }}",
    "xmlattr": "{{ messages|xmlattr }}",
    "a test that looks things up": "{{ 'a' is filter }}",
}


@pytest.mark.parametrize("name", ESCAPES)
def test_each_way_out_is_refused(name: str) -> None:
    report = check_template(ESCAPES[name])
    assert report.verdict == "refused"
    assert report.reasons


def chain(macros: int, calls: int) -> str:
    """Each macro calls the one before several times."""
    parts = ["{% macro m0() %}x{% endmacro %}"]
    for index in range(1, macros):
        body = f"{{{{ m{index - 1}() }}}}" * calls
        parts.append(f"{{% macro m{index}() %}}{body}{{% endmacro %}}")
    return "".join(parts) + f"{{{{ m{macros - 1}() }}}}"


DOUBLING = "{% set ns = namespace(s='a') %}{% for m in messages %}"
BOMBS = {
    "a huge range": "{% for i in range(1000000000) %}a{% endfor %}",
    "a huge range of a product": "{% for i in range(99999 * 99999) %}a{% endfor %}",
    "huge ranges, one in the other": (
        "{% for i in range(1000) %}{% for j in range(1000) %}a{% endfor %}{% endfor %}"
    ),
    "a text that is multiplied again and again": (
        "{% set n = 1000 %}{% set s = 'ab' * n %}{% set s = s * n %}{% set s = s * n %}"
    ),
    "a huge number": "{{ 99999999999999999999 }}",
    "a huge float": "{{ 1e308 }}",
    "a power": "{{ 10 ** 9 }}",
    "a tower of powers": "{{ 9 ** 9 ** 9 }}",
    "a repeated string": "{{ 'a' * 1000 }}",
    "a repeated string the other way": "{{ 1000 * 'a' }}",
    "a repeated list": "{{ [1] * 1000 }}",
    "a string times a product": "{{ 'a' * (x * x) }}",
    "a wide indent": "{{ 'a'|indent(100000000) }}",
    "center": "{{ 'a'|center(100000000) }}",
    "a text that doubles": DOUBLING + "{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
    "a text that doubles by adding": DOUBLING + "{% set ns.s = ns.s + 'b' + ns.s %}{% endfor %}",
    "a text that doubles by join": DOUBLING + "{% set ns.s = [ns.s, ns.s]|join %}{% endfor %}",
    "a text that doubles by replace": DOUBLING
    + "{% set ns.s = ns.s|replace('a', 'aa') %}{% endfor %}",
    "a text that doubles by the replace method": DOUBLING
    + "{% set ns.s = ns.s.replace('a', 'aa') %}{% endfor %}",
    "a text that doubles over two names": DOUBLING
    + "{% set ns.t = ns.s ~ ns.s %}{% set ns.s = ns.t %}{% endfor %}",
    "a text that doubles in a row": "{% set s = 'a' %}" + "{% set s = s ~ s %}" * 40,
    "a text that doubles in a block": "{% set s = 'a' %}"
    + "{% set s %}{{ s }}{{ s }}{% endset %}" * 40,
    "macros that multiply": chain(10, 10),
    "a macro that calls itself": "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}",
    "a macro that calls itself with more": "{% macro m(x) %}{{ m(x + 1) }}{% endmacro %}{{ m(1) }}",
    "a macro that calls itself in a loop": (
        "{% macro m(x) %}{% for i in range(2) %}{{ m(x) }}{% endfor %}{% endmacro %}{{ m(1) }}"
    ),
    "a macro that calls itself with a loop variable": (
        "{% macro m(x) %}{% for i in range(x) %}{{ m(i) }}{% endfor %}{% endmacro %}{{ m(60) }}"
    ),
    "macros that call each other": (
        "{% macro a(x) %}{{ b(x) }}{% endmacro %}{% macro b(x) %}{{ a(x) }}{% endmacro %}{{ a(1) }}"
    ),
    "a loop that calls itself": "{% for x in y recursive %}{{ loop(y) }}{% endfor %}",
    "many nested loops": "{% for x in y %}" * 8 + "a" + "{% endfor %}" * 8,
    "many nested conditions": "{% if x %}" * 200 + "{% endif %}" * 200,
    "many nested brackets": "{{ " + "[" * 500 + "]" * 500 + " }}",
    "more nested brackets than the parser bears": "{{ " + "(" * 30000 + "1" + ")" * 30000 + " }}",
    "many negations": "{{ " + "not " * 5000 + "x }}",
    "many expressions": "{{ 1 }}" * 9000,
    "many macros": "".join(f"{{% macro m{i}() %}}{{% endmacro %}}" for i in range(100)),
    "work in nested loops": "{% for x in y %}" * 6 + "{{ a ~ b }}" * 2000 + "{% endfor %}" * 6,
    "a long text": "a" * (MOST_CHARACTERS + 1),
}


@pytest.mark.parametrize("name", BOMBS)
def test_each_way_to_grow_is_refused(name: str) -> None:
    report = check_template(BOMBS[name])
    assert report.verdict == "refused"
    assert report.reasons


HARMLESS = {
    "plain text": "Hello",
    "nothing": "",
    "recursion into a schema": (
        "{% macro t(s) %}{% if s.items %}{{ t(s['items']) }}{% endif %}"
        "{% for k, v in s.properties.items() %}{{ t(v) }}{% endfor %}{% endmacro %}{{ t(tool) }}"
    ),
    "a text that grows by a message": DOUBLING + "{% set ns.s = ns.s ~ m.content %}{% endfor %}",
    "escaping inside of a loop": (
        "{% for m in messages %}{% set c = m.content|replace('<', '&lt;') %}"
        "{% set c = c|replace('>', '&gt;') %}{{ c }}{% endfor %}"
    ),
    "a literal format": "{{ '<{}>'.format(x) }} {{ '{0} {name}'.format(x, name=y) }}",
    "a large range": f"{{% for i in range({LARGEST_NUMBER}) %}}{{% endfor %}}",
    "generation marks": "{% generation %}{{ messages[0].content }}{% endgeneration %}",
    "break": "{% for m in messages %}{% if m %}{% break %}{% endif %}{% endfor %}",
    "a private-looking name": "{% set _ = seen.append(x) %}{{ _args }}",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_templates_need_is_accepted(name: str) -> None:
    assert check_template(HARMLESS[name]).reasons == ()


def test_a_text_that_is_no_template_is_refused_with_its_line() -> None:
    report = check_template("a\n{% if %}")
    assert report.reasons == ("line 2: is not a Jinja2 template",)


def test_the_digest_is_of_the_text_whatever_the_verdict() -> None:
    text = "{{ ''.__class__ }} é"
    assert check_template(text).sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_half_a_surrogate_pair_is_no_text() -> None:
    assert check_template("a\ud800").verdict == "refused"


def test_reasons_name_the_line_and_no_content() -> None:
    report = check_template("ward note\n\n{{ 'patient'.__class__ }}")
    assert report.reasons[0].startswith("line 3: ")
    assert "patient" not in " ".join(report.reasons)


def test_lists_hold_only_what_jinja2_or_the_worker_has() -> None:
    environment = jinja2.Environment()  # compared, never rendered with
    own = {"from_json"}
    assert FILTERS - own <= set(environment.filters)
    assert set(environment.tests) >= TESTS
    assert {"range", "namespace"} <= FUNCTIONS & set(environment.globals)
    kinds = (str, dict, list, tuple)
    assert all(any(hasattr(kind, method) for kind in kinds) for method in METHODS)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_no_text_breaks_the_gate(text: str) -> None:
    assert check_template(text).verdict in ("clean", "refused")


WORDS = """
{{ }} {% %} if endif for x in y endfor set a = 's' ( ) [ ] . | ~ + * ** 9 a macro m() endmacro - ,
"""
PIECES = st.sampled_from(WORDS.split())


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES, max_size=30))
def test_no_pieces_of_a_template_break_the_gate(pieces: list[str]) -> None:
    assert check_template(" ".join(pieces)).verdict in ("clean", "refused")
