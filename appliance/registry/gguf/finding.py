"""What is wrong with a file: which rule, where, and in words.

A rule's value is stable: scripts and the import report rely on it. The text is for people and may
change. Names that a file chose (keys, tensors, architectures) reach a text only through `shown`,
which cuts them and escapes what a terminal would act on; other content of a file never does.
"""

from enum import StrEnum

import msgspec

from appliance.errors import ApplianceError

SHOWN_LENGTH = 64


class Rule(StrEnum):
    """The checks, in the order in which they are made."""

    UNREADABLE = "unreadable"
    TRUNCATED = "truncated"
    MAGIC = "magic"
    VERSION = "version"
    COUNT = "count"
    HEADER_SIZE = "header-size"
    KEY = "key"
    VALUE_TYPE = "value-type"
    VALUE = "value"
    TEXT = "text"
    TENSOR_NAME = "tensor-name"
    TENSOR_SHAPE = "tensor-shape"
    TENSOR_TYPE = "tensor-type"
    ALIGNMENT = "alignment"
    OFFSET = "offset"
    FILE_END = "file-end"
    CONTENT = "content"
    ARCHITECTURE = "architecture"
    HYPERPARAMETER = "hyperparameter"
    TENSOR_SET = "tensor-set"
    VOCABULARY = "vocabulary"
    ENTRY = "vocabulary-entry"
    SPECIAL_ID = "special-id"
    TEMPLATE = "template"


class Finding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that is wrong."""

    rule: Rule
    where: str
    """A key, a tensor or an offset in the file."""
    what: str
    """The fault, and what to do about it where that is not plain."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class MalformedError(ApplianceError):
    """The bytes cannot be followed any further; `scan` turns the finding into a report."""

    def __init__(self, rule: Rule, where: str, what: str) -> None:
        self.finding = Finding(rule=rule, where=where, what=what)
        super().__init__(str(self.finding))


def shown(name: str | bytes) -> str:
    """Return a name from a file as a person may see it: quoted, escaped, at most 64 long."""
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    cut = text[:SHOWN_LENGTH]
    escaped = "".join(c if " " <= c <= "~" else f"\\u{ord(c):04x}" for c in cut)
    return f"'{escaped}{'…' if len(text) > SHOWN_LENGTH else ''}'"
