"""The gate that a chat template passes before anyone is asked to approve it.

A chat template is a Jinja2 program that comes with a model. This gate parses it, never renders it,
and compares what it is made of with what the templates of real models need: node types, filters,
tests, functions, methods. Anything else is refused, with the line and the reason. So are the ways
out of the language (names with a leading underscore, attributes chosen by strings, `format`
strings with fields), and programs that a few bytes make large: powers, large constants, recursion
that does not follow its argument, output that doubles (see `template_growth`).

What can only be known when it runs (a name built from pieces at run time, the time and memory it
takes on a given conversation) is for the worker, which renders in a sandbox under limits: the two
halves rely on each other. The digest is what a person approves.
"""

import hashlib
import re
from string import Formatter
from typing import Final, Literal

import jinja2
import msgspec
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

from appliance.registry.template_growth import find_growth

MOST_CHARACTERS = 64 * 1024
"""Four times the longest template known (16,714 characters)."""
MOST_NODES = 8192
"""Six times the most that a known template has."""
DEEPEST = 64
DEEPEST_LOOP = 6
LARGEST_NUMBER = 100_000
MOST_REASONS = 20

NODES: Final = frozenset(
    {
        *("Template", "Output", "TemplateData", "If", "For", "Break", "Continue", "Scope"),
        *("Assign", "AssignBlock", "NSRef", "Macro", "FilterBlock"),
        *("Name", "Const", "List", "Tuple", "Dict", "Pair", "Keyword"),
        *("Getattr", "Getitem", "Slice", "Call", "Filter", "Test", "CondExpr"),
        *("Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Neg", "Pos", "Concat"),
        *("Compare", "Operand", "And", "Or", "Not"),
    }
)
FILTERS: Final = frozenset(
    {
        *("abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first"),
        *("float", "from_json", "indent", "int", "items", "join", "last", "length"),
        *("list", "lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse"),
        *("round", "safe", "select", "selectattr", "sort", "string", "title", "tojson"),
        *("trim", "unique", "upper"),
    }
)
MAPPED: Final = FILTERS - {
    *("join", "map", "max", "min", "reject", "rejectattr", "select", "selectattr", "sort", "unique")
}
"""Filters that `map` may apply to each element: those that take no attribute of their own."""
TESTS: Final = frozenset(
    {
        *("boolean", "defined", "divisibleby", "eq", "equalto", "even", "false"),
        *("float", "ge", "gt", "in", "integer", "iterable", "le", "lower", "lt", "mapping"),
        *("ne", "none", "number", "odd", "sameas", "sequence", "string", "true", "undefined"),
        *("upper", "==", "!=", ">", ">=", "<", "<="),
    }
)
FUNCTIONS: Final = frozenset({"namespace", "raise_exception", "range", "strftime_now"})
METHODS: Final = frozenset(
    {
        *("append", "capitalize", "count", "endswith", "find", "format", "get"),
        *("index", "items", "join", "keys", "lower", "lstrip", "pop", "removeprefix"),
        *("removesuffix", "replace", "rfind", "rsplit", "rstrip", "split", "splitlines"),
        *("startswith", "strip", "title", "upper", "values"),
    }
)
FORBIDDEN_NAMES: Final = frozenset(
    {"caller", "cycler", "dict", "joiner", "kwargs", "lipsum", "self", "super", "varargs"}
)
"""Objects that Jinja2 itself puts into every template, and that lead to Python functions."""
BY_ATTRIBUTE: Final = frozenset({"rejectattr", "selectattr"})
BY_TEST: Final = frozenset({"reject", "select"})
ATTRIBUTE_KEYWORD: Final = "attribute"

_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_INTERNAL = re.compile(r"mro|(func|im|gi|cr|ag|f|tb|co)_[a-z_]+")
"""Attributes of Python's functions, generators, frames and code without an underscore in front."""
_NAME = re.compile(r"_?[A-Za-z][A-Za-z0-9_]*|_")


class TemplateReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the gate says about one template."""

    verdict: Literal["clean", "refused"]
    reasons: tuple[str, ...]
    """In words, each with its line; empty if clean."""
    sha256: str
    """Of the template's UTF-8 bytes, in hexadecimal."""


class _Generation(Extension):
    """`{% generation %}…{% endgeneration %}`: marks what the model wrote; renders as its body."""

    tags = {"generation"}  # noqa: RUF012 - declared so by Jinja2's Extension

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


