"""A policy document: what it says, read strictly from `policies/NAME.yaml`.

    id: default                     # its name; the file is called the same
    version: 1                      # raised with every change
    title: what it is for, in a sentence
    extends: other                  # optional: that policy's rules come first
    mode: enforce                   # or report: find and log, change nothing
    fail: block                     # what happens when a detector fails; nothing else is possible
    jurisdictions: [DE, AT, CH]     # whose identifiers are looked for; `all` by default
    languages: [en, de]             # languages of the texts, for names
    limits: {max_tokens: 2048, max_input_characters: 200000}
    models: [demo]                  # optional: the only models it allows
    content: none                   # kept in the log: none, redacted or full
    rules:
      - entities: [financial, US_SSN]      # groups or single entities (`entities.GROUPS`)
        when: {direction: [input, output], roles: [clinician], apps: [triage]}   # all, if left out
        min_score: 0.5
        action: replace             # block, mask, replace, hash, generalise, allow
    allow:                          # values that are not personal data here
      - {terms: ["+49 30 0000-0"], entities: [PHONE_NUMBER], expires: 2027-01-01, reason: ours}
    tests:                          # its own test cases; if one fails, it is not taken into use
      - {name: a card, direction: input, text: "4111 1111 1111 1111", expect: "[CREDIT_CARD]"}

For each entity the last rule that applies decides, except that `block` wins over all. `allow` rules
switch an entity off. Everything unknown, doubled, empty or not understood is refused with its line.
"""

from collections.abc import Callable
from datetime import date
from enum import StrEnum
from hashlib import sha256
from typing import TypeVar

import msgspec
import re2

from appliance.policy.entities import expand
from appliance.policy.yaml_reader import Node, PolicyError, read

MAX_PATTERN = 512
_PATTERN_MEMORY = 1 << 20


class Mode(StrEnum):
    """Whether the policy changes texts or only reports."""

    REPORT = "report"
    ENFORCE = "enforce"


class Direction(StrEnum):
    """Which way a text goes."""

    INPUT = "input"
    OUTPUT = "output"
    TOOL = "tool"
    LOG = "log"


class Content(StrEnum):
    """How much of a text the log keeps (encrypted, under the data subject's key)."""

    NONE = "none"
    REDACTED = "redacted"
    FULL = "full"


class Action(StrEnum):
    """What is done with a value."""

    ALLOW = "allow"
    REPLACE = "replace"
    MASK = "mask"
    HASH = "hash"
    GENERALISE = "generalise"
    BLOCK = "block"


class When(msgspec.Struct, frozen=True, kw_only=True):
    """Whom and which way a rule is for; an empty list means everybody, every way."""

    directions: tuple[Direction, ...] = ()
    roles: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What is done with some entities."""

    entities: tuple[str, ...]
    action: Action
    when: When = When()
    min_score: float = 0.5
    line: int = 0


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """Values that are left alone, until when, and why."""

    reason: str
    terms: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    """Only finds of these; empty means of any."""
    expires: date | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on one request; none means that the policy sets none."""

    max_tokens: int | None = None
    max_input_characters: int | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A test case of the policy: what becomes of `text`."""

    name: str
    text: str
    expect: str | None
    """The text afterwards; none where it must be blocked."""
    direction: Direction = Direction.INPUT
    role: str = ""
    app: str = ""
    line: int = 0


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A policy, complete: what it extends is already part of it."""

    id: str
    version: int
    title: str
    mode: Mode
    jurisdictions: tuple[str, ...]
    """ISO 3166 codes; empty means all."""
    languages: tuple[str, ...]
    limits: Limits
    models: tuple[str, ...] | None
    content: Content
    rules: tuple[Rule, ...]
    allow: tuple[Allowance, ...]
    tests: tuple[Case, ...]
    digest: str
    """SHA-256, hexadecimal, of the file's bytes and those of the policies it extends."""


Parent = Callable[[str], Document]
"""Gives the policy that another one extends, by its name."""


def _no_parent(name: str) -> Document:
    raise PolicyError(f"a policy called {name!r} is not there to be extended")


def parse(data: bytes, source: str, parent: Parent = _no_parent) -> Document:
    """Read a policy from the bytes of its file; `source` names the file in complaints.

    Raises `PolicyError`, whose text begins with `source:line:`.
    """
    fields = read(data, source).fields(
        ("id", "version", "rules", "tests"),
        (
            *("title", "extends", "mode", "fail", "jurisdictions", "languages"),
            *("limits", "models", "content", "allow"),
        ),
    )
    if "fail" in fields:
        fields["fail"].choice({"block": None})
    base = parent(fields["extends"].word()) if "extends" in fields else None
    rules = tuple(_rule(item) for item in fields["rules"].items())
    tests = tuple(_case(item) for item in fields["tests"].items())
    if not tests:
        raise fields["tests"].wrong("a policy needs at least one test case")
    if not rules and base is None:
        raise fields["rules"].wrong("a policy needs at least one rule")
    allow = tuple(_allowance(item) for item in fields["allow"].items()) if "allow" in fields else ()
    return Document(
        id=_name(fields["id"]),
        version=fields["version"].integer(1, 1_000_000),
        title=fields["title"].word() if "title" in fields else "",
        mode=_either(
            fields, "mode", {m.value: m for m in Mode}, base.mode if base else Mode.ENFORCE
        ),
        jurisdictions=_codes(fields, "jurisdictions", base.jurisdictions if base else ()),
        languages=_codes(fields, "languages", base.languages if base else ()),
        limits=_limits(fields.get("limits"), base.limits if base else Limits()),
        models=_models(fields.get("models"), base.models if base else None),
        content=_either(
            fields, "content", {c.value: c for c in Content}, base.content if base else Content.NONE
        ),
        rules=(*(base.rules if base else ()), *rules),
        allow=(*(base.allow if base else ()), *allow),
        tests=tests,
        digest=sha256((base.digest.encode() if base else b"") + data).hexdigest(),
    )


