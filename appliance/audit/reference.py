"""The event catalogue as a page of the manual, made from the definitions themselves.

To write it anew: `python -m appliance.audit.reference > docs/audit-events.md`.
"""

import ast
import inspect
import sys
from itertools import pairwise
from types import ModuleType

import msgspec

from appliance.audit.events import EVENTS, Event

_HEAD = """# What the log can hold

Every entry of the audit log is one of the following events. This page is made from
`appliance/audit/events/` by `python -m appliance.audit.reference`; a test keeps it up to date.
Fields and types are only ever added. What surrounds them in an entry is described in
`appliance/audit/entries.py`.
"""


def reference_page() -> str:
    """The page, in Markdown."""
    return _HEAD + "".join(_section(kind) for _, kind in sorted(EVENTS.items()))


def _section(kind: type[Event]) -> str:
    notes = _field_notes(kind)
    rows = "".join(
        f"| `{field.name}` | {_type(field.type)} | {notes.get(field.name, '')} |\n"
        for field in msgspec.structs.fields(kind)
    )
    table = f"\n| field | type | |\n|---|---|---|\n{rows}" if rows else ""
    return f"\n## `{kind.action}`\n\n{inspect.getdoc(kind)}\n{table}"


def _type(kind: object) -> str:
    name = getattr(kind, "__name__", None)
    return f"`{name if isinstance(kind, type) and name else str(kind).replace('typing.', '')}`"


def _field_notes(kind: type[Event]) -> dict[str, str]:
    """The strings below the fields of a definition and of what it is built on."""
    notes: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        module = sys.modules.get(base.__module__)
        if issubclass(base, Event) and isinstance(module, ModuleType):
            notes.update(_notes_in(inspect.getsource(base)))
    return notes


def _notes_in(source: str) -> dict[str, str]:
    notes: dict[str, str] = {}
    definition = ast.parse(source).body[0]
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    for field, note in pairwise(body):
        if not (isinstance(field, ast.AnnAssign) and isinstance(note, ast.Expr)):
            continue
        if isinstance(note.value, ast.Constant):
            notes[ast.unparse(field.target)] = " ".join(str(note.value.value).split())
    return notes


if __name__ == "__main__":
    sys.stdout.write(reference_page())
