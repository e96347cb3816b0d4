"""Finds templates that a few bytes make large: endless recursion, calls and texts that double.

Judged on the parsed template, without running it, by three rough measures that err on the side of
real templates:

- recursion has to follow its argument into a part of it, as macros over JSON schemas do;
- the number of macro calls that the whole template stands for is bounded;
- a text put together from itself may grow by a piece in each turn, and not by a factor. `Sizes`
  runs over the assignments a few times and adds up how many pieces each name then holds: pieces
  that are added make thousands, pieces that double make more than `MOST_PIECES`.

What passes can still be slow on a conversation made for it; the worker's limits end that.
"""

from collections.abc import Mapping
from typing import TypeAlias

from jinja2 import nodes

Calls: TypeAlias = list[tuple[nodes.Call, str]]
"""Calls of macros, each with the macro's name."""

MOST_MACROS = 64
MOST_CALLS = 20_000
"""Macro calls that a template stands for, loops counted once. Real ones make a few hundred."""
PASSES = 16
MOST_PIECES = 1_000_000
"""More than any sum over `PASSES` passes makes, less than 2 to the power of 20."""
PIECE = 64
"""Characters of a literal that count as one piece."""
MOST_WORK = 60_000
"""Expressions that are looked at in all passes together. Real templates take at most 15,000."""


def find_growth(tree: nodes.Template) -> list[str]:
    """Return reasons, in words, each with its line; empty if nothing was found."""
    macros = {macro.name: macro for macro in tree.find_all(nodes.Macro)}
    if len(macros) > MOST_MACROS:
        return [f"it has {len(macros)} macros; at most {MOST_MACROS} are accepted"]
    calls = {name: _calls(macro, macros) for name, macro in macros.items()}
    reach = _reachable(calls)
    reasons = []
    for name, macro in macros.items():
        given = {argument.name for argument in macro.args}
        parts = _parts(macro, given)
        for call, called in calls[name]:
            if name in reach[called] and not _narrows(call, given, parts):
                text = f"the macro {name!r} comes back to itself with all that it was given"
                reasons.append(f"line {call.lineno}: {text}")
    if _stands_for(_calls(tree, macros), calls, {}) > MOST_CALLS:
        reasons.append(f"its macros call each other more than {MOST_CALLS} times")
    return reasons + Sizes(tree).reasons()


def _calls(node: nodes.Node, macros: Mapping[str, nodes.Macro]) -> Calls:
    """Return the calls of macros in `node`, with their names."""
    return [
        (call, call.node.name)
        for call in node.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name in macros
    ]


def _reachable(calls: Mapping[str, Calls]) -> dict[str, set[str]]:
    """Return, for each macro, itself and those that a call of it may come to."""
    reach = {name: {name} for name in calls}
    grown = True
    while grown:
        grown = False
        for name, made in calls.items():
            for _, called in made:
                if not reach[called] <= reach[name]:
                    reach[name] |= reach[called]
                    grown = True
    return reach


def _stands_for(made: Calls, calls: Mapping[str, Calls], known: dict[str, int]) -> int:
    """Return how many macro calls these calls come to; a cycle is gone through once."""
    total = 0
    for _, name in made:
        if name not in known:
            known[name] = 1
            known[name] = 1 + _stands_for(calls[name], calls, known)
        total += known[name]
    return total


def _narrows(call: nodes.Call, given: set[str], parts: set[str]) -> bool:
    """Does some argument reach into what the macro was given?"""
    return any(
        _names(argument) & parts or any(_names(reach) & given for reach in _reaches(argument))
        for argument in call.args
    )


def _parts(macro: nodes.Macro, given: set[str]) -> set[str]:
    """Return the names in a macro that stand for a part of an argument.

    Those are variables of loops over one, and names set to an attribute or element of one.
    """
    parts: set[str] = set()
    for node in macro.find_all((nodes.For, nodes.Assign)):
        if isinstance(node, nodes.For):
            reached, target = _names(node.iter), node.target
            if "range" in reached:
                continue
        elif isinstance(node, nodes.Assign):
            reached = {name for reach in _reaches(node.node) for name in _names(reach)}
            target = node.target
        else:
            continue
        if reached & (given | parts):
            parts |= _names(target)
    return parts


def _reaches(node: nodes.Node) -> list[nodes.Node]:
    """Return the expressions in `node` that take an attribute or an element of something."""
    found: list[nodes.Node] = [
        part
        for part in node.find_all((nodes.Getattr, nodes.Getitem, nodes.Filter))
        if not isinstance(part, nodes.Filter) or part.name == "items"
    ]
    own = isinstance(node, nodes.Getattr | nodes.Getitem)
    items = isinstance(node, nodes.Filter) and node.name == "items"
    return [node, *found] if own or items else found


def _names(node: nodes.Node) -> set[str]:
    if isinstance(node, nodes.Name):
        return {node.name}
    return {name.name for name in node.find_all(nodes.Name)}