def check_template(text: str) -> TemplateReport:
    """Check one template. Never raises, whatever the text."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    reasons = tuple(_reasons(text))
    verdict: Literal["clean", "refused"] = "refused" if reasons else "clean"
    return TemplateReport(verdict=verdict, reasons=reasons, sha256=digest)


def _reasons(text: str) -> list[str]:
    if any("\ud800" <= character <= "\udfff" for character in text):
        return ["is not Unicode text: it has half of a surrogate pair"]
    if len(text) > MOST_CHARACTERS:
        return [f"has {len(text)} characters; at most {MOST_CHARACTERS} are accepted"]
    try:
        tree = _parse(text)
        size = _size_fault(tree)
        if size is not None:
            return [size]
        return _Gate(tree).reasons()[:MOST_REASONS]
    except jinja2.TemplateSyntaxError as error:
        return [f"line {error.lineno}: is not a Jinja2 template"]
    except (RecursionError, ValueError):
        # Jinja2's parser recurses; Python refuses to read a number of thousands of digits.
        return ["cannot be parsed: it is nested too deeply or has a number too large"]


def _parse(text: str) -> nodes.Template:
    # Parsing only: this environment is never given a loader and never compiles or renders.
    environment = jinja2.Environment(  # noqa: S701 - autoescape concerns rendering
        extensions=["jinja2.ext.loopcontrols", _Generation],
        optimized=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.parse(text)


def _size_fault(tree: nodes.Node) -> str | None:
    """Return what is too large about a tree, level by level and without recursion."""
    level: list[nodes.Node] = [tree]
    depth = count = 0
    while level:
        depth += 1
        count += len(level)
        if depth > DEEPEST:
            return f"is nested more than {DEEPEST} deep"
        if count > MOST_NODES:
            return f"has more than {MOST_NODES} parts"
        level = [child for node in level for child in node.iter_child_nodes()]
    return None


class _Gate:
    """One pass over a parsed template."""

    def __init__(self, tree: nodes.Template) -> None:
        self._tree = tree
        self._macros = {macro.name: macro for macro in tree.find_all(nodes.Macro)}
        self._found: list[str] = []

    def reasons(self) -> list[str]:
        self._walk(self._tree, 0, 1)
        for name in self._macros:
            if name in FUNCTIONS | FORBIDDEN_NAMES:
                self._refuse(self._macros[name], f"the macro {name!r} hides a function")
        if not self._found:
            self._found += find_growth(self._tree)
        return self._found

    def _refuse(self, node: nodes.Node, what: str) -> None:
        if len(self._found) < MOST_REASONS:
            self._found.append(f"line {node.lineno}: {what}")

    def _walk(self, node: nodes.Node, loops: int, turns: int) -> None:
        """Check a node and what is in it, `loops` deep, where constants make `turns` turns."""
        kind = type(node).__name__
        if kind not in NODES:
            self._refuse(node, f"{kind} is not something that chat templates need")
            return
        if isinstance(node, nodes.For):
            loops += 1
            if loops > DEEPEST_LOOP:
                self._refuse(node, f"loops are nested more than {DEEPEST_LOOP} deep")
            turns *= _constant_turns(node)
            if turns > LARGEST_NUMBER:
                self._refuse(node, f"loops that make more than {LARGEST_NUMBER} turns")
        check = getattr(self, f"_check_{kind.lower()}", None)
        if check is not None:
            check(node)
        for child in node.iter_child_nodes():
            self._walk(child, loops, turns)

    def _check_for(self, node: nodes.For) -> None:
        if node.recursive:
            self._refuse(node, "a loop that calls itself")

    def _check_const(self, node: nodes.Const) -> None:
        value = node.value
        if isinstance(value, int | float) and not abs(value) <= LARGEST_NUMBER:
            self._refuse(node, f"a number beyond {LARGEST_NUMBER}")

    def _check_name(self, node: nodes.Name) -> None:
        if node.name in FORBIDDEN_NAMES:
            self._refuse(node, f"the name {node.name!r} leads to Python functions")
        elif not _NAME.fullmatch(node.name):
            self._refuse(node, "a name that begins with two underscores, or is not ASCII")
        elif node.ctx == "store" and (node.name in self._macros or node.name in FUNCTIONS):
            self._refuse(node, f"{node.name!r} is a function and is assigned to")

    def _check_macro(self, node: nodes.Macro) -> None:
        for argument in node.args:
            if argument.name in self._macros:
                self._refuse(node, f"{argument.name!r} is a macro and a parameter")

    def _check_nsref(self, node: nodes.NSRef) -> None:
        self._attribute(node, node.attr)

    def _check_getattr(self, node: nodes.Getattr) -> None:
        self._attribute(node, node.attr)

    def _attribute(self, node: nodes.Node, name: str) -> None:
        if not _ATTRIBUTE.fullmatch(name) or _INTERNAL.fullmatch(name):
            self._refuse(node, "an attribute that belongs to Python and to no conversation")

    def _check_getitem(self, node: nodes.Getitem) -> None:
        argument = node.arg
        if isinstance(argument, nodes.Const) and isinstance(argument.value, str):
            if argument.value.startswith("_") or _INTERNAL.fullmatch(argument.value):
                self._refuse(node, "a subscript that names an attribute of Python")
            return
        if isinstance(argument, nodes.Slice):
            return
        for part in (argument, *argument.find_all(nodes.Expr)):
            if isinstance(part, nodes.Concat) or _is_text(part):
                self._refuse(node, "a subscript that is put together from strings")
                return

    def _check_call(self, node: nodes.Call) -> None:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            self._refuse(node, "a call with unpacked arguments")
        called = node.node
        if isinstance(called, nodes.Name):
            if called.name not in self._macros and called.name not in FUNCTIONS:
                self._refuse(node, "a call of something that is no macro and no known function")
        elif not isinstance(called, nodes.Getattr):
            self._refuse(node, "a call of something that has no name")
        elif called.attr not in METHODS:
            self._refuse(node, "a call of a method that chat templates do not need")
        elif called.attr == "format":
            self._format(node, called.node)

    def _format(self, node: nodes.Call, template: nodes.Expr) -> None:
        """`'…{}…'.format(x)` is fine; fields that reach into objects or pad are not."""
        if not isinstance(template, nodes.Const) or not isinstance(template.value, str):
            self._refuse(node, "'format' on something other than a literal string")
            return
        try:
            fields = [(name, spec) for _, name, spec, _ in Formatter().parse(template.value)]
        except ValueError:
            fields = [("?", "?")]
        if any(spec or (name and not name.isalnum()) for name, spec in fields):
            self._refuse(node, "a format string with more in its braces than a name")

    def _check_filter(self, node: nodes.Filter) -> None:
        if node.name not in FILTERS:
            self._refuse(node, f"the filter {node.name!r} is not something chat templates need")
            return
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            self._refuse(node, "a filter with unpacked arguments")
        for keyword in node.kwargs:
            if keyword.key == ATTRIBUTE_KEYWORD:
                self._attribute_argument(node, keyword.value)
        if node.name in ("join", "sort", "unique", "min", "max"):
            for argument in node.args[1:]:
                self._attribute_argument(node, argument)
        if node.name == "map" and node.args:
            self._named(node, node.args[0], MAPPED, "filter")
        if node.name in BY_ATTRIBUTE and node.args:
            self._attribute_argument(node, node.args[0])
        tested = node.args[1 if node.name in BY_ATTRIBUTE else 0 :]
        if node.name in BY_ATTRIBUTE | BY_TEST and tested:
            self._named(node, tested[0], TESTS, "test")

    def _check_test(self, node: nodes.Test) -> None:
        if node.name not in TESTS:
            self._refuse(node, f"the test {node.name!r} is not something chat templates need")

    def _named(
        self, node: nodes.Node, argument: nodes.Expr, known: frozenset[str], what: str
    ) -> None:
        if not isinstance(argument, nodes.Const) or argument.value not in known:
            self._refuse(node, f"a {what} that is given as a value and is not a known one")

    def _attribute_argument(self, node: nodes.Node, argument: nodes.Expr) -> None:
        """An attribute that is given to a filter: a literal, each part of it as strict as any."""
        value = argument.value if isinstance(argument, nodes.Const) else None
        if isinstance(value, bool | int):
            return
        if not isinstance(value, str):
            self._refuse(node, "an attribute that is not written out")
            return
        for part in value.split("."):
            if not part.isdigit():
                self._attribute(node, part)

    def _check_mul(self, node: nodes.Mul) -> None:
        if isinstance(node.left, nodes.Const) and isinstance(node.right, nodes.Const):
            self._refuse(node, "a product of constants, which could be written out")
        for side, other in ((node.left, node.right), (node.right, node.left)):
            literal = side.value if isinstance(side, nodes.Const) else None
            if isinstance(side, nodes.List | nodes.Tuple):
                self._refuse(node, "a list that is multiplied")
            elif isinstance(literal, str) and not isinstance(other, nodes.Name | nodes.Getattr):
                self._refuse(node, "a string that is multiplied with a computed number")

    def _check_mod(self, node: nodes.Mod) -> None:
        if _is_text(node.left):
            self._refuse(node, "'%' on a string formats it")


def _constant_turns(loop: nodes.For) -> int:
    """Return how many turns a loop makes by its constants alone; 1 if data decides."""
    source = loop.iter
    if isinstance(source, nodes.List | nodes.Tuple):
        return max(1, len(source.items))
    if not isinstance(source, nodes.Call) or not isinstance(source.node, nodes.Name):
        return 1
    numbers = [argument.value for argument in source.args if isinstance(argument, nodes.Const)]
    whole = [abs(number) for number in numbers if isinstance(number, int)]
    return max(1, *whole) if source.node.name == "range" and whole else 1


def _is_text(node: nodes.Node) -> bool:
    """Is this a literal string, or something made of one?"""
    if isinstance(node, nodes.Const):
        return isinstance(node.value, str)
    if isinstance(node, nodes.Add | nodes.Mul):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, nodes.Concat)