def _name(node: Node) -> str:
    value = node.word()
    if len(value) > 64 or not all(
        c.isascii() and (c.islower() or c.isdigit() or c == "-") for c in value
    ):
        raise node.wrong("small letters, digits and hyphens, 64 at most")
    return value


_S = TypeVar("_S")


def _either(fields: dict[str, Node], name: str, allowed: dict[str, _S], default: _S) -> _S:
    return fields[name].choice(allowed) if name in fields else default


def _codes(fields: dict[str, Node], name: str, base: tuple[str, ...]) -> tuple[str, ...]:
    node = fields.get(name)
    if node is None:
        return base
    values = node.words()
    if values == ("all",):
        return ()
    for value in values:
        if len(value) != 2 or not value.isascii() or not value.isalpha():
            raise node.wrong(f"{value!r} is not a code of two letters; or write `all`")
    return tuple(v.upper() if name == "jurisdictions" else v.lower() for v in values)


def _limits(node: Node | None, base: Limits) -> Limits:
    if node is None:
        return base
    fields = node.fields((), ("max_tokens", "max_input_characters"))
    tokens, characters = fields.get("max_tokens"), fields.get("max_input_characters")
    return Limits(
        max_tokens=tokens.integer(1, 10_000_000) if tokens else base.max_tokens,
        max_input_characters=(
            characters.integer(1, 100_000_000) if characters else base.max_input_characters
        ),
    )


def _models(node: Node | None, base: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if node is None:
        return base
    names = node.words()
    if not names:
        raise node.wrong("name at least one model, or leave the field out to allow all")
    return names


def _entities(node: Node) -> tuple[str, ...]:
    found: list[str] = []
    for item in node.words():
        members = expand(item)
        if not members:
            raise node.wrong(f"{item!r} is neither an entity nor a group of entities")
        found.extend(members)
    if not found:
        raise node.wrong("name at least one entity")
    return tuple(dict.fromkeys(found))


def _rule(node: Node) -> Rule:
    fields = node.fields(("entities", "action"), ("when", "min_score"))
    when = When()
    if "when" in fields:
        parts = fields["when"].fields((), ("direction", "roles", "apps"))
        known = {d.value: d for d in Direction}
        directions: list[Direction] = []
        if "direction" in parts:
            for value in parts["direction"].words():
                if value not in known:
                    raise parts["direction"].wrong(
                        f"{value!r} is no direction; use {', '.join(known)}"
                    )
                directions.append(known[value])
        when = When(
            directions=tuple(directions),
            roles=_listed(parts, "roles"),
            apps=_listed(parts, "apps"),
        )
    return Rule(
        entities=_entities(fields["entities"]),
        action=fields["action"].choice({a.value: a for a in Action}),
        when=when,
        min_score=fields["min_score"].fraction() if "min_score" in fields else 0.5,
        line=node.line,
    )


def _listed(fields: dict[str, Node], name: str) -> tuple[str, ...]:
    """A list that, if it is written, names somebody: an empty one would mean everybody."""
    if name not in fields:
        return ()
    values = fields[name].words()
    if not values:
        raise fields[name].wrong("name at least one, or leave the field out")
    return values


def _allowance(node: Node) -> Allowance:
    fields = node.fields(("reason",), ("terms", "patterns", "entities", "expires"))
    if "terms" not in fields and "patterns" not in fields:
        raise node.wrong("give the terms or the patterns that are allowed")
    expires = None
    if "expires" in fields:
        try:
            expires = date.fromisoformat(fields["expires"].word())
        except ValueError:
            raise fields["expires"].wrong("a date such as 2027-01-31 is expected") from None
    patterns = (
        tuple(_pattern(item) for item in fields["patterns"].items()) if "patterns" in fields else ()
    )
    return Allowance(
        reason=fields["reason"].word(),
        terms=_listed(fields, "terms"),
        patterns=patterns,
        entities=_entities(fields["entities"]) if "entities" in fields else (),
        expires=expires,
    )


def _pattern(node: Node) -> str:
    """A pattern that RE2 compiles within `_PATTERN_MEMORY` bytes and that matches something."""
    value = node.word()
    if len(value) > MAX_PATTERN:
        raise node.wrong(f"a pattern has at most {MAX_PATTERN} characters")
    options = re2.Options()
    options.max_mem = _PATTERN_MEMORY
    options.log_errors = False
    try:
        compiled = re2.compile(value, options)
    except re2.error:
        raise node.wrong(
            "not a pattern that RE2 knows (no look-around, no back-references, not too large)"
        ) from None
    if compiled.fullmatch(""):
        raise node.wrong("a pattern that matches the empty text matches everything")
    return value


def _case(node: Node) -> Case:
    fields = node.fields(("name", "text"), ("expect", "blocked", "direction", "role", "app"))
    blocked = "blocked" in fields and fields["blocked"].flag()
    if blocked == ("expect" in fields):
        raise node.wrong("say either what is expected (`expect`) or `blocked: true`")
    return Case(
        name=fields["name"].word(),
        text=fields["text"].text(),
        expect=None if blocked else fields["expect"].text(),
        direction=(
            fields["direction"].choice({d.value: d for d in Direction})
            if "direction" in fields
            else Direction.INPUT
        ),
        role=fields["role"].word() if "role" in fields else "",
        app=fields["app"].word() if "app" in fields else "",
        line=node.line,
    )
