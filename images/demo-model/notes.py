"""Notes: an invented ward note or bank message together with what is true of it.

Contract: `compose(random, split)` returns a `Note` whose text, category, fields, summary and reply
agree. Every field value occurs verbatim in the text, also after the noise (typing errors, lower
case, dropped stops) that is applied here. Sentences and fillers of one split never occur in the
other.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from fillers import Fillers, Split

Segment = tuple[str, str | None]  # text, field or None for words between fields


def _load(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


DOMAINS: dict[str, dict[str, Any]] = {"ward": _load("ward.toml"), "bank": _load("bank.toml")}
LABELS = {
    domain: [label for label in table if label != "frame"] for domain, table in DOMAINS.items()
}
SUBJECT = {"ward": "patient", "bank": "customer"}
SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")


@dataclass(frozen=True)
class Note:
    """A text and what is true of it."""

    domain: str
    category: str
    text: str
    fields: dict[str, str]
    summary: str
    reply: str


def slots(template: str) -> set[str]:
    """The fields a template fills."""
    return {match.group(1) for match in SLOT.finditer(template)}


def sentences(domain: str, part: str, split: Split) -> list[str]:
    """The frame sentences (`openers`, `details`, `closings`) of one split."""
    frame = DOMAINS[domain]["frame"]
    found: list[str] = frame[part if split == "train" else f"heldout_{part}"]
    return found


def compose(
    random: Random,
    split: Split,
    domain: str | None = None,
    details: int | None = None,
    deciding: dict[str, dict[str, list[str]]] | None = None,
) -> Note:
    """A new note of a random category, from the split's deciding sentences or other ones."""
    domain = domain or random.choice(("ward", "bank"))
    category = random.choice(LABELS[domain])
    family = DOMAINS[domain][category]
    if details is None:
        details = random.choice((0, 0, 1, 1, 2, 3))
    parts = [
        random.choice(sentences(domain, "openers", split)),
        random.choice(deciding[domain][category] if deciding else family[split]),
        *random.sample(sentences(domain, "details", split), min(details, 5)),
        random.choice(sentences(domain, "closings", split)),
    ]
    if random.random() < 0.15:  # the deciding sentence does not always come first
        parts[1], parts[-2] = parts[-2], parts[1]
    fillers, values = Fillers(random, split), dict[str, str]()
    separator = random.choice((" ", " ", " ", "\n"))
    segments: list[Segment] = []
    for part in filter(None, parts):
        if segments:
            segments.append((separator, None))
        segments += _fill(part, fillers, values)
    segments = _noise(segments, random)
    fields = {field: text for text, field in reversed(segments) if field}
    return Note(
        domain=domain,
        category=category,
        text="".join(text for text, _ in segments),
        fields=fields,
        summary=_first_fitting(family["summary"], fields, possessive="their"),
        reply=_first_fitting(family["reply"], fields, possessive="your"),
    )


def _fill(template: str, fillers: Fillers, values: dict[str, str]) -> list[Segment]:
    segments: list[Segment] = []
    end = 0
    for match in SLOT.finditer(template):
        field, kind = match.group(1), match.group(2) or match.group(1)
        value = values.setdefault(field, fillers.value(kind))
        segments += [(template[end : match.start()], None), (value, field)]
        end = match.end()
    segments.append((template[end:], None))
    return [segment for segment in segments if segment[0]]


def _first_fitting(templates: list[str], fields: dict[str, str], possessive: str) -> str:
    """The first template all of whose slots the note fills: the fullest true sentence.

    The writer's "my" becomes `possessive`.
    """
    for template in templates:
        if slots(template) <= fields.keys():
            return SLOT.sub(
                lambda match: re.sub(r"\b[mM]y\b", possessive, fields[match.group(1)]), template
            )
    raise ValueError(f"no template fits: {templates[0]!r}")


def is_placeholder(text: str) -> bool:
    """Whether redaction would have left this."""
    return text[:1] in "[<" and text[-1:] in "]>"


def _noise(segments: list[Segment], random: Random) -> list[Segment]:
    kind = random.random()
    if kind < 0.14:  # placeholders keep their case: the redactor writes them, not the typist
        segments = [
            (text if is_placeholder(text) else text.lower(), field) for text, field in segments
        ]
    elif kind < 0.16:
        segments = [(text.upper(), field) for text, field in segments]
    if random.random() < 0.2:
        segments = [(text if field else _typos(text, random), field) for text, field in segments]
    if random.random() < 0.1 and segments[-1][1] is None:
        segments[-1] = (segments[-1][0].rstrip("."), None)
    return [segment for segment in segments if segment[0]]


def _typos(text: str, random: Random, rate: float = 0.025) -> str:
    letters = list(text)
    for index in range(1, len(letters) - 1):
        if letters[index].isalpha() and random.random() < rate:
            action = random.choice(("drop", "swap", "double"))
            if action == "drop":
                letters[index] = ""
            elif action == "double":
                letters[index] *= 2
            elif letters[index + 1].isalpha():
                letters[index], letters[index + 1] = letters[index + 1], letters[index]
    return "".join(letters)
