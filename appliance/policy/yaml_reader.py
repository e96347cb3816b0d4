"""YAML as policies use it: small, plain, and with a line number for every complaint.

Accepted: mappings, sequences and scalars of one document, of at most `MAX_BYTES`, `MAX_DEPTH`
levels and `MAX_NODES` parts. Refused: anchors and aliases (which can blow a kilobyte up to
gigabytes), tags, duplicate keys, several documents. Values are read by what the caller asks for,
so a bare `no` or `1.10` never turns into something else on the way.
"""

from collections.abc import Iterator
from typing import TypeVar

import yaml

from appliance.errors import ConfigurationError

MAX_BYTES = 262_144
MAX_DEPTH = 12
MAX_NODES = 20_000

_T = TypeVar("_T")


class PolicyError(ConfigurationError):
    """A policy that cannot be honoured; the text begins with `file:line:`."""


class Node:
    """One value of the document, with its place."""

    def __init__(self, source: str, node: yaml.Node, name: str) -> None:
        self._source = source
        self._node = node
        self.name = name
        """Path of keys, for complaints: `rules[2].action`."""

    @property
    def line(self) -> int:
        """Line in the file, from 1."""
        return int(self._node.start_mark.line) + 1

    def wrong(self, message: str) -> PolicyError:
        """A complaint about this value."""
        return PolicyError(f"{self._source}:{self.line}: {self.name}: {message}")

    def text(self) -> str:
        """A scalar, as written."""
        if not isinstance(self._node, yaml.ScalarNode):
            raise self.wrong("a single value is expected here")
        return str(self._node.value)

    def word(self) -> str:
        """A scalar that is not empty."""
        value = self.text().strip()
        if not value:
            raise self.wrong("must not be empty")
        return value

    def integer(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self.word()
        if not value.isascii() or not value.isdigit() or not low <= int(value[:18]) <= high:
            raise self.wrong(f"a whole number from {low} to {high} is expected")
        return int(value)

    def fraction(self) -> float:
        """A number from 0 to 1."""
        try:
            value = float(self.word())
        except ValueError:
            value = -1.0
        if not 0.0 <= value <= 1.0:
            raise self.wrong("a number from 0 to 1 is expected")
        return value

    def flag(self) -> bool:
        """`true` or `false`."""
        value = self.word()
        if value not in ("true", "false"):
            raise self.wrong("true or false is expected")
        return value == "true"

    def choice(self, allowed: dict[str, _T]) -> _T:
        """One of the words of `allowed`."""
        value = self.word()
        if value not in allowed:
            raise self.wrong(f"{value!r} is not known here; use one of {', '.join(allowed)}")
        return allowed[value]

    def items(self) -> Iterator["Node"]:
        """The members of a list."""
        if not isinstance(self._node, yaml.SequenceNode):
            raise self.wrong("a list is expected here")
        for number, node in enumerate(self._node.value):
            yield Node(self._source, node, f"{self.name}[{number}]")

    def words(self) -> tuple[str, ...]:
        """A list of words; one word may stand alone."""
        if isinstance(self._node, yaml.ScalarNode):
            return (self.word(),)
        return tuple(item.word() for item in self.items())

    def fields(self, required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, "Node"]:
        """The members of a mapping. Unknown, doubled and missing keys are refused."""
        if not isinstance(self._node, yaml.MappingNode):
            raise self.wrong("named fields (key: value) are expected here")
        found: dict[str, Node] = {}
        for key_node, value_node in self._node.value:
            key = Node(self._source, key_node, self.name)
            name = key.text()
            if name in found:
                raise key.wrong(f"{name!r} is written twice")
            if name not in required and name not in optional:
                known = ", ".join((*required, *optional))
                raise key.wrong(f"{name!r} is not a field of a policy; known here: {known}")
            found[name] = Node(self._source, value_node, f"{self.name}.{name}".lstrip("."))
        for name in required:
            if name not in found:
                raise self.wrong(f"the field {name!r} is missing")
        return found


def read(data: bytes, source: str) -> Node:
    """The root of the document in `data`; `source` names it in complaints. Raises `PolicyError`."""
    if len(data) > MAX_BYTES:
        raise PolicyError(f"{source}:1: a policy has at most {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8")
        _check_events(text, source)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError:
        raise PolicyError(f"{source}:1: the file is not UTF-8 text") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PolicyError(f"{source}:{line}: not YAML: {error.problem}") from None
    except yaml.YAMLError:
        raise PolicyError(
            f"{source}:1: not YAML: it holds characters that YAML does not allow"
        ) from None
    if node is None:
        raise PolicyError(f"{source}:1: the policy is empty")
    return Node(source, node, "")


def _check_events(text: str, source: str) -> None:
    """Refuse what is dangerous before anything is built from it."""
    depth = documents = 0
    for nodes, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        place = f"{source}:{event.start_mark.line + 1 if event.start_mark else 1}"
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise PolicyError(f"{place}: one file holds one policy")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise PolicyError(f"{place}: anchors and aliases are not allowed in a policy")
        if getattr(event, "tag", None):
            raise PolicyError(f"{place}: tags are not allowed in a policy")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise PolicyError(f"{place}: nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if nodes > MAX_NODES:
            raise PolicyError(f"{place}: the policy has too many parts")