class Sizes:
    """How many pieces each name may hold, after the assignments ran a few times over.

    Names set in a loop are forgotten after each turn, as in Jinja2; attributes of a namespace and
    what is appended to a list stay.
    """

    def __init__(self, tree: nodes.Template) -> None:
        self._tree = tree
        self._kept: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._doubling: int | None = None
        self._work = 0

    def reasons(self) -> list[str]:
        """Run the passes, and say where something came to more than `MOST_PIECES`."""
        for _ in range(PASSES):
            self._run(self._tree.body, {})
            if self._doubling is not None:
                text = "a text that is made of itself more than once, and doubles"
                return [f"line {self._doubling}: {text}"]
            if self._work > MOST_WORK:
                return ["has too much in nested loops to be judged"]
        return []

    def _run(self, body: list[nodes.Node], names: dict[str, int]) -> int:
        """Go over statements once; returns the pieces that they put out."""
        return sum(self._statement(node, names) for node in body)

    def _statement(self, node: nodes.Node, names: dict[str, int]) -> int:
        if self._work > MOST_WORK:
            return 0
        if isinstance(node, nodes.Output):
            return sum(self._size(part, names) for part in node.nodes)
        if isinstance(node, nodes.Assign):
            self._set(node.target, self._size(node.node, names), names)
            if isinstance(node.target, nodes.Name):
                self._numbers[node.target.name] = _number(node.node)
        elif isinstance(node, nodes.AssignBlock):
            self._set(node.target, self._run(node.body, dict(names)), names)
        elif isinstance(node, nodes.If):
            branches = [node.body, *(branch.body for branch in node.elif_), node.else_]
            return sum(self._run(branch, names) for branch in branches)
        elif isinstance(node, nodes.For):
            turns = [dict(names), dict(names)]
            return sum(self._run(node.body, turn) for turn in turns) + self._run(node.else_, names)
        elif isinstance(node, nodes.Macro):
            self._run(node.body, {})
        elif isinstance(node, nodes.Scope | nodes.FilterBlock):
            return self._run(node.body, names)
        return 0

    def _set(self, target: nodes.Node, size: int, names: dict[str, int]) -> None:
        if size > MOST_PIECES and self._doubling is None:
            self._doubling = target.lineno
        size = min(size, MOST_PIECES + 1)
        if isinstance(target, nodes.NSRef):
            self._kept[f"{target.name}.{target.attr}"] = size
        elif isinstance(target, nodes.Name):
            names[target.name] = size
            self._kept.pop(target.name, None)
        else:
            names.update(dict.fromkeys(_names(target), size))

    def _size(self, node: nodes.Node, names: dict[str, int]) -> int:
        """Return the pieces that an expression may hold."""
        self._work += 1
        if isinstance(node, nodes.Const):
            return 1 + len(node.value) // PIECE if isinstance(node.value, str) else 1
        if isinstance(node, nodes.TemplateData):
            return 1 + len(node.data) // PIECE
        if isinstance(node, nodes.Name):
            return max(names.get(node.name, 1), self._kept.get(node.name, 1))
        if isinstance(node, nodes.Getattr):
            name = node.node.name if isinstance(node.node, nodes.Name) else ""
            return self._kept.get(f"{name}.{node.attr}", 1)
        if isinstance(node, nodes.Getitem):
            return self._size(node.node, names)
        if isinstance(node, nodes.Compare | nodes.Test | nodes.Not):
            return 1
        if isinstance(node, nodes.CondExpr):
            other = self._size(node.expr2, names) if node.expr2 is not None else 1
            return max(self._size(node.expr1, names), other)
        if isinstance(node, nodes.And | nodes.Or):
            return max(self._size(node.left, names), self._size(node.right, names))
        if isinstance(node, nodes.Mul):
            times = max(self._times(node.left), self._times(node.right))
            return self._size(node.left, names) * self._size(node.right, names) * times
        if isinstance(node, nodes.Filter):
            return self._filtered(node, names)
        if isinstance(node, nodes.Call):
            return self._returned(node, names)
        parts = list(node.iter_child_nodes())
        return max(1, sum(self._size(part, names) for part in parts))

    def _times(self, node: nodes.Node) -> int:
        """Return by how much a side of a product multiplies a text on the other side."""
        return self._numbers.get(node.name, 1) if isinstance(node, nodes.Name) else _number(node)

    def _filtered(self, node: nodes.Filter, names: dict[str, int]) -> int:
        source = self._size(node.node, names) if node.node is not None else 1
        if node.name in ("length", "count", "int", "float"):
            return 1
        if node.name == "replace":
            return source * self._factor(node.args, names)
        return source + sum(self._size(part, names) for part in node.args)

    def _returned(self, node: nodes.Call, names: dict[str, int]) -> int:
        given = sum(self._size(part, names) for part in node.args)
        given += sum(self._size(keyword.value, names) for keyword in node.kwargs)
        called = node.node
        if isinstance(called, nodes.Name):
            if called.name == "namespace":
                return 1
            return 1 + given
        if not isinstance(called, nodes.Getattr):
            return 1 + given
        source = self._size(called.node, names)
        if called.attr == "append":
            self._append(called.node, min(source + given, MOST_PIECES + 1))
            return 1
        if called.attr == "replace":
            return source * self._factor(node.args, names)
        if called.attr == "join":
            return source * (1 + given) if isinstance(called.node, nodes.Name) else source + given
        if called.attr in ("split", "strip", "lstrip", "rstrip", "startswith", "endswith"):
            return source
        return source + given

    def _append(self, target: nodes.Node, size: int) -> None:
        if isinstance(target, nodes.Getattr) and isinstance(target.node, nodes.Name):
            self._kept[f"{target.node.name}.{target.attr}"] = size
        elif isinstance(target, nodes.Name):
            self._kept[target.name] = size

    def _factor(self, arguments: list[nodes.Expr], names: dict[str, int]) -> int:
        """Return by how much `replace` may multiply its text."""
        if len(arguments) < 2:
            return 1
        old, new = arguments[:2]
        if isinstance(new, nodes.Const) and isinstance(new.value, str):
            length = len(old.value) if isinstance(old, nodes.Const) and old.value else 1
            return max(1, -(-len(new.value) // max(1, length)))
        return 1 + self._size(new, names)


def _number(node: nodes.Node) -> int:
    """Return the value of a whole constant, and 1 for everything else."""
    if isinstance(node, nodes.Const) and isinstance(node.value, int):
        return max(1, int(node.value))
    return 1
